"""Hex strings and JSON values of varying types, parsed into numbers and bytes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError

JUNK = [None, True, False, [], {}, [1], {"a": 1}]


@given(st.binary(max_size=64))
def test_raw_round_trip(data: bytes) -> None:
    assert fields.raw(data.hex(), "f") == data
    assert fields.raw(data.hex().upper(), "f", len(data)) == data


@pytest.mark.parametrize("value", [*JUNK, 12, "1", "0x12", "zz", "12 ", "1 2 ", "١٢", "12\n"])
def test_raw_refuses(value: Any) -> None:
    with pytest.raises(FieldError, match="here: expected a hex string of whole bytes"):
        fields.raw(value, "here")


def test_raw_of_a_wrong_size_names_both_sizes() -> None:
    with pytest.raises(FieldError, match="here: expected 8 hex digits, got 6"):
        fields.raw("aabbcc", "here", 4)


@given(st.integers(0, 2**32 - 1))
def test_number_round_trip(value: int) -> None:
    assert fields.number(fields.number_hex(value), "f") == value
    assert fields.strict_number(fields.number_hex(value), "f") == value
    assert fields.number(f"{value:x}", "f") == value
    assert fields.number(f"0x{value:X}", "f") == value


@pytest.mark.parametrize("value", [*JUNK, 12, 1.5, "", "0x", "123456789", "-1", "+1", " 1", "1_0", "0X1", "g"])
def test_number_refuses(value: Any) -> None:
    with pytest.raises(FieldError, match="here: expected up to 8 hex digits"):
        fields.number(value, "here")


@pytest.mark.parametrize("value", [*JUNK, 12, "1", "1234567", "123456789", "0x123456", "1234567 ", "-1234567"])
def test_strict_number_refuses(value: Any) -> None:
    with pytest.raises(FieldError, match="here: expected 8 hex digits"):
        fields.strict_number(value, "here")


@pytest.mark.parametrize(("value", "expected"), [(4, 4), ("4", 4), (4.0, 4), (0, 0), (32, 32), ("-0", 0)])
def test_integer_takes_integral_values(value: Any, expected: int) -> None:
    assert fields.integer(value, "f", 0, 32) == expected


@pytest.mark.parametrize("value", [*JUNK, -1, 33, 4.5, "4.0", "four", "", "٤", 10**400, 1e300, "9" * 13])
def test_integer_refuses(value: Any) -> None:
    with pytest.raises(FieldError, match="here: expected an integer from 0 to 32"):
        fields.integer(value, "here", 0, 32)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0), (5.0000000000000002e-5, 5e-5), (16384, 16384.0), (0.1, 0.1), ("5", 5.0), ("0.5", 0.5), ("1e-3", 1e-3),
        (1e-9, 1e-9), (1e18, 1e18), (2**70, float(2**70)), (16383.75, 16383.75),
    ],
)  # fmt: skip
def test_difficulty_takes_every_positive_number(value: Any, expected: float) -> None:
    assert fields.difficulty(value, "f") == expected


@pytest.mark.parametrize(
    "value",
    [*JUNK, 0, 0.0, -1, -0.5, "0", "-1", "nan", "inf", "", "1e999", "1e-999", "1_0", "٥", "--", float("inf"), 10**400],
)
def test_difficulty_refuses(value: Any) -> None:
    with pytest.raises(FieldError, match="here: expected a positive"):
        fields.difficulty(value, "here")


@given(st.floats(min_value=5e-324, allow_infinity=False))
def test_plain_prints_the_same_number(value: float) -> None:
    printed = fields.plain(value)
    assert printed == value
    assert isinstance(printed, float) or printed < 2**53


def test_plain_prints_an_integer_where_it_is_one() -> None:
    assert repr(fields.plain(1024.0)) == "1024"
    assert repr(fields.plain(1024)) == "1024"
    assert repr(fields.plain(0.5)) == "0.5"
    assert repr(fields.plain(1e300)) == "1e+300"


@pytest.mark.parametrize("value", [None, 1, [], {}, True])
def test_text_refuses_other_types(value: Any) -> None:
    with pytest.raises(FieldError, match="here: expected a string"):
        fields.text(value, "here", 10)


@pytest.mark.parametrize("value", ["x" * 59, "x" * 60, "x" * 1000, ["x" * 100], [1] * 100, {"x" * 100: 1}])
def test_a_value_is_shown_by_its_first_60_characters(value: Any) -> None:
    whole = repr(value)
    assert fields.shown(value) == whole[:60] + "…"


@pytest.mark.parametrize("value", ["x" * 58, [1, 2], 7, None])
def test_a_short_value_is_shown_whole(value: Any) -> None:
    assert fields.shown(value) == repr(value)


def test_seconds_are_cut_at_a_limit() -> None:
    assert [fields.seconds(value, "f", 9) for value in (None, "", 0, "2.5", 9, 10, "1e999", 10**400)] == [
        *(0, 0, 0, 2.5, 9, 9, 9, 9)
    ]
    for value in (-(10**400), -1, "nan", "-inf"):
        with pytest.raises(FieldError, match="here: expected a number of seconds"):
            fields.seconds(value, "here", 9)


def test_text_is_bounded() -> None:
    assert fields.text("x" * 10, "here", 10) == "x" * 10
    with pytest.raises(FieldError, match="here: expected at most 10 characters, got 11"):
        fields.text("x" * 11, "here", 10)


@pytest.mark.parametrize(
    ("low", "high", "count", "message"),
    [(1, None, 0, "expected 1 or more params, got 0"), (5, 6, 4, "expected 5 to 6 params, got 4"),
     (5, 6, 7, "expected 5 to 6 params, got 7"), (2, 2, 1, "expected 2 params, got 1")],
)  # fmt: skip
def test_items_names_what_it_wanted(low: int, high: int | None, count: int, message: str) -> None:
    with pytest.raises(FieldError, match=message):
        fields.items([None] * count, "here", low, high)


@pytest.mark.parametrize("value", [None, {}, "ab", 3, True])
def test_items_wants_an_array(value: Any) -> None:
    with pytest.raises(FieldError, match="here: expected an array"):
        fields.items(value, "here", 0)


@pytest.mark.parametrize(
    "parse",
    [
        lambda value: fields.raw(value, "f"),
        lambda value: fields.number(value, "f"),
        lambda value: fields.text(value, "f", 1),
        lambda value: fields.integer(value, "f", 0, 1),
        lambda value: fields.difficulty(value, "f"),
        lambda value: fields.items(value, "f", 0),
    ],
)
def test_error_messages_stay_short_and_printable(parse: Callable[[Any], Any]) -> None:
    with pytest.raises(FieldError) as caught:
        parse({"\x1b[31m": "x" * 100_000})
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
