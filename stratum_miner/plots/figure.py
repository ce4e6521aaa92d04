"""What a figure says, apart from how it is drawn."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Label: TypeAlias = Callable[[float], str]
"""How a value reads on an axis."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line, or with ``low`` and ``high`` a band; each as long as the chart's ``x``."""

    name: str
    values: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment worth a vertical line."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """Lines over one axis; a horizontal line marks zero where zero is within."""

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
        """The least and the greatest of all lines and bands, and zero; never the same."""
        values = [value for line in self.series for part in (line.values, line.low, line.high) for value in part]
        low, high = min(0.0, *values), max(0.0, *values)
        return (low, high) if high > low else (low, low + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """A grid of values around zero: gains in one colour, losses in the other, and every value written."""

    title: str
    x_name: str
    y_name: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    """A tuple for each row."""
    label: Label
    here: tuple[int, int]
    """Row and column of the case itself."""
    note: str = ""

    @property
    def largest(self) -> float:
        """The largest distance from zero; above zero."""
        return max((abs(value) for row in self.values for value in row), default=0.0) or 1.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a tornado."""

    name: str
    low: float
    """With the input lowered."""
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tornado:
    """Bars around the value that nothing moved."""

    title: str
    centre: float
    bars: tuple[Bar, ...]
    label: Label
    note: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest end of a bar; never the same."""
        ends = [self.centre, *(end for bar in self.bars for end in (bar.low, bar.high))]
        low, high = min(ends), max(ends)
        return (low, high) if high > low else (low - 1, high + 1)


Figure: TypeAlias = LineChart | HeatMap | Tornado


def ticks(low: float, high: float, count: int) -> Sequence[float]:
    """About ``count`` round values from ``low`` to ``high``: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]
