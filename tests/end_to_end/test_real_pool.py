"""Our miner against a pool server and a node that other people wrote, over real sockets (tests/realpool)."""

import json
import urllib.request
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio

from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.client import PoolSettings, PoolUrl, WorkerRefused
from stratum_miner.client.events import ConnectionState, StateChanged
from stratum_miner.miner import UNTIL_STOPPED, Goals, JobStarted, Miner, MinerEvent, MinerSnapshot, StopReason
from stratum_miner.stratum_job import submit_of
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from tests.work.jobs import body_of

pytestmark = pytest.mark.node

ADDRESS = "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"
DIFFICULTY = "0.00005"
"""215,000 hashes: a few milliseconds of one thread."""
HARD_CHAIN = "1e09ffff"
"""Chain difficulty 0.0004: one share of eight is a block."""

RealPoolFactory = Callable[..., AbstractAsyncContextManager[Any]]


class Watched:
    """A finished run and all it told."""

    def __init__(self, ending: StopReason, snapshot: MinerSnapshot, events: list[MinerEvent]) -> None:
        self.ending = ending
        self.snapshot = snapshot
        self.events = events

    def shares(self, fate: ShareOutcome) -> list[Share]:
        return [event.share for event in self.events if isinstance(event, ShareResult) and event.outcome is fate]


async def mine(
    pool: Any,
    *,
    password: str = "x",
    goals: Goals = UNTIL_STOPPED,
    version_mask: int = 0x1FFFE000,
    enough: Callable[[list[MinerEvent]], bool] = lambda events: False,
) -> Watched:
    """Mine until the goals are reached, or until these events are ``enough``."""
    events: list[MinerEvent] = []

    def on_event(event: MinerEvent) -> None:
        events.append(event)
        if enough(events):
            miner.stop()

    settings = PoolSettings(
        url=PoolUrl(pool.host, pool.port), worker_name=ADDRESS, password=password, version_mask=version_mask
    )
    # With its usual priority of 19, a busy machine would leave the search nothing. One thread finds more than the pool,
    # which is written in JavaScript, can judge.
    miner = Miner(settings, [CpuBackend(threads=1, priority="normal")], goals=goals, on_event=on_event)
    with trio.move_on_after(120) as patience:
        ending = await miner.run()
    assert not patience.cancelled_caught, f"expected {goals} within 120 s, got {miner.snapshot()}"
    return Watched(ending, miner.snapshot(), events)


