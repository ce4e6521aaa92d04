"""Tables of the screen: as many columns and rows as there is room for, and the truth about rows that are left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.text import Text

from stratum_miner.monitoring.screen.lines import hanging, shortened

ItemT = TypeVar("ItemT")
LEAST_NAME = 14
GAP = 2
"""Space between the name and what follows."""
MOST_ROWS = 1000
"""Made for one screen; what another miner says may be without end."""


@dataclass(frozen=True, slots=True)
class Column(Generic[ItemT]):
    """One figure of each item, or a word; figures stand to the right."""

    heading: str
    width: int
    cell: Callable[[ItemT], str | Text]
    is_word: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, the most important first; each is its line and then the lines of its note."""

    heading: Text
    rows: tuple[tuple[Text, ...], ...]
    total: int
    """How many there are, rows or not."""
    rest: Callable[[int], str]
    """What to say of the rows after so many."""
    needed: int = 0
    """How many rows must be shown before there is room for less important lines."""

    @property
    def least(self) -> int:
        """Lines for the needed rows without their notes, and for a word on the rest."""
        return 0 if not self.needed else 1 + self.needed + (self.total > self.needed)

    @property
    def height(self) -> int:
        """Lines for everything."""
        return 1 + sum(map(len, self.rows)) + (self.total > len(self.rows)) if self.rows else 0

    def lines(self, room: int) -> list[Text]:
        """As much as ``room`` takes: the needed rows, then their notes, then the other rows."""
        if not self.rows or room < 2:
            return []
        if self.height <= room and self.total == len(self.rows):
            return [self.heading, *(line for row in self.rows for line in row)]
        left = room - 2  # the heading, and the word on the rest
        needed = min(self.needed, left, len(self.rows))
        taken = [[row[0]] for row in self.rows[:needed]]
        left -= needed
        for index, (_, *notes) in enumerate(self.rows[:needed]):
            if len(notes) <= left:
                left -= len(notes)
                taken[index] += notes
        others = self.total - needed
        shown = min(others if others <= left + 1 else left, len(self.rows) - needed)
        taken += [[row[0]] for row in self.rows[needed : needed + shown]]
        rest = [] if shown == others else [Text(f"  {self.rest(needed + shown)}", "dim")]
        return [self.heading, *(line for lines in taken for line in lines), *rest]


def table(
    kind: str,
    items: Sequence[ItemT],
    columns: Sequence[Column[ItemT]],
    *,
    name: Callable[[ItemT], str],
    notes: Callable[[ItemT], Sequence[Text]],
    rest: Callable[[int], str],
    width: int,
    needed: int = 0,
) -> Table:
    """``kind`` is the heading of the names; columns that do not fit are left out, the last first."""
    total, items = len(items), items[:MOST_ROWS]
    longest = max((len(name(item)) for item in items), default=0)
    names = max(len(kind), min(longest, max(LEAST_NAME, width * 2 // 5)))
    chosen, used = [], names + GAP
    for column in columns:
        used += column.width
        if used > width:
            break
        chosen.append(column)
    heading = f"{kind:<{names + GAP}}" + "".join(_aligned(column, column.heading) for column in chosen)
    rows = []
    for item in items:
        line = Text(f"{shortened(name(item), names):<{names + GAP}}")
        for column in chosen:
            cell = column.cell(item)
            text = cell if isinstance(cell, Text) else Text(cell)
            space = " " * max(0, column.width - len(text))
            line.append_text(Text.assemble(text, space) if column.is_word else Text.assemble(space, text))
        rows.append((line, *(part for note in notes(item) for part in hanging(Text("    "), note, width))))
    return Table(Text(heading.rstrip(), "dim"), tuple(rows), total, rest, needed)


def known(value: float | None, form: str) -> str:
    """A cell for a figure in that form, and a dash for one that nobody knows."""
    return "-" if value is None else form.format(value)


def _aligned(column: Column[ItemT], text: str) -> str:
    return f"{text:<{column.width}}" if column.is_word else f"{text:>{column.width}}"
