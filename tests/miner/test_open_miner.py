"""``open_miner``: it runs a miner while a block runs, stops it gracefully, and raises what went wrong as it is."""

import math

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.backends import WorkSource
from stratum_miner.client import ClientOptions, ConnectionState, PoolSettings, PoolUrl, StateChanged, WorkerRefused
from stratum_miner.miner import Goals, MinerEvent, StopReason, open_miner
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work import NonceFound, ShareResult
from tests.miner.bench import ScriptedBackend

SETTINGS = PoolSettings(
    url=PoolUrl("pool.example", 3333), worker_name="worker", version_mask=0, extranonce_subscribe=False
)


class Played:
    """A pool that the test plays, and the options of a client that reaches it."""

    def __init__(self) -> None:
        stream, other = trio.testing.memory_stream_pair()
        streams = [stream]

        async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
            return streams.pop() if streams else await trio.sleep_forever()

        self.pool = ManualPool(other)
        self.options = ClientOptions(clock=trio.current_time, connect=connect)

    async def start(self) -> None:
        await self.pool.accept(mask=None, xnsub=False, difficulty=1e-9)
        await self.pool.notify()
        await trio.testing.wait_all_tasks_blocked()

    async def accept_share(self, after: float = 0.0) -> None:
        """Accept the next share, so many seconds after it came."""
        request = await self.pool.request("mining.submit")
        await trio.sleep(after)
        await self.pool.reply(request, True)


async def test_the_end_of_the_block_waits_for_the_reply_to_an_open_share(autojump_clock: MockClock) -> None:
    played, backend, events = Played(), ScriptedBackend(), list[MinerEvent]()

    async with (
        trio.open_nursery() as nursery,
        open_miner(SETTINGS, [backend], on_event=events.append, options=played.options) as miner,
    ):
        await played.start()
        nursery.start_soon(played.accept_share, 1.0)
        await backend.report_where(backend.unit(), lambda share: share.meets_share_target)
        await trio.testing.wait_all_tasks_blocked()
    assert miner.snapshot().shares.accepted == 1
    assert await miner.wait_stopped() is StopReason.STOPPED
    assert isinstance(events[-1], StateChanged)
    assert events[-1].state is ConnectionState.STOPPED


async def test_a_goal_ends_the_wait_in_the_block(autojump_clock: MockClock) -> None:
    played, backend = Played(), ScriptedBackend()
    async with open_miner(SETTINGS, [backend], goals=Goals(shares=1), options=played.options) as miner:
        await played.start()
        await backend.report_where(backend.unit(), lambda share: share.meets_share_target)
        await played.accept_share()
        assert await miner.wait_stopped() is StopReason.SHARES_REACHED
    assert miner.snapshot().client.state is ConnectionState.STOPPED


async def test_events_go_through_a_channel_in_their_order(autojump_clock: MockClock) -> None:
    played, backend = Played(), ScriptedBackend()
    send, receive = trio.open_memory_channel[MinerEvent](math.inf)
    async with open_miner(SETTINGS, [backend], on_event=send.send_nowait, options=played.options):
        await played.start()
        [share] = await backend.report_where(backend.unit(), lambda share: share.meets_share_target)
        await played.accept_share()
        async for event in receive:
            if isinstance(event, ShareResult):
                assert event.share.header == share.header
                break


async def test_an_exception_of_on_event_stops_the_miner_with_that_exception(autojump_clock: MockClock) -> None:
    calls = list[MinerEvent]()

    def fail(event: MinerEvent) -> None:
        calls.append(event)
        raise ZeroDivisionError from KeyError("cause")

    with pytest.raises(ZeroDivisionError) as caught:
        async with open_miner(SETTINGS, [ScriptedBackend()], on_event=fail, options=Played().options):
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, KeyError)
    assert len(calls) == 1


async def test_an_exception_of_on_event_counts_at_the_last_event_too(autojump_clock: MockClock) -> None:
    played = Played()

    def fail(event: MinerEvent) -> None:
        if isinstance(event, StateChanged) and event.state is ConnectionState.STOPPED:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with open_miner(SETTINGS, [ScriptedBackend()], on_event=fail, options=played.options):
            await played.start()


async def test_an_exception_of_on_event_loses_no_open_share(autojump_clock: MockClock) -> None:
    played, backend = Played(), ScriptedBackend()

    def fail(event: MinerEvent) -> None:
        if isinstance(event, ShareResult):
            raise ZeroDivisionError

    with pytest.RaisesExc(ZeroDivisionError):
        async with open_miner(SETTINGS, [backend], on_event=fail, options=played.options) as miner:
            await played.start()
            await backend.report_where(backend.unit(), lambda share: share.meets_share_target, count=2)
            await played.accept_share()
            await played.accept_share(after=1.0)
            await trio.sleep_forever()
    assert miner.snapshot().shares.accepted == 2


async def test_a_failure_of_pytest_in_on_event_is_raised_as_it_is(autojump_clock: MockClock) -> None:
    def fail(event: MinerEvent) -> None:
        try:
            raise KeyError("context")
        except KeyError:
            pytest.fail("no event was expected")

    with pytest.raises(pytest.fail.Exception, match="no event was expected") as caught:
        async with open_miner(SETTINGS, [ScriptedBackend()], on_event=fail, options=Played().options):
            await trio.sleep_forever()
    assert isinstance(caught.value.__context__, KeyError)


async def test_an_exception_of_a_backend_is_raised_as_it_is(autojump_clock: MockClock) -> None:
    class BrokenBackend(ScriptedBackend):
        async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with open_miner(SETTINGS, [BrokenBackend()], options=Played().options):
            await trio.sleep_forever()


async def test_a_refused_worker_name_cancels_the_block(autojump_clock: MockClock) -> None:
    played = Played()

    async def refuse() -> None:
        await played.pool.reply(await played.pool.request("mining.subscribe"), [[], "00000000", 4])
        await played.pool.reply(await played.pool.request("mining.authorize"), None, [24, "no such worker", None])
        await trio.sleep_forever()

    with pytest.raises(WorkerRefused, match="no such worker"):
        async with open_miner(SETTINGS, [ScriptedBackend()], options=played.options):
            await refuse()


async def test_an_exception_of_the_block_is_raised_as_it_is(autojump_clock: MockClock) -> None:
    cause = KeyError("cause")
    with pytest.raises(ZeroDivisionError) as caught:
        async with open_miner(SETTINGS, [ScriptedBackend()], options=Played().options):
            raise ZeroDivisionError from cause
    assert caught.value.__cause__ is cause


async def test_a_group_of_the_block_stays_a_group(autojump_clock: MockClock) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with open_miner(SETTINGS, [ScriptedBackend()], options=Played().options):
            raise ExceptionGroup("two", [ValueError(), TypeError()])
    assert caught.value.message == "two"


async def test_a_miner_runs_once(autojump_clock: MockClock) -> None:
    played, backend = Played(), ScriptedBackend()
    async with open_miner(SETTINGS, [backend], goals=Goals(shares=1), options=played.options) as miner:
        await played.start()
        with pytest.RaisesExc(RuntimeError, match="^Miner.run: expected one call, got a second$"):
            await miner.run()
        await backend.report_where(backend.unit(), lambda share: share.meets_share_target)
        await played.accept_share()
        assert await miner.wait_stopped() is StopReason.SHARES_REACHED
    with pytest.RaisesExc(RuntimeError, match="^Miner.run: expected one call, got a second$"):
        await miner.run()