async def height_of(pool: Any) -> int:
    def ask() -> int:
        request = urllib.request.Request(
            f"http://127.0.0.1:{pool.rpc_port}/",
            json.dumps({"method": "getblockcount", "params": [], "id": 1}).encode(),
            {"Content-Type": "application/json", "Authorization": "Basic eDpw"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return int(json.load(response)["result"])

    return await trio.to_thread.run_sync(ask)


async def reaches(pool: Any, height: int) -> None:
    """The pool answers a share before its node has connected the block."""
    with trio.move_on_after(60):
        while (seen := await height_of(pool)) < height:  # noqa: ASYNC110  the node of another process
            await trio.sleep(0.05)
        return
    raise AssertionError(f"expected height {height} within 60 s, got {seen}")


def check_rightly_refused(run: Watched) -> None:
    """No share is rejected but for the one kind that this pool gets wrong.

    Its duplicate check leaves the version out. The miner withholds a share whose nonce it has submitted in another
    version, but never a block: of a thousand shares at a low difficulty one may be such a block.
    """
    submitted = [event.share for event in run.events if isinstance(event, ShareResult)]
    rejected = [
        event for event in run.events if isinstance(event, ShareResult) and event.outcome is ShareOutcome.REJECTED
    ]
    for outcome in rejected:
        share = outcome.share
        assert share.is_block, outcome.reason
        assert "duplicate share" in outcome.reason
        assert any(other.dedup_key == share.dedup_key and other.version != share.version for other in submitted)
    assert run.snapshot.shares.rejected == len(rejected), run.snapshot.reasons


def check_nothing_rejected(run: Watched, wanted: int) -> None:
    assert run.ending is StopReason.SHARES_REACHED
    assert len(run.shares(ShareOutcome.ACCEPTED)) >= wanted
    check_rightly_refused(run)
    assert run.snapshot.shares.lost == 0
    assert run.snapshot.hardware_errors == 0
    assert run.snapshot.shares.total == run.snapshot.found


async def test_hundred_shares_with_version_rolling_granted_and_some_where_it_is_not_asked_for(
    real_pool: RealPoolFactory,
) -> None:
    async with real_pool(DIFF=DIFFICULTY, BITS=HARD_CHAIN) as pool:
        run = await mine(pool, goals=Goals(shares=100))
        check_nothing_rejected(run, 100)
        accepted = run.shares(ShareOutcome.ACCEPTED)
        assert all(submit_of(share, "").version_bits is not None for share in accepted)
        assert len({share.version for share in accepted}) > 8, "the versions are rolled in the lanes"
        blocks = {share.job.previous_hash for share in accepted if share.is_block}
        assert blocks
        await reaches(pool, len(blocks))

        run = await mine(pool, goals=Goals(shares=20), version_mask=0)
        check_nothing_rejected(run, 20)
        assert all(submit_of(share, "").version_bits is None for share in run.shares(ShareOutcome.ACCEPTED))


async def test_version_rolling_refused(real_pool: RealPoolFactory) -> None:
    async with real_pool(DIFF=DIFFICULTY, BITS=HARD_CHAIN, ROLL="0") as pool:
        run = await mine(pool, goals=Goals(shares=20))
        check_nothing_rejected(run, 20)
        assert all(submit_of(share, "").version_bits is None for share in run.shares(ShareOutcome.ACCEPTED))


async def test_mempool_transactions_give_real_merkle_branches(real_pool: RealPoolFactory) -> None:
    async with real_pool(DIFF=DIFFICULTY, BITS=HARD_CHAIN, TXS="6") as pool:
        before = await height_of(pool)
        run = await mine(pool, goals=Goals(blocks=3))
        assert run.ending is StopReason.BLOCKS_REACHED
        check_rightly_refused(run)
        # 7 leaves, or more where a block was found before its transactions were in the job
        assert max(len(body_of(share.job).branch) for share in run.shares(ShareOutcome.ACCEPTED)) >= 3
        await reaches(pool, before + 3)


async def test_vardiff_raises_the_difficulty_and_nothing_is_refused(real_pool: RealPoolFactory) -> None:
    """The pool judges ten shares of the new difficulty, too."""

    def enough(events: list[MinerEvent]) -> bool:
        return sum(isinstance(each, ShareResult) and each.share.job.share_difficulty > 0.00005 for each in events) >= 10

    async with real_pool(DIFF="0.00005", MAXDIFF="0.0002", BITS=HARD_CHAIN, REBROADCAST="2", RETARGET="4") as pool:
        run = await mine(pool, enough=enough)
        difficulties = [event.job.share_difficulty for event in run.events if isinstance(event, JobStarted)]
        assert difficulties[0] == 0.00005
        check_rightly_refused(run)


async def test_plain_regtest_where_every_share_is_a_block(real_pool: RealPoolFactory) -> None:
    async with real_pool(DIFF="0.0005") as pool:  # the node takes longer for a block than a thread for such a share
        run = await mine(pool, goals=Goals(blocks=10))
        assert run.ending is StopReason.BLOCKS_REACHED
        check_rightly_refused(run)
        await reaches(pool, 10)


async def test_refused_worker(real_pool: RealPoolFactory) -> None:
    async with real_pool(DIFF=DIFFICULTY) as pool:
        with pytest.raises(WorkerRefused, match=ADDRESS):
            await mine(pool, password="reject", goals=Goals(shares=1))


async def test_kicked_worker_comes_back(real_pool: RealPoolFactory) -> None:
    def comes_again(events: list[MinerEvent]) -> bool:
        connecting = ConnectionState.CONNECTING
        return sum(isinstance(each, StateChanged) and each.state is connecting for each in events) == 2

    async with real_pool(DIFF="1") as pool:
        run = await mine(pool, password="kick", enough=comes_again)
        assert run.ending is StopReason.STOPPED
