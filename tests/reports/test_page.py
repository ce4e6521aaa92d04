"""What all pages have in common: whole, safe and self-contained."""

from html.parser import HTMLParser

from stratum_miner.plots.figure import LineChart, Series
from stratum_miner.reports.page import document, figure, paragraph, table

HOSTILE = "<script src='http://evil.example'>&\""


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_is_whole_and_runs_nothing_of_what_it_shows() -> None:
    chart = LineChart(title=HOSTILE, x_name="x", y_name="y", x=(0.0, 1.0), series=(Series(HOSTILE, (1.0, 2.0)),))
    sections = [
        paragraph(HOSTILE, "bad"),
        table(HOSTILE, ("name", HOSTILE), [(HOSTILE, "1"), ("b", "2")]),
        table("", ("head",), [], level=3),
        figure(chart),
    ]
    reader = Reader()
    reader.feed(document(HOSTILE, sections, style=".x { color: red }", note=HOSTILE))
    assert reader.open == []
    assert "script" not in reader.seen
    assert reader.text.count(HOSTILE) >= 7
    assert (reader.seen.count("h1"), reader.seen.count("h2"), reader.seen.count("h3")) == (1, 1, 0)
    assert (reader.seen.count("table"), reader.seen.count("tr"), reader.seen.count("svg")) == (2, 4, 1)
    assert reader.text.count("Made by stratum-miner") == 1
