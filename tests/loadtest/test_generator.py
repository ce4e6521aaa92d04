"""The load generator on real sockets, with the pool of this package and with servers that are no pools."""

import errno
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import trio

from stratum_miner.loadtest.generator import LoadGenerator
from stratum_miner.loadtest.limits import NoPoolError
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.pool import Pool, PoolConfig, open_pool
from stratum_miner.pool.job_factory import JobFactory
from stratum_miner.stratum.envelope import encode_reply
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.stratum.pool_messages import SetDifficulty
from stratum_miner.stratum.server_connection import encode_announcement
from stratum_miner.testing.scripted_node import ScriptedNode, make_template

DIFFICULTY = 1e-9
PATIENCE = 60
"""Seconds."""


def config(**settings: Any) -> PoolConfig:
    return PoolConfig(**{"payout_script": b"\x51", "port": 0, "difficulty": DIFFICULTY, **settings})


def plan(port: int, **settings: Any) -> LoadPlan:
    """A run without an end, unless the test says when: what must happen in it is waited for."""
    defaults = {"miners": 20, "duration": 3600.0, "ramp": 0.2, "share_rate": 10.0, "pause": 0.05}
    return LoadPlan(**{"host": "127.0.0.1", "port": port, **defaults, **settings})


class HeldClock:
    """Stands still at a moment until it is released: what must happen before that moment takes the time it takes.

    A thread that does not run for a while costs the clock one step only: it does not come to the moment too early.
    """

    STEP = 0.01
    """Seconds."""

    def __init__(self, moment: float) -> None:
        self._now = 0.0
        self._seen = time.perf_counter()
        self._moment: float | None = moment

    def __call__(self) -> float:
        seen = time.perf_counter()
        passed, self._seen = seen - self._seen, seen
        self._now += passed if self._moment is None else min(passed, self.STEP, self._moment - self._now)
        return self._now

    def release(self) -> None:
        self._moment = None


@contextmanager
def loading(port: int, clock: Callable[[], float] = time.perf_counter, **settings: Any) -> Iterator[LoadGenerator]:
    """A run in a thread, which is stopped after the block, with the answers to its last shares."""
    generator = LoadGenerator(plan(port, **settings), clock)
    run = threading.Thread(target=generator.run)
    run.start()
    try:
        yield generator
    finally:
        generator.stop()
        run.join()


@asynccontextmanager
async def loaded(
    pool: Pool, clock: Callable[[], float] = time.perf_counter, **settings: Any
) -> AsyncIterator[LoadGenerator]:
    """The same beside a pool in this thread."""
    generator = LoadGenerator(plan(pool.port, **settings), clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, generator.run)
        try:
            yield generator
        finally:
            generator.stop()


async def reached(generator: LoadGenerator, condition: Callable[[], bool]) -> None:
    """Poll until the condition holds, because the generator runs in a thread that sends no events."""
    with trio.move_on_after(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)
        return
    raise AssertionError(f"waited {PATIENCE} s, and saw {generator.progress()}, {generator.metrics.to_builtins()}")


