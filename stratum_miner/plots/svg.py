"""Draws charts as SVG for a web page. A chart needs no script and loads nothing, not even a font.

The colours are CSS variables of the page, so that the page decides between light and dark colours. The charts have
tooltips, and a description for screen readers.
"""

from collections.abc import Callable
from functools import singledispatch
from html import escape
from typing import TypeAlias

from stratum_miner.plots.figure import Figure, HeatMap, LineChart, Series, Tornado, ticks

WIDTH = 720
HEIGHT = 320
_Scale: TypeAlias = Callable[[float], float]
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 16, 26, 46

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --grid: #e0e1e6; --page: #ffffff; --panel: #f7f8fa;
  --series0: #0b68cb; --series1: #b4235b; --series2: #8a5a00; --series3: #1a7f37; --gain: 26 127 55;
  --loss: 200 30 60; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #a0a5ad; --grid: #34373d; --page: #111316;
  --panel: #1a1d21; --series0: #6cb6ff; --series1: #ff8fab; --series2: #e8b339; --series3: #6bd58a;
  --gain: 70 190 105; --loss: 240 90 115; } }
.figure { display: block; width: 100%; height: auto; }
.figure text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.figure .soft { fill: var(--soft); }
.figure .grid { stroke: var(--grid); stroke-width: 1; }
.figure .zero { stroke: var(--soft); stroke-width: 1.2; }
.figure .mark { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 4 4; }
.figure .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.figure .band { opacity: .16; stroke: none; }
.figure .cell { stroke: var(--page); stroke-width: 1.5; }
.figure .here { fill: none; stroke: var(--ink); stroke-width: 2.4; }
.figure .gain { fill: rgb(var(--gain)); }
.figure .loss { fill: rgb(var(--loss)); }
"""
"""CSS variables and classes of the charts. A page includes it once."""


def render(figure: Figure) -> str:
    """Return the chart as one ``<svg>`` element with a title and a description."""
    body, height = _draw(figure)
    return (
        f'<svg class="figure" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(figure.title)}">'
        f"<title>{escape(figure.title)}</title><desc>{escape(figure.note or figure.title)}</desc>{body}</svg>"
    )


@singledispatch
def _draw(figure: Figure) -> tuple[str, int]:
    raise TypeError(f"figure: expected a LineChart, HeatMap or Tornado, got {type(figure).__name__}")


@_draw.register
def _line_chart(chart: LineChart) -> tuple[str, int]:
    low, high = chart.y_range
    first, last = chart.x[0], chart.x[-1]

    def across(x: float) -> float:
        return _LEFT + (x - first) / ((last - first) or 1) * (WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return _TOP + (high - y) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    def path(values: tuple[float, ...]) -> str:
        return " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in zip(chart.x, values, strict=True))

    parts = []
    for value in ticks(low, high, 5):
        kind = "zero" if value == 0 else "grid"
        parts.append(_line(kind, _LEFT, down(value), WIDTH - _RIGHT, down(value)))
        parts.append(_text(_LEFT - 8, down(value) + 4, chart.y_label(value), "end"))
    parts += [
        _text(across(value), HEIGHT - _BOTTOM + 18, chart.x_label(value), "middle") for value in ticks(first, last, 8)
    ]
    parts.append(_text((WIDTH + _LEFT) / 2, HEIGHT - 8, chart.x_name, "middle", soft=True))
    parts.append(_text(_LEFT, 12, chart.y_name, "start", soft=True))
    for index, mark in enumerate(chart.marks):
        parts.append(_line("mark", across(mark.x), _TOP, across(mark.x), HEIGHT - _BOTTOM))
        parts.append(_text(across(mark.x) + 5, _TOP + 14 + 16 * (index % 8), mark.label, "start", soft=True))
    for index, series in enumerate(chart.series):
        if series.low and series.high:
            back = " ".join(reversed(path(series.low).split(" ")))
            parts.append(f'<polygon class="band" fill="var(--series{index})" points="{path(series.high)} {back}"/>')
        parts.append(f'<polyline class="line" stroke="var(--series{index})" points="{path(series.values)}"/>')
        parts += _tooltips(chart, series, across, down)
    parts.append(_legend(chart))
    return "".join(parts), HEIGHT + 22


def _tooltips(chart: LineChart, series: Series, across: _Scale, down: _Scale) -> list[str]:
    step = max(1, len(chart.x) // 24)
    return [
        f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="7" fill="transparent"><title>'
        f"{escape(f'{series.name}, {chart.x_label(x)}: {chart.y_label(y)}')}</title></circle>"
        for x, y in list(zip(chart.x, series.values, strict=True))[::step]
    ]


def _legend(chart: LineChart) -> str:
    parts, at = [], float(_LEFT)
    for index, series in enumerate(chart.series):
        parts.append(f'<rect x="{at:.0f}" y="{HEIGHT + 4}" width="14" height="4" fill="var(--series{index})"/>')
        parts.append(_text(at + 20, HEIGHT + 10, series.name, "start"))
        at += 34 + 6.6 * len(series.name)
    return "".join(parts)


@_draw.register
def _heat_map(heat: HeatMap) -> tuple[str, int]:
    left, top, cell_height = 100, 34, 30
    cell_width = (WIDTH - left - _RIGHT) / len(heat.columns)
    parts = [
        _text(left, 12, f"{heat.x_name} →", "start", soft=True),
        _text(8, 28, f"{heat.y_name} ↓", "start", soft=True),
    ]
    for column, name in enumerate(heat.columns):
        parts.append(_text(left + (column + 0.5) * cell_width, 28, name, "middle"))
    for row, (name, values) in enumerate(zip(heat.rows, heat.values, strict=True)):
        y = top + row * cell_height
        parts.append(_text(left - 8, y + 20, name, "end"))
        for column, value in enumerate(values):
            x = left + column * cell_width
            kind = "gain" if value >= 0 else "loss"
            opacity = 0.08 + 0.62 * abs(value) / heat.largest
            tooltip = f"{heat.x_name} {heat.columns[column]}, {heat.y_name} {name}: {heat.label(value)}"
            parts.append(
                f'<rect class="cell {kind}" x="{x:.1f}" y="{y}" width="{cell_width:.1f}" height="{cell_height}" '
                f'fill-opacity="{opacity:.2f}"><title>{escape(tooltip)}</title></rect>'
            )
            parts.append(_text(x + cell_width / 2, y + 20, heat.label(value), "middle"))
    row, column = heat.here
    parts.append(
        f'<rect class="here" x="{left + column * cell_width:.1f}" y="{top + row * cell_height}" '
        f'width="{cell_width:.1f}" height="{cell_height}"/>'
    )
    return "".join(parts), top + len(heat.rows) * cell_height + 8


@_draw.register
def _tornado(tornado: Tornado) -> tuple[str, int]:
    left, right, bar_height = 190, 90, 28
    low, high = tornado.range

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (WIDTH - left - right)

    bottom = len(tornado.bars) * bar_height + 8
    parts = []
    for index, bar in enumerate(tornado.bars):
        y = 6 + index * bar_height
        parts.append(_text(100, y + 16, bar.name, "end"))
        for end, name in ((bar.low, "lowered"), (bar.high, "raised")):
            begin, finish = sorted((across(tornado.centre), across(end)))
            kind = "gain" if end >= tornado.centre else "loss"
            parts.append(
                f'<rect class="{kind}" x="{begin:.1f}" y="{y}" width="{finish - begin:.1f}" height="{bar_height - 8}" '
                f'fill-opacity="{0.45 if name == "lowered" else 0.85}"><title>'
                f"{escape(f'{bar.name} {name}: {tornado.label(end)}')}</title></rect>"
            )
        ends = sorted((bar.low, bar.high))
        parts.append(_text(across(ends[0]) - 6, y + 15, tornado.label(ends[0]), "end", soft=True))
        parts.append(_text(across(ends[1]) + 6, y + 15, tornado.label(ends[1]), "start", soft=True))
    parts.append(_line("zero", across(tornado.centre), 0, across(tornado.centre), bottom))
    parts.append(_text(across(tornado.centre), bottom + 14, tornado.label(tornado.centre), "middle"))
    parts.append(_text(8, bottom + 14, "pale: input lowered; strong: input raised", "start", soft=True))
    return "".join(parts), bottom + 20


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, *, soft: bool = False) -> str:
    kind = ' class="soft"' if soft else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(text)}</text>'
