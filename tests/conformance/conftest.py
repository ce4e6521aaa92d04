"""Runs one check against a correct pool, or against a pool with changed messages."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from stratum_miner.backends.cpu.kernels import available_kernels
from stratum_miner.cli.conformance import NodeChain
from stratum_miner.conformance.case import CASES
from stratum_miner.conformance.pool_under_test import PoolUnderTest
from stratum_miner.conformance.probe import Facts
from stratum_miner.conformance.share_search import Hasher
from stratum_miner.conformance.verify import Result, run_case
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.nodes.memory import LOWEST_DIFFICULTY
from tests.conformance.changed_pool import EASY_DIFFICULTY, memory_chain, open_changed_pool

RETARGET_SECONDS = 20.0
HASHER = Hasher(available_kernels()[0], 1e6)
"""The hash rate only sets the time budget. No check here needs more than a few hundred hashes."""
VARDIFF = VardiffConfig(target_seconds=5.0, retarget_seconds=RETARGET_SECONDS, minimum=2.4e-10)

RunCheck = Callable[..., Awaitable[Result]]


@dataclass(frozen=True)
class PoolSetup:
    """Settings of the correct pool for a check."""

    network_difficulty: float = LOWEST_DIFFICULTY
    config: dict[str, Any] | None = None
    tls: bool = False


SETUPS = {
    "SH-08": PoolSetup(network_difficulty=1, config={"difficulty": 1e-6, "minimum_difficulty": 1e-6}),
    "SH-12": PoolSetup(config={"difficulty": 1e-8, "minimum_difficulty": 1e-8}),
    "VD-02": PoolSetup(config={"vardiff": VARDIFF}),
    "VD-03": PoolSetup(config={"vardiff": VARDIFF}),
    "VD-04": PoolSetup(config={"vardiff": VARDIFF}),
    "VD-05": PoolSetup(network_difficulty=1, config={"difficulty": 1e-8}),
    "LD-17": PoolSetup(tls=True),
}


@pytest.fixture
def run_check(monkeypatch: pytest.MonkeyPatch) -> RunCheck:
    """``await run_check("ERR-01", to_client=...)`` runs a check against a pool with changed messages.

    The test must also use ``autojump_clock``, because most checks wait.
    """

    # The clock would jump while a worker thread computes hashes.
    monkeypatch.setattr("stratum_miner.conformance.share_search.QUICK", 1_000_000)

    async def run(identifier: str, *, worker: str = "alice", password: str = "x", **changes: Any) -> Result:
        setup = SETUPS.get(identifier, PoolSetup())
        settings = {"difficulty": EASY_DIFFICULTY, "minimum_difficulty": 2.4e-10} | (setup.config or {})
        settings |= changes.pop("config", {})
        chain = memory_chain(setup.network_difficulty)
        async with open_changed_pool(chain, PoolConfig(payout_script=b"\x51", **settings), **changes) as (_, changer):
            target = PoolUnderTest(
                name="memory",
                dial=changer.dial,
                dial_raw=changer.dial if setup.tls else None,
                tls=setup.tls,
                worker=worker,
                password=password,
                owned=True,
                chain=NodeChain(chain),
                retarget_seconds=RETARGET_SECONDS,
            )
            return await run_case(target, CASES[identifier], HASHER, Facts(), seed=7)

    return run
