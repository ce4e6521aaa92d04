"""A man in the middle: two streams, and a filter that decides what becomes of each line between them.

Theory of operation: one reader a side splits what comes into lines and asks the filter; the steps it answers with go
into the queues of the two writers, which carry them out in order and wait where a step says so. A line that was read
is therefore never overtaken unless the filter wants it; a side that does not read holds up its own direction only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol, TypeAlias

import trio

from stratum_miner.capture.lines import LineSplitter
from stratum_miner.capture.record import Side
from stratum_miner.capture.recorder import Sink

RECEIVE_SIZE = 64 << 10
MAX_WAITING = 1000
"""Steps waiting for one writer; then the readers wait too, as TCP would have them."""
FLUSH_SECONDS = 5.0
"""How long the other side may take to receive its last lines when one side has gone."""


@dataclass(frozen=True, slots=True)
class Send:
    """Say ``data`` to ``to``, ``after`` so many seconds; what follows the same way waits too."""

    to: Side
    data: bytes
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection towards ``to`` (and then the other one) once what was said before is sent."""

    to: Side
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class End:
    """Tell ``to`` that the other side has no more to say; the connection ends with the second one."""

    to: Side
    after: float = 0.0


Step: TypeAlias = Send | Close | End


@dataclass(frozen=True, slots=True)
class Note:
    """What a filter did, and to which line."""

    text: str
    line: bytes


class Filter(Protocol):
    """Decides for one connection; pure but for its own memory."""

    def opened(self) -> Sequence[Step]:
        """What happens before anybody spoke."""
        ...

    def line(self, speaker: Side, line: bytes) -> Sequence[Step]:
        """What becomes of a line, with its LF unless it was cut; unchanged it is one ``Send`` to the other side."""
        ...

    def ended(self, speaker: Side) -> Sequence[Step]:
        """What is still to be said when one side has no more to say."""
        ...

    def notes(self) -> Sequence[Note]:
        """What was done since the last call, for the record."""
        ...


class PassThrough:
    """The filter that changes nothing."""

    def opened(self) -> Sequence[Step]:
        """Nothing."""
        return ()

    def line(self, speaker: Side, line: bytes) -> Sequence[Step]:
        """On it goes."""
        return (Send(speaker.other, line),)

    def ended(self, speaker: Side) -> Sequence[Step]:
        """Nothing."""
        del speaker
        return ()

    def notes(self) -> Sequence[Note]:
        """Nothing."""
        return ()


class Chain:
    """Several filters as one: a line goes through them in order, each seeing what the one before let through."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = tuple(filters)

    def opened(self) -> Sequence[Step]:
        """What each has to say, through those behind it."""
        return [step for index, item in enumerate(self._filters) for step in self._through(item.opened(), index + 1)]

    def line(self, speaker: Side, line: bytes) -> Sequence[Step]:
        """Through all of them."""
        return self._through([Send(speaker.other, line)], 0)

    def ended(self, speaker: Side) -> Sequence[Step]:
        """What each has left, through those behind it."""
        ends = [(index, item.ended(speaker)) for index, item in enumerate(self._filters)]
        return [step for index, steps in ends for step in self._through(steps, index + 1)]

    def notes(self) -> Sequence[Note]:
        """Of all."""
        return [note for item in self._filters for note in item.notes()]

    def _through(self, steps: Sequence[Step], index: int) -> list[Step]:
        for item in self._filters[index:]:
            steps = [after for step in steps for after in _filtered(item, step)]
        return list(steps)


def _filtered(item: Filter, step: Step) -> Sequence[Step]:
    if not isinstance(step, Send) or not step.data.endswith(b"\n"):
        return (step,)
    result: list[Step] = []
    for line in step.data.splitlines(keepends=True):
        result += item.line(step.to.other, line)
    return delayed(result, step.after)


def delayed(steps: Sequence[Step], seconds: float) -> list[Step]:
    """The same, the first of them later, and with it all that follow the same way."""
    return [replace(step, after=step.after + seconds) if not index else step for index, step in enumerate(steps)]


async def relay(miner: trio.abc.Stream, pool: trio.abc.Stream, filter_: Filter, record: Sink | None = None) -> None:
    """Carry lines both ways until one side ends; both streams are closed afterwards."""
    await _Relay({Side.MINER: miner, Side.POOL: pool}, filter_, record).run()


class _Relay:
    def __init__(self, streams: dict[Side, trio.abc.Stream], filter_: Filter, record: Sink | None) -> None:
        self._streams = streams
        self._filter = filter_
        self._record = record
        self._senders: dict[Side, trio.MemorySendChannel[Step]] = {}
        self._ended_by: Side | None = None
        self._half_closed = False
        self._sending: dict[Side, trio.CancelScope] = {}

    async def run(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                for side in Side:
                    self._senders[side], receiver = trio.open_memory_channel[Step](MAX_WAITING)
                    nursery.start_soon(self._write, side, receiver, nursery.cancel_scope)
                await self._carry_out(self._filter.opened())
                for side in Side:
                    nursery.start_soon(self._read, side)
        finally:
            if self._record is not None:
                self._record.close(self._ended_by)
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                for stream in self._streams.values():
                    await trio.aclose_forcefully(stream)

    async def _read(self, side: Side) -> None:
        splitter = LineSplitter()
        while True:
            try:
                data = await self._streams[side].receive_some(RECEIVE_SIZE)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                break
            for line in splitter.feed(bytes(data)):
                await self._carry_out(self._filter.line(side, line))
        self._ended_by = self._ended_by or side
        for scope in self._sending.values():
            scope.deadline = min(scope.deadline, trio.current_time() + FLUSH_SECONDS)
        rest = splitter.rest()
        steps: list[Step] = [Send(side.other, rest)] if rest else []
        await self._carry_out([*steps, *self._filter.ended(side), End(side.other)])

    async def _carry_out(self, steps: Sequence[Step]) -> None:
        notes = self._filter.notes()
        if self._record is not None:
            for note in notes:
                self._record.note(note.text, note.line)
        for step in steps:
            await self._senders[step.to].send(step)

    async def _write(self, side: Side, steps: trio.MemoryReceiveChannel[Step], everything: trio.CancelScope) -> None:
        async for step in steps:
            if step.after:
                await trio.sleep(step.after)
            if not await self._do(side, step, everything):
                break
        everything.cancel()

    async def _do(self, side: Side, step: Step, everything: trio.CancelScope) -> bool:
        """Carry out one step; False when the connection is over."""
        stream = self._streams[side]
        try:
            match step:
                case Send(_, data):
                    return await self._send(side, data)
                case End() if isinstance(stream, trio.abc.HalfCloseableStream) and not self._half_closed:
                    self._half_closed = True
                    everything.deadline = trio.current_time() + FLUSH_SECONDS
                    await stream.send_eof()
                    return True
                case _:
                    return False
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False

    async def _send(self, side: Side, data: bytes) -> bool:
        if self._record is not None:
            self._record.data(side.other, data)
        limit = inf if self._ended_by is None else FLUSH_SECONDS
        with trio.move_on_after(limit) as self._sending[side]:
            await self._streams[side].send_all(data)
        return not self._sending[side].cancelled_caught
