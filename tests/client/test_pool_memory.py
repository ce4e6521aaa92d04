"""What the program has learnt about a pool: turns, the form of the handshake, and longer time limits."""

import pytest

from stratum_miner.client.pool_memory import Handshake, PoolMemory
from stratum_miner.client.settings import Timeouts

FULL, WITHOUT, BARE = Handshake.FULL, Handshake.WITHOUT_EXTRANONCE, Handshake.BARE
HOUR = 3600.0


def test_each_turn_is_the_interval_of_the_one_before_later() -> None:
    it = PoolMemory()
    assert [it.next_turn(100.0, interval) for interval in (2.0, 3.0, 1.0)] == [100.0, 102.0, 105.0]
    assert it.next_turn(200.0, 1.0) == 200.0
    it.note_connecting(200.5, 4.0)
    assert it.next_turn(200.5, 1.0) == 204.5
    it.note_connecting(200.6, 1.0)  # this does not bring the next turn forward
    assert it.next_turn(200.7, 1.0) == 205.5


def forms(it: PoolMemory, count: int, now: float = 0.0) -> list[Handshake]:
    """The forms of the next handshakes if each connection ends during it."""
    found = []
    for _ in range(count):
        found.append(it.handshake(now))
        it.note_disconnected()
    return found


def test_two_connections_that_end_in_a_handshake_shorten_it_and_then_each_further_one() -> None:
    assert forms(PoolMemory(), 6) == [FULL, FULL, WITHOUT, BARE, FULL, WITHOUT]


def test_the_form_that_worked_is_used_for_an_hour() -> None:
    it = PoolMemory()
    forms(it, 3)
    it.note_worked(BARE, 1000.0)
    assert it.handshake(1000.0) is BARE
    it.note_worked(BARE, 2000.0)  # the hour begins once, or the full form would never be tried again
    assert it.handshake(1000.0 + HOUR - 1) is BARE
    assert it.handshake(1000.0 + HOUR) is FULL


def test_the_next_forms_begin_at_the_one_that_worked() -> None:
    it = PoolMemory()
    it.note_worked(WITHOUT, 0.0)
    assert forms(it, 4) == [WITHOUT, WITHOUT, BARE, FULL]


def test_a_form_that_works_ends_the_row() -> None:
    it = PoolMemory()
    forms(it, 1)
    it.note_worked(FULL, 0.0)
    assert forms(it, 2) == [FULL, FULL]


def test_a_limit_that_was_too_short_doubles_up_to_sixteen_times_and_for_an_hour() -> None:
    it, usual = PoolMemory(), Timeouts()
    assert it.timeouts(usual, 0.0) == usual
    found = []
    for _ in range(5):
        it.note_too_slow("authorize", 100.0)
        found.append(it.timeouts(usual, 100.0).authorize)
    assert found == [60, 120, 240, 480, 480]
    others = it.timeouts(usual, 100.0)
    assert (others.subscribe, others.unanswered_submit, others.silence) == (30, 60, 180)
    assert it.timeouts(usual, 100.0 + HOUR - 1).authorize == 480
    assert it.timeouts(usual, 100.0 + HOUR) == usual
    it.note_too_slow("authorize", 100.0 + HOUR)
    assert it.timeouts(usual, 100.0 + HOUR).authorize == 60, "what was learnt before is forgotten"


@pytest.mark.parametrize("limit", ["subscribe", "authorize", "unanswered_submit"])
def test_each_limit_that_can_be_learnt_grows_alone(limit: str) -> None:
    it, usual = PoolMemory(), Timeouts()
    it.note_too_slow(limit, 0.0)  # type: ignore[arg-type]  # one of the three names of Limit
    longer = it.timeouts(usual, 0.0)
    changed = {name for name in Timeouts.__slots__ if getattr(longer, name) != getattr(usual, name)}
    assert changed == {limit}
