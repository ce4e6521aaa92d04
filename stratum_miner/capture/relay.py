"""Relays lines between the two streams of a connection; a filter decides what happens to each line.

Theory of operation: each side (miner and pool) has a reader task, a queue and a writer task. The reader splits the
bytes received from its side into lines, passes each line to the filter, and puts each action that the filter returns
into the queue of the side that the action is for. The writer of a side carries out the actions in the queue of that
side in order, each after its pause. Lines therefore stay in order unless the filter changes the order. A side that does
not read delays only the lines that are sent to it. If one side has disconnected, the lines that it sent before are
still sent to the other side.

Neither side is trusted, so memory and time are bounded. A queue holds a limited number of bytes: a reader waits while
the queue is full, so that TCP slows the sender down. All connections of a tap share one ``FairBound``, which limits the
bytes that they hold together. Time limits apply to a side that does not read, to pauses after one side has ended its
stream, and to sending the last lines. ``relay`` returns which limit ended a connection, and the recording contains it.
"""

import select
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import inf

import trio

from stratum_miner.capture.filter import Close, End, Filter, FilterAction, LimitReached, Send
from stratum_miner.capture.lines import LineSplitter
from stratum_miner.capture.record import Side
from stratum_miner.capture.recorder import ConnectionSink
from stratum_miner.network.accepting import innermost
from stratum_miner.network.fair_bound import FairBound

RECEIVE_SIZE = 64 << 10
SEND_SIZE = 64 << 10
"""Maximum bytes that are sent with one call of ``send_all``. A side must read this many bytes within STALL_SECONDS."""
MAX_PIECES = 4096
"""Maximum number of pieces in which a line is sent. It is limited because each piece takes a system call. If a line
would have more pieces, it is sent in larger ones."""
MAX_WAITING = 4 << 20
"""Maximum bytes of the actions in one queue; a single action may be larger. Readers wait while a queue is full.

The limit is larger than what a pool sends at once, for the following reason. A pool may send many lines and then close
its connection. If the relay then sends a line of the miner to this pool, the operating system discards all lines of the
pool that the relay has not read yet. Because the queue to the miner has room for all lines of the pool, the relay can
read them before it sends a line to the pool.
"""
ACTION_BYTES = 200
"""Bytes of memory that an action takes in addition to its data."""
MAX_HELD = 256 << 20
"""Maximum bytes held by all connections of a tap together. One connection that reaches all its limits holds 14 MiB."""
STALL_SECONDS = 30.0
"""Seconds within which a side must read what one call of ``send_all`` sends, at most SEND_SIZE bytes. Otherwise the
connection ends."""
LINGER_SECONDS = 30.0
"""Seconds for which the pauses before actions still apply after one side has ended its stream. After that time, all
lines in the queues are sent at once."""
FLUSH_SECONDS = 5.0
"""Seconds for sending the last lines after the pauses have ceased to apply (see LINGER_SECONDS). Then the connection
ends."""
ACTIONS_IN_A_ROW = 100
"""Number of lines and actions that a connection handles before other connections get their turn."""
CHECK_SECONDS = 1.0
"""Seconds between two checks whether a side has disconnected. The relay makes these checks while the reader of this
side waits because a queue is full."""


async def relay(
    miner: trio.abc.Stream,
    pool: trio.abc.Stream,
    filter_: Filter,
    record: ConnectionSink | None = None,
    bound: FairBound | None = None,
) -> str:
    """Relay lines in both directions. After one side has ended its stream, send the remaining lines and close both
    streams.

    ``record`` receives what is sent. ``bound`` limits the bytes that all connections with the same ``bound`` hold
    together; None stands for a bound of MAX_HELD bytes for this connection alone. Return a sentence that says which
    limit ended the connection, and how many bytes were not sent in time. Return an empty string if no limit was
    reached, because a side or the filter ended the connection.
    """
    return await _Relay({Side.MINER: miner, Side.POOL: pool}, filter_, record, bound or FairBound(MAX_HELD)).run()


