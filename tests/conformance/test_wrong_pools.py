"""Each wrong pool of the table fails the checks that the table names, and no others."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
import trio.testing

from stratum_miner.cli.conformance import NodeChain
from stratum_miner.conformance.case import CASES, Level
from stratum_miner.conformance.cases import ALL
from stratum_miner.conformance.outcome import Verdict
from stratum_miner.conformance.pool_under_test import PoolUnderTest
from stratum_miner.conformance.verify import Result, verify
from stratum_miner.pool.config import PoolConfig
from tests.conformance.changed_pool import memory_chain, open_changed_pool
from tests.conformance.conftest import HASHER
from tests.conformance.wrong_pools import NETWORK_DIFFICULTY, SHARE_DIFFICULTY, WRONG_POOLS, WrongPool

Clock = trio.testing.MockClock
LONG = {"LD-01", "LD-03", "LD-04", "LD-05", "LD-07", "LD-08", "LD-10", "VD-10"}
"""Checks that take long: they look at floods and many connections, or compute many hashes and do not judge."""


@asynccontextmanager
async def open_wrong_pool(wrong: WrongPool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PoolUnderTest]:
    for name, replacement in wrong.patches.items():
        monkeypatch.setattr(name, replacement)
    chain = memory_chain(NETWORK_DIFFICULTY)
    config = PoolConfig(
        payout_script=b"\x51", difficulty=SHARE_DIFFICULTY, minimum_difficulty=SHARE_DIFFICULTY / 8, port=0
    )
    async with open_changed_pool(chain, config, **wrong.changes()) as (_, changer):
        yield PoolUnderTest(
            name="memory", dial=changer.dial, worker="alice", password="x", owned=True, chain=NodeChain(chain)
        )


async def failed_checks(pool: PoolUnderTest, identifiers: Iterable[str]) -> dict[str, Result]:
    wanted = set(identifiers)
    results = await verify(pool, [case for case in ALL if case.id in wanted], HASHER, seed=7)
    return {each.case.id: each for each in results if each.verdict is Verdict.FAILED}


def expect_as_named(wrong: WrongPool, failed: dict[str, Result]) -> None:
    by_level = {
        level: {identifier for identifier, each in failed.items() if each.case.level is level} for level in Level
    }
    shown = "\n".join(f"{identifier}: {each.outcome.actual}" for identifier, each in failed.items())
    assert by_level[Level.MUST] == wrong.must, shown
    assert by_level[Level.SHOULD] == wrong.should, shown


POOLS = [pytest.param(wrong, id=wrong.name) for wrong in WRONG_POOLS]


@pytest.mark.parametrize("wrong", POOLS)
async def test_its_fault_is_found(autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch, wrong: WrongPool) -> None:
    async with open_wrong_pool(wrong, monkeypatch) as pool:
        expect_as_named(wrong, await failed_checks(pool, wrong.must | wrong.should | wrong.also))


@pytest.mark.slow
@pytest.mark.parametrize("wrong", POOLS)
async def test_nothing_else_is_found(autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch, wrong: WrongPool) -> None:
    async with open_wrong_pool(wrong, monkeypatch) as pool:
        expect_as_named(wrong, await failed_checks(pool, set(CASES) - LONG))


async def test_in_the_correct_pool_nothing_is_found(autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = WrongPool(name="correct", fault="", seen="")
    async with open_wrong_pool(wrong, monkeypatch) as pool:
        expect_as_named(wrong, await failed_checks(pool, set(CASES) - LONG))


def test_there_are_at_least_twelve() -> None:
    assert len({wrong.name for wrong in WRONG_POOLS}) >= 12
    assert all(wrong.must or wrong.should for wrong in WRONG_POOLS)
