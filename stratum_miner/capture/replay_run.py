"""Moves a replay's lines: a listener that miners come to, or connections to a pool, and what came of each."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from math import inf
from typing import Any

import structlog
import trio

from stratum_miner.capture.lines import LineSplitter
from stratum_miner.capture.record import Capture, LineRecord, NumberedRecord, Side
from stratum_miner.capture.replay import Replay
from stratum_miner.network import accepting

log = structlog.get_logger(__name__)

RECEIVE_SIZE = 64 << 10
MAX_UNSAID = 64 << 10
"""Bytes of answers that wait for the live side; then it is not listened to until it takes them."""
STALL_SECONDS = 30.0
"""How long the live side may take nothing of what is said to it; then its connection is over."""


def replays(capture: Capture, side: Side, **options: Any) -> list[Replay]:
    """One for each recorded connection on which anything was said."""
    sessions: dict[str, str] = {}
    spoken = [records for records in capture.connections().values() if _lines(records)]
    return [Replay(records, side, sessions=sessions, **options) for records in spoken]


async def play_pool(
    plays: Sequence[Replay],
    listeners: Sequence[trio.abc.Listener[Any]],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """The pool's side: each connection that comes gets the next recorded one; returns when all are played."""
    waiting: Iterator[Replay] = iter(plays)
    left = len(plays)

    async def serve(stream: trio.abc.Stream) -> None:
        nonlocal left
        play = next(waiting, None)
        if play is None:
            log.info("connection_refused", reason="all recorded connections are being played")
            await trio.aclose_forcefully(stream)
            return
        await play_on(stream, play)
        left -= 1
        if not left:
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        await nursery.start(accepting.serve, serve, listeners)
        task_status.started()


async def play_miner(plays: Sequence[Replay], connect: Callable[[], Awaitable[trio.abc.Stream]]) -> None:
    """The miner's side: the recorded connections one after the other, side by side where they were."""
    if not plays:
        return
    first = plays[0].starts_at

    async def one(play: Replay) -> None:
        if play.pace > 0:
            await trio.sleep((play.starts_at - first) * play.pace)
        await play_on(await connect(), play)

    if plays[0].pace > 0:
        async with trio.open_nursery() as nursery:
            for play in plays:
                nursery.start_soon(one, play)
    else:
        for play in plays:
            await one(play)


async def play_on(stream: trio.abc.Stream, play: Replay) -> None:
    """One connection from its beginning to the end of its script, or of the live side."""
    heard = _Wakeup()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_listen, stream, play, heard)
        try:
            await _talk(stream, play, heard)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            heard.ended = True
        except trio.TooSlowError:
            play.stuck(STALL_SECONDS)
        nursery.cancel_scope.cancel()
    if heard.ended:
        play.left()
    play.finish()
    await trio.aclose_forcefully(stream)


class _Wakeup:
    def __init__(self) -> None:
        self.event = trio.Event()
        self.said = trio.Event()
        self.ended = False

    def set(self) -> None:
        """Something was heard."""
        self.event.set()
        self.event = trio.Event()

    def set_said(self) -> None:
        """All that was to be said is said."""
        self.said.set()
        self.said = trio.Event()


async def _talk(stream: trio.abc.Stream, play: Replay, heard: _Wakeup) -> None:
    while True:
        event = heard.event
        for line in play.step(trio.current_time()):
            with trio.fail_after(STALL_SECONDS):
                await stream.send_all(line)
        heard.set_said()
        if play.done or heard.ended:
            return
        if play.next_time is not None and play.next_time <= trio.current_time():
            await trio.lowlevel.checkpoint()
            continue
        with trio.move_on_at(inf if play.next_time is None else play.next_time):
            await event.wait()


async def _listen(stream: trio.abc.Stream, play: Replay, heard: _Wakeup) -> None:
    splitter = LineSplitter()
    while not heard.ended:
        try:
            data = await stream.receive_some(RECEIVE_SIZE)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:
            heard.ended = True
        for line in splitter.feed(bytes(data)):
            play.receive(line.rstrip(b"\r\n"), trio.current_time())
            if play.unsaid > MAX_UNSAID:
                said = heard.said
                heard.set()
                await said.wait()
        heard.set()


def _lines(records: Sequence[NumberedRecord]) -> bool:
    return any(isinstance(item.record, LineRecord) for item in records)
