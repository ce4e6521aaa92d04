"""Several pools on memory streams and a mock clock: the pool to mine on, the pool of each share, and the events."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.client import ClientOptions, PoolSettings, PoolUnreachable, PoolUrl, WorkerRefused
from stratum_miner.client.events import ClientEvent, JobArrived
from stratum_miner.client.group.failover import Condition
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.reconnecting import Destination
from stratum_miner.client.resume import Resumable
from stratum_miner.client.settings import Strategy
from stratum_miner.exception_groups import leading_cause
from stratum_miner.testing.manual_pool import ManualPool
from stratum_miner.work.job import Origin, PoolKey
from tests.client.client_lab import Recorder, find_shares
from tests.work.shares import share_on

HOSTS = ("first.example", "second.example")


class Farm(Recorder):
    """A group under test, its pools, and its events."""

    def __init__(self) -> None:
        super().__init__()
        self.down: set[str] = set()
        """Hosts that refuse connections."""
        self.group: PoolGroup
        self.error: BaseException | None = None
        self._send: dict[str, trio.MemorySendChannel[ManualPool]] = {}
        self._receive: dict[str, trio.MemoryReceiveChannel[ManualPool]] = {}
        for host in HOSTS:
            self._send[host], self._receive[host] = trio.open_memory_channel[ManualPool](100)

    async def connect(self, url: PoolUrl, seconds: float) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if url.host in self.down:
            raise PoolUnreachable(f"{url}: Connection refused")
        ours, theirs = trio.testing.memory_stream_pair()
        await self._send[url.host].send(ManualPool(theirs))
        return ours

    async def connection(self, index: int) -> ManualPool:
        with trio.fail_after(86400):
            return await self._receive[HOSTS[index]].receive()

    async def up(self, index: int) -> ManualPool:
        """Return the next connection to a pool, after its handshake and a job."""
        pool = await self.connection(index)
        await pool.accept(extranonce1=f"{index + 1:08x}")
        await self.renew(pool)
        return pool

    async def renew(self, pool: ManualPool, seconds: float = 0.0) -> None:
        """Send a new job every 30 s for so many seconds."""
        until = trio.current_time() + seconds
        while True:
            self.counter = getattr(self, "counter", 0) + 1
            await pool.notify(f"j{self.counter}", previous=f"{self.counter:064x}")
            await trio.testing.wait_all_tasks_blocked()
            if trio.current_time() >= until:
                return
            await trio.sleep(30)

    @property
    def active(self) -> list[bool]:
        return [pool.active for pool in self.group.control.pools()]

    @property
    def conditions(self) -> list[Condition]:
        return [pool.condition for pool in self.group.control.pools()]


@asynccontextmanager
async def farm(
    *, down: tuple[int, ...] = (), quotas: tuple[int, int] | None = None, may_give_up: bool = True
) -> AsyncIterator[Farm]:
    made = Farm()
    made.down = {HOSTS[index] for index in down}
    settings = [
        PoolSettings(url=PoolUrl(host, 3333), worker_name="worker", quota=quota)
        for host, quota in zip(HOSTS, quotas or (1, 1), strict=True)
    ]
    made.group = PoolGroup(
        settings,
        made.tell,
        ClientOptions(clock=trio.current_time, rng=random.Random(1), connect=made.connect),
        strategy=Strategy.FAILOVER if quotas is None else Strategy.QUOTA,
        may_give_up=lambda: may_give_up,
    )

    async def run() -> None:
        try:
            await made.group.run()
        except BaseExceptionGroup as error:
            made.error = error
            made.note()
            cancelled, refused = error.split(trio.Cancelled)
            if cancelled is not None or (refused is not None and leading_cause(refused, WorkerRefused) is None):
                raise

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        yield made
        nursery.cancel_scope.cancel()


async def test_the_primary_alone_is_connected_while_it_is_up(autojump_clock: MockClock) -> None:
    async with farm() as it:
        pool = await it.up(0)
        await it.renew(pool, 300)
        assert it.active == [True, False]
        assert it.conditions == [Condition.UP, Condition.UNTRIED]
        assert it.group.control.pools()[1].client.connects == 0


async def test_a_primary_that_is_dead_at_start_is_passed_over(autojump_clock: MockClock) -> None:
    async with farm(down=(0,)) as it:
        started = trio.current_time()
        await it.up(1)
        assert trio.current_time() == started
        assert it.active == [False, True]
        assert "Connection refused" in it.group.control.pools()[0].reason
        assert it.group.control.pools()[0].condition in (Condition.DOWN, Condition.TRYING)


async def test_failover_and_the_way_back_lose_no_share(autojump_clock: MockClock) -> None:
    async with farm() as it:
        first = await it.up(0)
        it.down = {HOSTS[0]}
        await first.stream.aclose()
        second = await it.up(1)
        assert it.active == [False, True]
        job_of_second = it.jobs[-1]
        it.down = set()
        again = await it.up(0)
        share = find_shares(job_of_second, 1)[0]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.renew, second, 60)
            nursery.start_soon(it.renew, again, 60)
            await it.until(lambda: it.active == [True, False])
        # found on the backup's job just before the switch: it goes to the backup, and the backup's answer counts
        it.group.submit(share)
        late = find_shares(it.jobs[-1], 1)[0]
        it.group.submit(late)
        for pool, mine in ((second, share), (again, late)):
            request = await pool.request("mining.submit")
            assert request["params"][1] == mine.job.job_id
            await pool.reply(request, True)
        await it.until(lambda: len(it.results) == 2)
        assert [(result.share, result.outcome.value) for result in it.results] == [
            (share, "accepted"),
            (late, "accepted"),
        ]


async def test_a_backup_that_is_left_answers_its_open_shares_first(autojump_clock: MockClock) -> None:
    async with farm(down=(0,)) as it:
        second = await it.up(1)
        share = find_shares(it.jobs[-1], 1)[0]
        it.down = set()
        first = await it.up(0)
        await it.renew(first, 30)
        it.group.submit(share)
        request = await second.request("mining.submit")
        await it.renew(first, 30)
        await trio.sleep(5)
        assert it.active == [True, False]
        assert not it.results
        await second.reply(request, True)
        await it.until(lambda: it.results)
        assert it.results[0].outcome.value == "accepted"
        await trio.sleep(5)
        assert it.conditions[1] is Condition.UNTRIED
        assert it.group.control.pools()[1].accepted == 1
        assert it.group.control.pools()[1].reason == "standing by"
        it.group.submit(share)  # as a device does that is late
        assert [(result.outcome.value, result.reason) for result in it.results[1:]] == [
            ("lost", "its pool is not connected to any more")
        ]


async def test_a_pool_that_connects_but_sends_no_job_is_passed_over(autojump_clock: MockClock) -> None:
    async with farm() as it:
        silent = await it.connection(0)
        await silent.accept()
        second = await it.up(1)
        assert it.active == [False, True]
        await it.renew(second, 120)
        assert it.conditions[0] is not Condition.UP


async def test_a_worker_refused_here_mines_there(autojump_clock: MockClock) -> None:
    async with farm() as it:
        first = await it.connection(0)
        await first.reply(await first.request("mining.configure"), {"version-rolling": False})
        await first.reply(await first.request("mining.subscribe"), [[], "00000001", 4])
        await first.reply(await first.request("mining.authorize"), False)
        await it.up(1)
        assert it.active == [False, True]
        assert it.conditions[0] is Condition.PENALIZED
        assert it.error is None


@pytest.mark.parametrize("may_give_up", [True, False])
async def test_a_worker_refused_everywhere_ends_it(autojump_clock: MockClock, may_give_up: bool) -> None:
    with capture_logs() as lines:
        async with farm(may_give_up=may_give_up) as it:
            for index in (0, 1):
                pool = await it.connection(index)
                await pool.accept_subscribe()
                assert not it.group.all_refused
                await pool.reply(await pool.request("mining.authorize"), None, [24, "not you", None])
            await it.until(lambda: it.group.all_refused)
            if may_give_up:
                await it.until(lambda: it.error)
                assert it.error is not None
                assert isinstance(leading_cause(it.error, WorkerRefused), WorkerRefused)
            else:
                await trio.sleep(10)
                assert it.error is None
                assert it.conditions == [Condition.PENALIZED, Condition.PENALIZED]
    reason = "the pool refused the worker 'worker': 24: not you"
    assert [(line["pool"], line["reason"]) for line in lines if line["event"] == "worker_refused"] == [
        (f"stratum+tcp://{host}:3333", reason) for host in HOSTS
    ]


async def test_a_pool_that_is_off_does_not_count_among_those_that_refused(autojump_clock: MockClock) -> None:
    async with farm() as it:
        it.group.control.enable(1, False)
        pool = await it.connection(0)
        await pool.accept_subscribe()
        await pool.reply(await pool.request("mining.authorize"), False)
        await it.until(lambda: it.error)


async def test_a_pool_that_refuses_share_after_share_gets_a_penalty(autojump_clock: MockClock) -> None:
    async with farm() as it:
        stale, duplicate = [21, "job not found", None], [22, "duplicate share", None]
        for number, error in enumerate([stale] * 3 + [duplicate] * 20):
            if number % 10 == 0:  # the client connects again after ten
                pool = await it.up(0)
                shares = find_shares(it.jobs[-1], 10)
            it.group.submit(shares[number % 10])
            await pool.reply(await pool.request("mining.submit"), None, error)
            await it.until(lambda wanted=number: len(it.results) > wanted)
        assert it.conditions[0] is Condition.PENALIZED
        assert it.group.control.pools()[0].reason == "it rejected 20 shares in a row: 22: duplicate share"


async def test_accepted_shares_between_keep_rejections_from_being_in_a_row(autojump_clock: MockClock) -> None:
    async with farm() as it:
        pool = await it.up(0)
        for number, share in enumerate(find_shares(it.jobs[-1], 40), 1):
            it.group.submit(share)
            request, is_good = await pool.request("mining.submit"), number % 10 == 0
            await pool.reply(request, is_good, None if is_good else [22, "duplicate share", None])
            await it.until(lambda wanted=number: len(it.results) == wanted)
        assert it.conditions == [Condition.UP, Condition.UNTRIED]
        assert it.group.control.pools()[0].rejected == 36


@pytest.mark.parametrize(("is_answered", "seconds"), [(True, 3), (False, 30)])
async def test_a_pool_that_is_left_stays_connected_for_a_while(
    autojump_clock: MockClock, is_answered: bool, seconds: int
) -> None:
    async with farm() as it:
        pool = await it.up(0)
        it.group.submit(find_shares(it.jobs[-1], 1)[0])
        request = await pool.request("mining.submit")
        if is_answered:
            await pool.reply(request, True)
            await it.until(lambda: it.results)
        await trio.sleep(0.5)
        it.group.control.enable(0, False)
        left = trio.current_time()
        with pytest.raises(AssertionError, match="the client closed the connection"):
            await pool.request()
        assert trio.current_time() - left == seconds
        await trio.sleep(1)
        assert it.conditions[0] is Condition.UNTRIED


async def test_the_choice_of_a_pool_is_told_with_its_reason(autojump_clock: MockClock) -> None:
    names = [f"stratum+tcp://{host}:3333" for host in HOSTS]
    with capture_logs() as lines:
        async with farm() as it:
            first = await it.up(0)
            it.down = {HOSTS[0]}
            await first.stream.aclose()
            second = await it.up(1)
            it.down = set()
            again = await it.up(0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(it.renew, second, 30)
                await it.renew(again, 90)
            it.group.control.enable(0, False)
            await it.up(1)
            await trio.sleep(5)  # until the connection to the first pool is closed
            it.group.control.enable(0, True)
            it.group.control.remove(1)
            await it.up(0)
    told = [(line["event"], line.get("pool"), line.get("reason")) for line in lines]
    closed = f"{names[0]} is down: the pool closed the connection"
    assert [line for line in told if line[0] in ("pool_chosen", "no_pool")] == [
        ("pool_chosen", names[0], None),
        ("no_pool", None, closed),
        ("pool_chosen", names[1], None),
        ("pool_chosen", names[0], "a better pool is up again"),
        ("no_pool", None, f"{names[0]} was disabled"),
        ("pool_chosen", names[1], None),
    ]
    assert it.lost_work[:-1] == [closed, f"{names[0]} was disabled", f"{names[1]} was removed or changed"]


async def test_the_only_pool_is_chosen_without_a_word(autojump_clock: MockClock) -> None:
    with capture_logs() as lines:
        async with farm() as it:
            it.group.control.remove(1)
            pool = await it.up(0)
            await pool.stream.aclose()
            await it.up(0)
    assert {line["event"] for line in lines}.isdisjoint({"pool_chosen", "no_pool"})


def test_work_counts_for_the_pool_that_it_was_done_for() -> None:
    settings = [PoolSettings(url=PoolUrl(host, 1), worker_name="w", name=host) for host in ("a", "b")]
    group = PoolGroup(settings, lambda event: None)
    a, b = (PoolKey(name) for name in "ab")
    group.count_work([(a, 0.25), (b, 0.5), (b, 0.75)], {a: 3})
    group.count_work([], {a: 4, b: 1})
    assert [(pool.work_units, pool.switches.count, pool.switch_p99) for pool in group.control.pools()] == [
        (7, 1, 0.25),
        (1, 2, 0.75),
    ]


def test_shares_of_an_earlier_run_are_taken_over_for_the_pool_with_their_url() -> None:
    settings = [PoolSettings(url=PoolUrl(host, 1), worker_name="w", name=host) for host in ("a", "b")]
    group = PoolGroup(settings, lambda event: None)
    session = Resumable("s1", b"\x01", 4)
    assert not group.adopt("stratum+tcp://c:1", session, [share_on()])
    assert group.adopt("stratum+tcp://b:1", session, [share_on(), share_on()])
    assert [pool.client.unanswered for pool in group.control.pools()] == [0, 2]


def test_a_share_of_no_pool_of_the_group_is_journalled_for_the_best_one() -> None:
    settings = [PoolSettings(url=PoolUrl(host, 1), worker_name=f"w{host}", name=host) for host in ("a", "b")]
    group = PoolGroup(settings, lambda event: None)
    for pool, url, worker in (("b", "b", "wb"), ("a", "a", "wa"), ("nowhere", "a", "wa")):
        found = group.destination(share_on(pool=PoolKey(pool)))
        assert found == Destination(f"stratum+tcp://{url}:1", worker, None)


async def test_disabling_the_active_pool_switches_at_once(autojump_clock: MockClock) -> None:
    async with farm() as it:
        await it.up(0)
        it.group.control.enable(0, False)
        assert it.lost_work
        await it.up(1)
        assert it.active == [False, True]
        it.group.control.enable(0, True)
        first = await it.up(0)
        await it.renew(first, 90)
        assert it.active == [True, False]


async def test_a_pool_added_in_front_takes_over_and_a_removed_one_answers_first(autojump_clock: MockClock) -> None:
    async with farm() as it:
        it.group.control.remove(1)
        assert len(it.group.control.pools()) == 1
        first = await it.up(0)
        it.group.control.add(PoolSettings(url=PoolUrl(HOSTS[1], 3333), worker_name="worker"), 0)
        assert [pool.client.url.host for pool in it.group.control.pools()] == [HOSTS[1], HOSTS[0]]
        assert it.active == [False, True]
        second = await it.up(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.renew, first, 60)
            await it.renew(second, 90)
        assert it.active == [True, False]
        it.group.submit(find_shares(it.jobs[-1], 1)[0])
        request = await second.request("mining.submit")
        it.group.control.remove(0)
        assert it.lost_work  # the other one is standing by and has to connect first
        again = await it.up(0)
        assert it.active == [True]
        assert not it.results
        await second.reply(request, True)
        await it.until(lambda: it.results)
        assert it.results[0].outcome.value == "accepted"
        await it.renew(again, 60)


def counts_of(it: Farm, key: PoolKey) -> tuple[int, ...]:
    pool = next(pool for pool in it.group.control.pools() if pool.key == key)
    client = pool.client
    return pool.accepted, pool.answers.count, client.jobs, client.connects, client.bytes_received, client.bytes_sent


async def test_a_pool_that_is_removed_and_comes_back_counts_on(autojump_clock: MockClock) -> None:
    async with farm() as it:
        first = await it.up(0)
        it.group.submit(find_shares(it.jobs[-1], 1)[0])
        await first.reply(await first.request("mining.submit"), True)
        await it.until(lambda: it.results)
        key, settings = it.group.control.pools()[0].key, it.group.control.settings()[0]
        before = counts_of(it, key)
        assert min(before) > 0
        it.group.control.remove(0)
        assert it.group.control.add(settings, 0) == key
        back = counts_of(it, key)
        assert all(now >= then for now, then in zip(back, before, strict=True))
        again = await it.up(0)
        await it.renew(again, 60)
        assert counts_of(it, key)[:2] == before[:2]
        assert all(now > then for now, then in zip(counts_of(it, key)[2:], before[2:], strict=True))


async def test_moving_a_pool_changes_who_is_better(autojump_clock: MockClock) -> None:
    async with farm() as it:
        first = await it.up(0)
        it.group.control.move(0, 1)
        assert [pool.client.url.host for pool in it.group.control.pools()] == [HOSTS[1], HOSTS[0]]
        assert it.active == [False, True]  # it goes on until the better one has proven itself
        second = await it.up(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.renew, first, 60)
            await it.renew(second, 90)
        assert it.active == [True, False]


async def test_quotas_split_the_time_and_a_dead_pool_leaves_its_part_to_the_other(autojump_clock: MockClock) -> None:
    async with farm(quotas=(3, 1)) as it:
        first, second = await it.up(0), await it.up(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.renew, first, 1200)
            await it.renew(second, 1200)
        shares = [pool.work_share for pool in it.group.control.pools()]
        assert shares == [pytest.approx(0.75, abs=0.02), pytest.approx(0.25, abs=0.02)]
        assert it.active.count(True) == 1
        mined = {job.origin.session for job in it.jobs}
        assert len(mined) == 2
        it.down = {HOSTS[0]}
        await first.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert it.active == [False, True]


async def test_changes_that_make_no_sense_are_refused(autojump_clock: MockClock) -> None:
    async with farm() as it:
        known = PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="worker")
        other = PoolSettings(url=PoolUrl("third.example", 3333), worker_name="w")
        changes: tuple[tuple[Callable[[], object], str], ...] = (
            (lambda: it.group.control.add(known), "expected each pool once"),
            (lambda: it.group.control.add(other, 7), "expected a position from 0 to 2"),
            (lambda: it.group.control.move(0, 2), "expected a position from 0 to 1, got 2"),
            (lambda: it.group.control.enable(-1, True), "expected a position from 0 to 1, got -1"),
            (lambda: it.group.control.remove(5), "expected a position from 0 to 1, got 5"),
        )
        for change, needle in changes:
            with pytest.raises(ValueError, match=needle):
                change()
        it.group.control.remove(1)
        with pytest.raises(ValueError, match="at least one pool to remain"):
            it.group.control.remove(0)
        assert len(it.group.control.pools()) == 1


async def test_all_pools_down_are_tried_for_ever(autojump_clock: MockClock) -> None:
    async with farm(down=(0, 1)) as it:
        await trio.sleep(4 * 3600)
        assert it.jobs == []
        assert it.error is None
        it.down = {HOSTS[0]}
        await it.up(1)
        assert it.active == [False, True]


async def test_a_share_of_a_session_nobody_knows_is_lost_with_that_reason(autojump_clock: MockClock) -> None:
    async with farm() as it:
        await it.up(0)
        job = it.jobs[-1]
        [share] = find_shares(replace(job, origin=replace(job.origin, pool=PoolKey("a pool of another run"))), 1)
        it.group.submit(share)
        assert [(result.outcome.value, result.reason) for result in it.results] == [("lost", "its session is over")]


async def test_a_pool_with_other_settings_answers_first_and_is_connected_to_anew(autojump_clock: MockClock) -> None:
    async with farm() as it:
        first = await it.up(0)
        it.group.submit(find_shares(it.jobs[-1], 1)[0])
        request = await first.request("mining.submit")
        it.group.control.change(0, PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="other", name="home"))
        pool = await it.connection(0)
        await pool.reply(await pool.request("mining.configure"), {"version-rolling": False})
        await pool.reply(await pool.request("mining.subscribe"), [[], "00000009", 4])
        assert (await pool.request("mining.authorize"))["params"][0] == "other"
        assert not it.results
        await first.reply(request, True)
        await it.until(lambda: it.results)
        assert it.results[0].outcome.value == "accepted"
        assert [status.name for status in it.group.control.pools()] == ["home", f"stratum+tcp://{HOSTS[1]}:3333"]


async def test_another_name_or_quota_keeps_the_connection(autojump_clock: MockClock) -> None:
    async with farm() as it:
        await it.up(0)
        named = PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="worker", name="home", quota=5)
        it.group.control.change(0, named)
        it.group.control.set_quota(0, 7)
        await trio.sleep(5)
        assert it.active == [True, False]
        [home, _] = it.group.control.pools()
        assert (home.name, home.client.connects) == ("home", 1)


async def test_the_strategy_changes_while_mining(autojump_clock: MockClock) -> None:
    async with farm() as it:
        first = await it.up(0)
        it.group.control.set_quota(0, 3)
        it.group.control.use(Strategy.QUOTA)
        second = await it.up(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.renew, first, 1200)
            await it.renew(second, 1200)
        shares = [pool.work_share for pool in it.group.control.pools()]
        assert shares == [pytest.approx(0.75, abs=0.02), pytest.approx(0.25, abs=0.02)]
        it.group.control.use(Strategy.FAILOVER)
        await it.renew(first, 90)
        assert it.active == [True, False]


async def test_settings_keep_a_pool_off_that_was_switched_off_by_hand(autojump_clock: MockClock) -> None:
    async with farm() as it:
        await it.up(0)
        it.group.control.enable(0, False)
        await it.up(1)
        it.group.control.change(0, PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="other"))
        assert not it.group.control.pools()[0].enabled
        it.group.control.change(1, PoolSettings(url=PoolUrl(HOSTS[1], 3333), worker_name="worker", enabled=False))
        assert not it.group.control.pools()[1].enabled
        with pytest.raises(ValueError, match="expected each pool once"):
            it.group.control.change(1, PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="other"))
        with pytest.raises(ValueError, match="quota: expected an integer of at least 0, got -1"):
            it.group.control.set_quota(0, -1)


async def test_without_retries_nothing_is_tried_again_while_it_ends(autojump_clock: MockClock) -> None:
    it, tried = Farm(), []

    async def refuse(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        tried.append(url)
        await trio.lowlevel.checkpoint()
        raise PoolUnreachable(f"{url}: Connection refused")

    settings = [PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="worker")]
    group = PoolGroup(
        settings, it.tell, ClientOptions(clock=trio.current_time, rng=random.Random(1), connect=refuse, retry=False)
    )
    with pytest.RaisesGroup(PoolUnreachable):
        await group.run()
    assert len(tried) == 1


async def test_changes_after_the_end_change_the_list_and_start_nothing(autojump_clock: MockClock) -> None:
    """The API may still be served while the miner stops."""
    it, tried = Farm(), []

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        tried.append(url)
        await trio.lowlevel.checkpoint()
        raise PoolUnreachable(f"{url}: Connection refused")

    settings = [PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="worker")]
    group = PoolGroup(settings, it.tell, ClientOptions(clock=trio.current_time, rng=random.Random(1), connect=connect))
    with trio.move_on_after(3):
        await group.run()
    before = len(tried)
    group.control.add(PoolSettings(url=PoolUrl(HOSTS[1], 3333), worker_name="worker"))
    group.control.enable(0, True)
    group.control.switch(1)
    group.control.remove(1)
    await trio.sleep(100)
    assert [str(pool.client.url) for pool in group.control.pools()] == [f"stratum+tcp://{HOSTS[1]}:3333"]
    assert len(tried) == before


async def test_changes_before_the_start_are_what_is_started_with(autojump_clock: MockClock) -> None:
    it, tried = Farm(), []

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        tried.append(url.host)
        await trio.sleep_forever()
        raise AssertionError

    settings = [PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="worker")]
    group = PoolGroup(settings, it.tell, ClientOptions(clock=trio.current_time, rng=random.Random(1), connect=connect))
    group.control.add(PoolSettings(url=PoolUrl(HOSTS[1], 3333), worker_name="worker"), 0)
    with trio.move_on_after(3):
        await group.run()
    assert tried == [HOSTS[1]]


async def test_a_share_that_a_pool_did_not_answer_before_it_was_left_says_so(autojump_clock: MockClock) -> None:
    async with farm() as it:
        await it.up(0)
        it.group.submit(find_shares(it.jobs[-1], 1)[0])
        it.group.control.enable(0, False)
        second = await it.up(1)
        await it.renew(second, 60)
        assert [(result.outcome.value, result.reason) for result in it.results] == [
            ("lost", "the miner left this pool, which did not answer within 30 s")
        ]
        it.group.control.enable(0, True)
        it.group.control.enable(1, False)
        await it.up(0)
        it.group.submit(find_shares(it.jobs[-1], 1)[0])
    assert it.results[-1].reason == "the miner stopped before the pool answered"


async def test_no_refusal_ends_it_once_a_pool_has_accepted_a_worker(autojump_clock: MockClock) -> None:
    async with farm() as it:
        first = await it.up(0)
        await it.renew(first, 30)
        it.group.control.change(0, PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="typo"))
        it.group.control.enable(1, False)
        pool = await it.connection(0)
        await pool.accept_subscribe()
        await pool.reply(await pool.request("mining.authorize"), False)
        await trio.sleep(5)
        assert it.conditions[0] is Condition.PENALIZED
        assert it.error is None
        await it.up(0)
        assert it.active == [True, False]


async def test_a_pool_that_refuses_every_share_does_not_make_a_refusal_elsewhere_final(
    autojump_clock: MockClock,
) -> None:
    async with farm() as it:
        first = await it.connection(0)
        await first.accept_subscribe()
        await first.reply(await first.request("mining.authorize"), False)
        second = await it.up(1)
        for _ in range(25):
            it.group.submit(find_shares(it.jobs[-1], 1)[0])
            await second.reply(await second.request("mining.submit"), None, [23, "low difficulty share", None])
            await trio.testing.wait_all_tasks_blocked()
            if it.conditions[1] is not Condition.UP:
                break
        await trio.sleep(10)
        assert it.error is None


async def test_a_burst_of_refusals_does_not_penalize_a_pool(autojump_clock: MockClock) -> None:
    async with farm() as it:
        pool = await it.up(0)
        share = find_shares(it.jobs[-1], 1)[0]
        for _ in range(50):
            it.group.submit(share)
        for request in [await pool.request("mining.submit") for _ in range(50)]:
            await pool.reply(request, None, [22, "duplicate share", None])
        await it.until(lambda: len(it.results) == 50)
        assert it.conditions[0] is Condition.UP
        assert it.active == [True, False]


async def test_the_search_hears_of_a_job_of_the_only_pool_before_failover_does(autojump_clock: MockClock) -> None:
    it, heard = Farm(), list[Condition]()

    def tell(event: ClientEvent) -> None:
        if isinstance(event, JobArrived):
            heard.extend(it.conditions)
        it.tell(event)

    settings = [PoolSettings(url=PoolUrl(HOSTS[0], 3333), worker_name="worker")]
    it.group = PoolGroup(settings, tell, ClientOptions(clock=trio.current_time, connect=it.connect))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.group.run)
        pool = await it.up(0)
        assert (heard, it.conditions, it.active) == ([Condition.TRYING], [Condition.UP], [True])
        it.group.control.enable(0, False)
        await it.renew(pool)
        assert len(it.jobs) == 1, "a pool that is left brings no work, though it stays connected for a while"
        assert it.lost_work
        nursery.cancel_scope.cancel()


async def test_each_event_says_which_session_of_which_pool_it_is_of(autojump_clock: MockClock) -> None:
    it, origins = Farm(), set[Origin]()

    def tell(event: ClientEvent) -> None:
        origins.add(event.origin)
        it.tell(event)

    settings = [PoolSettings(url=PoolUrl(host, 3333), worker_name="worker") for host in HOSTS]
    it.group = PoolGroup(settings, tell, ClientOptions(clock=trio.current_time, connect=it.connect))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.group.run)
        await (await it.up(0)).stream.aclose()
        await it.up(1)
        nursery.cancel_scope.cancel()
    first, second = it.group.control.pools()
    of_first, of_second = {(first.key, 0), (first.key, 1)}, {(second.key, 0), (second.key, 2)}
    assert {(origin.pool, origin.session) for origin in origins} == of_first | of_second


async def test_a_removed_pool_that_still_sends_jobs_is_not_mined_on(autojump_clock: MockClock) -> None:
    async with farm() as it:
        pool = await it.up(0)
        it.group.submit(find_shares(it.jobs[-1], 1)[0])
        await pool.request("mining.submit")
        it.group.control.remove(0)
        before = len(it.jobs)
        await it.renew(pool)
        assert (len(it.jobs), it.active) == (before, [False])


async def test_who_hears_of_a_job_may_remove_its_pool(autojump_clock: MockClock) -> None:
    it = Farm()

    def tell(event: ClientEvent) -> None:
        it.tell(event)
        if isinstance(event, JobArrived) and len(it.jobs) == 2:
            it.group.control.remove(0)

    settings = [PoolSettings(url=PoolUrl(host, 3333), worker_name="worker") for host in HOSTS]
    it.group = PoolGroup(settings, tell, ClientOptions(clock=trio.current_time, connect=it.connect))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.group.run)
        first = await it.up(0)
        await it.renew(first)
        await it.up(1)
        assert it.active == [True]
        nursery.cancel_scope.cancel()
