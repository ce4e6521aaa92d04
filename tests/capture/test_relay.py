"""The relay on memory streams: order, delays, ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from stratum_miner.capture import record, rules
from stratum_miner.capture.filter import Filter, FilterSequence
from stratum_miner.capture.record import ClosedRecord, LineRecord, NoteRecord, Side
from stratum_miner.capture.recorder import Recorder
from stratum_miner.capture.relay import FLUSH_SECONDS, HALF_OPEN_SECONDS, STALL_SECONDS, relay
from stratum_miner.capture.rules import RuleFilter
from stratum_miner.faults.fault_filter import filter_of, parse


@dataclass
class Middle:
    miner: trio.abc.HalfCloseableStream
    pool: trio.abc.HalfCloseableStream
    over: trio.Event


@asynccontextmanager
async def between(filter_: Filter, recorder: Recorder | None = None) -> AsyncIterator[Middle]:
    miner, miner_end = trio.testing.memory_stream_pair()
    pool_end, pool = trio.testing.memory_stream_pair()
    middle = Middle(miner, pool, trio.Event())

    async def run() -> None:
        await relay(miner_end, pool_end, filter_, None if recorder is None else recorder.open("test"))
        middle.over.set()

    with trio.fail_after(3600):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            yield middle
            await miner.aclose()
            await pool.aclose()
            await middle.over.wait()


def by_rules(*texts: str) -> RuleFilter:
    return RuleFilter([rules.parse(text) for text in texts], Random(0))


async def receive(stream: trio.abc.ReceiveStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await stream.receive_some()
        assert more, f"expected {count} bytes, the stream ended after {data!r}"
        data += bytes(more)
    return data


async def test_lines_go_both_ways(autojump_clock: trio.testing.MockClock) -> None:
    async with between(FilterSequence([])) as middle:
        await middle.miner.send_all(b"a\nb")
        assert await receive(middle.pool, 2) == b"a\n"
        await middle.pool.send_all(b"c\n")
        assert await receive(middle.miner, 2) == b"c\n"
        await middle.miner.send_all(b"b\n")
        assert await receive(middle.pool, 3) == b"bb\n"


async def test_a_delay_holds_up_its_own_direction(autojump_clock: trio.testing.MockClock) -> None:
    async with between(by_rules("delay=10 from=pool nth=1")) as middle:
        began = trio.current_time()
        await middle.pool.send_all(b"one\ntwo\n")
        await middle.miner.send_all(b"x\n")
        assert await receive(middle.pool, 2) == b"x\n"
        assert trio.current_time() == began
        assert await receive(middle.miner, 8) == b"one\ntwo\n"
        assert trio.current_time() == began + 10


@pytest.mark.parametrize("filter_", [by_rules("delay=5 from=pool"), filter_of([parse("slow-replies=5")], "0")])
async def test_delays_overlap(filter_: Filter, autojump_clock: trio.testing.MockClock) -> None:
    """Every line is late by the delay, however many lines there are."""
    async with between(filter_) as middle:
        arrived: list[float] = []
        reply = b'{"id":1,"result":true,"error":null}\n'

        async def read() -> None:
            for _ in range(20):
                await receive(middle.miner, len(reply))
                arrived.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            for _ in range(20):
                await middle.pool.send_all(reply)
                await trio.sleep(0.1)
    assert arrived == pytest.approx([0.1 * number + 5 for number in range(20)])


async def test_a_burst_is_late_only_once(autojump_clock: trio.testing.MockClock) -> None:
    """Rules add their delays to a line; lines do not add theirs to each other."""
    async with between(by_rules("delay=5 from=pool", "delay=2 from=pool")) as middle:
        await middle.pool.send_all(b"line\n" * 1000)
        await receive(middle.miner, 5000)
        assert trio.current_time() == 7


async def test_close_comes_after_what_was_said(autojump_clock: trio.testing.MockClock) -> None:
    async with between(by_rules("close from=pool nth=2")) as middle:
        await middle.pool.send_all(b"one\ntwo\nthree\n")
        assert await receive(middle.miner, 8) == b"one\ntwo\n"
        assert await middle.miner.receive_some() == b""
        await middle.over.wait()


@pytest.mark.parametrize("side", list(Side))
async def test_half_a_connection_stays_half_a_connection(side: Side, autojump_clock: trio.testing.MockClock) -> None:
    """As long as something is still said, and with the delays of a rule."""
    async with between(by_rules("delay=3")) as middle:
        ended, other = (middle.miner, middle.pool) if side is Side.MINER else (middle.pool, middle.miner)
        await ended.send_all(b"last words")
        await ended.send_eof()
        assert await receive(other, 10) == b"last words"
        assert await other.receive_some() == b""
        for _ in range(4):
            await trio.sleep(HALF_OPEN_SECONDS - 10)
            began = trio.current_time()
            await other.send_all(b"heard\n")
            assert await receive(ended, 6) == b"heard\n"
            assert trio.current_time() == began + 3
        await other.aclose()
        assert await ended.receive_some() == b""
        await middle.over.wait()


async def test_half_a_connection_that_says_nothing_more_ends(autojump_clock: trio.testing.MockClock) -> None:
    async with between(FilterSequence([])) as middle:
        await middle.miner.send_eof()
        await trio.sleep(100)
        await middle.pool.send_all(b"heard\n")
        assert await receive(middle.miner, 6) == b"heard\n"
        await middle.over.wait()  # the pool does not close
        assert trio.current_time() == 100 + HALF_OPEN_SECONDS


async def test_what_cannot_be_delivered_is_recorded(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    """The miner is gone before the pool's last words can reach it: some waited, others came later."""
    recorder = Recorder(tmp_path / "c.jsonl", where="test")
    async with between(by_rules("delay=5 from=pool"), recorder) as middle:
        await middle.pool.send_all(b"one\ntwo\n")
        await trio.sleep(1)
        await middle.pool.send_all(b"banned\n")
        await middle.miner.aclose()
        await trio.sleep(6)
        await middle.pool.send_all(b"goodbye\n")
        await middle.pool.aclose()
        await middle.over.wait()
    recorder.close()
    items = [item.record for item in record.read(tmp_path / "c.jsonl").records]
    assert [item.text for item in items if isinstance(item, NoteRecord) if item.text.startswith("not sent")] == [
        "not sent to the miner: banned",
        "not sent to the miner: goodbye",
    ]
    assert [item.data for item in items if isinstance(item, LineRecord)] == [b"one", b"two"]


