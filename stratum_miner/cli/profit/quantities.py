"""Amounts of money and spans of years, for people."""

from stratum_miner.cli.quantities import scaled
from stratum_miner.economics.odds import YEAR_DAYS

_UNITS = (
    (1e-9, "nanoseconds"),
    (1e-6, "microseconds"),
    (1e-3, "milliseconds"),
    (1.0, "seconds"),
    (60.0, "minutes"),
    (3600.0, "hours"),
    (86400.0, "days"),
    (86400 * YEAR_DAYS, "years"),
)


def rounded(value: float) -> str:
    """Three significant digits, without an exponent; millions and more in words."""
    if value >= 1e15:
        return f"{value:.3g}"
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def amount(value: float) -> str:
    """Money with a sign where it is lost, in a width that fits an axis."""
    size = abs(value)
    if size >= 1e6:
        return scaled(value).replace(" ", "")
    if 0 < size < 0.001:
        return f"{value:.2g}"
    digits = 0 if size >= 1000 else 2 if size >= 0.995 or size == 0 else 4
    return f"{value:,.{digits}f}"


def span_text(seconds: float) -> str:
    """A mean waiting time in the largest fitting unit: ``0.5 milliseconds``, ``3.6 seconds``, ``2.1 million years``."""
    size, name = time_unit(seconds)
    return f"{rounded(seconds / size)} {name}"


def time_unit(seconds: float) -> tuple[float, str]:
    """The largest unit, in seconds and by name, of which a span is at least one."""
    return max((unit for unit in _UNITS if seconds >= unit[0]), default=_UNITS[0])
