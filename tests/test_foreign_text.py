"""Text of the other side, made safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.foreign_text import SHOWN_CHARACTERS, sanitize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("  blanks around  ", "blanks around"),
        ("a\nb\r\tc", "a�b��c"),
        ("\x1b[31mred", "�[31mred"),
        ("right\u202eleft", "right�left"),
        ("zero\x00", "zero�"),
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