async def test_held_lines_are_said_at_the_end(autojump_clock: trio.testing.MockClock) -> None:
    async with between(by_rules("reorder from=pool")) as middle:
        await middle.pool.send_all(b"one\n")
        await middle.pool.send_eof()
        assert await receive(middle.miner, 4) == b"one\n"


async def test_a_side_that_does_not_read_leaves_with_the_other(autojump_clock: trio.testing.MockClock) -> None:
    miner, miner_end = trio.testing.lockstep_stream_pair()
    pool_end, pool = trio.testing.memory_stream_pair()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay, miner_end, pool_end, FilterSequence([]))
            await pool.send_all(b"line\n" * 10)
            await trio.testing.wait_all_tasks_blocked()
            await pool.aclose()
            left = trio.current_time()
    assert trio.current_time() - left <= STALL_SECONDS + FLUSH_SECONDS
    with pytest.raises(trio.BrokenResourceError):
        await miner.send_all(b"anybody there?\n")


async def test_the_record_has_what_was_said_and_what_was_done(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    path = tmp_path / "c.jsonl"
    recorder = Recorder(path, where="test")
    async with between(by_rules("drop nth=2", "replace=new match=old", "delay=2 nth=3"), recorder) as middle:
        await middle.pool.send_all(b"one\ntwo\nold\n")
        await receive(middle.miner, 8)
        await middle.pool.aclose()
        await middle.over.wait()
    recorder.close()
    capture = record.read(path)
    items = [item.record for item in capture.records]
    assert [(item.t, item.data) for item in items if isinstance(item, LineRecord)] == [(0, b"one"), (2, b"new")]
    assert [item.text for item in items if isinstance(item, NoteRecord)] == [
        "drop nth=2: two",
        "replace=new match=old: old",
        "delay=2 nth=3: old",
    ]
    assert isinstance(items[-1], ClosedRecord)
    assert items[-1].by is Side.POOL
