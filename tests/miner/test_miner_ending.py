"""How and why a miner stops."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.backends.base import BackendError, WorkSource
from stratum_miner.client import ClientOptions, PoolSettings, PoolUrl, WorkerRefused
from stratum_miner.miner import Goals, Miner, MinerEvent, StopReason
from stratum_miner.work.share_result import ShareResult
from stratum_miner.work.unit import NonceFound
from tests.miner.bench import ScriptedBackend, bench


async def test_time_limit_waits_for_open_replies_but_not_for_long(autojump_clock: MockClock) -> None:
    async with bench(goals=Goals(time_limit=10)) as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target)
        await it.pool.request("mining.submit")
        await it.ended.wait()
        assert it.ending is StopReason.TIME_LIMIT
        assert 12 <= trio.current_time() <= 13
        assert [event.outcome.value for event in it.events if isinstance(event, ShareResult)] == ["lost"]


async def test_reply_within_the_grace_still_counts(autojump_clock: MockClock) -> None:
    async with bench() as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target)
        request = await it.pool.request("mining.submit")
        it.miner.stop()
        await it.settled()
        assert not it.ended.is_set()
        await it.pool.reply(request, True)
        await it.ended.wait()
        assert it.miner.snapshot().shares.accepted == 1


async def test_lost_connection_leaves_no_work(autojump_clock: MockClock) -> None:
    async with bench() as it:
        assert it.backend.changes == [True]
        await it.pool.stream.aclose()
        await it.settled()
        assert it.backend.changes == [True, True]
        assert it.backend.source is not None
        assert it.backend.source.next_unit() is None


async def test_refused_worker_comes_out_as_itself(autojump_clock: MockClock) -> None:
    async with bench(handshake=False) as it:
        await it.pool.reply(await it.pool.request("mining.subscribe"), [[], "a1b2c3d4", 4])
        await it.pool.reply(await it.pool.request("mining.authorize"), False)
        await it.ended.wait()
        assert isinstance(it.error, WorkerRefused)


async def test_broken_backend_comes_out_as_itself(autojump_clock: MockClock) -> None:
    class Broken(ScriptedBackend):
        async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
            raise BackendError("no device")

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        return trio.testing.memory_stream_pair()[0]

    settings = PoolSettings(url=PoolUrl("h", 1), worker_name="w")
    miner = Miner(settings, [Broken()], options=ClientOptions(connect=connect))
    with pytest.raises(BackendError, match="no device"):
        await miner.run()


async def test_a_coroutine_function_hears_no_event_and_is_refused() -> None:
    async def hear(event: MinerEvent) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match="on_event"):
        Miner(PoolSettings(url=PoolUrl("h", 1), worker_name="w"), [ScriptedBackend()], on_event=hear)  # type: ignore[arg-type]  # this is what is refused


async def test_a_miner_runs_once(autojump_clock: MockClock) -> None:
    async with bench() as it:
        it.miner.stop()
        await it.ended.wait()
        with pytest.raises(RuntimeError, match=r"Miner\.run: expected one call, got a second"):
            await it.miner.run()


async def test_a_goal_that_is_reached_already_stops_the_miner_at_once(autojump_clock: MockClock) -> None:
    async with bench() as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target, count=2)
        await it.answer()
        await it.answer()
        it.miner.set_goals(Goals(shares=3))
        assert not it.miner.is_stopping
        it.miner.set_goals(Goals(shares=2))
        assert (it.miner.is_stopping, it.miner.goals) == (True, Goals(shares=2))
        await it.ended.wait()
        assert it.ending is StopReason.SHARES_REACHED


async def test_the_first_reason_to_stop_counts(autojump_clock: MockClock) -> None:
    async with bench() as it:
        it.miner.stop(StopReason.TIME_LIMIT)
        it.miner.stop(StopReason.BLOCKS_REACHED)
        await it.ended.wait()
        assert it.ending is StopReason.TIME_LIMIT
