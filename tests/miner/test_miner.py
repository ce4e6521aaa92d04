"""A miner whose pool and backends the test plays: goals, reported nonces, counts, a graceful stop."""

import itertools
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.backends.base import Backend, BackendError, WorkSource
from stratum_miner.backends.statistics import BackendStatistics, DeviceKey, DeviceStatistics
from stratum_miner.bitcoin.header import display_hash, swap_words
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.client import ClientOptions, PoolSettings, PoolUrl, WorkerRefused
from stratum_miner.client.reconnecting import Destination
from stratum_miner.client.settings import Timeouts
from stratum_miner.miner import Assignment, Goals, HardwareError, Journal, Miner, MinerEvent, ShareCounts, StopReason
from stratum_miner.miner.events import EventListener
from stratum_miner.miner.journal import read
from stratum_miner.miner.snapshot import keyed_devices
from stratum_miner.miner.standstill import Standstill
from stratum_miner.miner.weak_blocks import MOST_REJECTED
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work.job import Job, PoolKey
from stratum_miner.work.share import Share, verify
from stratum_miner.work.share_result import ShareResult
from stratum_miner.work.unit import NonceFound, WorkUnit
from tests.work.jobs import make_job


class ScriptedBackend(Backend):
    """Reports the nonces that the test chooses."""

    name = "scripted"
    exhaustive = False

    def __init__(self) -> None:
        self.source: WorkSource | None = None
        self.found: trio.MemorySendChannel[NonceFound] | None = None
        self.changes: list[bool] = []
        self.running = trio.Event()
        self.hashes = 1000
        self.own_errors = 0

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "ScriptedBackend":
        return cls()

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        self.source, self.found = source, found
        unregister = source.on_change(self.changes.append)
        self.running.set()
        try:
            await trio.sleep_forever()
        finally:
            unregister()

    def statistics(self) -> BackendStatistics:
        return BackendStatistics(self.name, "scripted", (DeviceStatistics("s0", self.hashes, 0, self.own_errors),))

    def unit(self) -> WorkUnit:
        assert self.source is not None
        unit = self.source.next_unit()
        assert unit is not None
        return unit

    async def report(self, unit: WorkUnit, nonce: int) -> None:
        assert self.found is not None
        await self.found.send(NonceFound(unit, nonce, unit.version, "s0"))

    async def report_where(self, unit: WorkUnit, wanted: Callable[[Share], bool], *, count: int = 1) -> list[Share]:
        """Report the first real solutions that the test accepts."""
        shares: list[Share] = []
        nonce = 0
        while len(shares) < count:
            verdict = verify(NonceFound(unit, nonce, unit.version, "s0"))
            if isinstance(verdict, Share) and wanted(verdict):
                shares.append(verdict)
                await self.report(unit, nonce)
            nonce += 1
        return shares


class Bench:
    def __init__(self, miner: Miner, backend: ScriptedBackend, pool: ManualPool, events: list[MinerEvent]) -> None:
        self.miner = miner
        self.backend = backend
        self.pool = pool
        self.events = events
        self.ending: StopReason | None = None
        self.ended = trio.Event()
        self.error: Exception | None = None

    async def run(self) -> None:
        try:
            self.ending = await self.miner.run()
        except (WorkerRefused, BackendError, KeyError) as error:
            self.error = error
        self.ended.set()

    async def answer(self, result: Any = True, error: Any = None) -> None:
        await self.pool.reply(await self.pool.request("mining.submit"), result, error)
        await trio.testing.wait_all_tasks_blocked()

    async def settled(self) -> None:
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def bench(
    *,
    difficulty: float = 1e-9,
    handshake: bool = True,
    pool: Mapping[str, Any] | None = None,
    hear: EventListener | None = None,
    **options: Any,
) -> AsyncIterator[Bench]:
    ours, theirs = trio.testing.memory_stream_pair()
    streams = [ours]

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        return streams.pop()

    events: list[MinerEvent] = []
    backend = ScriptedBackend()
    settings = PoolSettings(
        url=PoolUrl("pool.example", 3333),
        worker_name="worker",
        version_mask=0,
        extranonce_subscribe=False,
        **(pool or {}),
    )
    client = ClientOptions(clock=trio.current_time, connect=connect)
    miner = Miner(settings, [backend], on_event=hear or events.append, options=client, **options)
    made = Bench(miner, backend, ManualPool(theirs), events)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        if handshake:
            await made.pool.accept(mask=None, xnsub=False, difficulty=difficulty)
            await made.pool.notify()
            await made.settled()
        yield made
        nursery.cancel_scope.cancel()


