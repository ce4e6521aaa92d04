"""A miner inside a test of your own: it mines on a pool until the pool has accepted two shares.

The test needs no network, node or device. Run it with pytest:

    pip install '/path/to/stratum_miner[testing]'
    pytest -s miner_in_a_test.py
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from stratum_miner.backends import CpuBackend
from stratum_miner.client import ClientOptions, PoolSettings, PoolUrl
from stratum_miner.miner import Goals, JobStarted, MinerEvent, ShareResult, StopReason, open_miner
from stratum_miner.pool import MemoryNode, PoolConfig, open_pool
from stratum_miner.work import ShareOutcome


@asynccontextmanager
async def pool_under_test() -> AsyncIterator[PoolUrl]:
    """Start the pool and return its URL. Replace this by the pool that you want to test."""
    config = PoolConfig(payout_script=b"\x51", port=0, difficulty=1e-6)
    async with open_pool(MemoryNode(network_difficulty=1), config) as pool:
        yield PoolUrl("127.0.0.1", pool.port)


async def mine(url: PoolUrl, shares: int) -> tuple[StopReason, list[ShareResult]]:
    """Mine until the pool has accepted so many shares. Return why the miner stopped, and all results."""
    results: list[ShareResult] = []

    def on_event(event: MinerEvent) -> None:
        match event:
            case JobStarted(job=job):
                print(f"job {job.job_id}: share difficulty {job.share_difficulty:.3g}")
            case ShareResult(share=share, outcome=outcome):
                print(f"{outcome.value}: a share of difficulty {share.difficulty:.3g}")
                results.append(event)

    async with open_miner(
        PoolSettings(url=url, worker_name="alice.test"),
        [CpuBackend(threads=1)],
        on_event=on_event,
        goals=Goals(shares=shares, time_limit=60.0),
        options=ClientOptions(retry=False),  # raise PoolUnreachable if the pool cannot be reached
    ) as miner:
        reason = await miner.wait_stopped()
    return reason, results


def test_the_pool_accepts_two_shares() -> None:
    async def run() -> tuple[StopReason, list[ShareResult]]:
        async with pool_under_test() as url:
            return await mine(url, shares=2)

    reason, results = trio.run(run)
    assert reason is StopReason.SHARES_REACHED
    assert [result.outcome for result in results[:2]] == [ShareOutcome.ACCEPTED] * 2
