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


@pytest.mark.parametrize(
    ("low", "high", "count", "values"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (0, 10, 10, list(range(11))),
        (0, 20, 5, [0, 5, 10, 15, 20]),  # steps of 4 would be 1, 2 or 5 times no power of ten
        (0, 15, 5, [0, 5, 10, 15]),
        (0, 30, 5, [0, 10, 20, 30]),
        (-10, 15, 5, [-10, -5, 0, 5, 10, 15]),
        (0.11, 0.19, 4, [0.12, 0.14, 0.16, 0.18]),
        (0, 0.0005, 5, [0, 0.0001, 0.0002, 0.0003, 0.0004, 0.0005]),
        (1, 2, 0, [1, 2]),
    ],
)  # fmt: skip
def test_ticks_are_one_two_or_five_times_a_power_of_ten(
    low: float, high: float, count: int, values: list[float]
) -> None:
    assert list(ticks(low, high, count)) == values


def test_cells_are_the_stronger_the_larger_their_values() -> None:
    cells = [rect for rect in ET.fromstring(svg.render(HEAT)).findall("rect") if "cell" in rect.get("class", "")]
    assert [rect.get("fill-opacity") for rect in cells] == ["0.39", "0.70", "0.54", "0.08"]  # of 2, the largest
    assert [rect.findtext("title") for rect in cells][2] == "price 45k, kWh 0.12: -1.5"
    frame = ET.fromstring(svg.render(HEAT)).findall("rect")[-1]
    assert [frame.get(name) for name in ("x", "y")] == [cells[3].get(name) for name in ("x", "y")]


def test_bars_have_the_colour_of_their_result_and_the_strength_of_their_input() -> None:
    rects = ET.fromstring(svg.render(TORNADO)).findall("rect")
    assert [(rect.get("class"), rect.get("fill-opacity"), rect.findtext("title")) for rect in rects] == [
        ("loss", "0.45", "price lowered: -1"),
        ("gain", "0.85", "price raised: 3"),
        ("gain", "0.45", "power lowered: 1.5"),
        ("loss", "0.85", "power raised: 0.5"),
    ]
    widths = [float(rect.get("width", "")) for rect in rects]
    assert widths[0] == widths[1] == pytest.approx(4 * widths[2], abs=0.2)  # 2 away from the centre, and 0.5


def test_a_band_lies_between_its_edges() -> None:
    """The upper edge comes first, from left to right, and the lower one back."""
    root = ET.fromstring(svg.render(CHART))
    [band] = root.findall("polygon")
    [line] = root.findall("polyline")
    points = [tuple(map(float, point.split(","))) for point in band.get("points", "").split()]
    middle = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
    upper, lower = points[:4], points[:3:-1]
    assert [x for x, _ in upper] == [x for x, _ in lower] == [x for x, _ in middle]
    assert all(high <= y <= low for (_, high), (_, y), (_, low) in zip(upper, middle, lower, strict=True))
    assert [y for _, y in upper] != [y for _, y in middle] != [y for _, y in lower]


def test_bars_of_text_lie_on_both_sides_of_the_centre() -> None:
    price, power = (line.split("│")[0].count("█") for line in drawn(TORNADO, ascii_only=False).splitlines()[1:3])
    assert price > power > 0
    assert drawn(TORNADO, ascii_only=True).splitlines()[1].count("|") == 1


def test_flat_figures_are_drawn_too() -> None:
    flat = LineChart(title="Flat", x_name="x", y_name="y", x=(0.0, 1.0), series=(Series("none", (0.0, 0.0)),))
    assert "Flat" in drawn(flat)
    ET.fromstring(svg.render(flat))
    still = Tornado(title="Still", centre=0.0, bars=(Bar("nothing", 0.0, 0.0),), label=str)
    assert "nothing" in drawn(still)
    ET.fromstring(svg.render(still))
