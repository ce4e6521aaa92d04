"""What strangers can make a tap keep and wait for: a bound of bytes or seconds, and that it is told."""

import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from stratum_miner.capture import record, rules
from stratum_miner.capture.filter import Filter, FilterSequence
from stratum_miner.capture.record import ClosedRecord, Side
from stratum_miner.capture.recorder import ConnectionSink, Recorder
from stratum_miner.capture.relay import (
    ACTION_BYTES,
    CHECK_SECONDS,
    FLUSH_SECONDS,
    LINGER_SECONDS,
    MAX_PIECES,
    MAX_WAITING,
    RECEIVE_SIZE,
    STALL_SECONDS,
    relay,
)
from stratum_miner.capture.rules import RuleFilter
from stratum_miner.faults.fault_filter import filter_of, parse
from stratum_miner.network.fair_bound import FairBound

LINE = b'{"id":1,"method":"mining.submit","params":["' + b"x" * 950 + b'"]}\n'
MIB = 1 << 20


@dataclass
class Middle:
    """Both far ends of a relay, and how it ended."""

    miner: trio.abc.HalfCloseableStream
    pool: trio.abc.HalfCloseableStream
    bound: FairBound
    over: trio.Event = field(default_factory=trio.Event)
    reason: str = ""
    ended_at: float = 0.0

    async def wait(self) -> str:
        """Why it ended."""
        await self.over.wait()
        return self.reason


@asynccontextmanager
async def between(
    filter_: Filter,
    *,
    miner: tuple[trio.abc.Stream, trio.abc.HalfCloseableStream] | None = None,
    pool: tuple[trio.abc.Stream, trio.abc.HalfCloseableStream] | None = None,
    limit: int = 64 * MIB,
    sink: ConnectionSink | None = None,
) -> AsyncIterator[Middle]:
    """A relay between two pairs of streams, each our end first. Memory streams take whatever is sent."""
    miner_end, far_miner = miner or trio.testing.memory_stream_pair()
    pool_end, far_pool = pool or trio.testing.memory_stream_pair()
    middle = Middle(far_miner, far_pool, FairBound(limit))

    async def run() -> None:
        middle.reason = await relay(miner_end, pool_end, filter_, sink, middle.bound)
        middle.ended_at = trio.current_time()
        middle.over.set()

    with trio.fail_after(100_000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            yield middle
            await middle.over.wait()
    assert middle.bound.used == 0


def deaf() -> tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]:
    """A side that takes nothing until it reads."""
    return trio.testing.lockstep_stream_pair()


def sockets() -> tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]:
    """A side with a buffer of the system's, where an end can be seen before what lies before it is read."""
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIB)
    return stream_of(ours), stream_of(theirs)


def stream_of(end: socket.socket) -> trio.SocketStream:
    return trio.SocketStream(trio.socket.from_stdlib_socket(end))


def by_rules(*texts: str) -> RuleFilter:
    return RuleFilter([rules.parse(text) for text in texts], Random(0))


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    data = bytearray()
    while more := await stream.receive_some():
        data += more
    return bytes(data)


