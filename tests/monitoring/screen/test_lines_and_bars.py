"""Tests the parts of lines at their edges: what just fits, what does not, and the bars of the history."""

from collections.abc import Sequence

import pytest
from rich.text import Text

from stratum_miner.foreign_text import replace_unsafe
from stratum_miner.monitoring.screen.bars import history_line
from stratum_miner.monitoring.screen.events import event_lines
from stratum_miner.monitoring.screen.lines import field, fitted, hanging, packed, shortened, sides
from stratum_miner.monitoring.screen.tables import Column, Table, table
from stratum_miner.monitoring.view import EventView, Point


def bars(rates: Sequence[float], width: int = 300, *, ascii_only: bool = False, at: Sequence[float] = ()) -> str:
    """Return the bars of points that come every two seconds, or at the given times."""
    dates = at or [2.0 * index for index in range(len(rates))]
    points = [
        Point(at=date, hash_rate=rate, accepted=0, rejected=0, stale=0, lost=0, latency_ms=None, temperature_c=None,
              power_w=None)
        for date, rate in zip(dates, rates, strict=True)
    ]  # fmt: skip
    lines = [line.plain for line in history_line(points, width, ascii_only)]
    assert all(line.startswith("10 minutes  ") for line in lines)
    return "".join(line[12:] for line in lines)


def test_a_bar_is_as_high_as_its_part_of_the_highest() -> None:
    assert bars(range(8)) == "▁▂▃▄▅▆▇█"
    assert bars(range(8), ascii_only=True) == "_.-=+*#@"
    assert bars((0.0, 0.0)) == "▁▁"
    assert bars((0.0, 0.5)) == "▁█"
    assert bars((-5.0, 2.0)) == "▁█"
    assert bars((124.9, 125.0, 1000.0)) == "▁▂█"


def test_bars_need_two_points_and_eight_columns() -> None:
    assert (bars([1.0]), bars([])) == ("", "")
    assert bars((1.0, 1.0), 12 + 8) == "██"
    assert bars((1.0, 1.0), 12 + 7) == ""


def test_a_bar_of_several_points_is_their_mean_and_the_newest_are_whole() -> None:
    assert bars([1.0] * 8, 12 + 8) == "█" * 8
    assert bars([8.0, *[0.0, 2.0] * 4], 12 + 8) == "█" * 4, "the oldest has no place"
    assert bars([*[0.0, 0.0] * 7, 0.0, 16.0], 12 + 8) == "▁▁▁▁▁▁▁█"
    assert bars([1.0] * 301) == "█" * 150, "no more than ten minutes"
    assert bars([1.0] * 301, 12 + 300) == "█" * 300


def test_three_missing_points_are_a_gap_and_two_are_none() -> None:
    assert bars((1.0, 1.0, 1.0), at=(0.0, 2.0, 8.0)) == "███"
    assert bars((1.0, 1.0, 1.0), at=(0.0, 2.0, 10.0)) == "██   █"
    assert bars((1.0, 1.0, 1.0), at=(0.0, 2.0, 4000.0), width=12 + 300) == " " * 299 + "█"
    assert bars((1.0, 1.0, 1.0), at=(10.0, 2.0, 0.0)) == "███"


def test_no_rate_is_higher_than_any_miner() -> None:
    assert bars((5e29, 1e30, 2e30)) == "▅██"


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (11, "abcdefghijk"), (10, "abc…fghijk"), (9, "abc…ghijk"), (4, "a…jk"), (2, "a…"), (1, "…"),
    ],
)  # fmt: skip
def test_a_name_keeps_its_ends(width: int, text: str) -> None:
    assert shortened("abcdefghijk", width) == text


def test_two_texts_need_two_spaces_between_them() -> None:
    line = sides(Text("left"), Text("right"), 11)
    assert line is not None
    assert line.plain == "left  right"
    assert sides(Text("left"), Text("right"), 10) is None
    wide = sides(Text("left"), Text("right"), 12)
    assert wide is not None
    assert wide.plain == "left   right"


def plain(lines: Sequence[Text]) -> list[str]:
    return [line.plain for line in lines]


def test_items_stand_on_one_line_as_long_as_they_fit() -> None:
    assert plain(packed(["aaa", "bbb"], 9)) == ["aaa · bbb"]
    assert plain(packed(["aaa", "bbb"], 8)) == ["aaa", "bbb"]
    assert plain(packed(["aaa", "bbb"], 7, between=" ")) == ["aaa bbb"]
    assert plain(packed([], 9, label="x")) == []
    long = "w" * 40
    assert plain(packed([long, long], 60, label="pool")) == [f"pool        {long}", f"            {long}"]
    assert plain(packed([long, long], 59, label="pool")) == [f"pool: {long}", f"  {long}"]
    assert plain(packed([long, long], 59, label=" ")) == [f"  {long}", f"  {long}"]
    assert plain(packed([long, long], 60, label=" ")) == [f"            {long}", f"            {long}"]
    assert plain(packed([long, long], 60)) == [long, long]
    assert plain(packed(["a b", "c\x1b"], 60)) == ["a b · " + replace_unsafe("c\x1b")]


