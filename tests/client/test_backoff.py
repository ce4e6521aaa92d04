"""How long a client waits before its next connection: the limits of the random pauses, and how they grow."""

import random

import pytest
import trio
from trio.testing import MockClock

from stratum_miner.client.backoff import Backoff, Pauses
from stratum_miner.client.pool_memory import PoolMemory


class Longest(random.Random):
    """Returns the upper limit of each random number, and keeps both limits."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.limits.append((a, b))
        return b


def test_the_upper_limit_of_a_pause_doubles_up_to_a_minute_and_the_lower_one_is_1_s() -> None:
    rng = Longest()
    pauses = Backoff(rng)
    assert [pauses.next_pause() for _ in range(7)] == [2, 4, 8, 16, 32, 60, 60]
    assert {least for least, _ in rng.limits} == {1}
    pauses.reset()
    assert pauses.next_pause() == 2


def test_the_less_chance_the_nearer_is_the_lower_limit_to_the_upper_one() -> None:
    rng = Longest()
    pauses = Backoff(rng, first=4.0, limit=10.0, chance=0.25)
    for _ in range(3):
        pauses.next_pause()
    assert rng.limits == [(3, 4), (6, 8), (7.5, 10)]


def test_pauses_after_refusals_grow_to_ten_minutes() -> None:
    rng = Longest()
    pauses = Pauses(PoolMemory(), rng)
    assert [pauses.after_refusal() for _ in range(9)] == [4, 8, 16, 32, 64, 128, 256, 512, 600]
    assert rng.limits[0] == (2, 4)
    assert rng.limits[-1] == (300, 600)
    pauses.reset()
    assert pauses.after_refusal() == 4


def test_a_pause_that_the_user_set_neither_grows_nor_varies() -> None:
    rng = Longest()
    pauses = Pauses(PoolMemory(), rng, after_failure=30.0)
    assert [pauses.after_failure() for _ in range(3)] == [30, 30, 30]
    assert rng.limits == [(30, 30)] * 3


def test_a_pool_that_asks_for_a_wait_gets_it_with_a_tenth_at_most_more() -> None:
    rng = Longest()
    pauses = Pauses(PoolMemory(), rng)
    assert pauses.after_redirect(100.0) == pytest.approx(110)
    assert rng.limits[0] == (1, 1.1)
    assert [pauses.after_redirect(1.0) for _ in range(2)] == [4, 8], "it is longer after each redirect"
    assert pauses.after_failure() == 16, "and so are the pauses after failures"
    pauses.reset()
    assert pauses.after_redirect(1.0) == 2


async def test_the_first_connection_does_not_wait_and_the_others_take_turns(autojump_clock: MockClock) -> None:
    """In a pool's memory, each turn is an interval (here the longest, 1.5 s) after the one before."""
    memory, start = PoolMemory(), trio.current_time()
    one, other = Pauses(memory, Longest()), Pauses(memory, Longest())
    await one.wait_for_turn()
    await other.wait_for_turn()
    assert trio.current_time() == start
    await one.wait_for_turn()
    assert trio.current_time() == pytest.approx(start + 1.5)
    await other.wait_for_turn()
    assert trio.current_time() == pytest.approx(start + 3.0)


async def test_after_a_connection_was_made_nobody_comes_back_for_a_second(autojump_clock: MockClock) -> None:
    """Connecting may take longer than the interval since its beginning."""
    pauses = Pauses(PoolMemory(), Longest())
    await pauses.wait_for_turn()
    await trio.sleep(20)
    pauses.connected()
    before = trio.current_time()
    await pauses.wait_for_turn()
    assert trio.current_time() - before == pytest.approx(1.05)