def reached_in_thread(generator: LoadGenerator, condition: Callable[[], bool]) -> None:
    """The same without trio."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s, and saw {generator.metrics.to_builtins()}"
        time.sleep(0.01)


async def test_every_share_is_valid_and_counted_on_both_sides() -> None:
    async with open_pool(ScriptedNode(), config()) as pool:
        async with loaded(pool) as generator:
            metrics = generator.metrics
            await reached(generator, lambda: metrics.sent > 60 and metrics.most_mining == 20)
            await reached(generator, lambda: metrics.loop_lag.count > 10)
        snapshot = pool.snapshot()
    assert metrics.connections == metrics.most_mining == 20
    assert (metrics.accepted, metrics.refused, metrics.lost, metrics.unanswered) == (metrics.sent, {}, 0, 0)
    assert snapshot.shares.accepted == metrics.accepted
    assert metrics.errors == metrics.endings == {}
    counts = {name: phase.latency.count for name, phase in metrics.phases.items()}
    assert counts == {
        "connect": 20,
        "subscribe": 20,
        "authorize": 20,
        "first_job": 20,
        "submit": metrics.sent,
        "notify": 0,
    }


async def test_a_new_block_is_measured_from_the_first_miner_to_the_last() -> None:
    node = ScriptedNode()
    async with open_pool(node, config()) as pool, loaded(pool, share_rate=0.0, ramp=0.0) as generator:
        notifies = generator.metrics.notifies
        await reached(generator, lambda: generator.progress().mining == 20)
        node.push(make_template(200))
        await reached(generator, lambda: [spread.miners for spread in notifies.values()] == [20])
    (spread,) = notifies.values()
    assert spread.clean
    assert generator.metrics.phases["notify"].latency.count == 19


async def test_bad_submits_are_refused_and_accounted_for_by_kind() -> None:
    bad = ("wrong-job", "unauthorised-worker")
    async with open_pool(ScriptedNode(), config()) as pool:
        async with loaded(pool, bad=dict.fromkeys(bad, 0.2)) as generator:
            metrics = generator.metrics
            await reached(generator, lambda: all(name in metrics.bad and metrics.bad[name].sent for name in bad))
        rejected = pool.snapshot().shares.rejected
    assert set(metrics.bad) == set(bad)
    for count in metrics.bad.values():
        assert count.refused == count.sent > 0
        assert count.accepted == 0
    assert rejected[ErrorReason.JOB_NOT_FOUND] == metrics.bad["wrong-job"].sent
    assert metrics.accepted == metrics.sent


async def test_after_a_storm_all_come_back_and_resume_their_sessions() -> None:
    before_storm = HeldClock(0.4)
    async with open_pool(ScriptedNode(), config()) as pool:
        async with loaded(pool, before_storm, storms=(0.5,), reconnect="resume") as generator:
            metrics = generator.metrics
            await reached(generator, lambda: metrics.most_mining == 20)
            before_storm.release()
            await reached(generator, lambda: metrics.phases["first_job"].latency.count == 40)
        leases = pool.snapshot().connections_total
    assert metrics.endings == {"storm": 20}
    assert metrics.connections == leases == 40


async def test_miners_that_come_and_go() -> None:
    async with open_pool(ScriptedNode(), config()) as pool, loaded(pool, churn=0.3) as generator:
        metrics = generator.metrics
        await reached(generator, lambda: metrics.endings["churn"] > 10 and metrics.connections > 30)
    assert metrics.accepted + metrics.lost + metrics.unanswered == metrics.sent


async def test_miners_that_never_come_back() -> None:
    clock = HeldClock(0.4)
    settings: dict[str, Any] = {"duration": 1.0, "storms": (0.5,), "reconnect": "never"}
    async with open_pool(ScriptedNode(), config()) as pool, loaded(pool, clock, **settings) as generator:
        await reached(generator, lambda: generator.metrics.most_mining == 20)
        clock.release()
        await reached(generator, lambda: generator.elapsed >= 1)
    assert generator.metrics.endings == {"storm": 20}
    assert generator.metrics.connections == 20


async def test_slow_readers_are_dropped_by_the_pool_and_cost_the_others_nothing() -> None:
    """A queue for a few jobs, and jobs that fill the socket buffers: the pool loses its patience within the run.

    Who hardly reads need not learn of it: the end of the stream waits behind all that was not read.
    """
    node = ScriptedNode()
    settings = config(max_queue=2048, send_timeout=1.0)
    async with open_pool(node, settings) as pool, loaded(pool, slow_readers=0.2) as generator:
        await reached(generator, lambda: generator.progress().mining == 16)
        height = 200

        def all_dropped() -> bool:
            nonlocal height
            node.push(make_template(height := height + 1))
            return pool.snapshot().connections_total - len(pool.snapshot().sessions) == 4

        await reached(generator, all_dropped)
        assert generator.progress().mining == 16
    assert not generator.metrics.endings - Counter({"slow reader: the pool closed the connection": 4})
    assert generator.metrics.most_mining == 16


async def test_shares_that_take_long_are_searched_ahead_of_time() -> None:
    async with open_pool(ScriptedNode(), config(difficulty=1e-5)) as pool, loaded(pool, miners=4) as generator:
        await reached(generator, lambda: generator.metrics.sent > 5)
    assert generator.metrics.accepted == generator.metrics.sent


async def test_the_figures_so_far_survive_a_stop() -> None:
    async with open_pool(ScriptedNode(), config()) as pool, loaded(pool) as generator:
        await reached(generator, lambda: generator.progress().accepted >= 10)
    assert generator.metrics.accepted >= 10
    assert generator.elapsed < 3600
    assert generator.metrics.unanswered == 0


async def test_a_load_beyond_this_machine_is_told_and_keeps_its_figures() -> None:
    """The measured hash rate of the computer may be too low, so the run continues."""
    async with open_pool(ScriptedNode(), config(difficulty=1e6)) as pool, loaded(pool) as generator:
        await reached(generator, lambda: generator.metrics.doubt != "")
        await reached(generator, lambda: generator.metrics.phases["first_job"].latency.count == 20)
        assert generator.elapsed == 0, "the run goes on"
    assert "MH/s is more than half of what one thread" in generator.metrics.doubt
    assert "to measure again, run stratum-miner bench" in generator.metrics.doubt


async def test_figures_survive_what_the_machine_refuses_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_pool(ScriptedNode(), config()) as pool, loaded(pool, duration=60.0) as generator:
        await reached(generator, lambda: generator.progress().accepted >= 10)

        def refuse() -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr("stratum_miner.loadtest.generator._resident", refuse)
        await reached(generator, lambda: generator.failure != "")
        monkeypatch.undo()
    assert "Too many open files" in generator.failure
    assert generator.metrics.accepted >= 10
    assert 0 < generator.elapsed < 3600


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """Run a server that sends the same bytes to each client and closes; with None it closes at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    if answer is not None:
                        connection.recv(4096)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (None, "the pool closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not Stratum"),
        (b"{\n", "not Stratum"),
    ],
)
def test_a_server_that_is_no_pool(answer: bytes | None, ending: str) -> None:
    with server(answer) as port, loading(port, miners=3) as generator:
        metrics = generator.metrics
        reached_in_thread(generator, lambda: metrics.endings.total() >= 3)
    assert metrics.sent == metrics.most_mining == 0
    assert ending in metrics.endings or "Connection reset by peer" in metrics.endings