async def test_shares_goal_is_reached_and_counted_once(autojump_clock: MockClock) -> None:
    async with bench(goals=Goals(shares=2)) as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target, count=2)
        await it.answer()
        assert not it.ended.is_set()
        await it.answer()
        await it.ended.wait()
        assert it.ending is StopReason.SHARES_REACHED
        snapshot = it.miner.snapshot()
        assert (snapshot.found, snapshot.shares.accepted, snapshot.shares.total) == (2, 2, 2)
        assert snapshot.best_share > 0


async def test_wrong_and_repeated_nonces_are_hardware_errors_and_never_submitted(autojump_clock: MockClock) -> None:
    async with bench() as it:
        unit = it.backend.unit()
        [share] = await it.backend.report_where(unit, lambda share: share.meets_share_target)
        await it.answer()
        await it.backend.report(unit, share.nonce)
        wrong = next(n for n in range(100) if not isinstance(verify(NonceFound(unit, n, unit.version)), Share))
        await it.backend.report(unit, wrong)
        await it.settled()
        assert [event.device for event in it.events if isinstance(event, HardwareError)] == ["s0", "s0"]
        assert it.miner.snapshot().hardware_errors == 2
        assert it.miner.snapshot().found == 1
        it.backend.own_errors = 5  # that its driver saw, and did not report as nonces
        snapshot = it.miner.snapshot()
        assert snapshot.hardware_errors == 7
        assert [device.hardware_errors for backend in snapshot.backends for device in backend.devices] == [7]


async def test_a_device_is_not_blamed_for_a_point_that_it_was_given_twice(autojump_clock: MockClock) -> None:
    async with bench() as it:
        unit = it.backend.unit()
        [share] = await it.backend.report_where(unit, lambda share: share.meets_share_target)
        await it.answer()
        again = replace(unit)
        await it.backend.report(again, share.nonce)
        await it.settled()
        snapshot = it.miner.snapshot()
        assert (snapshot.hardware_errors, snapshot.withheld, snapshot.found) == (0, 1, 1)


def job_of(session: int, extranonce2_size: int) -> Job:
    return make_job(
        session=session, job_id="1", previous_hash=bytes(32), prefix=b"p", suffix=b"s",
        branch=(), version=0x20000000, nbits=0x1D00FFFF, ntime=1, clean_jobs=True, extranonce1=b"1",
        extranonce2_size=extranonce2_size, share_target=target_from_difficulty(1.0),
    )  # fmt: skip


def test_each_miner_counts_extranonce2_from_a_place_of_its_own() -> None:
    """Some pools give the next session the extranonce1 of the last one, even that of another process."""
    settings = PoolSettings(url=PoolUrl("pool.example", 3333), worker_name="worker")
    begins = set()
    for _ in range(2):
        scheduler = Miner(settings, [ScriptedBackend()]).scheduler
        scheduler.set_job(job_of(1, 16))
        unit = scheduler.next_unit()
        assert unit is not None
        begins.add(unit.extranonce2)
    assert len(begins) == 2


