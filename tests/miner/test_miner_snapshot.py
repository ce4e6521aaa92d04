"""What a miner shows: devices, pools, jobs, rates, events."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.backends.statistics import DeviceKey
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.settings import Timeouts
from stratum_miner.miner import Assignment, Miner, MinerEvent
from stratum_miner.miner.snapshot import keyed_devices
from stratum_miner.miner.standstill import Standstill
from stratum_miner.work.job import PoolKey
from stratum_miner.work.share import Share, verify
from stratum_miner.work.share_result import ShareResult
from stratum_miner.work.unit import NonceFound
from tests.miner.bench import ScriptedBackend, bench


async def test_a_device_is_found_by_the_name_of_its_backend_and_its_own(autojump_clock: MockClock) -> None:
    first, second = ScriptedBackend(), ScriptedBackend()
    pool = PoolSettings(url=PoolUrl("h", 1), worker_name="w")
    miner = Miner(pool, [Assignment(backend=first, name="left"), Assignment(backend=second, name="right")])
    snapshot = miner.snapshot()
    keys = [key for key, _, _ in keyed_devices(snapshot.backends)]
    assert [miner.device(key) for key in keys] == [(first, "s0"), (second, "s0")]
    assert [(backend.label, device.name) for _, backend, device in keyed_devices(snapshot.backends)] == [
        ("left", "s0"),
        ("right", "s0"),
    ]
    with pytest.raises(LookupError, match="device: expected a device of this miner, got left/s9"):
        miner.device(DeviceKey("left/s9"))


async def test_a_pool_is_found_by_its_key_with_its_control(autojump_clock: MockClock) -> None:
    one, other, bound = (PoolSettings(url=PoolUrl(host, 1), worker_name="w", name=host) for host in "abc")
    miner = Miner([one, other], [ScriptedBackend(), Assignment(backend=ScriptedBackend(), pool=bound)])
    found = [miner.find_pool(status.key) for status in miner.snapshot().pools]
    assert [index for _, index in found] == [0, 1, 0]
    assert found[0][0] is found[1][0] is miner.pool_control
    assert found[2][0] is miner.bound_control("scripted")
    with pytest.raises(LookupError, match="pool: expected a pool of this miner, got nowhere"):
        miner.find_pool(PoolKey("nowhere"))


async def test_before_the_first_job_there_is_nothing_to_show(autojump_clock: MockClock) -> None:
    async with bench(handshake=False) as it:
        snapshot = it.miner.snapshot()
        assert (snapshot.job, snapshot.height, snapshot.network_difficulty) == (None, None, None)
        assert (snapshot.journalled, snapshot.journal_problem) == (None, "")
        assert (snapshot.found, snapshot.expected, snapshot.hash_rate, snapshot.work_units) == (0, 0.0, 0.0, 0)
        assert [pool.work_share for pool in snapshot.pools] == [0.0]
        assert not it.miner.has_had_work
        await it.pool.accept(mask=None, xnsub=False)
        await trio.sleep(5)
        await it.pool.notify()
        await it.settled()
        await trio.sleep(7)
        snapshot = it.miner.snapshot()
        assert it.miner.has_had_work
        assert (snapshot.height, snapshot.network_difficulty) == (141, pytest.approx(4.656e-10, rel=1e-3))
        assert snapshot.job is not None
        assert (snapshot.job.job_id, snapshot.job.age) == ("1", pytest.approx(7))
        assert (snapshot.job.share_difficulty, snapshot.job.version) == (1e-9, 0x20000000)


async def test_a_snapshot_after_the_pool_is_gone_shows_the_newest_job(autojump_clock: MockClock) -> None:
    async with bench() as it:
        await it.pool.stream.aclose()
        await it.settled()
        snapshot = it.miner.snapshot()
        assert snapshot.job is None
        assert snapshot.height == 141
        assert snapshot.network_difficulty is not None


@pytest.mark.parametrize(
    ("rate", "seconds"), [("hash_rate_5s", 5), ("hash_rate_1m", 60), ("hash_rate_5m", 300), ("hash_rate_15m", 900)]
)
async def test_each_rate_is_that_of_its_last_seconds(autojump_clock: MockClock, rate: str, seconds: int) -> None:
    async with bench(standstill=MockStandstill(), pool={"timeouts": Timeouts(silence=3600)}) as it:
        await trio.sleep(100.1)
        burst = 1_000_000
        it.backend.hashes += burst
        await trio.sleep(seconds - 1)
        assert getattr(it.miner.snapshot(), rate) == pytest.approx(burst / seconds, rel=0.2)
        await trio.sleep(1.9)
        assert getattr(it.miner.snapshot(), rate) == 0.0
        assert it.miner.snapshot().hash_rate > 0


async def test_a_difficulty_is_suggested_by_the_rate_of_the_first_ten_seconds(autojump_clock: MockClock) -> None:
    began = trio.current_time()
    async with bench(pool={"suggest_difficulty": "auto"}) as it, trio.open_nursery() as nursery:

        async def hash_on() -> None:
            while True:
                it.backend.hashes += 2**31
                await trio.sleep(0.5)

        nursery.start_soon(hash_on)
        request = await it.pool.request("mining.suggest_difficulty")
        assert trio.current_time() - began == pytest.approx(10.5), "from the first sample with a hash"
        assert request["params"] == [pytest.approx(10.0, rel=0.15)], "one share in ten seconds"
        nursery.cancel_scope.cancel()


async def test_a_pool_that_comes_late_gets_a_suggestion_that_fits_the_hash_rate(autojump_clock: MockClock) -> None:
    """The time before the first hash once counted, too, and the suggestion was far too low for ever."""
    async with bench(handshake=False, pool={"suggest_difficulty": "auto"}) as it, trio.open_nursery() as nursery:
        it.backend.hashes = 0
        await trio.sleep(20)
        await it.pool.accept(mask=None, xnsub=False)
        await it.pool.notify()
        await it.settled()

        async def hash_on() -> None:
            while True:
                it.backend.hashes += 2**31
                await trio.sleep(0.5)

        nursery.start_soon(hash_on)
        request = await it.pool.request("mining.suggest_difficulty")
        assert trio.current_time() == pytest.approx(30.0, abs=1.0)
        assert request["params"] == [pytest.approx(10.0, rel=0.15)]
        nursery.cancel_scope.cancel()


async def test_without_a_hash_no_difficulty_is_suggested(autojump_clock: MockClock) -> None:
    async with bench(pool={"suggest_difficulty": "auto"}) as it:
        it.backend.hashes = 0
        await trio.sleep(30)
        await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target)
        await it.pool.request("mining.submit")


async def test_units_that_were_taken_until_the_end_are_counted(autojump_clock: MockClock) -> None:
    async with bench() as it:
        for _ in range(3):
            it.backend.unit()
        it.miner.stop()
        await it.ended.wait()
        assert it.miner.snapshot().work_units == 3


async def test_a_lost_block_is_told_with_its_header_the_last_resort(autojump_clock: MockClock) -> None:
    async with bench() as it:
        [share] = await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        await it.pool.request("mining.submit")
        with capture_logs() as lines:
            it.miner.stop()
            await it.ended.wait()
        [line] = [line for line in lines if line["event"] == "block_lost"]
        assert line["header"] == share.header.hex()
        assert (line["reason"], line["log_level"]) == ("the miner stopped before the pool answered", "error")
        assert it.miner.snapshot().blocks_accepted == 0


async def test_a_rejected_block_is_neither_lost_nor_counted(autojump_clock: MockClock) -> None:
    async with bench() as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        with capture_logs() as lines:
            await it.answer(None, [21, "stale", None])
        assert [line for line in lines if line["event"] == "block_lost"] == []
        assert it.miner.snapshot().blocks_accepted == 0


async def test_a_hardware_error_is_told_with_its_device(autojump_clock: MockClock) -> None:
    async with bench() as it:
        unit = it.backend.unit()
        wrong = next(n for n in range(100) if not isinstance(verify(NonceFound(unit, n, unit.version)), Share))
        with capture_logs() as lines:
            await it.backend.report(unit, wrong)
            await it.settled()
        assert [(line["event"], line["device"], line["reason"]) for line in lines] == [
            ("hardware_error", "s0", "hash above the unit's target")
        ]


async def test_the_best_share_is_the_best_of_all(autojump_clock: MockClock) -> None:
    async with bench() as it:
        found = await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target, count=6)
        await it.settled()
        assert it.miner.snapshot().best_share == max(share.difficulty for share in found)


@pytest.mark.parametrize("error", [None, [23, "low difficulty share", None]])
async def test_an_event_that_its_hearer_cannot_take_stops_the_miner(autojump_clock: MockClock, error: Any) -> None:
    """``on_event`` is not called again, and what it raised is what ``run`` raises."""
    heard: list[MinerEvent] = []

    def hear(event: MinerEvent) -> None:
        if isinstance(event, ShareResult):
            heard.append(event)
            raise KeyError("mine")

    async with bench(hear=hear) as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target, count=2)
        for _ in range(2):
            request = await it.pool.request("mining.submit")
            await it.pool.reply(request, error is None, error)
        await it.ended.wait()
        assert isinstance(it.error, KeyError)
        assert len(heard) == 1


class MockStandstill(Standstill):
    """Run on the mock clock, on which only the trio thread may look."""

    def __init__(self) -> None:
        super().__init__(trio.current_time, lambda: 0.0, lambda: 0.0)

    @contextmanager
    def watched(self) -> Iterator[None]:
        yield


async def test_a_stop_of_the_process_is_told_and_left_out_of_rates(autojump_clock: MockClock) -> None:
    async with bench(standstill=MockStandstill()) as it:
        for _ in range(80):
            await trio.sleep(0.5)
            it.backend.hashes += 500
        autojump_clock.jump(100.0)  # nothing of this process ran
        shown = it.miner.snapshot()
        assert shown.elapsed == pytest.approx(40.5, abs=1.0)
        assert shown.frozen == pytest.approx(100, abs=1.0)
        with capture_logs() as logs:
            for _ in range(40):
                await trio.sleep(0.5)
                it.backend.hashes += 500
        snapshot = it.miner.snapshot()
    assert snapshot.elapsed == pytest.approx(60, abs=1.0)
    assert snapshot.frozen == snapshot.left_out == pytest.approx(100, abs=1.0)
    for rate in (snapshot.hash_rate, snapshot.hash_rate_5s, snapshot.hash_rate_1m, snapshot.hash_rate_15m):
        assert rate == pytest.approx(1000, rel=0.12)  # a window of 5 s may begin or end between two samples
    [event] = [event for event in logs if event["event"] == "process_frozen"]
    assert event["log_level"] == "warning"
    assert event["seconds"] == pytest.approx(100, abs=1.0)


async def test_a_sampler_that_comes_late_on_a_busy_machine_falsifies_no_rate(autojump_clock: MockClock) -> None:
    async with bench(standstill=MockStandstill()) as it:
        for _ in range(30):
            autojump_clock.jump(4.0)  # hashing goes on meanwhile
            it.backend.hashes += 4500
            await trio.sleep(0.5)
        snapshot = it.miner.snapshot()
    assert snapshot.frozen == 0.0
    assert snapshot.hash_rate == pytest.approx(1000, rel=0.05)