class SmallSocket(socket.socket):
    """Has room for a few shares: a socket of its usual size takes megabytes that nobody reads."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


def test_a_pool_that_does_not_read_and_then_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool answers the handshake and then reads nothing: shares fill the sockets, wait, and are lost with it."""
    job = JobFactory(payout_script=b"\x51", version_mask=0, extranonce_size=12).publish(make_template(), 0.0).line
    hello = b"".join(
        (
            encode_reply(1, False),
            encode_reply(2, [[], "0a0b0c0d", 8]),
            encode_reply(3, True),
            encode_announcement(SetDifficulty(DIFFICULTY)),
            job,
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        monkeypatch.setattr("stratum_miner.loadtest.generator.socket.socket", SmallSocket)
        port = listener.getsockname()[1]
        with loading(port, miners=1, share_rate=1000.0, ramp=0.0) as generator:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                connection.sendall(hello)
                reached_in_thread(generator, lambda: generator.metrics.endings.total() > 0)
    assert set(generator.metrics.endings) <= {"the pool does not read", "Connection reset by peer"}
    assert generator.metrics.lost > 100
    assert generator.metrics.accepted == 0


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    generator = LoadGenerator(LoadPlan(host="127.0.0.1", port=port, miners=3, duration=600.0, ramp=0.0))
    with pytest.raises(NoPoolError, match="cannot connect: Connection refused"):
        generator.run()


def test_a_name_that_means_nothing() -> None:
    with pytest.raises(NoPoolError, match=r"nowhere\.invalid"):
        LoadGenerator(LoadPlan(host="nowhere.invalid", port=1, miners=1, duration=1.0, ramp=0.0)).run()


async def test_a_name_with_several_addresses_means_the_one_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """For example, localhost has two addresses, and the pool may listen on one of them."""
    places = [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *rest: Any, **settings: Any) -> Any:
        if host != "pool.test":
            return real(host, port, *rest, **settings)
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in places]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with open_pool(ScriptedNode(), config()) as pool, loaded(pool, host="pool.test", miners=3) as generator:
        await reached(generator, lambda: generator.metrics.connections == 3)