class _SendQueue:
    """The actions that wait for the writer of one side."""

    def __init__(self) -> None:
        self.held = 0
        self.closed = False
        self._actions: deque[FilterAction] = deque()
        self._waiting = trio.lowlevel.ParkingLot()

    def has_room(self, action: FilterAction) -> bool:
        return self.closed or not self._actions or self.held + _size(action) <= MAX_WAITING

    def put(self, action: FilterAction) -> None:
        """Add an action at the end. Do nothing if the queue is closed."""
        if not self.closed:
            self._actions.append(action)
            self.held += _size(action)
            self._waiting.unpark_all()

    async def get(self) -> FilterAction | None:
        """Wait until the queue has an action, and return the first one, or None if the queue is closed. The action
        stays in the queue until ``done`` is called."""
        while not self._actions and not self.closed:
            await self.changed()
        if self.closed:
            return None
        self._join_lines()
        return self._actions[0]

    def _join_lines(self) -> None:
        """Join several lines at the front of the queue into one action, so that one system call sends them together."""
        lines: list[Send] = []
        size = 0
        while self._actions and size < SEND_SIZE:
            action = self._actions[0]
            if not isinstance(action, Send) or action.times != 1 or action.piece or (lines and action.after):
                break
            lines.append(action)
            size += len(action.data)
            self._actions.popleft()
        if lines:
            self._actions.appendleft(replace(lines[0], data=b"".join(line.data for line in lines)))
            self.held -= ACTION_BYTES * (len(lines) - 1)

    def done(self) -> None:
        """Remove the first action. Called after it was carried out."""
        if not self.closed:
            self.held -= _size(self._actions.popleft())
            self._waiting.unpark_all()

    def close(self) -> None:
        """Drop all actions, and ignore those that are added later."""
        self.closed = True
        self._actions.clear()
        self.held = 0
        self._waiting.unpark_all()

    async def changed(self) -> None:
        """Wait until an action is added or removed."""
        await self._waiting.park()

    @property
    def unsent(self) -> int:
        """Return an upper bound of the bytes that are not sent yet: the first action may have been sent in part."""
        return sum(len(action.data) for action in self._actions if isinstance(action, Send))


def _size(action: FilterAction) -> int:
    return ACTION_BYTES + (len(action.data) if isinstance(action, Send) else 0)


