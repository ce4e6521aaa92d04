"""A warning if shares will be rare, because the miner is then silent for long."""

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from stratum_miner.app.daemon import status_lines


def seen(difficulty: float | None, rate: float, elapsed: float = 10.0) -> Any:
    return SimpleNamespace(share_difficulty=difficulty, summary=SimpleNamespace(hash_rate_1m=rate, elapsed_s=elapsed))


def test_a_difficulty_far_too_high_is_told_once() -> None:
    rare = status_lines._RareShares()
    with capture_logs() as logs:
        for _ in range(3):
            rare.look(seen(500_000, 12e6))
    assert [line["text"] for line in logs] == ["at difficulty 500,000 and 12.0 MH/s, expect one share every 5.67 years"]
    with capture_logs() as logs:
        rare.look(seen(400_000, 12e6))
    assert len(logs) == 1, "another one is news"


@pytest.mark.parametrize(
    ("difficulty", "rate", "elapsed"),
    [(1, 12e6, 10), (None, 12e6, 10), (500_000, 0, 10), (500_000, 12e6, 1)],
)
def test_nothing_is_said_of_what_is_usual_or_not_known_yet(
    difficulty: float | None, rate: float, elapsed: float
) -> None:
    with capture_logs() as logs:
        status_lines._RareShares().look(seen(difficulty, rate, elapsed))
    assert logs == []
