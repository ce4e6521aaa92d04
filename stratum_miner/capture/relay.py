"""Relays lines between the two streams of a connection; a filter decides what happens to each line.

Theory of operation: each side (miner and pool) has a reader task, a queue and a writer task. The reader splits the
bytes received from its side into lines, passes each line to the filter, and puts each action that the filter returns
into the queue of the side that the action is for. The writer of a side carries out the actions in the queue of that
side in order, each when its time has come. The time of an action is counted from the receipt of the line that caused
it, so that the pauses of several lines overlap. Lines therefore stay in order unless the filter changes the order. A
side that does not read delays only the lines that are sent to it. If a side ends its stream, the relay sends the lines
that this side sent before to the other side, and then ends the stream to the other side. Lines in the opposite
direction still pass, until that direction ends as well. The recording also contains, as notes, the lines that could not
be sent because their receiver had disconnected.

Neither side is trusted, so memory and time are bounded. A queue holds a limited number of bytes: a reader waits while
the queue is full, so that TCP slows the sender down. All connections of a tap share one ``FairBound``, which limits the
bytes that they hold together. Time limits apply to a side that does not read, to pauses after one side has ended its
stream, to a connection of which only one direction is left, and to sending the last lines. ``relay`` returns which
limit ended a connection, and the recording contains it.
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

The limit is larger than what a pool sends at once, so that the relay can read all of it before it sends a line to the
pool (see READ_FIRST_SECONDS).
"""
ACTION_BYTES = 200
"""Bytes of memory that an action takes in addition to its data."""
MAX_HELD = 256 << 20
"""Maximum bytes held by all connections of a tap together. One connection that reaches all its limits holds 14 MiB."""
STALL_SECONDS = 30.0
"""Seconds within which a side must read what one call of ``send_all`` sends, at most SEND_SIZE bytes. Otherwise the
connection ends."""
LINGER_SECONDS = 30.0
"""Seconds within which the last lines of a side that has ended its stream are sent, even if a pause would last longer.
After one side has ended its stream, no pause of the other side's lines lasts longer, either."""
HALF_OPEN_SECONDS = 120.0
"""Seconds for which a connection stays open after one side has ended its stream, if the other side sends nothing. The
time begins again whenever the other side sends something."""
FLUSH_SECONDS = 5.0
"""Seconds for sending the last lines of a connection that is being closed. Then the connection ends."""
ACTIONS_IN_A_ROW = 100
"""Number of lines and actions that a connection handles before other connections get their turn."""
READ_FIRST_SECONDS = 1.0
"""Longest time in seconds for which a line to a side waits while data of this side can be read.

A pool may send many lines and then close its connection. If a line of the miner then arrives at this pool, the
operating system of the pool discards all lines that it has not sent yet. Therefore the relay first reads what it can.
"""
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
    """Relay lines in both directions until both sides have ended their streams. Then close both streams.

    ``record`` receives what is sent, and a note for each line that could not be sent. ``bound`` limits the bytes that
    all connections with the same ``bound`` hold together; None stands for a bound of MAX_HELD bytes for this connection
    alone. Return a sentence that says which limit ended the connection, and how many bytes were not sent in time.
    Return an empty string if no limit was reached, because a side or the filter ended the connection.
    """
    return await _Relay({Side.MINER: miner, Side.POOL: pool}, filter_, record, bound or FairBound(MAX_HELD)).run()


