"""Numbers as people write and read them."""

import pytest

from stratum_miner.quantities import (
    difficulty_text,
    duration_text,
    hash_rate_text,
    milliseconds_text,
    parse_hash_rate,
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
    ("text", "rate"), [("1000000", 1e6), ("1MH", 1e6), (" 2.5 GH/s ", 2.5e9), ("30EH", 3e19), ("1e3", 1e3)]
)
def test_hash_rates_are_read(text: str, rate: float) -> None:
    assert parse_hash_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "1XH", "1..5MH", "-1MH", "0", "1e21", "nan", "1MHz"])
def test_what_is_no_hash_rate_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="expected a hash rate"):
        parse_hash_rate(text)
