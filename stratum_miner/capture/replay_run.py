"""Runs replays on real connections: accepts miners or connects to a pool, sends the lines of the replay, and passes the
received lines to the replay."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from math import inf
from typing import Any

import structlog
import trio

from stratum_miner.capture.lines import LineSplitter
from stratum_miner.capture.record import LineRecord, NumberedRecord, Recording, Side
from stratum_miner.capture.replay import Replay
from stratum_miner.network import accepting

log = structlog.get_logger(__name__)

RECEIVE_SIZE = 64 << 10
MAX_PENDING = 64 << 10
"""Maximum bytes of lines that wait to be sent. If more wait, nothing more is received until the live peer has read
them."""
STALL_SECONDS = 30.0
"""Seconds within which the live peer must read a line that is sent to it. Otherwise the connection is ended."""


def replays(capture: Recording, side: Side, **options: Any) -> list[Replay]:
    """Return a replay of each recorded connection that has at least one protocol line.

    ``side`` is the side that is replayed; ``options`` are passed to ``Replay``.
    """
    sessions: dict[str, str] = {}
    with_lines = [records for records in capture.connections().values() if _lines(records)]
    return [Replay(records, side, sessions=sessions, **options) for records in with_lines]


async def play_pool(
    plays: Sequence[Replay],
    listeners: Sequence[trio.abc.Listener[Any]],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Play the pool: replay the next recorded connection to each miner that connects.

    Return when all recorded connections have been replayed. If more miners connect than there are recorded connections,
    they are disconnected.
    """
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
    """Play the miner: connect to the pool once for each recorded connection.

    With a pace above 0, the connections begin at their recorded times, so that they overlap as in the recording. With
    pace 0, each connection begins after the previous one has ended. Exceptions of ``connect`` are passed on.
    """
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
    """Replay one recorded connection on ``stream`` until the replay is done or the live peer disconnects. Then close
    ``stream``."""
    wakeup = _Wakeup()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_receive, stream, play, wakeup)
        try:
            await _send(stream, play, wakeup)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            wakeup.ended = True
        except trio.TooSlowError:
            play.stalled(STALL_SECONDS)
        nursery.cancel_scope.cancel()
    if wakeup.ended:
        play.disconnected()
    play.finish()
    await trio.aclose_forcefully(stream)


class _Wakeup:
    def __init__(self) -> None:
        self.event = trio.Event()
        self.sent = trio.Event()
        self.ended = False

    def set(self) -> None:
        """Wake the task that sends, because a line or the end of the stream was received."""
        self.event.set()
        self.event = trio.Event()

    def set_sent(self) -> None:
        """Wake the task that receives, because all waiting lines were sent."""
        self.sent.set()
        self.sent = trio.Event()


async def _send(stream: trio.abc.Stream, play: Replay, wakeup: _Wakeup) -> None:
    while True:
        event = wakeup.event
        for line in play.step(trio.current_time()):
            with trio.fail_after(STALL_SECONDS):
                await stream.send_all(line)
        wakeup.set_sent()
        if play.done or wakeup.ended:
            return
        if play.next_time is not None and play.next_time <= trio.current_time():
            await trio.lowlevel.checkpoint()
            continue
        with trio.move_on_at(inf if play.next_time is None else play.next_time):
            await event.wait()


async def _receive(stream: trio.abc.Stream, play: Replay, wakeup: _Wakeup) -> None:
    splitter = LineSplitter()
    while not wakeup.ended:
        try:
            data = await stream.receive_some(RECEIVE_SIZE)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:
            wakeup.ended = True
        for line in splitter.feed(bytes(data)):
            play.receive(line.rstrip(b"\r\n"), trio.current_time())
            if play.pending_bytes > MAX_PENDING:
                sent = wakeup.sent
                wakeup.set()
                await sent.wait()
        wakeup.set()


def _lines(records: Sequence[NumberedRecord]) -> bool:
    return any(isinstance(item.record, LineRecord) for item in records)
