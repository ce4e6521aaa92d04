"""Builds the tables of the screen: as many columns and rows as fit, and a line that describes the left-out rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.text import Text

from stratum_miner.monitoring.screen.lines import hanging, shortened

ItemT = TypeVar("ItemT")
LEAST_NAME = 14
"""The column of names is at most two fifths as wide as the table. But in a narrow table, the column can have this
number of characters, even if that is more than two fifths."""
GAP = 2
"""Number of spaces between the column of names and the next column."""
MOST_ROWS = 1000
"""Largest number of rows that are built. It is limited because a miner on another computer may send any number of
items."""
NOT_ACCEPTED = "rej+stale"
"""Heading of the column for rejected and stale shares, which a pool answered but did not accept."""


@dataclass(frozen=True, slots=True)
class Column(Generic[ItemT]):
    """One column of a table. ``cell`` returns the text that this column shows for an item. If ``is_word`` is true,
    texts are aligned to the left, otherwise to the right."""

    heading: str
    width: int
    cell: Callable[[ItemT], str | Text]
    is_word: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The heading and the rows of a table, the most important row first. Each row describes one item: its first line
    has the columns, and any further lines are notes about the item."""

    heading: Text
    rows: tuple[tuple[Text, ...], ...]
    total: int
    """Number of all items, including those beyond ``MOST_ROWS``, which have no row."""
    rest: Callable[[int], str]
    """Function that takes the number of items that are shown, and returns the text that describes the other items."""
    needed: int = 0
    """Number of rows, counted from the first, that are more important than the other rows and than other parts of the
    screen."""

    @property
    def least(self) -> int:
        """Smallest number of lines for the table: the heading and the ``needed`` rows without their notes. If the table
        has further items, one more line says how many are not shown. 0 if no row is needed."""
        return 0 if not self.needed else 1 + self.needed + (self.total > self.needed)

    @property
    def height(self) -> int:
        """Number of lines that the whole table takes."""
        return 1 + sum(map(len, self.rows)) + (self.total > len(self.rows)) if self.rows else 0

    def lines(self, room: int) -> list[Text]:
        """Return at most ``room`` lines of the table. If the whole table does not fit, the ``needed`` rows without
        their notes get lines first, then the notes of these rows, then the other rows, without notes."""
        if not self.rows or room < 2:
            return []
        if self.height <= room and self.total == len(self.rows):
            return [self.heading, *(line for row in self.rows for line in row)]
        left = room - 2  # one line for the heading, and one about the other items
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
    """Return a table of the items. ``kind`` is the heading of the column of names.

    If the columns do not all fit into ``width``, the last ones are left out.
    """
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
    """Return the value in the format ``form``, such as ``{:.1f}``, or a dash if the value is None."""
    return "-" if value is None else form.format(value)


def _aligned(column: Column[ItemT], text: str) -> str:
    return f"{text:<{column.width}}" if column.is_word else f"{text:>{column.width}}"