async def test_groups_on_one_pool_that_gives_both_one_extranonce1_search_different_points() -> None:
    first, second = (
        PoolSettings(url=PoolUrl("pool.example", port), worker_name="worker", version_mask=0) for port in (3333, 3334)
    )
    miner = Miner([first], [ScriptedBackend(), Assignment(backend=ScriptedBackend(), pool=second)])
    units = []
    for session, group in enumerate(miner._groups):
        group.scheduler.set_job(job_of(session, 1))
        units += [group.scheduler.next_unit() for _ in range(128)]
    assert len({unit.extranonce2 for unit in units if unit is not None}) == 256


async def test_a_nonce_that_wins_in_two_versions_is_submitted_in_one(autojump_clock: MockClock) -> None:
    """Pools like NOMP ignore the version in their check for duplicates; a block is submitted nevertheless."""

    def share_of(unit: WorkUnit, nonce: int) -> Share | None:
        verdict = verify(NonceFound(unit, nonce, unit.version))
        return verdict if isinstance(verdict, Share) and verdict.meets_share_target else None

    async with bench(difficulty=1e-10) as it:  # easier than a block
        first = it.backend.unit()
        version = first.version ^ 0x2000
        second = replace(first, version=version, header=version.to_bytes(4, "little") + first.header[4:])
        wins: dict[bool, int] = {}
        for nonce in range(1000):
            twin = share_of(second, nonce)
            if share_of(first, nonce) and twin:
                wins.setdefault(twin.is_block, nonce)
        for nonce in wins.values():
            await it.backend.report(first, nonce)
            await it.backend.report(second, nonce)
        await it.settled()
        assert it.miner.snapshot().withheld == 1
        assert it.miner.snapshot().found == 3
        assert it.miner.snapshot().hardware_errors == 0


async def test_weak_block_is_submitted_once_per_previous_hash(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=True) as it:
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target
        await it.backend.report_where(unit, lambda share: not share.meets_share_target, count=3)
        await it.answer()
        assert it.miner.snapshot().found == 1
        assert it.miner.snapshot().below_target == 2
        assert it.miner.snapshot().blocks_accepted == 1
        narrowed = it.backend.unit()
        assert narrowed.target == narrowed.job.share_target
        await it.pool.notify("2", previous="00" * 28 + "12345678")
        await it.settled()
        assert it.backend.unit().target == unit.job.network_target


async def _refuse_weak_blocks(it: Bench, count: int) -> list[Share]:
    """Submit them on one previous hash; each gets its reply before the next one is found."""
    shares: list[Share] = []
    nonce = 0
    while len(shares) < count:
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target
        nonce, share = next_weak(unit, nonce)
        shares.append(share)
        await it.backend.report(unit, share.nonce)
        await it.answer(None, [23, "high-hash", None])
    return shares


def next_weak(unit: WorkUnit, first: int) -> tuple[int, Share]:
    for nonce in itertools.count(first):
        verdict = verify(NonceFound(unit, nonce, unit.version, "s0"))
        if isinstance(verdict, Share) and not verdict.meets_share_target:
            return nonce + 1, verdict
    raise AssertionError


async def test_weak_blocks_are_searched_on_after_a_refusal(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=True) as it:
        await _refuse_weak_blocks(it, 1)
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target
        await it.pool.notify("2", previous="00" * 28 + "12345678")
        await it.settled()
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target


async def test_a_pool_that_makes_no_blocks_of_weak_ones_gets_no_more(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=True) as it:
        await _refuse_weak_blocks(it, MOST_REJECTED - 1)
        await it.pool.notify("2", previous="00" * 28 + "12345678")
        await it.settled()
        [share] = await _refuse_weak_blocks(it, 1)
        unit = it.backend.unit()
        assert unit.target == unit.job.share_target
        await it.pool.notify("3", previous="00" * 28 + "87654321")
        await it.settled()
        unit = it.backend.unit()
        assert unit.target == unit.job.share_target
        await it.pool.notify("4", previous=swap_words(share.digest).hex())  # its node was slow
        await it.settled()
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target


