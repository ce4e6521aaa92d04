"""Goals that no miner can reach are refused where they are made."""

import math
from typing import Any

import pytest

from stratum_miner.miner import Goals, StopReason


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


@pytest.mark.parametrize(
    ("goals", "shares", "blocks", "reason"),
    [
        (Goals(), 10**9, 10**9, None),
        (Goals(time_limit=1), 10**9, 10**9, None),
        (Goals(shares=3), 2, 9, None),
        (Goals(shares=3), 3, 0, StopReason.SHARES_REACHED),
        (Goals(shares=3), 4, 0, StopReason.SHARES_REACHED),
        (Goals(blocks=2), 9, 1, None),
        (Goals(blocks=2), 0, 2, StopReason.BLOCKS_REACHED),
        (Goals(shares=3, blocks=2), 2, 2, StopReason.BLOCKS_REACHED),
        (Goals(shares=3, blocks=2), 3, 2, StopReason.SHARES_REACHED),
    ],
)
def test_a_goal_is_reached_at_its_number(goals: Goals, shares: int, blocks: int, reason: StopReason | None) -> None:
    assert goals.reached(shares=shares, blocks=blocks) is reason