@pytest.mark.parametrize("side", list(Side))
async def test_a_side_that_takes_nothing_ends_its_connection(
    side: Side, autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    recorder = Recorder(tmp_path / "c.jsonl", where="test")
    miner, pool = (deaf() if each is side else trio.testing.memory_stream_pair() for each in (Side.MINER, Side.POOL))
    async with between(FilterSequence([]), miner=miner, pool=pool, sink=recorder.open("test")) as middle:
        sender = middle.pool if side is Side.MINER else middle.miner
        await sender.send_all(LINE * 8000)
        await trio.testing.wait_all_tasks_blocked()
        assert MAX_WAITING / 2 < middle.bound.used < 2 * MAX_WAITING
        reason = await middle.wait()
        assert middle.ended_at == STALL_SECONDS + FLUSH_SECONDS  # the sender is still there, and is told first
        assert await read_all(sender) == b""
    assert reason.startswith(f"the {side.value} did not read for 30 s: ")
    recorder.close()
    [closed] = [
        item.record for item in record.read(tmp_path / "c.jsonl").records if isinstance(item.record, ClosedRecord)
    ]
    assert closed.reason == reason


async def test_nobody_takes_the_room_of_all(autojump_clock: trio.testing.MockClock) -> None:
    """Five that fill their queues; who comes with a line finds room all the same."""
    bound = FairBound(12 * MIB)
    reasons: list[str] = []

    async def carry(miner: trio.abc.Stream, pool: trio.abc.Stream) -> None:
        reasons.append(await relay(miner, pool, FilterSequence([]), None, bound))

    with trio.fail_after(100):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                (miner_end, miner), (pool_end, _) = trio.testing.memory_stream_pair(), deaf()
                await miner.send_all(LINE * 6000)
                nursery.start_soon(carry, miner_end, pool_end)
                await trio.testing.wait_all_tasks_blocked()
                assert bound.used < bound.limit
            (miner_end, miner), (pool_end, pool) = trio.testing.memory_stream_pair(), trio.testing.memory_stream_pair()
            nursery.start_soon(carry, miner_end, pool_end)
            await miner.send_all(LINE * 100)
            await miner.aclose()
            assert await read_all(pool) == LINE * 100
            await pool.aclose()
    assert sum("so little is left of the 12,582,912 bytes for all connections" in reason for reason in reasons) >= 2
    assert reasons.count("") == 1
    assert bound.used == 0


@pytest.mark.parametrize(("delay", "said_at"), [(3, 3.0), (3600, LINGER_SECONDS)])
async def test_answers_that_a_rule_delays_reach_who_has_no_more_to_ask(
    delay: int, said_at: float, autojump_clock: trio.testing.MockClock
) -> None:
    async with between(by_rules(f"delay={delay} from=pool nth=1")) as middle:
        await middle.miner.send_all(b"ask\n")
        await middle.miner.send_eof()
        assert await middle.pool.receive_some() == b"ask\n"
        await middle.pool.send_all(b"one\ntwo\n")
        await middle.pool.aclose()
        assert await middle.miner.receive_some(4) == b"one\n"
        assert trio.current_time() == said_at
        assert await middle.miner.receive_some() == b"two\n"
    assert middle.reason == ""


async def test_pauses_end_with_the_side_whose_lines_they_hold_up(autojump_clock: trio.testing.MockClock) -> None:
    async with between(by_rules("delay=20 from=miner")) as middle:
        await middle.miner.send_all(b"".join(b"%d\n" % number for number in range(500)))
        await middle.miner.aclose()
        assert await read_all(middle.pool) == b"".join(b"%d\n" % number for number in range(500))
        assert trio.current_time() == 20
        await middle.pool.aclose()
        assert await middle.wait() == ""
        assert trio.current_time() == 20


async def test_a_reader_that_waits_for_room_sees_its_side_go(autojump_clock: trio.testing.MockClock) -> None:
    """The miner's end lies in the system behind lines that nobody has read: those before them wait for an hour each."""
    count = MAX_WAITING // (len(LINE) + ACTION_BYTES) + RECEIVE_SIZE // len(LINE) + 20
    async with between(by_rules("delay=3600 from=miner"), miner=sockets()) as middle:
        await middle.miner.send_all(LINE * count)
        await middle.miner.aclose()
        assert await read_all(middle.pool) == LINE * count
        assert LINGER_SECONDS <= trio.current_time() <= LINGER_SECONDS + CHECK_SECONDS
        await middle.pool.aclose()
        assert await middle.wait() == ""


async def test_what_a_bound_cuts_off_is_told(autojump_clock: trio.testing.MockClock) -> None:
    async with between(by_rules("delay=20 from=pool"), miner=deaf()) as middle:
        await middle.pool.send_all(b"line\n" * 10)
        await middle.pool.aclose()
        assert await middle.wait() == "the miner did not read for 30 s: up to 50 bytes were not sent to it"
        assert middle.ended_at == 20 + STALL_SECONDS + FLUSH_SECONDS


async def test_what_is_not_sent_within_the_last_seconds_is_told(autojump_clock: trio.testing.MockClock) -> None:
    async with between(by_rules("close from=miner"), miner=deaf()) as middle:
        await middle.pool.send_all(b"line\n" * 10)
        await trio.testing.wait_all_tasks_blocked()
        await middle.miner.send_all(b"bye\n")
        assert await middle.wait() == "not sent in time: up to 50 bytes to the miner"
        assert middle.ended_at == FLUSH_SECONDS


async def test_who_cannot_be_told_any_more_still_has_the_last_word(autojump_clock: trio.testing.MockClock) -> None:
    """The pool closes after its last words; the miner, which talks on, breaks that way of the connection only."""
    words = LINE * 3000 + b"last words\n"
    async with between(FilterSequence([])) as middle:
        await middle.pool.send_all(words)
        await middle.pool.aclose()
        await middle.miner.send_all(b"submit\n" * 100)
        assert await read_all(middle.miner) == words
        await middle.miner.aclose()
    assert middle.reason == ""


class Counted(trio.abc.Stream):
    """Counts what it is sent; it cannot be half-closed, as TLS cannot."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.transport_stream = stream
        self.sizes: list[int] = []

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.sizes.append(len(data))
        await self.transport_stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.transport_stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.transport_stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.transport_stream.aclose()


class Reset(Counted):
    """Ends as a connection does that is reset."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await super().receive_some(max_bytes)
        if not data:
            raise trio.BrokenResourceError
        return data


async def test_nobody_pauses_for_a_side_that_is_lost(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    async with between(by_rules("delay=3600 from=miner"), pool=(Reset(ours), theirs)) as middle:
        await middle.miner.send_all(b"line\n")
        await trio.sleep(1)
        await middle.pool.aclose()
        assert await read_all(middle.miner) == b""
        await middle.miner.aclose()
    assert middle.ended_at == 1.0


async def test_a_miner_with_tls_learns_soon_that_the_pool_has_ended(autojump_clock: trio.testing.MockClock) -> None:
    """Even if the miner talks on: its stream cannot end in one direction alone."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with between(FilterSequence([]), miner=(Counted(ours), theirs)) as middle:
        await middle.pool.send_eof()
        await trio.sleep(1)
        await middle.miner.send_all(b"line\n")
        assert await read_all(middle.miner) == b""
    assert middle.ended_at == FLUSH_SECONDS


@pytest.mark.parametrize("length", [10, MIB - 2])
async def test_a_line_in_pieces_costs_its_bytes(length: int, autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    counted = Counted(ours)
    async with between(by_rules("split from=miner"), pool=(counted, theirs)) as middle:
        line = b"x" * length + b"\n"
        await middle.miner.send_all(line)
        await middle.miner.aclose()
        assert await read_all(middle.pool) == line
    assert len(counted.sizes) == min(len(line), MAX_PIECES)
    assert middle.ended_at == LINGER_SECONDS + FLUSH_SECONDS  # the pool could not be told that the miner has ended


async def test_lines_are_sent_together_but_for_those_in_pieces(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    counted = Counted(ours)
    async with between(by_rules("delay=1 nth=1", "split from=miner nth=3"), pool=(counted, theirs)) as middle:
        await middle.miner.send_all(b"aa\nbb\ncc\ndd\n")
        await trio.sleep(2)
        await middle.miner.aclose()
        assert await read_all(middle.pool) == b"aa\nbb\ncc\ndd\n"
    assert counted.sizes == [6, 1, 1, 1, 3]


@pytest.mark.parametrize(
    "fault", ["flood-jobs=100000", "clean-storm=100000", "oversized=268435456", "duplicate-replies", "bytewise"]
)
async def test_what_a_fault_makes_of_a_line_waits_unmade(fault: str, autojump_clock: trio.testing.MockClock) -> None:
    job = b'{"id":null,"method":"mining.notify","params":["1","","","",[],"","","",true]}\n'
    async with between(filter_of([parse(fault)], "0"), miner=deaf()) as middle:
        await middle.pool.send_all(job * 3)
        await trio.testing.wait_all_tasks_blocked()
        assert middle.bound.used < 2 * MAX_WAITING
        assert await middle.miner.receive_some(len(job)) != b""


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["replace=" + "y" * 20_000 + " match=x"], "expected a line of at most 2097152 bytes"),
        (["duplicate=100000", "reorder"], "expected at most 2,097,152 bytes to hold back"),
    ],
)
async def test_a_line_that_grows_too_long_ends_its_connection(
    texts: Sequence[str], why: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with between(by_rules(*texts)) as middle:
        await middle.pool.send_all(b"first\n" if "x" in texts[0] else b"")
        await middle.pool.send_all(b"x" * 1000 + b"\n" + b"next\n")
        assert await read_all(middle.miner) in (b"first\n", b"")
        await middle.miner.aclose()
        await middle.pool.aclose()
        assert why in await middle.wait()


def lines(count: int) -> Iterator[bytes]:
    yield from (b'{"id":"%d%s","method":"mining.ping","params":[]}\n' % (n, b"x" * 15_000) for n in range(count))


@pytest.mark.parametrize(
    ("rule", "most"), [("drop nth=9", 0), ("drop method=mining.submit", 0), ("drop method=mining.ping", 400 * 4096)]
)
async def test_requests_are_remembered_in_few_bytes_and_only_for_a_rule(rule: str, most: int) -> None:
    filter_ = by_rules(rule)
    for line in lines(5000):
        filter_.line(Side.MINER, line)
    assert filter_.held == most
    for line in lines(5000):
        filter_.line(Side.POOL, line.replace(b'"method":"mining.ping","params":[]', b'"result":true'))
    assert filter_.held == 0