def test_a_text_is_wrapped_between_words_behind_its_label() -> None:
    text = "one two three four"
    assert plain(field("label", text, 60)) == [f"label       {text}"]
    words = " ".join(["word"] * 20)
    assert plain(field("label", words, 60)) == [
        "label       word word word word word word word word word",
        "            word word word word word word word word word",
        "            word word",
    ]
    assert plain(field("label", words, 59)) == [
        "label: word word word word word word word word word word",
        "  word word word word word word word word word word",
    ]
    assert plain(field("label", "w" * 52, 59)) == [f"label: {'w' * 52}"]
    assert plain(hanging(Text("ab "), Text("one two"), 10)) == ["ab one two"]
    assert plain(hanging(Text("ab "), Text("one two"), 9)) == ["ab one", "   two"]


def test_a_line_that_is_too_wide_is_cut() -> None:
    assert fitted(Text("abc"), 3).plain == "abc"
    assert fitted(Text("abcd"), 3).plain == "ab…"
    assert fitted(Text("abcd"), 3, ascii_only=True).plain == "abc"
    assert fitted(Text("a·…–─ü"), 9, ascii_only=True).plain == "a|~--?"
    assert fitted(Text("日本語"), 5).plain == "日本…"
    assert "\x1b" not in fitted(Text("a\x1b"), 9).plain


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (7, ["h", "A", "a1", "a2", "B", "b1", "C"]),
        (6, ["h", "A", "a1", "a2", "B", "C"]),
        (5, ["h", "A", "B", "b1", "C"]),
        (4, ["h", "A", "B", "C"]),
        (3, ["h", "A", "  1 shown"]),
        (2, ["h", "  0 shown"]),
        (1, []),
    ],
)
def test_a_table_gives_lines_first_to_rows_that_are_needed_then_to_their_notes(room: int, shown: list[str]) -> None:
    rows = tuple(tuple(map(Text, row)) for row in (("A", "a1", "a2"), ("B", "b1"), ("C",)))
    whole = Table(Text("h"), rows, 3, lambda count: f"{count} shown", needed=2)
    assert plain(whole.lines(room)) == shown
    assert (whole.height, whole.least) == (7, 4)
    alone = Table(Text("h"), rows[:2], 2, str, needed=2)
    assert (alone.height, alone.least, plain(alone.lines(3))) == (6, 3, ["h", "A", "B"])
    more = Table(Text("h"), rows, 9, lambda count: f"{count} shown")
    assert (more.height, more.least) == (8, 0)
    assert plain(more.lines(8)) == ["h", "A", "B", "C", "  3 shown"]


def test_notes_of_rows_that_are_not_needed_are_shown_only_with_the_whole_table() -> None:
    rows = tuple(tuple(map(Text, row)) for row in (("A", "a1", "a2"), ("B", "b1"), ("C",)))
    calm = Table(Text("h"), rows, 3, str)
    assert plain(calm.lines(7)) == ["h", "A", "a1", "a2", "B", "b1", "C"]
    assert plain(calm.lines(6)) == ["h", "A", "B", "C"]
    empty = Table(Text("h"), (), 0, str)
    assert (empty.height, empty.least, empty.lines(9)) == (0, 0, [])


def test_a_column_is_shown_if_it_just_fits() -> None:
    columns: list[Column[str]] = [
        Column("one", 5, lambda item: item), Column("two", 6, lambda item: "", is_word=True)
    ]  # fmt: skip

    def heading(width: int, name: str = "abc") -> str:
        made = table("kind", [name], columns, name=str, notes=lambda item: [], rest=str, width=width)
        return plain(made.lines(9))[0]

    assert heading(4 + 2 + 5 + 6) == "kind    onetwo"
    assert heading(4 + 2 + 5 + 5) == "kind    one"
    assert heading(4 + 2 + 5) == "kind    one"
    assert heading(4 + 2 + 4) == "kind"
    assert heading(50, "n" * 99) == f"{'kind':<20}    onetwo", "names have two fifths of the width"
    assert heading(21, "n" * 99) == f"{'kind':<14}    one", "but fourteen characters at least"


def event(level: str, text: str) -> EventView:
    return EventView(number=1, at=0.0, level=level, name="x", text=text)


def test_an_event_takes_one_line_and_a_warning_as_many_as_there_are() -> None:
    words = " ".join(["word"] * 12)  # three lines of 25 characters behind the clock
    events = [event("info", "one"), event("warning", words), event("info", words)]

    def shown(room: int) -> list[str]:
        return [line[10:] for line in plain(event_lines(events, room, 35))]

    row = "word word word word word"
    assert shown(0) == []
    assert shown(1) == [words]
    assert shown(2) == [words, words], "the warning does not fit: it is cut as the others are"
    assert shown(3) == ["one", words, words]
    assert shown(4) == [row, row, "word word", words]
    assert shown(5) == ["one", row, row, "word word", words]
    assert shown(9) == shown(5)


def test_only_a_time_that_exists_is_shown() -> None:
    for at in (1.7e308, -1.7e308, float("inf")):
        [line] = event_lines([EventView(number=1, at=at, level="info", name="x", text="y")], 1, 80)
        assert line.plain == "--:--:--  y"