class _SendQueue:
    """The actions that wait for the writer of one side."""

    def __init__(self) -> None:
        self.held = 0
        self.closed = False
        self.sending = False
        """Whether the writer has begun to send the first action, so that the recording already contains its lines."""
        self._actions: deque[tuple[float, FilterAction]] = deque()
        """The actions in their order, each with the time at which the line that caused it was received."""
        self._waiting = trio.lowlevel.ParkingLot()

    def has_room(self, action: FilterAction) -> bool:
        return self.closed or not self._actions or self.held + _size(action) <= MAX_WAITING

    def put(self, action: FilterAction, received: float) -> None:
        """Add an action at the end. ``received`` is the time at which the line that caused it was received. Do nothing
        if the queue is closed."""
        if not self.closed:
            self._actions.append((received, action))
            self.held += _size(action)
            self._waiting.unpark_all()

    async def get(self) -> tuple[float, FilterAction] | None:
        """Wait until the queue has an action. Return the first one, and the time at which the line that caused it was
        received, or None if the queue is closed. The action stays in the queue until ``done`` is called."""
        while not self._actions and not self.closed:
            await self.changed()
        if self.closed:
            return None
        self._join_lines()
        return self._actions[0]

    def _join_lines(self) -> None:
        """Join the lines at the front of the queue that may be sent at the same time into one action, so that one
        system call sends them together."""
        lines: list[Send] = []
        size = 0
        received, first = self._actions[0]
        latest = max(received + first.after, trio.current_time())
        while self._actions and size < SEND_SIZE:
            time, action = self._actions[0]
            if not isinstance(action, Send) or action.times != 1 or action.piece or time + action.after > latest:
                break
            lines.append(action)
            size += len(action.data)
            self._actions.popleft()
        if lines:
            self._actions.appendleft((received, replace(lines[0], data=b"".join(line.data for line in lines))))
            self.held -= ACTION_BYTES * (len(lines) - 1)

    def done(self) -> None:
        """Remove the first action. Called after it was carried out."""
        if not self.closed:
            self.sending = False
            self.held -= _size(self._actions.popleft()[1])
            self._waiting.unpark_all()

    def close(self) -> list[Send]:
        """Drop all actions, and ignore those that are added later. Return the dropped ones of which nothing was
        sent."""
        dropped = [action for _, action in self._actions if isinstance(action, Send)][int(self.sending) :]
        self.closed = True
        self._actions.clear()
        self.held = 0
        self._waiting.unpark_all()
        return dropped

    async def changed(self) -> None:
        """Wait until an action is added or removed."""
        await self._waiting.park()

    @property
    def unsent(self) -> int:
        """Return an upper bound of the bytes that are not sent yet: the first action may have been sent in part."""
        return sum(len(action.data) for _, action in self._actions if isinstance(action, Send))


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
        self._longest_pause = inf
        self._pauses_until = dict.fromkeys(Side, inf)
        """For each side, the time after which lines are sent to it without a pause."""
        self._scope = trio.CancelScope()
        self._reading = set(Side)
        """The sides that have not ended their streams."""
        self._readers_left = len(Side)
        self._closing = False
        """Whether the connection is being closed, so that received lines are ignored."""
        self._half_open = False
        """Whether only one side has ended its stream, and the connection goes on."""
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
                result = self._result()
                for side in Side:
                    self._drop(side)
                self._record.close(self._ended_by, result)
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
                if self._half_open:
                    self._scope.deadline = trio.current_time() + HALF_OPEN_SECONDS
                await self._filter_lines(side, splitter.feed(data))
        self._reading.discard(side)
        self._side_ended(side)
        rest = splitter.rest()
        last = [Send(side.other, rest)] if rest else []
        await self._carry_out(side, [*last, *self._filter.ended(side), End(side.other)])
        self._readers_left -= 1
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
        received = trio.current_time()
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
            if queue.closed and isinstance(action, Send):
                self._note_unsent(action)
            queue.put(action, received)
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
            while (first := await queue.get()) is not None:
                received, action = first
                if action.after:
                    pause = min(action.after, self._longest_pause)
                    with trio.CancelScope(deadline=self._pauses_until[side]) as self._pauses[side]:
                        await trio.sleep_until(received + pause)
                match action:
                    case Send():
                        await self._read_first(side)
                        await self._send(side, action)
                    case Close():
                        self._close()
                        break
                    case End():
                        break
                queue.done()
                self._count()
            if first is not None:
                await self._send_end(side)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._side_ended(side)
        except trio.TooSlowError:
            what = f"up to {queue.unsent} bytes were not sent to it"
            self._give_up(f"the {side.value} did not read for {STALL_SECONDS:g} s: {what}")
        self._cannot_send(side)

    async def _read_first(self, side: Side) -> None:
        """Wait until the data that ``side`` has sent is read, but not while its reader waits for room in a queue."""
        until = trio.current_time() + READ_FIRST_SECONDS
        while side in self._reading and not self._waiting_for_room[side] and trio.current_time() < until:
            if not _polled(self._streams[side], select.POLLIN):
                return
            await trio.lowlevel.checkpoint()

    async def _send(self, side: Side, action: Send) -> None:
        size = max(action.piece, -(-len(action.data) // MAX_PIECES)) if action.piece else SEND_SIZE
        self._queues[side].sending = True
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
        else:
            # A TLS stream cannot end one direction alone. Therefore end the whole connection: soon if the miner must
            # learn that the pool has ended its stream, and later if the miner may still wait for replies of the pool.
            self._end_within(FLUSH_SECONDS if side is Side.MINER else LINGER_SECONDS + FLUSH_SECONDS)

    # ---- ends ---------------------------------------------------------------------------------------------------

    def _side_ended(self, side: Side) -> None:
        """Called after a side has ended its stream or disconnected. Limit the pauses before the last lines of this
        side. If it is the first side to end its stream, remember it, and limit all pauses and the time for which the
        other side may send nothing."""
        self._end_pauses(side.other, LINGER_SECONDS)
        if self._ended_by is None:
            self._ended_by = side
            self._half_open = True
            self._longest_pause = LINGER_SECONDS
            self._end_pauses(side, LINGER_SECONDS, present_only=True)
            self._scope.deadline = min(self._scope.deadline, trio.current_time() + HALF_OPEN_SECONDS)

    def _cannot_send(self, side: Side) -> None:
        """Drop the actions for a side to which nothing more can be sent. If this is so for both sides, end the
        connection."""
        self._drop(side)
        self._end_if_done()

    def _drop(self, side: Side) -> None:
        for action in self._queues[side].close():
            self._note_unsent(action)

    def _note_unsent(self, action: Send) -> None:
        if self._record is not None:
            for line in action.data.splitlines(keepends=True):
                self._record.note(f"not sent to the {action.to.value}", line)

    def _close(self) -> None:
        """Ignore further lines, send the lines that are in the queues, and end the connection."""
        for side, queue in self._queues.items():
            queue.put(End(side), trio.current_time())
        self._closing = True
        self._end_soon()

    def _give_up(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._close()

    def _end_soon(self) -> None:
        """End all pauses now, and the connection within FLUSH_SECONDS."""
        for side in Side:
            self._end_pauses(side, 0.0)
        self._end_within(FLUSH_SECONDS)

    def _end_within(self, seconds: float) -> None:
        """End the connection after ``seconds``, whatever the sides still send."""
        self._half_open = False
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + seconds)

    def _end_pauses(self, side: Side, seconds: float, *, present_only: bool = False) -> None:
        """Let the pauses before lines to ``side`` end within ``seconds``; if ``present_only``, only the present one."""
        until = min(self._pauses_until[side], trio.current_time() + seconds)
        if not present_only:
            self._pauses_until[side] = until
        if side in self._pauses:
            self._pauses[side].deadline = min(self._pauses[side].deadline, until)

    def _end_if_done(self) -> None:
        if all(queue.closed for queue in self._queues.values()):
            self._end_soon()
            if not self._readers_left:
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
    # without POLLRDHUP, which macOS lacks, poll() still reports the end of the stream as POLLHUP
    return _polled(stream, getattr(select, "POLLRDHUP", 0))


def _polled(stream: trio.abc.Stream, events: int) -> bool:
    """Return whether the socket of a stream has one of these events of ``select.poll``, or has ended. Return False if
    the stream has no socket."""
    inner = innermost(stream)
    if isinstance(inner, trio.StapledStream):
        inner = inner.receive_stream
    if not isinstance(inner, trio.SocketStream) or inner.socket.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(inner.socket.fileno(), events)
    return bool(poll.poll(0))
