"""The contents of a chart, independent of how it is drawn."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Label: TypeAlias = Callable[[float], str]
"""A function that returns the text of a value on an axis."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a ``LineChart``. If ``low`` and ``high`` are given, a band from ``low`` to ``high`` is drawn around the
    line. ``values``, ``low`` and ``high`` have one number for each value in ``x`` of the chart."""

    name: str
    values: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled vertical line at one value of the x axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """Lines over a common x axis. A horizontal line marks zero."""

    title: str
    x_name: str
    y_name: str
    x: tuple[float, ...]
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()
    x_label: Label = field(default=lambda value: f"{value:g}")
    y_label: Label = field(default=lambda value: f"{value:g}")
    note: str = ""

    @property
    def y_range(self) -> tuple[float, float]:
        """Return the minimum and the maximum of the y axis. All lines, all bands and zero lie between them. The maximum
        is always larger than the minimum."""
        values = [value for line in self.series for part in (line.values, line.low, line.high) for value in part]
        low, high = min(0.0, *values), max(0.0, *values)
        return (low, high) if high > low else (low, low + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """A grid of values, with profits in one colour, losses in another, and every value as text."""

    title: str
    x_name: str
    y_name: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    """The values of the cells: one tuple for each row."""
    label: Label
    here: tuple[int, int]
    """Row and column, counted from 0, of the cell to highlight."""
    note: str = ""

    @property
    def largest(self) -> float:
        """Return the largest absolute value, or 1 if all values are zero."""
        return max((abs(value) for row in self.values for value in row), default=0.0) or 1.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a tornado chart. It shows two results of a calculation: with one of the inputs lowered, and with the
    same input raised."""

    name: str
    """Name of the input that is lowered and raised, such as "electricity"."""
    low: float
    """The result if this input is lowered and all other inputs stay the same."""
    high: float
    """The result if this input is raised and all other inputs stay the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tornado:
    """A tornado chart: it shows how much a result depends on each input. The bars lie around ``centre``, the result
    with all inputs unchanged."""

    title: str
    centre: float
    bars: tuple[Bar, ...]
    label: Label
    note: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """Return the minimum and the maximum of the axis. All bars and ``centre`` lie between them. The maximum is
        always larger than the minimum."""
        ends = [self.centre, *(end for bar in self.bars for end in (bar.low, bar.high))]
        low, high = min(ends), max(ends)
        return (low, high) if high > low else (low - 1, high + 1)


Figure: TypeAlias = LineChart | HeatMap | Tornado


def ticks(low: float, high: float, count: int) -> Sequence[float]:
    """Return about ``count`` round values from ``low`` to ``high``, in steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]