class _Relay:
    def __init__(
        self, streams: dict[Side, trio.abc.Stream], filter_: Filter, record: ConnectionSink | None, bound: FairBound
    ) -> None:
        self._streams = streams
        self._filter = filter_
        self._record = record
        self._bound = bound
        self._held = 0
        self._splitters = {side: LineSplitter() for side in Side}
        self._waiting_for_room = dict.fromkeys(Side, 0)
        """For each side, the size in bytes of the action that the side's reader cannot add yet because a queue is full;
        0 if there is no such action."""
        self._queues = {side: _SendQueue() for side in Side}
        self._pauses: dict[Side, trio.CancelScope] = {}
        self._pauses_until = inf
        self._scope = trio.CancelScope()
        self._readers = len(Side)
        self._closing = False
        """Whether the connection is being closed, so that received lines are ignored."""
        self._actions_done = 0
        self._ended_by: Side | None = None
        self._reason = ""

    async def run(self) -> str:
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for side in Side:
                        nursery.start_soon(self._write, side)
                    await self._carry_out(Side.POOL, self._filter.opened())
                    for side in Side:
                        nursery.start_soon(self._read, side)
            return self._result()
        finally:
            self._bound.used -= self._held
            if self._record is not None:
                self._record.close(self._ended_by, self._result())
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                for stream in self._streams.values():
                    await trio.aclose_forcefully(stream)

    def _result(self) -> str:
        unsent = [
            f"up to {queue.unsent} bytes to the {side.value}" for side, queue in self._queues.items() if queue.unsent
        ]
        if self._scope.cancelled_caught and unsent:
            lost = f"not sent in time: {', '.join(unsent)}"
            return f"{self._reason}; {lost}" if self._reason else lost
        return self._reason

    # ---- reading ------------------------------------------------------------------------------------------------

    async def _read(self, side: Side) -> None:
        splitter = self._splitters[side]
        while data := await self._receive(side):
            # While the connection is being closed, keep reading, but ignore the data. When a socket is closed while
            # data is unread, the operating system discards data that it has not delivered to the peer yet.
            if not self._closing:
                await self._filter_lines(side, splitter.feed(data))
        self._side_ended(side)
        rest = splitter.rest()
        last = [Send(side.other, rest)] if rest else []
        await self._carry_out(side, [*last, *self._filter.ended(side), End(side.other)])
        self._readers -= 1
        self._end_if_done()

    async def _filter_lines(self, side: Side, lines: Iterator[bytes]) -> None:
        try:
            for line in lines:
                if self._closing:
                    return
                await self._carry_out(side, self._filter.line(side, line))
                await self._let_others_run()
            self._count()
        except LimitReached as error:
            self._give_up(str(error))

    async def _receive(self, side: Side) -> bytes:
        try:
            return bytes(await self._streams[side].receive_some(RECEIVE_SIZE))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._cannot_send(side)
            return b""

    async def _carry_out(self, side: Side, actions: Iterable[FilterAction]) -> None:
        """Put each action into the queue of the side that the action is for, and wait while this queue is full.
        ``side`` is the side that caused the actions, for example because it sent a line and the filter returned these
        actions for the line."""
        self._record_notes()
        for action in actions:
            if self._closing:
                break
            queue = self._queues[action.to]
            if not queue.has_room(action):
                self._waiting_for_room[side] = _size(action)
            while not queue.has_room(action):
                self._count()
                with trio.move_on_after(CHECK_SECONDS):
                    await queue.changed()
                if _peer_closed(self._streams[side]):
                    self._side_ended(side)
            self._waiting_for_room[side] = 0
            queue.put(action)
            await self._let_others_run()
        self._record_notes()

    async def _let_others_run(self) -> None:
        self._actions_done += 1
        if self._actions_done % ACTIONS_IN_A_ROW == 0:
            self._count()
            await trio.lowlevel.checkpoint()

    def _record_notes(self) -> None:
        notes = self._filter.notes()
        if self._record is not None:
            for note in notes:
                self._record.note(note.text, note.line)

    # ---- writing ------------------------------------------------------------------------------------------------

    async def _write(self, side: Side) -> None:
        queue = self._queues[side]
        try:
            while (action := await queue.get()) is not None:
                if action.after:
                    with trio.CancelScope(deadline=self._pauses_until) as self._pauses[side]:
                        await trio.sleep(action.after)
                match action:
                    case Send():
                        await self._send(side, action)
                    case Close():
                        self._close()
                        break
                    case End():
                        break
                queue.done()
                self._count()
            if action is not None:
                await self._send_end(side)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._side_ended(side)
        except trio.TooSlowError:
            what = f"up to {queue.unsent} bytes were not sent to it"
            self._give_up(f"the {side.value} did not read for {STALL_SECONDS:g} s: {what}")
        self._cannot_send(side)

    async def _send(self, side: Side, action: Send) -> None:
        size = max(action.piece, -(-len(action.data) // MAX_PIECES)) if action.piece else SEND_SIZE
        for _ in range(action.times):
            for start in range(0, len(action.data), size):
                piece = action.data[start : start + size]
                if self._record is not None:
                    self._record.data(side.other, piece)
                with trio.fail_after(STALL_SECONDS):
                    await self._streams[side].send_all(piece)

    async def _send_end(self, side: Side) -> None:
        stream = self._streams[side]
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
        else:  # a TLS stream cannot end one direction alone, so end the connection within FLUSH_SECONDS
            self._end_within(0.0)

    # ---- ends ---------------------------------------------------------------------------------------------------

    def _side_ended(self, side: Side) -> None:
        """Called after a side has ended its stream or disconnected. If it is the first side to do so, remember it, and
        let all pauses end within LINGER_SECONDS."""
        if self._ended_by is None:
            self._ended_by = side
            self._end_within(LINGER_SECONDS)

    def _cannot_send(self, side: Side) -> None:
        """Drop the actions for a side to which nothing more can be sent. If this is so for both sides, end the
        connection."""
        self._queues[side].close()
        self._end_if_done()

    def _close(self) -> None:
        """Ignore further lines, send the lines that are in the queues, and end the connection."""
        self._closing = True
        for side, queue in self._queues.items():
            queue.put(End(side))
        self._end_within(0.0)

    def _give_up(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._close()

    def _end_within(self, seconds: float) -> None:
        """Cut all pauses (``after``) of actions short, so that none of them lasts longer than ``seconds`` from now. End
        the connection FLUSH_SECONDS after that."""
        self._pauses_until = min(self._pauses_until, trio.current_time() + seconds)
        for scope in self._pauses.values():
            scope.deadline = min(scope.deadline, self._pauses_until)
        self._scope.deadline = min(self._scope.deadline, self._pauses_until + FLUSH_SECONDS)

    def _end_if_done(self) -> None:
        if all(queue.closed for queue in self._queues.values()):
            self._closing = True
            self._end_within(0.0)
            if not self._readers:
                self._scope.cancel()

    def _count(self) -> None:
        """Update the shared bound with the number of bytes that this connection holds now. End the connection if it
        holds more than the bound allows."""
        held = (
            self._filter.held
            + sum(self._waiting_for_room.values())
            + (0 if self._record is None else self._record.held)
        )
        for side in Side:
            held += self._queues[side].held + self._splitters[side].held
        more = held - self._held
        if more > 0 and not self._bound.has_room(self._held, more):
            left = f"so little is left of the {self._bound.limit:,} bytes for all connections"
            self._reason = f"it holds {held:,} bytes, and {left}"
            self._scope.cancel()
        self._held = held
        self._bound.used += more


def _peer_closed(stream: trio.abc.Stream) -> bool:
    """Return whether the peer has ended its stream, even if lines that it sent before have not been read yet.

    Return False if the stream has no socket.
    """
    inner = innermost(stream)
    if isinstance(inner, trio.StapledStream):
        inner = inner.receive_stream
    if not isinstance(inner, trio.SocketStream) or inner.socket.fileno() < 0:
        return False
    poll = select.poll()
    # without POLLRDHUP, which macOS lacks, poll() still reports the end of the stream as POLLHUP
    poll.register(inner.socket.fileno(), getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))
