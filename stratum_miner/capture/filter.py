"""What becomes of each line between a miner and a pool: a filter takes the line, and answers with the steps to take.

Pure: ``relay`` carries the steps out, and ``rules`` and the faults of pools are filters.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from stratum_miner.capture.record import Side


class LimitReached(Exception):  # noqa: N818  a bound that was reached is no error of anybody
    """A filter gives up the connection: to go on would take more than is allowed. The text says what."""


@dataclass(frozen=True, slots=True)
class Send:
    """Say ``data`` to ``to``, ``after`` so many seconds; what follows the same way waits too.

    It is said ``times`` in a row, and if ``piece`` is not 0, in pieces of so many bytes, but MAX_PIECES at most.
    """

    to: Side
    data: bytes
    after: float = 0.0
    times: int = 1
    piece: int = 0


@dataclass(frozen=True, slots=True)
class Close:
    """End both connections once ``to`` was told what was said before; nothing more is heard."""

    to: Side
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class End:
    """Tell ``to`` that the other side has no more to say; the connection ends with the second one."""

    to: Side
    after: float = 0.0


FilterAction: TypeAlias = Send | Close | End


@dataclass(frozen=True, slots=True)
class FilterNote:
    """What a filter did, and to which line."""

    text: str
    line: bytes


class Filter(Protocol):
    """Decides for one connection; pure but for its own memory. Many steps are better made while they are carried out.

    LimitReached ends the connection.
    """

    def opened(self) -> Iterable[FilterAction]:
        """What happens before anybody spoke."""
        ...

    def line(self, speaker: Side, line: bytes) -> Iterable[FilterAction]:
        """What becomes of a line, with its LF unless it was cut; unchanged it is one ``Send`` to the other side."""
        ...

    def ended(self, speaker: Side) -> Iterable[FilterAction]:
        """What is still to be said when one side has no more to say."""
        ...

    @property
    def held(self) -> int:
        """Bytes that it keeps."""
        ...

    def notes(self) -> Sequence[FilterNote]:
        """What was done since the last call, for the record."""
        ...


class FilterSequence:
    """Several filters as one: a line goes through them in order, each seeing what the one before let through.

    Without any it changes nothing.
    """

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = tuple(filters)

    def opened(self) -> Iterator[FilterAction]:
        """What each has to say, through those behind it."""
        for index, item in enumerate(self._filters):
            yield from self._through(item.opened(), index + 1)

    def line(self, speaker: Side, line: bytes) -> Iterable[FilterAction]:
        """Through all of them."""
        return self._through([Send(speaker.other, line)], 0)

    def ended(self, speaker: Side) -> Iterator[FilterAction]:
        """What each has left, through those behind it."""
        for index, item in enumerate(self._filters):
            yield from self._through(item.ended(speaker), index + 1)

    @property
    def held(self) -> int:
        """The bytes that all filters hold."""
        return sum(item.held for item in self._filters)

    def notes(self) -> Sequence[FilterNote]:
        """The notes of all filters, in their order."""
        return [note for item in self._filters for note in item.notes()]

    def _through(self, steps: Iterable[FilterAction], index: int) -> Iterable[FilterAction]:
        for item in self._filters[index:]:
            steps = _filtered(item, steps)
        return steps


def _filtered(item: Filter, steps: Iterable[FilterAction]) -> Iterator[FilterAction]:
    """Each whole line of the steps through a filter, said as often and in as small pieces as before."""
    for step in steps:
        if not isinstance(step, Send) or not step.data.endswith(b"\n"):
            yield step
            continue
        after = step.after
        for line in step.data[:-1].split(b"\n"):
            for result in item.line(step.to.other, line + b"\n"):
                yield _like(result, step, after)
                after = 0.0


def _like(result: FilterAction, step: Send, after: float) -> FilterAction:
    if isinstance(result, Send):
        result = replace(result, times=result.times * step.times, piece=result.piece or step.piece)
    return replace(result, after=result.after + after)


def delayed(steps: Sequence[FilterAction], seconds: float) -> list[FilterAction]:
    """The same, the first of them later, and with it all that follow the same way."""
    return [replace(step, after=step.after + seconds) if not index else step for index, step in enumerate(steps)]
