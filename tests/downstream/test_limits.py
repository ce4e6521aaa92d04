"""The limits for miners: which values may be set."""

from typing import Any

import pytest

from stratum_miner.downstream.limits import MinerLimits
from stratum_miner.downstream.validator import MAX_NTIME_AHEAD

MORE_THAN_0 = ("authorize_timeout", "idle_timeout", "send_timeout", "max_queue")
AT_LEAST_0 = ("max_refused_shares", "resume_seconds", "stop_grace")


@pytest.mark.parametrize("name", MORE_THAN_0)
def test_a_time_to_wait_is_more_than_nothing(name: str) -> None:
    assert getattr(MinerLimits(**{name: 1e-9}), name) == 1e-9  # type: ignore[arg-type]  # any number
    for value in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=f"^{name}: expected more than 0, got {value}$"):
            MinerLimits(**{name: value})  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("name", AT_LEAST_0)
def test_a_time_to_grant_may_be_nothing(name: str) -> None:
    assert getattr(MinerLimits(**{name: 0}), name) == 0
    for value in (-1e-9, float("nan")):
        with pytest.raises(ValueError, match=f"^{name}: expected 0 or more, got {value}$"):
            MinerLimits(**{name: value})  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(("value", "good"), [(None, True), (1, True), (0, False), (-1, False)])
def test_connections_of_one_address_may_be_one_or_any_number(value: Any, good: bool) -> None:
    if good:
        assert MinerLimits(max_connections_per_address=value).max_connections_per_address == value
    else:
        with pytest.raises(ValueError, match=f"expected None, or 1 or more, got {value}$"):
            MinerLimits(max_connections_per_address=value)


def test_without_more_said_the_limits_are_those_of_pools_that_many_use() -> None:
    """The times to log in and to resume are ckpool's, the time of silence is DATUM's; each is in seconds."""
    limits = MinerLimits()
    assert (limits.authorize_timeout, limits.resume_seconds, limits.idle_timeout) == (60, 10 * 60, 2 * 3600)
    assert (limits.send_timeout, limits.stop_grace) == (30, 5), "both well below the minute that a miner waits for work"
    assert limits.max_queue == 256 * 1024, "a hundred jobs of 2.6 kB"
    assert limits.max_refused_shares == 500


def test_a_share_may_be_as_far_ahead_as_clocks_that_differ_by_200_seconds_allow() -> None:
    """Nodes refuse a block two hours ahead of their clock."""
    assert MAX_NTIME_AHEAD == 2 * 3600 - 200
