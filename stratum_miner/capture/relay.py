"""Carries lines between two streams; a filter decides what becomes of each line.

Theory of operation: one reader a side splits what comes into lines and asks the filter. The steps it answers with wait
in order for the writer of their side, which carries them out and pauses where one says so. A line that was read is
therefore never overtaken unless the filter wants it, and a side that does not read holds up its own direction only. A
side that cannot be written to any more does not end what it said before: that still goes to the other one.

Strangers speak on both sides, so nothing here is without a bound. What waits for a writer is bounded in bytes, and the
readers wait for room as TCP would have them. All that the connections of a tap hold is a ``FairBound``. A side that
takes nothing, a pause that nobody waits for any more, and the end of one side have their seconds. Whoever calls
``relay`` is told which bound ended a connection, and so is the record.
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
from stratum_miner.capture.recorder import Sink
from stratum_miner.network.accepting import innermost
from stratum_miner.network.fair_bound import FairBound

RECEIVE_SIZE = 64 << 10
SEND_SIZE = 64 << 10
"""Bytes sent at once, so that a slow side shows that it takes some."""
MAX_PIECES = 4096
"""Most pieces of one line. Each is a call of the system, and a longer line is sent in larger pieces."""
MAX_WAITING = 4 << 20
"""Bytes of steps that wait for one writer, or one step that is larger; then the readers wait. It is more than a pool
says at once: what is still in the system of one that has gone is lost as soon as it hears a line of the miner's."""
STEP_BYTES = 200
"""What a step takes besides its data."""
MAX_HELD = 256 << 20
"""Bytes of all connections that share a bound; one of them at its limits everywhere has 14 MiB."""
STALL_SECONDS = 30.0
"""How long a side may take nothing of what is sent to it; then its connection ends."""
LINGER_SECONDS = 30.0
"""How long pauses are kept after one side has ended; then what waits is said without them."""
FLUSH_SECONDS = 5.0
"""How long the last lines may take."""
TURNS = 100
"""Lines and steps of one connection before the others are served."""
LOOK_SECONDS = 1.0
"""How often a reader that waits for room looks whether its own side has gone."""


async def relay(
    miner: trio.abc.Stream,
    pool: trio.abc.Stream,
    filter_: Filter,
    record: Sink | None = None,
    bound: FairBound | None = None,
) -> str:
    """Carry lines both ways until one side ends; both streams are closed afterwards.

    ``bound`` is for the bytes of all connections that have it in common. Returns which bound ended this one, and what
    was not said for it; nothing when a side or the filter did.
    """
    return await _Relay({Side.MINER: miner, Side.POOL: pool}, filter_, record, bound or FairBound(MAX_HELD)).run()


class _Way:
    """What waits to be said to one side."""

    def __init__(self) -> None:
        self.held = 0
        self.closed = False
        self._steps: deque[FilterAction] = deque()
        self._waiting = trio.lowlevel.ParkingLot()

    def has_room(self, step: FilterAction) -> bool:
        return self.closed or not self._steps or self.held + _size(step) <= MAX_WAITING

    def put(self, step: FilterAction) -> None:
        """The last one to be carried out; once closed, nothing happens."""
        if not self.closed:
            self._steps.append(step)
            self.held += _size(step)
            self._waiting.unpark_all()

    async def get(self) -> FilterAction | None:
        """The first one, which keeps its place until it is done. None once closed."""
        while not self._steps and not self.closed:
            await self.changed()
        if self.closed:
            return None
        self._join_lines()
        return self._steps[0]

    def _join_lines(self) -> None:
        """What can be sent at once becomes one step, for each call of the system takes its time."""
        lines: list[Send] = []
        size = 0
        while self._steps and size < SEND_SIZE:
            step = self._steps[0]
            if not isinstance(step, Send) or step.times != 1 or step.piece or (lines and step.after):
                break
            lines.append(step)
            size += len(step.data)
            self._steps.popleft()
        if lines:
            self._steps.appendleft(replace(lines[0], data=b"".join(line.data for line in lines)))
            self.held -= STEP_BYTES * (len(lines) - 1)

    def done(self) -> None:
        """The first one was carried out."""
        if not self.closed:
            self.held -= _size(self._steps.popleft())
            self._waiting.unpark_all()

    def close(self) -> None:
        """Nothing more is said this way."""
        self.closed = True
        self._steps.clear()
        self.held = 0
        self._waiting.unpark_all()

    async def changed(self) -> None:
        """Until there is more or less of it."""
        await self._waiting.park()

    @property
    def unsaid(self) -> int:
        """Bytes that the other side said and that were not passed on, as far as is known."""
        return sum(len(step.data) for step in self._steps if isinstance(step, Send))


def _size(step: FilterAction) -> int:
    return STEP_BYTES + (len(step.data) if isinstance(step, Send) else 0)


