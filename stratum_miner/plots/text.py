"""Draws charts as text: lines with braille characters, heat maps with coloured cells, and tornado charts with bars. For
simple terminals, all charts are drawn with ASCII characters only.

Colours only repeat what characters and numbers show, so a chart is complete without colours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import singledispatch
from itertools import pairwise

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stratum_miner.plots.figure import Figure, HeatMap, LineChart, Series, Tornado, ticks

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bits of the eight dots of a braille character, by column and row. The sum of the bits of the set dots, added to
_BRAILLE, is the Unicode code point of the character."""
_COLOURS = ("cyan", "magenta", "yellow", "green")
_ASCII_MARKS = ("*", "o", "+", "x")


@dataclass(frozen=True, slots=True)
class TextSize:
    """The size of a chart in characters, and whether it may contain ASCII characters only."""

    width: int = 78
    height: int = 12
    ascii_only: bool = False


def render(figure: Figure, space: TextSize = TextSize()) -> RenderableType:
    """Return the chart for a rich console, with its title above and its note below."""
    parts: list[RenderableType] = [Text(figure.title, style="bold"), _draw(figure, space)]
    if figure.note:
        parts.append(Text(figure.note, style="dim"))
    return Group(*parts)


@singledispatch
def _draw(figure: Figure, space: TextSize) -> RenderableType:
    raise TypeError(f"figure: expected a LineChart, HeatMap or Tornado, got {type(figure).__name__}")


# ---- lines ----------------------------------------------------------------------------------------------------------


class _Canvas:
    """Dots on a grid of characters: 2 x 4 dots for each braille character, or one dot for each ASCII character."""

    def __init__(self, columns: int, rows: int, *, ascii_only: bool) -> None:
        self.across, self.down = (1, 1) if ascii_only else (2, 4)
        self.width, self.height = columns * self.across, rows * self.down
        self._ascii = ascii_only
        self._cells: list[list[tuple[int, int]]] = [[(0, -1)] * columns for _ in range(rows)]

    def dot(self, x: int, y: int, colour: int) -> None:
        """Set the dot at ``x``, counted from the left, and ``y``, counted from the top."""
        row, column = y // self.down, x // self.across
        bits, _ = self._cells[row][column]
        self._cells[row][column] = (bits | _DOTS[x % self.across][y % self.down], colour)

    def line(self, index: int) -> Text:
        """Return the row of characters with this index, counted from the top."""
        text = Text()
        for bits, colour in self._cells[index]:
            if not bits:
                text.append(" ")
            elif self._ascii:
                text.append(_ASCII_MARKS[colour % len(_ASCII_MARKS)] if colour >= 0 else "-")
            else:
                text.append(chr(_BRAILLE + bits), style=_COLOURS[colour % len(_COLOURS)] if colour >= 0 else "dim")
        return text


@_draw.register
def _line_chart(chart: LineChart, space: TextSize) -> RenderableType:
    low, high = chart.y_range
    marks_at = _rows_of_ticks(chart, space.height)
    margin = max(len(label) for label in marks_at.values())
    canvas = _Canvas(space.width - margin - 2, space.height, ascii_only=space.ascii_only)

    def place(x: float, y: float) -> tuple[int, int]:
        first, last = chart.x[0], chart.x[-1]
        across = (x - first) / ((last - first) or 1) * (canvas.width - 1)
        return round(across), round((high - y) / (high - low) * (canvas.height - 1))

    for x in range(0, canvas.width, canvas.across * 2):
        canvas.dot(x, place(chart.x[0], 0.0)[1], -1)
    for mark in chart.marks:
        for y in range(0, canvas.height, 2):
            canvas.dot(place(mark.x, 0.0)[0], y, -1)
    for index, series in enumerate(chart.series):
        for values in _lines(series):
            for x, y in _joined([place(x, y) for x, y in zip(chart.x, values, strict=True)]):
                canvas.dot(x, y, index)
    side = "|" if space.ascii_only else "│"
    body = [
        Text.assemble(marks_at.get(row, "").rjust(margin), " ", side, canvas.line(row)) for row in range(space.height)
    ]
    return Group(*body, _x_axis(chart, margin + 2, space.width), *_legend(chart, space))


