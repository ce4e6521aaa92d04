"""Numbers as people write and read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.quantities import (
    bitcoin_text,
    cases_text,
    check_duration,
    difficulty_text,
    duration_spelling,
    duration_text,
    hash_rate_text,
    milliseconds_text,
    parse_duration,
    parse_hash_rate,
    significant,
)


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, "0 H/s"), (999, "999 H/s"), (999.6, "1.00 kH/s"), (12_345, "12.3 kH/s"), (9.999e6, "10.0 MH/s"),
     (123.4e6, "123 MH/s"), (1e12, "1.00 TH/s"), (5e23, "500 ZH/s")],
)  # fmt: skip
def test_hash_rates(rate: float, text: str) -> None:
    assert hash_rate_text(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (59.94, "59.9s"), (60, "1m00s"), (3599, "59m59s"), (3600, "1h00m"), (86400 * 9 + 4 * 3600, "9d04h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_difficulties() -> None:
    assert [difficulty_text(value) for value in (None, 0.001, 16384.0, 1.081e14)] == [
        "-",
        "0.001",
        "1.638e+04",
        "1.081e+14",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.2134, "0.21ms"), (63.24, "63.2ms"), (999.4, "999ms"), (1234.0, "1.23s")]
)
def test_milliseconds_in_few_digits(value: float | None, text: str) -> None:
    assert milliseconds_text(value) == text


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1000000", 1e6),
        ("1MH", 1e6),
        (" 2.5 GH/s ", 2.5e9),
        ("30EH", 3e19),
        ("1e3", 1e3),
        ("1.2T", 1.2e12),
        ("1.2 th/s", 1.2e12),
        ("1,2 TH/s", 1.2e12),
        ("1.234TH", 1.234e12),
        ("0,125GH", 125e6),
        ("500ghps", 5e11),
        ("20mh/sec", 20e6),
        ("20 MHs", 20e6),
        ("3 KH", 3e3),
        ("1,234,567H", 1_234_567),
    ],
)
def test_hash_rates_are_read(text: str, rate: float) -> None:
    assert parse_hash_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "1XH", "1..5MH", "-1MH", "0", "1e21", "nan", "1MHz", "1\u212aH", "1.2TB"])
def test_what_is_no_hash_rate_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="expected a hash rate"):
        parse_hash_rate(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1h", 3600), ("1h30m", 5400), ("250ms", 0.25), ("7d", 604_800), ("1.5h", 5400),
     (" 2 days 3 hours ", 183_600), ("1W", 604_800), ("5min", 300), ("1e3", 1000), ("+5", 5), ("0", 0), (".5", 0.5),
     ("1y", 31_557_600), ("1m1ms", 60.001), ("2e3ms", 2),
     ("1,5h", 5400), (",5", 0.5), ("0,125s", 0.125), ("1d1,5h", 91_800)],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "1h30", "-5", "-5s", "30m1h", "1h1h", "1,h", "1:30", "s", "inf", "nan", "1e999", "1_000",
             "\u0661s", "5ms5", "9" * 500 + "d"]
)  # fmt: skip
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a time such as 90s or 1h30m, got ") as caught:
        parse_duration(text)
    assert len(str(caught.value)) < 120


def test_an_ambiguous_duration_shows_both_spellings() -> None:
    with pytest.raises(ValueError, match=r"got '1,500', which may be 1500 or 1.500: write 1500 or 1.500"):
        parse_duration("1,500s")


@pytest.mark.parametrize(
    ("text", "bounds", "wanted"),
    [
        ("2d", (0, 86400), "expected a time from 0s to 1d, such as 90s or 1h30m, got '2d'"),
        ("1s", (2, 86400), "expected a time from 2s to 1d, such as 90s or 1h30m, got '1s'"),
        ("soon", (0, 86400), "expected a time from 0s to 1d, such as 90s or 1h30m, got 'soon'"),
    ],
)
def test_both_ends_of_a_range_are_named(text: str, bounds: tuple[float, float], wanted: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole text is compared
        parse_duration(text, *bounds)
    assert str(caught.value) == wanted


def test_the_ends_of_a_range_of_durations() -> None:
    check_duration(1, 1, 3600)
    check_duration(3600, 1, 3600)
    check_duration(1e-9, 0, 3600, above=True)
    for seconds in (0.999, 3601, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^expected a time from 1s to 1h, got "):
            check_duration(seconds, 1, 3600)
    with pytest.raises(ValueError, match=r"^expected a time above 0s and up to 1h, got 0s$"):
        check_duration(0, 0, 3600, above=True)
    with pytest.raises(ValueError, match=r"^expected a time above 0s and up to 1h, such as 90s or 1h30m, got '0'$"):
        parse_duration("0", 0, 3600, above=True)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (1.5, "1.5s"), (60, "1m"), (90, "90s"), (3600, "1h"), (5400, "1h30m"),
     (90_000, "1d1h"), (3_155_760_000, "100y"), (1e-12, "1e-12s")],
)  # fmt: skip
def test_durations_are_spelled(seconds: float, text: str) -> None:
    assert duration_spelling(seconds) == text


@given(st.floats(0, 1e12) | st.integers(0, 10**9) | st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000))
def test_a_spelled_duration_is_read_as_itself(seconds: float) -> None:
    assert parse_duration(duration_spelling(seconds)) == seconds


def test_an_ambiguous_hash_rate_shows_both_spellings() -> None:
    with pytest.raises(ValueError, match=r"got '1,234 GH', which may be 1234 or 1.234: write 1234 GH or 1.234 GH"):
        parse_hash_rate(" 1,234 GH ")


def test_a_hash_rate_without_its_unit_shows_the_spelling() -> None:
    with pytest.raises(ValueError, match=r"got '1,2': write 1,2TH, 1,2GH or 1,2MH"):
        parse_hash_rate("1,2", unit_needed=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0000612, "0.0000612"), (0.09996, "0.100"), (0.9999, "1.00"), (9.996, "10.0"), (99.94, "99.9"),
     (99.96, "100"), (1590.1, "1,590"), (-0.5, "-0.500")],
)  # fmt: skip
def test_three_significant_digits_without_an_exponent(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("bitcoin", "text"),
    [(0, "0 satoshis"), (1.5901e-5, "1,590 satoshis"), (4.45e-9, "0.445 satoshis"), (0.009999, "999,900 satoshis"),
     (0.01, "0.0100 bitcoin"), (3.12, "3.12 bitcoin")],
)  # fmt: skip
def test_small_amounts_of_coins_are_in_satoshis(bitcoin: float, text: str) -> None:
    assert bitcoin_text(bitcoin) == text


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "practically no case"), (1e-20, "practically no case"), (1 / 1234, "1 of 1,230 cases"),
     (0.0318, "1 of 31 cases"), (0.0818, "8 of 100 cases"), (0.994, "99 of 100 cases"),
     (0.996, "all but 1 of 250 cases"), (1 - 1e-12, "practically all cases"), (1, "practically all cases")],
)  # fmt: skip
def test_probabilities_are_cases(probability: float, text: str) -> None:
    assert cases_text(probability) == text