class _Relay:
    def __init__(
        self, streams: dict[Side, trio.abc.Stream], filter_: Filter, record: Sink | None, bound: FairBound
    ) -> None:
        self._streams = streams
        self._filter = filter_
        self._record = record
        self._bound = bound
        self._held = 0
        self._splitters = {side: LineSplitter() for side in Side}
        self._in_hand = dict.fromkeys(Side, 0)
        """Bytes that wait for room."""
        self._ways = {side: _Way() for side in Side}
        self._pauses: dict[Side, trio.CancelScope] = {}
        self._pauses_until = inf
        self._everything = trio.CancelScope()
        self._readers = len(Side)
        self._is_over = False
        """Whether nothing that is heard now will be said."""
        self._turns = 0
        self._ended_by: Side | None = None
        self._reason = ""

    async def run(self) -> str:
        try:
            with self._everything:
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
        unsaid = [f"up to {way.unsaid} bytes to the {side.value}" for side, way in self._ways.items() if way.unsaid]
        if self._everything.cancelled_caught and unsaid:
            lost = f"not said in time: {', '.join(unsaid)}"
            return f"{self._reason}; {lost}" if self._reason else lost
        return self._reason

    # ---- reading ------------------------------------------------------------------------------------------------

    async def _read(self, side: Side) -> None:
        splitter = self._splitters[side]
        while data := await self._receive(side):
            if not self._is_over:  # else heard only because a system takes back what we said when we close unread lines
                await self._hear(side, splitter.feed(data))
        self._ends(side)
        rest = splitter.rest()
        last = [Send(side.other, rest)] if rest else []
        await self._carry_out(side, [*last, *self._filter.ended(side), End(side.other)])
        self._readers -= 1
        self._end_if_over()

    async def _hear(self, side: Side, lines: Iterator[bytes]) -> None:
        try:
            for line in lines:
                if self._is_over:
                    return
                await self._carry_out(side, self._filter.line(side, line))
                await self._take_turns()
            self._count()
        except LimitReached as error:
            self._give_up(str(error))

    async def _receive(self, side: Side) -> bytes:
        try:
            return bytes(await self._streams[side].receive_some(RECEIVE_SIZE))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._lost(side)
            return b""

    async def _carry_out(self, side: Side, steps: Iterable[FilterAction]) -> None:
        """Give the steps to their writers; they come of what ``side`` said."""
        self._tell_notes()
        for step in steps:
            if self._is_over:
                break
            way = self._ways[step.to]
            if not way.has_room(step):
                self._in_hand[side] = _size(step)
            while not way.has_room(step):
                self._count()
                with trio.move_on_after(LOOK_SECONDS):
                    await way.changed()
                if _hung_up(self._streams[side]):
                    self._ends(side)
            self._in_hand[side] = 0
            way.put(step)
            await self._take_turns()
        self._tell_notes()

    async def _take_turns(self) -> None:
        self._turns += 1
        if self._turns % TURNS == 0:
            self._count()
            await trio.lowlevel.checkpoint()

    def _tell_notes(self) -> None:
        notes = self._filter.notes()
        if self._record is not None:
            for note in notes:
                self._record.note(note.text, note.line)

    # ---- writing ------------------------------------------------------------------------------------------------

    async def _write(self, side: Side) -> None:
        way = self._ways[side]
        try:
            while (step := await way.get()) is not None:
                if step.after:
                    with trio.CancelScope(deadline=self._pauses_until) as self._pauses[side]:
                        await trio.sleep(step.after)
                match step:
                    case Send():
                        await self._say(side, step)
                    case Close():
                        self._close()
                        break
                    case End():
                        break
                way.done()
                self._count()
            if step is not None:
                await self._say_end(side)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._ends(side)
        except trio.TooSlowError:
            what = f"up to {way.unsaid} bytes were not said to it"
            self._give_up(f"the {side.value} took nothing for {STALL_SECONDS:g} s: {what}")
        self._lost(side)

    async def _say(self, side: Side, step: Send) -> None:
        size = max(step.piece, -(-len(step.data) // MAX_PIECES)) if step.piece else SEND_SIZE
        for _ in range(step.times):
            for start in range(0, len(step.data), size):
                piece = step.data[start : start + size]
                if self._record is not None:
                    self._record.data(side.other, piece)
                with trio.fail_after(STALL_SECONDS):
                    await self._streams[side].send_all(piece)

    async def _say_end(self, side: Side) -> None:
        stream = self._streams[side]
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
        else:  # over TLS it cannot be said; who has no more to hear from us has no more to say for long
            self._end_within(0.0)

    # ---- ends ---------------------------------------------------------------------------------------------------

    def _ends(self, side: Side) -> None:
        """A side has no more to say, or is not there."""
        if self._ended_by is None:
            self._ended_by = side
            self._end_within(LINGER_SECONDS)

    def _lost(self, side: Side) -> None:
        """Nothing more can be said to a side."""
        self._ways[side].close()
        self._end_if_over()

    def _close(self) -> None:
        """Hear nothing more, say what waits, and end."""
        self._is_over = True
        for side, way in self._ways.items():
            way.put(End(side))
        self._end_within(0.0)

    def _give_up(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._close()

    def _end_within(self, seconds: float) -> None:
        """Pauses are kept for so long."""
        self._pauses_until = min(self._pauses_until, trio.current_time() + seconds)
        for scope in self._pauses.values():
            scope.deadline = min(scope.deadline, self._pauses_until)
        self._everything.deadline = min(self._everything.deadline, self._pauses_until + FLUSH_SECONDS)

    def _end_if_over(self) -> None:
        if all(way.closed for way in self._ways.values()):
            self._is_over = True
            self._end_within(0.0)
            if not self._readers:
                self._everything.cancel()

    def _count(self) -> None:
        """Tell the bound what this connection holds, which ends when that is too much."""
        held = self._filter.held + sum(self._in_hand.values()) + (0 if self._record is None else self._record.held)
        for side in Side:
            held += self._ways[side].held + self._splitters[side].held
        more = held - self._held
        if more > 0 and not self._bound.has_room(self._held, more):
            self._reason = f"it holds {held} bytes, and so little is left of {self._bound.limit} for all connections"
            self._everything.cancel()
        self._held = held
        self._bound.used += more


def _hung_up(stream: trio.abc.Stream) -> bool:
    """Whether the peer has ended its side, with lines unread or not; False where there is no socket to ask."""
    inner = innermost(stream)
    if isinstance(inner, trio.StapledStream):
        inner = inner.receive_stream
    if not isinstance(inner, trio.SocketStream) or inner.socket.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(inner.socket.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