async def test_a_pool_whose_next_job_builds_on_a_refused_hash_gets_more(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=True) as it:
        for _ in range(12):  # twenty-four refusals in a row end no session and leave no pool
            first, *_ = await _refuse_weak_blocks(it, MOST_REJECTED - 1)
            await it.pool.notify("2", previous=swap_words(first.digest).hex())
            await it.settled()
        unit = it.backend.unit()
        assert unit.target == unit.job.network_target


async def test_without_weak_blocks_only_full_shares_are_searched(autojump_clock: MockClock) -> None:
    async with bench(difficulty=1.0, weak_blocks=False) as it:
        unit = it.backend.unit()
        assert unit.target == unit.job.share_target


async def test_luck_counts_the_work_under_each_difficulty(autojump_clock: MockClock) -> None:
    async with bench() as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target, count=3)
        await it.answer()
        await trio.sleep(1)
        easy = it.miner.scheduler.job
        assert easy is not None
        assert it.miner.snapshot().expected == pytest.approx(1000 * (easy.share_target + 1) / 2**256)
        it.backend.hashes = 5000
        await it.pool.send_call("mining.set_difficulty", 4e-9)
        await it.pool.notify()
        await it.settled()
        hard = it.miner.scheduler.job
        assert hard is not None
        assert hard.share_chance == pytest.approx(easy.share_chance / 4)
        it.backend.hashes = 9000
        await trio.sleep(1)
        snapshot = it.miner.snapshot()
        assert snapshot.shares_found == 3
        assert snapshot.expected == pytest.approx(5000 * easy.share_chance + 4000 * hard.share_chance)
        assert snapshot.network_difficulty == hard.network_difficulty


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


# ---- with a node that judges ----------------------------------------------------------------------------------------


async def test_what_the_node_takes_counts_as_a_block_and_nothing_else(autojump_clock: MockClock) -> None:
    async with bench(node_judges=True, goals=Goals(blocks=2)) as it:
        shares = await it.backend.report_where(it.backend.unit(), lambda share: share.is_block, count=4)
        hashes = [display_hash(share.digest) for share in shares]
        it.miner.block_judged(hashes[0], accepted=True)  # before the pool answered
        for _ in shares:
            await it.answer()
        it.miner.block_judged(hashes[1], accepted=False)
        it.miner.block_judged(hashes[2], accepted=False)
        it.miner.block_judged(hashes[0], accepted=True)
        it.miner.block_judged("00" * 32, accepted=True)
        await it.settled()
        snapshot = it.miner.snapshot()
        assert (snapshot.shares.accepted, snapshot.blocks_accepted) == (4, 1)
        assert not it.ended.is_set()
        await it.pool.notify("2", previous="00" * 28 + "12345678")  # another parent
        await it.settled()
        [other] = await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        await it.answer()
        it.miner.block_judged(display_hash(other.digest), accepted=False)  # it could not be reached
        it.miner.block_judged(display_hash(other.digest), accepted=True)
        await it.ended.wait()
        assert it.ending is StopReason.BLOCKS_REACHED


async def test_the_end_waits_for_no_judgement_of_a_share_that_was_refused(autojump_clock: MockClock) -> None:
    async with bench(node_judges=True) as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        await it.answer(None, [21, "stale", None])
        before = trio.current_time()
        it.miner.stop()
        await it.ended.wait()
        assert trio.current_time() == before


async def test_the_end_waits_for_the_nodes_judgement(autojump_clock: MockClock) -> None:
    async with bench(node_judges=True) as it:
        [share] = await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        await it.answer()
        it.miner.stop()
        await it.settled()
        assert not it.ended.is_set()
        it.miner.block_judged(display_hash(share.digest), accepted=True)
        await it.ended.wait()
        assert it.miner.snapshot().blocks_accepted == 1


# ---- with a journal -------------------------------------------------------------------------------------------------


