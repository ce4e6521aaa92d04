"""Text of the other side, made safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.foreign_text import (
    SHOWN_CHARACTERS,
    SHOWN_ITEMS,
    SHOWN_LINES,
    is_plain,
    replace_unsafe,
    sanitize,
    sanitize_lines,
    sanitize_value,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("  blanks around  ", "blanks around"),
        ("a\nb\r\tc", "a�b��c"),
        ("\x1b[31mred", "�[31mred"),
        ("right\u202eleft", "right�left"),
        ("zero\x00", "zero�"),
        ("bell\x07, \x9b31m of C1", "bell�, �31m of C1"),
        ("an isolate\u2066, a mark\u200e", "an isolate�, a mark�"),
        ("no\u200bwidth\ufeff", "no�width�"),
        ("lone \ud800 surrogate", "lone � surrogate"),
        ("line\u2028paragraph\u2029", "line�paragraph�"),
        ("a filler \u3164 that nobody sees", "a filler � that nobody sees"),
        ("⛏️ with its selector", "⛏️ with its selector"),
        (b"bad \xff utf-8", "bad � utf-8"),
        ("", ""),
    ],
)
def test_examples(text: str | bytes, expected: str) -> None:
    assert sanitize(text) == expected


@given(st.text(st.characters(), max_size=500) | st.binary(max_size=2000))
def test_the_result_is_one_short_printable_line(text: str | bytes) -> None:
    shown = sanitize(text)
    assert shown.isprintable()
    assert len(shown) <= SHOWN_CHARACTERS + 1


def test_what_was_cut_is_marked() -> None:
    assert sanitize("x" * 201) == "x" * 200 + "…"
    assert sanitize("x" * 200) == "x" * 200
    assert sanitize(b"x" * 5000, 10) == "x" * 10 + "…"


def test_what_is_plain_is_left_alone() -> None:
    for text in ("bc1q.rig-1", "Größe 5 µm", "矿工", "⛏️", "x" * 100_000):
        assert is_plain(text)
        assert replace_unsafe(text) == text
    assert not is_plain("a\u202eb")
    assert replace_unsafe("a\u202eb \n") == "a�b �", "the same length: styles of a line stay where they are"


def test_lines_keep_their_indentation_and_are_bounded() -> None:
    assert sanitize_lines("Traceback:\n    raise \x1b[31m\r\nError: \u202e") == "Traceback:\n    raise �[31m\nError: �"
    many = sanitize_lines("\n".join(map(str, range(10_000)))).splitlines()
    assert len(many) == SHOWN_LINES + 1
    assert (many[0], many[-1]) == ("0", "9999")
    assert len(sanitize_lines("x" * 5000, 100)) == 101


def test_values_become_what_json_can_carry_of_bounded_size() -> None:
    assert sanitize_value({"a\x1b": [1, None, True, "b\n", ValueError("\u202e")]}) == {"a�": [1, None, True, "b�", "�"]}
    assert sanitize_value(10**400) == "a number of 1329 bits"
    assert sanitize_value([2**63 - 1, -(2**63) + 1]) == [2**63 - 1, -(2**63) + 1]
    assert sanitize_value(float("inf")) == "inf"
    hostile = {f"{index} {'k' * 500}": ["y" * 100_000] * 1000 for index in range(1000)}
    shown = sanitize_value(hostile)
    assert len(shown) == SHOWN_ITEMS
    assert len(str(shown)) < 20_000
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert sanitize_value(deep) == [[[["…"]]]]
