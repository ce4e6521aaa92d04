"""Goals that no miner can reach are refused where they are made."""

import math
from typing import Any

import pytest

from stratum_miner.miner import Goals


@pytest.mark.parametrize(
    ("goals", "text"),
    [
        ({"shares": 0}, "shares: expected None, or more than 0, got 0"),
        ({"shares": -1}, "shares: expected None, or more than 0, got -1"),
        ({"blocks": 0}, "blocks: expected None, or more than 0, got 0"),
        ({"time_limit": 0.0}, "time_limit: expected None, or more than 0, got 0.0"),
        ({"time_limit": -1.0}, "time_limit: expected None, or more than 0, got -1.0"),
        ({"time_limit": math.nan}, "time_limit: expected None, or more than 0, got nan"),
    ],
)
def test_a_goal_is_more_than_0(goals: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Goals(**goals)


def test_the_smallest_goals() -> None:
    assert Goals(shares=1, blocks=1, time_limit=0.001) != Goals(time_limit=math.inf) != Goals()