def _lines(series: Series) -> Iterable[tuple[float, ...]]:
    return (part for part in (series.low, series.high, series.values) if part)


def _joined(points: list[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """Yield all dots of a line through the points."""
    yield points[0]
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(abs(x1 - x0), abs(y1 - y0))
        yield from (
            (round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps)) for step in range(1, steps + 1)
        )


def _rows_of_ticks(chart: LineChart, height: int) -> dict[int, str]:
    low, high = chart.y_range
    return {
        round((high - value) / (high - low) * (height - 1)): chart.y_label(value)
        for value in ticks(low, high, max(2, height // 3))
    }


def _x_axis(chart: LineChart, margin: int, width: int) -> Text:
    room = width - margin
    line = [" "] * (room + 1)
    first, last = chart.x[0], chart.x[-1]
    for value in ticks(first, last, max(2, room // 14)):
        label = chart.x_label(value)
        at = round((value - first) / ((last - first) or 1) * (room - 1))
        begin = min(max(0, at - len(label) // 2), room - len(label))
        if all(cell == " " for cell in line[max(0, begin - 1) : begin + len(label) + 1]):
            line[begin : begin + len(label)] = label
    return Text(" " * margin + "".join(line).rstrip())


def _legend(chart: LineChart, space: TextSize) -> Iterable[Text]:
    yield Text(f"  horizontal: {chart.x_name}; vertical: {chart.y_name}", style="dim")
    for index, series in enumerate(chart.series):
        mark = _ASCII_MARKS[index % len(_ASCII_MARKS)] if space.ascii_only else "━"
        yield Text.assemble("  ", (mark, _COLOURS[index % len(_COLOURS)]), " ", series.name)
    for mark_line in chart.marks:
        yield Text(f"  | {mark_line.label}", style="dim")


# ---- grids and bars -------------------------------------------------------------------------------------------------


@_draw.register
def _heat_map(heat: HeatMap, space: TextSize) -> RenderableType:
    table = Table(box=box.ASCII if space.ascii_only else box.SIMPLE_HEAD, padding=(0, 0), collapse_padding=True)
    table.add_column(f"{heat.y_name} \\ {heat.x_name}", justify="right", no_wrap=True)
    for name in heat.columns:
        table.add_column(name, justify="right", no_wrap=True)
    for row, (name, values) in enumerate(zip(heat.rows, heat.values, strict=True)):
        cells = [_cell(heat, value, heat.here == (row, column)) for column, value in enumerate(values)]
        table.add_row(name, *cells)
    return table


def _cell(heat: HeatMap, value: float, here: bool) -> Text:
    strength = abs(value) / heat.largest
    shade = 40 + round(120 * strength)
    style = f"white on rgb(0,{shade},{shade // 3})" if value >= 0 else f"white on rgb({shade},0,{shade // 5})"
    text = heat.label(value)
    return Text(f"[{text}]" if here else f" {text} ", style=f"bold {style}" if here else style)


@_draw.register
def _tornado(tornado: Tornado, space: TextSize) -> RenderableType:
    names = max((len(bar.name) for bar in tornado.bars), default=0)
    ends = [tornado.label(end) for bar in tornado.bars for end in (bar.low, bar.high)]
    numbers = max((len(text) for text in ends), default=0)
    room = max(10, space.width - names - 2 * numbers - 4)
    low, high = tornado.range

    def place(value: float) -> int:
        return round((value - low) / (high - low) * (room - 1))

    lines = []
    for bar in tornado.bars:
        left, right = sorted((bar.low, bar.high))
        row = [" "] * room
        row[place(left) : place(right) + 1] = ("=" if space.ascii_only else "█") * (place(right) - place(left) + 1)
        row[place(tornado.centre)] = "|" if space.ascii_only else "│"
        lines.append(
            Text.assemble(
                bar.name.ljust(names),
                " ",
                tornado.label(left).rjust(numbers),
                " ",
                ("".join(row), "cyan"),
                " ",
                tornado.label(right).rjust(numbers),
            )
        )
    return Group(*lines)
