"""Backends bound to pools, on memory streams and a mock clock: their pools, their shares and the events."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.backends.base import Backend, WorkSource
from stratum_miner.backends.statistics import BackendStatistics, DeviceStatistics
from stratum_miner.client import ClientOptions, PoolSettings, PoolUrl, WorkerRefused
from stratum_miner.client.events import JobArrived, ShareAnswered, WorkLost
from stratum_miner.client.group.failover import Condition
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.settings import Timeouts
from stratum_miner.miner import Assignment, Goals, Miner, Scheduler, StopReason
from stratum_miner.miner.events import JobStarted
from stratum_miner.miner.mining_group import GroupEvent, MiningGroup
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share, verify
from stratum_miner.work.unit import NonceFound, WorkUnit
from tests.work.jobs import make_job
from tests.work.shares import accepted, rejected, share_on

MAIN = PoolSettings(
    url=PoolUrl("main.example", 3333), worker_name="me", name="main", version_mask=0, extranonce_subscribe=False
)
SIDE = replace(MAIN, url=PoolUrl("side.example", 3333), name="side", workers=(("slow", "me.slow"),))


class IdleBackend(Backend):
    """Reports a nonce when the test asks for it."""

    name: ClassVar[str] = "idle"

    def __init__(self) -> None:
        self.hashes = 0
        self.source: WorkSource | None = None
        self.found: trio.MemorySendChannel[NonceFound] | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "IdleBackend":
        return cls()

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        self.source, self.found = source, found
        await trio.sleep_forever()

    def statistics(self) -> BackendStatistics:
        return BackendStatistics(self.name, "idle", (DeviceStatistics("i0", self.hashes, 0),))

    @property
    def unit(self) -> WorkUnit:
        assert self.source is not None
        unit = self.source.next_unit()
        assert unit is not None
        return unit

    async def find(self) -> None:
        """Report the first solution of its next unit."""
        assert self.found is not None
        unit = self.unit
        for nonce in range(1000):
            if isinstance(verify(NonceFound(unit, nonce, unit.version)), Share):
                await self.found.send(NonceFound(unit, nonce, unit.version, "i0"))
                await trio.testing.wait_all_tasks_blocked()
                return
        raise AssertionError("no share in a thousand nonces")


class Rig:
    """A miner with two backends, one of them bound, and the connections that it makes."""

    def __init__(self) -> None:
        self.fast, self.slow = IdleBackend(), IdleBackend()
        self.send, self._receive = trio.open_memory_channel[tuple[str, ManualPool]](16)
        self.miner: Miner
        self.ended = trio.Event()
        self.ending: StopReason | None = None
        self.error: BaseException | None = None

    async def connect(self, url: PoolUrl, seconds: float) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        await self.send.send((url.host, ManualPool(theirs)))
        return ours

    async def connections(self, count: int) -> list[tuple[str, ManualPool]]:
        """Return the next connections, by host."""
        with trio.fail_after(86400):
            return sorted([await self._receive.receive() for _ in range(count)], key=lambda item: item[0])

    async def up(self, pool: ManualPool, extranonce1: str, workers: int = 1) -> None:
        """Do the handshake and send a job."""
        await pool.accept_subscribe(mask=None, extranonce1=extranonce1)
        for _ in range(workers):
            await pool.reply(await pool.request("mining.authorize"), True)
        await pool.send_call("mining.set_difficulty", 1e-9)
        await pool.notify()
        await trio.testing.wait_all_tasks_blocked()

    async def run(self) -> None:
        try:
            self.ending = await self.miner.run()
        except Exception as error:
            self.error = error
        self.ended.set()


@asynccontextmanager
async def rig(
    *, pools: tuple[PoolSettings, ...] = (MAIN,), side: PoolSettings = SIDE, both: bool = False, **options: Any
) -> AsyncIterator[Rig]:
    made = Rig()
    made.miner = Miner(
        pools,
        [
            Assignment(backend=made.fast, name="fast", pool=side if both else None),
            Assignment(backend=made.slow, name="slow", pool=side),
        ],
        options=ClientOptions(clock=trio.current_time, connect=made.connect),
        **options,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        yield made
        nursery.cancel_scope.cancel()


async def test_a_bound_backend_mines_on_its_pool_alone(autojump_clock: MockClock) -> None:
    async with rig() as it:
        [(_, main), (_, side)] = await it.connections(2)
        await it.up(main, "0000000a")
        await it.up(side, "0000000b", workers=2)
        await it.fast.find()
        await it.slow.find()
        fast, slow = await main.request("mining.submit"), await side.request("mining.submit")
        assert (fast["params"][0], slow["params"][0]) == ("me", "me.slow")
        await main.reply(fast, True)
        await side.reply(slow, True)
        await trio.testing.wait_all_tasks_blocked()
        first, second = it.miner.snapshot().pools
        assert (first.name, first.bound, first.accepted) == ("main", (), 1)
        assert (second.name, second.bound, second.accepted) == ("side", ("slow",), 1)
        assert [(item.label, item.bound_to) for item in it.miner.snapshot().backends] == [
            ("fast", ""),
            ("slow", "side"),
        ]


async def test_a_pool_that_is_used_both_ways_gets_two_connections_with_their_own_search_spaces(
    autojump_clock: MockClock,
) -> None:
    async with rig(pools=(SIDE,)) as it:
        connections = await it.connections(2)
        assert [host for host, _ in connections] == ["side.example"] * 2
        for number, (_, pool) in enumerate(connections):
            await it.up(pool, f"{number:08x}", workers=2)
        fast, slow = it.fast.unit, it.slow.unit
        assert fast.extranonce2 == slow.extranonce2
        assert fast.header != slow.header
        assert fast.job.origin.session != slow.job.origin.session


async def test_the_achieved_split_is_shown(autojump_clock: MockClock) -> None:
    async with rig() as it:
        [(_, main), (_, side)] = await it.connections(2)
        await it.up(main, "0000000a")
        await it.up(side, "0000000b", workers=2)
        it.fast.hashes, it.slow.hashes = 3000, 1000
        assert [pool.work_share for pool in it.miner.snapshot().pools] == [0.75, 0.25]


async def test_one_pool_down_leaves_the_other_group_alone(autojump_clock: MockClock) -> None:
    async with rig() as it:
        [(_, main), (_, side)] = await it.connections(2)
        await it.up(main, "0000000a")
        await it.up(side, "0000000b", workers=2)
        await side.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert it.fast.unit
        assert it.slow.source is not None
        assert it.slow.source.next_unit() is None, "it does not go elsewhere"
        assert [pool.condition for pool in it.miner.snapshot().pools] == [Condition.UP, Condition.DOWN]


async def test_a_bound_pool_that_refuses_the_worker_does_not_end_the_others(autojump_clock: MockClock) -> None:
    async with rig() as it:
        [(_, main), (_, side)] = await it.connections(2)
        await it.up(main, "0000000a")
        await side.accept_subscribe(mask=None)
        for _ in range(2):
            await side.reply(await side.request("mining.authorize"), False)
        await trio.testing.wait_all_tasks_blocked()
        assert not it.ended.is_set()
        assert it.fast.unit
        await main.stream.aclose()
        [(_, main)] = await it.connections(1)
        await main.accept_subscribe(mask=None)
        await main.reply(await main.request("mining.authorize"), False)
        [(host, main)] = await it.connections(1)
        assert host == "main.example", "it accepted this worker before, and is tried again"
        await it.up(main, "0000000b")
        assert it.fast.unit


async def test_workers_refused_everywhere_from_the_start_end_the_miner(autojump_clock: MockClock) -> None:
    async with rig() as it:
        for host, pool in await it.connections(2):
            await pool.accept_subscribe(mask=None)
            for _ in range(2 if host == "side.example" else 1):
                await pool.reply(await pool.request("mining.authorize"), False)
        await it.ended.wait()
        assert isinstance(it.error, WorkerRefused), "nobody is left"


async def test_when_all_are_bound_the_strategys_pools_are_not_connected_to(autojump_clock: MockClock) -> None:
    async with rig(both=True) as it:
        [(host, side)] = await it.connections(1)
        assert host == "side.example"
        await it.up(side, "0000000b", workers=2)
        assert it.fast.unit.extranonce2 != it.slow.unit.extranonce2, "they share its search space"
        assert [pool.bound for pool in it.miner.snapshot().pools] == [("fast", "slow")]
        assert not it.miner.follows_strategy


async def test_a_pause_and_goals_hold_for_every_group(autojump_clock: MockClock) -> None:
    async with rig(goals=Goals(shares=2)) as it:
        [(_, main), (_, side)] = await it.connections(2)
        await it.up(main, "0000000a")
        await it.up(side, "0000000b", workers=2)
        it.miner.pause(True)
        assert it.slow.source is not None
        assert it.slow.source.next_unit() is None
        it.miner.pause(False)
        for backend, pool in ((it.fast, main), (it.slow, side)):
            await backend.find()
            await pool.reply(await pool.request("mining.submit"), True)
        await it.ended.wait()
        assert it.ending is StopReason.SHARES_REACHED


async def test_goals_change_while_mining(autojump_clock: MockClock) -> None:
    async with rig(goals=Goals(time_limit=100)) as it:
        await trio.sleep(10)
        it.miner.set_goals(Goals())
        await trio.sleep(200)
        assert not it.ended.is_set()
        it.miner.set_goals(Goals(time_limit=300))
        await it.ended.wait()
        assert trio.current_time() == pytest.approx(300, abs=5)
        assert it.ending is StopReason.TIME_LIMIT


async def test_the_pool_of_a_bound_backend_changes_while_mining(autojump_clock: MockClock) -> None:
    async with rig() as it:
        await it.connections(2)
        control = it.miner.bound_control("slow")
        assert control is not None
        assert it.miner.bound_control("fast") is None
        control.change(0, replace(SIDE, url=PoolUrl("third.example", 3333)))
        [(host, _)] = await it.connections(1)
        assert host == "third.example"


class Played:
    """A mining group whose pools and jobs the test plays, with one backend, and its events."""

    def __init__(self, scheduler: Scheduler | None = None) -> None:
        self.backend, self.events = IdleBackend(), list[GroupEvent]()
        self.scheduler = scheduler or Scheduler(clock=lambda: 0.0, weak_blocks=True)
        self.group = MiningGroup(
            [Assignment(backend=self.backend)],
            lambda hear: PoolGroup([MAIN], hear, ClientOptions()),
            self.scheduler,
            self.events.append,
        )

    def job(self, **changes: Any) -> Job:
        [status] = self.group.pools.control.pools()
        job = make_job(pool=status.key, **changes)
        self.group._take(JobArrived(job))
        return job


def test_hashes_count_from_the_first_job_under_the_job_that_they_were_computed_for() -> None:
    it = Played()
    assert (it.group.hashes, it.group.sample(1.0), it.group.expected) == (0, 0, 0.0)
    it.backend.hashes = 1000
    assert it.group.hashes == 0, "of no job"
    easy = it.job(share_target=1 << 250)
    it.backend.hashes = 3000
    hard = it.job(share_target=1 << 240)
    assert it.group.hashes == 3000
    assert it.group.expected == pytest.approx(3000 * easy.share_chance)
    it.backend.hashes = 7000
    assert it.group.sample(2.0) == 7000
    assert it.group.expected == pytest.approx(3000 * easy.share_chance + 4000 * hard.share_chance)
    [status] = it.group.statuses(14_000)
    assert status.work_share == 0.5
    assert [pool.work_share for pool in it.group.statuses(0)] == [0.0]


def test_a_hash_rate_is_measured_10_s_after_the_first_hash_whenever_that_was() -> None:
    it = Played()
    assert it.group.measured_rate(100.0) is None
    it.group.sample(100.0)
    it.job()
    it.backend.hashes = 500
    it.group.sample(140.0)
    it.group.sample(150.0)
    assert it.group.measured_rate(150.0) is None, "nothing was found out since"
    it.backend.hashes = 20_500
    it.group.sample(150.0)
    assert it.group.measured_rate(149.9) is None
    assert it.group.measured_rate(150.0) == 2000
    assert it.group.measured_rate(160.0) == 1000


def test_units_and_job_changes_count_for_their_pool() -> None:
    it = Played()
    it.job()
    for _ in range(3):
        assert it.scheduler.next_unit() is not None
    it.group.sample(1.0)
    it.group.sample(2.0)
    [status] = it.group.pools.control.pools()
    assert (it.group.units, status.work_units, status.switches.count) == (3, 3, 1)


def test_a_job_says_whether_it_builds_on_another_block() -> None:
    it = Played()
    it.job()
    it.job(job_id="2")
    it.job(previous_hash=b"\x01" * 32)
    assert [(event.new_block, event.height) for event in it.events if isinstance(event, JobStarted)] == [
        (True, None),
        (False, None),
        (True, None),
    ]


def test_lost_work_stops_the_search_and_says_why() -> None:
    it = Played()
    job = it.job()
    with capture_logs() as lines:
        it.group._take(WorkLost(job.origin, "no pool is up"))
    assert it.scheduler.job is None
    assert lines == [{"event": "work_lost", "reason": "no pool is up", "log_level": "debug"}]
    it.job()
    assert [event.new_block for event in it.events if isinstance(event, JobStarted)] == [True, True]


def test_weak_blocks_are_sought_as_the_answers_of_the_pool_say() -> None:
    it = Played()
    job = it.job(share_target=1, nbits=0x207FFFFF)
    for is_wanted in (True, True, False):
        it.scheduler.seek_weak_blocks(job.previous_hash, wanted=False)  # as after each submitted one
        it.group._take(ShareAnswered(rejected(replace(share_on(), job=job))))
        assert it.scheduler.wants_weak_block(job) is is_wanted
    job = it.job(share_target=1, nbits=0x207FFFFF, previous_hash=b"\x01" * 32)
    assert not it.scheduler.wants_weak_block(job)
    it.group._take(ShareAnswered(accepted(replace(share_on(), job=job))))
    job = it.job(share_target=1, nbits=0x207FFFFF, previous_hash=b"\x02" * 32)
    assert it.scheduler.wants_weak_block(job)
    assert sum(isinstance(event, ShareAnswered) for event in it.events) == 4


async def test_a_backend_may_report_256_nonces_before_it_has_to_wait() -> None:
    reported: list[int] = []

    class Eager(IdleBackend):
        async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
            unit = source.next_unit()
            assert unit is not None
            for nonce in range(300):
                await found.send(NonceFound(unit, nonce, unit.version))
                reported.append(nonce)

    it = Played()
    it.job()
    it.group.assignments = (Assignment(backend=Eager()),)

    async def no_room() -> None:
        await trio.sleep_forever()

    it.group.pools.wait_for_room = no_room  # type: ignore[method-assign]  # a pool that has no room
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.group.search, lambda group, assignment, found: None)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(reported) == 257, "one of them is with the verifier"


async def test_the_end_waits_as_long_as_the_most_patient_pool(autojump_clock: MockClock) -> None:
    """The open share is that of a pool whose own limit is 2 s."""
    patient = replace(SIDE, timeouts=Timeouts(stop_grace=7.0))
    async with rig(side=patient) as it:
        [(_, main), (_, side)] = await it.connections(2)
        await it.up(main, "0000000a")
        await it.up(side, "0000000b", workers=2)
        await it.fast.find()
        before = trio.current_time()
        it.miner.stop()
        await it.ended.wait()
        assert trio.current_time() - before == 7


def test_the_statistics_of_a_backend_have_its_label_and_its_pool() -> None:
    backend = IdleBackend()
    assert Assignment(backend=backend).label == "idle"
    assert Assignment(backend=backend, name="left").label == "left"
    it = Played()
    [item] = it.group.assignments
    statistics = it.group.statistics(item)
    assert (statistics.label, statistics.bound_to, statistics.backend, statistics.detail) == (
        "idle",
        "",
        "idle",
        "idle",
    )
    assert it.group.bound == ()
    bound = Assignment(backend=backend, pool=MAIN)
    assert it.group.statistics(bound).bound_to == "main"
