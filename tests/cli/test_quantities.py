import pytest

from stratum_miner.cli.quantities import difficulty_text, duration_text, hash_rate_text


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
