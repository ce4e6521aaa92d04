"""Numbers as people write them: decimal comma, separators between thousands, and the texts that have two meanings."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.written_numbers import AmbiguousNumberError, read, readings, to_float, to_int, unmistakable


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0,30", "0.30"), (",30", "0.30"), (".30", "0.30"), ("30.", "30"), ("30", "30"), ("144,4", "144.4"),
        ("0.125", "0.125"), ("0,125", "0.125"), ("90000,5", "90000.5"), ("1234,567", "1234.567"), ("1,2345", "1.2345"),
        ("1.234,56", "1234.56"), ("1,234.56", "1234.56"), ("1,234,567", "1234567"), ("1.234.567", "1234567"),
        ("1,00,000", "100000"), ("90'000", "90000"), ("90_000", "90000"), ("90 000", "90000"), ("1 234,56", "1234.56"),
        ("1\u202f234.5", "1234.5"), ("1,5e12", "1.5e12"), ("1,234e3", "1234"), ("144.400e12", "144.4e12"),
        ("-1", "-1"), ("+5", "5"), ("007", "7"), ("0,000", "0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("point_may_group", [False, True])
def test_one_meaning(text: str, value: str, point_may_group: bool) -> None:
    assert readings(text, point_may_group=point_may_group) == (Decimal(value),)


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", ",", "-", "30,", "1,,2", "1.2.3", "12,34,5", "1,234,56", "1,234.567,8", "90 00", "1 2", "1'234 567",
     "1e99999999999999999999", "nan", "inf", "0x10", "1e", "１２", "1" * 61],
)  # fmt: skip
def test_no_number(text: str) -> None:
    assert readings(text, point_may_group=True) == ()


def test_one_comma_before_three_digits_has_two_meanings() -> None:
    assert readings("90,000") == (Decimal(90000), Decimal("90.000"))
    assert readings("-1,234") == (Decimal(-1234), Decimal("-1.234"))
    assert readings("1.234") == (Decimal("1.234"),)
    assert readings("1.234", point_may_group=True) == (Decimal(1234), Decimal("1.234"))
    with pytest.raises(AmbiguousNumberError) as caught:
        read("1,234", lambda number: True, after="TH")
    assert str(caught.value) == (
        "expected a number with one meaning, got '1,234TH', which may be 1234 or 1.234: write 1234TH or 1.234TH"
    )


@pytest.mark.parametrize(("text", "clear"), [("90.000", "90"), ("1.230", "1.23"), ("1.234", "1.2340")])
def test_the_spellings_in_the_error_are_read(text: str, clear: str) -> None:
    with pytest.raises(AmbiguousNumberError) as caught:
        read(text, lambda number: True, before="$", point_may_group=True)
    assert str(caught.value).endswith(f": write ${text.replace('.', '')} or ${clear}")
    assert readings(clear, point_may_group=True) == (Decimal(text),)


def test_a_meaning_that_is_not_allowed_is_not_meant() -> None:
    assert read("3,125", lambda number: number <= 50) == Decimal("3.125")
    assert read("3,125", lambda number: number > 50) == Decimal(3125)
    assert read("3,125", lambda number: number > 5000) is None
    assert read("x", lambda number: True) is None


@given(st.integers(0, 9).flatmap(lambda places: st.decimals(-(10**20), 10**20, places=places)))
def test_an_unmistakable_text_has_one_meaning(number: Decimal) -> None:
    assert readings(unmistakable(number), point_may_group=True) == (number,)


@given(st.text("0123456789.,'e+- _\u00a0", max_size=70))
def test_any_text_has_at_most_two_meanings(text: str) -> None:
    found = readings(text, point_may_group=True)
    assert len(found) <= 2
    if len(found) == 2:
        assert found[0] == found[1] * 1000


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), (" 12 ", 12), ("+5", 5), ("-1", -1), ("30.0", 30), ("1'000", 1000), ("1,000,000", 1_000_000),
     ("1,234", 1234), ("1e6", 1_000_000), ("0x1f", 31), ("-0o17", -15), ("0B101", 5)],
)  # fmt: skip
def test_integers(text: str, value: int) -> None:
    assert to_int(text) == value


@pytest.mark.parametrize("text", ["", "x", "1.5", "-1,5", "1e400000000", "0x", "0xg", "1_", "inf"])
def test_no_integer(text: str) -> None:
    with pytest.raises(ValueError, match="expected an integer, got "):
        to_int(text)


@pytest.mark.parametrize("text", ["1,000", "7.000", "-3,000"])
def test_an_integer_with_two_meanings(text: str) -> None:
    with pytest.raises(AmbiguousNumberError, match="expected a number with one meaning"):
        to_int(text)


def test_floats() -> None:
    assert [to_float(text) for text in ("0,5", " 1e-3 ", "8.192", "-2")] == [0.5, 1e-3, 8.192, -2.0]
    for text in ("x", "", "nan", "inf", "1e400", "1e400000000"):
        with pytest.raises(ValueError, match="expected a number, got "):
            to_float(text)