async def test_a_block_goes_out_while_the_journals_disk_hangs(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "shares.jsonl")
    assert journal.flush()
    go_on, write = threading.Event(), os.write

    def hanging(descriptor: int, data: bytes) -> int:
        if threading.current_thread() is threading.main_thread():
            raise AssertionError("the miner's thread must not write")
        assert go_on.wait(30)
        return write(descriptor, data)

    async with bench(journal=journal) as it:
        monkeypatch.setattr(os, "write", hanging)
        [share] = await it.backend.report_where(it.backend.unit(), lambda share: share.is_block)
        await it.answer()
        assert it.miner.snapshot().blocks_accepted == 1
        assert it.miner.snapshot().journalled == ShareCounts(accepted=1)
        go_on.set()
        assert journal.flush()
    journal.close()
    assert read(journal.path).blocks == 1
    assert share.header.hex() in journal.path.read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
async def test_mining_goes_on_where_the_journal_cannot_be_written(autojump_clock: MockClock) -> None:
    journal = Journal(Path("/dev/full"))
    async with bench(journal=journal, goals=Goals(shares=2)) as it:
        await it.backend.report_where(it.backend.unit(), lambda share: share.is_block, count=2)
        await it.answer()
        await it.answer()
        await it.ended.wait()
        assert it.ending is StopReason.SHARES_REACHED
        journal.close()
        assert it.miner.snapshot().journal_problem == (
            "cannot write the share journal '/dev/full': No space left on device"
        )


async def test_what_an_earlier_run_submitted_is_not_submitted_again(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    for run in (1, 2):
        journal = Journal(path)
        async with bench(journal=journal, first_extranonce2=0) as it:
            await it.backend.report_where(it.backend.unit(), lambda share: share.meets_share_target)
            await it.settled()
            snapshot = it.miner.snapshot()
            assert (snapshot.found, snapshot.withheld) == ((1, 0) if run == 1 else (0, 1))
        journal.close()


async def test_the_blocks_of_a_crashed_run_go_to_their_pools_or_are_lost(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """A pool can resume one session, that of its last block. The pool ``gone.example`` is not used any more."""
    path, copy = tmp_path / "shares.jsonl", tmp_path / "copy.jsonl"
    journal = Journal(path)
    pool = "stratum+tcp://pool.example:3333"
    job = job_of(1, 4)
    blocks = [share_on(number, job) for number in range(4)]
    for share, (url, session) in zip(
        blocks, [(pool, "s1"), ("stratum+tcp://gone.example:1", "s1"), (pool, "s2"), (pool, "s2")], strict=True
    ):
        journal.submitted(share, Destination(url, "worker", session))
    assert journal.flush()
    copy.write_bytes(path.read_bytes())
    journal.close()
    journal = Journal(copy)
    assert len(journal.recovered) == 4
    with capture_logs() as lines:
        async with bench(journal=journal, handshake=False) as it:
            assert [(line["event"], line["hash"], line["pool"]) for line in lines] == [
                ("block_handed_back", display_hash(share.digest), pool) for share in blocks[2:]
            ]
            assert (journal.counts.lost, journal.open) == (2, 2)
            subscribe = await it.pool.accept(mask=None, xnsub=False, extranonce1="31")
            assert subscribe["params"][1] == "s2"
            for _ in range(2):
                await it.answer()
            assert (journal.counts.accepted, journal.blocks, journal.open) == (2, 2, 0)
    journal.close()
    reasons = [record["reason"] for record in map(json.loads, copy.read_text().splitlines()) if "fate" in record]
    assert sorted(reasons) == [
        "",
        "",
        *["the miner stopped before the pool answered, and now mines on other pools"] * 2,
    ]


def share_on(number: int, job: Job) -> Share:
    """The share of a job with the first nonce after ``number`` thousand that solves a block."""
    job = replace(job, nbits=0x207FFFFF)
    for nonce in itertools.count(number * 1000):
        header = job.header(bytes(4), job.ntime, nonce, job.version).to_bytes()
        share = Share(
            job=job, extranonce2=bytes(4), ntime=job.ntime, nonce=nonce, version=job.version, header=header,
            digest=sha256d(header),
        )  # fmt: skip
        if share.is_block:
            return share
    raise AssertionError


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
