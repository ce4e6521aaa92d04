"""The interface of filters, which decide what a tap does with each line between a miner and a pool.

A filter takes a line and returns actions such as ``Send``, which ``relay`` carries out. A filter itself does no input
or output. ``rules.RuleFilter`` and ``faults.fault_filter.FaultFilter`` are filters.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from stratum_miner.capture.record import Side


class LimitReached(Exception):  # noqa: N818  reaching a limit is not an error of the program
    """A filter would exceed a limit, for example of bytes in memory, so the connection must end. The text of the
    exception names the limit."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send ``data`` to the side ``to``, ``after`` seconds after the line that caused this action was received. Later
    actions for that side wait until the data is sent. The pauses of several actions overlap: a pause makes lines late,
    but does not limit how many lines pass.

    The data is sent ``times`` times in a row. If ``piece`` is not 0, the data is divided into pieces of ``piece``
    bytes. The pieces are larger if there would otherwise be more than ``relay.MAX_PIECES`` of them.
    """

    to: Side
    data: bytes
    after: float = 0.0
    times: int = 1
    piece: int = 0


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connections to both sides. This action waits in the queue of the side ``to``: the relay first carries
    out all earlier actions for that side, and closes no earlier than ``after`` seconds after the line that caused this
    action was received. Lines that are received after the close are ignored."""

    to: Side
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class End:
    """End the stream to the side ``to``, no earlier than ``after`` seconds after the other side has ended its stream.
    When the streams to both sides have ended, the relay ends the connection."""

    to: Side
    after: float = 0.0


FilterAction: TypeAlias = Send | Close | End


@dataclass(frozen=True, slots=True)
class FilterNote:
    """What a filter did to a line. ``line`` is the line as the filter received it."""

    text: str
    line: bytes


class Filter(Protocol):
    """Decides what happens to the lines of one connection.

    A filter that returns many actions should return an iterator, so that they are not all in memory at once. Any method
    may raise LimitReached, which ends the connection.
    """

    def opened(self) -> Iterable[FilterAction]:
        """Return the actions to take before the first line of either side."""
        ...

    def line(self, sender: Side, line: bytes) -> Iterable[FilterAction]:
        """Return the actions to take for a line that ``sender`` sent.

        ``line`` ends with its LF, unless it is a piece of a line that was too long. To let the line pass unchanged, a
        filter returns one ``Send`` to the other side.
        """
        ...

    def ended(self, sender: Side) -> Iterable[FilterAction]:
        """Return the actions to take after ``sender`` has ended its stream."""
        ...

    @property
    def held(self) -> int:
        """Return how many bytes the filter keeps in memory, such as lines that it holds back."""
        ...

    def notes(self) -> Sequence[FilterNote]:
        """Return notes of what the filter did since the last call of this method. The relay writes them to the
        recording."""
        ...


class FilterSequence:
    """Several filters that act as one: the first filter receives the lines, and every other filter receives the lines
    that the previous filter sends.

    A sequence of no filters lets every line pass unchanged.
    """

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = tuple(filters)

    def opened(self) -> Iterator[FilterAction]:
        """Return the actions of all filters for an opened connection. The lines that a filter sends pass through all
        later filters."""
        for index, item in enumerate(self._filters):
            yield from self._through(item.opened(), index + 1)

    def line(self, sender: Side, line: bytes) -> Iterable[FilterAction]:
        """Let a line pass through all filters, one after the other, and return the resulting actions."""
        return self._through([Send(sender.other, line)], 0)

    def ended(self, sender: Side) -> Iterator[FilterAction]:
        """Return the actions of all filters for an ended stream. The lines that a filter sends pass through all later
        filters."""
        for index, item in enumerate(self._filters):
            yield from self._through(item.ended(sender), index + 1)

    @property
    def held(self) -> int:
        """Return the number of bytes that all filters together keep in memory."""
        return sum(item.held for item in self._filters)

    def notes(self) -> Sequence[FilterNote]:
        """Return the notes of all filters, in the order of the filters."""
        return [note for item in self._filters for note in item.notes()]

    def _through(self, actions: Iterable[FilterAction], index: int) -> Iterable[FilterAction]:
        for item in self._filters[index:]:
            actions = _filtered(item, actions)
        return actions


def _filtered(item: Filter, actions: Iterable[FilterAction]) -> Iterator[FilterAction]:
    """Pass each complete line of the ``Send`` actions through a filter, and yield the actions that the filter returns.
    Actions without a complete line are yielded unchanged.

    The filter receives only the line, so the other fields of the original ``Send`` are carried over to the returned
    actions. The pause of the original ``Send`` is added to the pause of the first returned action. The ``times`` of
    every returned ``Send`` is multiplied by the ``times`` of the original one. A returned ``Send`` without a ``piece``
    of its own gets the ``piece`` of the original one.
    """
    for action in actions:
        if not isinstance(action, Send) or not action.data.endswith(b"\n"):
            yield action
            continue
        after = action.after
        for line in action.data[:-1].split(b"\n"):
            for result in item.line(action.to.other, line + b"\n"):
                yield _like(result, action, after)
                after = 0.0


def _like(result: FilterAction, action: Send, after: float) -> FilterAction:
    if isinstance(result, Send):
        result = replace(result, times=result.times * action.times, piece=result.piece or action.piece)
    return replace(result, after=result.after + after)


def delayed(actions: Sequence[FilterAction], seconds: float) -> list[FilterAction]:
    """Return the actions, with ``seconds`` added to the pause of the first. This delays all of them, because each
    action waits for the previous one."""
    return [replace(action, after=action.after + (0 if index else seconds)) for index, action in enumerate(actions)]
