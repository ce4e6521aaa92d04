"""Figures, drawn as text and as SVG: nothing is lost, nothing overflows, nothing is left unescaped."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from stratum_miner.plots import svg, text
from stratum_miner.plots.figure import Bar, Figure, HeatMap, LineChart, Mark, Series, Tornado, ticks

CHART = LineChart(
    title="Cash & <time>",
    x_name="years",
    y_name="money",
    x=(0.0, 1.0, 2.0, 3.0),
    series=(Series("middle", (-10.0, -3.0, 2.0, 9.0), (-10.0, -5.0, -1.0, 3.0), (-10.0, -1.0, 5.0, 15.0)),),
    marks=(Mark(2.0, "halving"),),
    note="A note.",
)
HEAT = HeatMap(
    title="Profit",
    x_name="price",
    y_name="kWh",
    columns=("45k", "90k"),
    rows=("0.06", "0.12"),
    values=((1.0, 2.0), (-1.5, 0.0)),
    label=lambda value: f"{value:+.1f}",
    here=(1, 1),
)
TORNADO = Tornado(
    title="Hangs on",
    centre=1.0,
    bars=(Bar("price", -1.0, 3.0), Bar("power", 1.5, 0.5)),
    label=lambda value: f"{value:g}",
)
FIGURES: tuple[Figure, ...] = (CHART, HEAT, TORNADO)


def drawn(figure: Figure, *, width: int = 78, ascii_only: bool = False, colour: bool = False) -> str:
    console = Console(width=width, color_system="truecolor" if colour else None, force_terminal=colour)
    with console.capture() as capture:
        console.print(text.render(figure, text.TextSize(width, 10, ascii_only)))
    return capture.get()


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_text_fits_its_width(figure: Figure, ascii_only: bool) -> None:
    out = drawn(figure, ascii_only=ascii_only)
    assert max(map(len, out.splitlines())) <= 78
    assert figure.title in out
    if ascii_only:
        assert out.isascii()


def test_a_chart_has_its_axis_series_and_marks() -> None:
    out = drawn(CHART)
    for word in ("-10", "10", "middle", "halving", "horizontal: years; vertical: money", "A note."):
        assert word in out
    plain = drawn(CHART, ascii_only=True)
    assert plain.count("*") > 10


def test_a_heat_map_writes_every_value_and_marks_the_case() -> None:
    out = drawn(HEAT)
    for cell in ("+1.0", "+2.0", "-1.5", "[+0.0]", "45k", "0.12"):
        assert cell in out
    coloured = drawn(HEAT, colour=True)
    assert "48;2;" in coloured  # cells have a background where there is colour


def test_a_tornado_writes_both_ends() -> None:
    out = drawn(TORNADO)
    assert "price" in out
    assert "-1" in out
    assert "3" in out
    lines = [line for line in out.splitlines() if "│" in line]
    assert len({line.index("│") for line in lines}) == 1  # all bars share the centre


@pytest.mark.parametrize("figure", FIGURES)
def test_svg_is_well_formed_and_described(figure: Figure) -> None:
    root = ET.fromstring(svg.render(figure))
    assert root.get("role") == "img"
    assert root.get("aria-label") == figure.title
    assert root.findtext("title") == figure.title
    for word in ("script", "href", "url("):
        assert word not in svg.render(figure)


def test_svg_holds_the_points_the_band_and_the_tooltips() -> None:
    root = ET.fromstring(svg.render(CHART))
    lines = root.findall("polyline")
    assert [len(line.get("points", "").split()) for line in lines] == [4]
    bands = root.findall("polygon")
    assert [len(band.get("points", "").split()) for band in bands] == [8]
    told = [circle.findtext("title") for circle in root.findall("circle")]
    assert told[0] == "middle, 0: -10"


def test_svg_colours_gains_and_losses() -> None:
    rects = ET.fromstring(svg.render(HEAT)).findall("rect")
    kinds = [rect.get("class") for rect in rects]
    assert kinds == ["cell gain", "cell gain", "cell loss", "cell gain", "here"]


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(1, 20))
def test_ticks_are_round_few_and_within(low: float, width: float, count: int) -> None:
    high = low + width
    if high - low < abs(low) * 1e-9:
        return
    values = ticks(low, high, count)
    slack = width * 1e-6 + 1e-11
    assert all(low - slack <= value <= high + slack for value in values)
    assert len(values) <= count * 2.6 + 2


def test_flat_figures_are_drawn_too() -> None:
    flat = LineChart(title="Flat", x_name="x", y_name="y", x=(0.0, 1.0), series=(Series("none", (0.0, 0.0)),))
    assert "Flat" in drawn(flat)
    ET.fromstring(svg.render(flat))
    still = Tornado(title="Still", centre=0.0, bars=(Bar("nothing", 0.0, 0.0),), label=str)
    assert "nothing" in drawn(still)
    ET.fromstring(svg.render(still))
