"""Parses and prints numbers for people: hash rates, difficulties, durations, counts, amounts of money.

The web page has the same functions in JavaScript (monitoring/web/format.js); a test compares the two.
"""

import math
import re
from decimal import Decimal

from stratum_miner import written_numbers

MIN_HASH_RATE, MAX_HASH_RATE = 1e-3, 1e21
"""Limits of a plausible hash rate in H/s. A hash rate must be at least ``MIN_HASH_RATE`` and below
``MAX_HASH_RATE``. The whole Bitcoin network computes about 1e21 H/s in 2026."""
_HASH_RATE = re.compile(
    rf"\s*(?P<number>{written_numbers.NUMBER})(?P<unit>\s*(?P<prefix>[kMGTPE]?)(?:H(?:ash(?:es)?)?(?:/s(?:ec)?|ps|s)?)?)\s*",
    re.IGNORECASE | re.ASCII,
)
_FACTORS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
MIN_SHOWN_BITCOIN = 0.01
"""Smaller amounts are shown in satoshis."""
_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")
_DAY = 86400.0
_YEAR = 365.25 * _DAY
_TIME_UNITS = {
    "y|years?": _YEAR,
    "w|weeks?": 7 * _DAY,
    "d|days?": _DAY,
    "h|hrs?|hours?": 3600.0,
    "m|mins?|minutes?": 60.0,
    "s|secs?|seconds?": 1.0,
}
"""For each unit of time except the millisecond: a regular expression of its spellings, and its length in seconds."""
_NUMBER = r"((?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?)"
_SECONDS = re.compile(rf"\+?{_NUMBER}", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(
    r"\s*".join(rf"(?:{_NUMBER}\s*(?:{names}))?" for names in (*_TIME_UNITS, "ms|milliseconds?")),
    re.ASCII | re.IGNORECASE,
)
_SPANS = (
    (1e-9, "nanoseconds"),
    (1e-6, "microseconds"),
    (1e-3, "milliseconds"),
    (1.0, "seconds"),
    (60.0, "minutes"),
    (3600.0, "hours"),
    (_DAY, "days"),
    (_YEAR, "years"),
)


# ---- written by people ----------------------------------------------------------------------------------------------


def parse_hash_rate(text: str, *, unit_needed: bool = False) -> float:
    """Return a hash rate in H/s from a text such as ``1000000``, ``1MH`` or ``2.5 GH/s``. Upper and lower case make no
    difference, and the decimal separator may be a comma.

    Raises ValueError if the text is not a plausible hash rate or, with ``unit_needed``, if it has no unit. It is also
    raised for an ambiguous text such as ``1,234 MH`` (1234 MH or 1.234 MH). The message then shows an unambiguous
    spelling of each of the two.
    """
    match = _HASH_RATE.fullmatch(text) if len(text) <= 2 * written_numbers.MAX_LENGTH else None
    numbers = written_numbers.readings(match["number"]) if match else ()
    if match is None or not numbers:
        raise ValueError(f"expected a hash rate such as 1MH or 2.5GH/s, got {text[:60]!r}")
    if unit_needed and not match["unit"].strip():
        plain = text.strip()[:60]
        raise ValueError(
            f"expected a hash rate with its unit, such as 1.2TH or 20MH/s, got {text[:60]!r}: write {plain}TH, "
            f"{plain}GH or {plain}MH"
        )
    factor = _FACTORS[match["prefix"].upper()]

    def rate_of(number: Decimal) -> float:
        return float(number) * factor  # a number above the largest float is infinite here

    found = written_numbers.read(
        match["number"], lambda number: MIN_HASH_RATE <= rate_of(number) < MAX_HASH_RATE, after=match["unit"].rstrip()
    )
    if found is None:
        bounds = f"from {MIN_HASH_RATE:g} H/s to less than {MAX_HASH_RATE:g} H/s"
        raise ValueError(f"expected a hash rate {bounds}, got {text[:60]!r}")
    return rate_of(found)


def parse_duration(text: str, low: float = 0.0, high: float = math.inf, *, above: bool = False) -> float:
    """Return a duration in seconds from a text such as ``90s``, ``1h30m``, ``250ms`` or ``7d``. A number without a unit
    is in seconds.

    The text may have several parts, as in ``1h30m``. The part with the largest unit comes first, and the duration is
    the sum of the parts. The decimal separator may be a comma.

    Raises ValueError if the text is not a duration, or the duration is not from ``low`` to ``high`` seconds. With
    ``above``, ``low`` itself is not allowed.
    """
    try:
        value = _duration(text.strip())
    except written_numbers.AmbiguousNumberError:
        raise
    except ValueError:
        value = math.nan
    if not _is_allowed(value, low, high, above=above):
        raise ValueError(f"expected a time {_range(low, high, above=above)}such as 90s or 1h30m, got {text[:60]!r}")
    return value


def _duration(text: str) -> float:
    """Return a duration in seconds. Raises ValueError if the text is not a duration."""
    if _SECONDS.fullmatch(text):
        return written_numbers.to_float(text)
    parts = _DURATION.fullmatch(text)
    if parts is None or not text:
        raise ValueError
    *large, milliseconds = (written_numbers.to_float(part or "0") for part in parts.groups())
    return sum(part * size for part, size in zip(large, _TIME_UNITS.values(), strict=True)) + milliseconds / 1000


def check_duration(seconds: float, low: float, high: float, *, above: bool = False) -> None:
    """Raise ValueError if a duration is not from ``low`` to ``high`` seconds. With ``above``, ``low`` itself is not
    allowed."""
    if not _is_allowed(seconds, low, high, above=above):
        wanted = _range(low, high, above=above).rstrip(", ")
        raise ValueError(f"expected a time {wanted}, got {duration_spelling(seconds)}")


def _is_allowed(seconds: float, low: float, high: float, *, above: bool) -> bool:
    return math.isfinite(seconds) and low <= seconds <= high and not (above and seconds == low)


def _range(low: float, high: float, *, above: bool) -> str:
    if high == math.inf:
        return ""
    least = f"above {duration_spelling(low)} and up to" if above else f"from {duration_spelling(low)} to"
    return f"{least} {duration_spelling(high)}, "


# ---- read by people -------------------------------------------------------------------------------------------------


def scaled(value: float) -> str:
    """Return a value in three significant digits, a space and an SI prefix, such as ``12.3 M``.

    The caller appends the unit. If the value is too large for the prefixes, the number has an exponent and only the
    space follows.
    """
    if abs(value) >= 999.5e21:
        return f"{value:.3g} "
    index = 0
    while abs(value) >= 999.5 and index < len(_PREFIXES) - 1:
        value /= 1000
        index += 1
    digits = 0 if abs(value) >= 99.95 or index == 0 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{digits}f} {_PREFIXES[index]}"


def hash_rate_text(rate: float) -> str:
    """Return a hash rate as ``12.3 MH/s``; ``rate`` is in H/s."""
    return f"{scaled(rate)}H/s"


def efficiency_text(joules_per_terahash: float) -> str:
    """Return an efficiency as ``17.3 J/TH`` or ``411 k J/TH``."""
    value = joules_per_terahash
    return f"{f'{value:.3g}' if value < 999.5 else scaled(value).strip()} J/TH"


def difficulty_text(difficulty: float | None) -> str:
    """Return a difficulty as ``0.001`` or ``1.638e+04``, or ``-`` for None."""
    return "-" if difficulty is None else f"{difficulty:.4g}"


def scaled_difficulty_text(difficulty: float) -> str:
    """Return a difficulty as ``0.001`` or ``8192``. From 10,000 on, it has an SI prefix, as in ``16.4 k``."""
    return scaled(difficulty).strip() if difficulty >= 10_000 else difficulty_text(difficulty)


def count_text(number: int) -> str:
    """Return a count as ``12,345``. From a million on, the form is ``1.23M``."""
    return f"{number:,}" if number < 1_000_000 else scaled(number).strip().replace(" ", "")


def rounded(value: float) -> str:
    """Return a number in three significant digits. From a million on, the text ends with a word, as in ``1.5 million``;
    from 1e15 on, it has an exponent."""
    if value >= 1e15:
        return f"{value:.3g}"
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def significant(value: float) -> str:
    """Return a number in three significant digits without an exponent, however small it is: ``0.0000612``."""
    size = abs(value)
    if not 0 < size < 99.95:
        return f"{value:,.0f}"
    return f"{value:.{2 - math.floor(math.log10(size * 1.0005))}f}"


def bitcoin_text(bitcoin: float) -> str:
    """Return an amount of coins as ``1,590 satoshis``. From 0.01 bitcoin on, it is in bitcoin: ``0.0523 bitcoin``."""
    if bitcoin >= MIN_SHOWN_BITCOIN:
        return f"{significant(bitcoin)} bitcoin"
    return f"{significant(bitcoin * 1e8)} satoshis"


def cases_text(probability: float) -> str:
    """Return a probability as a number of cases: ``8 of 100 cases``, ``1 of 1,200 cases``, ``practically all cases``.

    A small probability is shown as ``1 of N cases``, a probability near 1 as ``all but 1 of N cases``.
    """
    missing = 1 - probability
    if missing < 1e-9:
        return "practically all cases"
    if missing < 0.005:
        return f"all but 1 of {rounded(1 / missing)} cases"
    if probability >= 0.05:
        return f"{100 * probability:.0f} of 100 cases"
    return f"1 of {rounded(float(round(1 / probability)))} cases" if probability > 1e-15 else "practically no case"


def amount(value: float) -> str:
    """Return an amount of money as text that is short enough for the axis of a chart. A loss is a negative amount."""
    size = abs(value)
    if size >= 1e6:
        return scaled(value).replace(" ", "")
    if 0 < size < 0.001:
        return f"{value:.2g}"
    digits = 0 if size >= 1000 else 2 if size >= 0.995 or size == 0 else 4
    return f"{value:,.{digits}f}"


def duration_text(seconds: float) -> str:
    """Return a duration as ``4.2s``, ``3m07s``, ``2h05m`` or ``9d04h``."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h"
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def duration_spelling(seconds: float) -> str:
    """Return a duration as exact text that ``parse_duration`` can read, such as ``1h30m``, ``90s`` or ``250ms``."""
    if not 0 <= seconds < math.inf:
        return f"{seconds:g}"
    whole = round(seconds * 1000)
    if whole / 1000 != seconds:
        return f"{seconds!r}s"
    if whole % 1000:
        return f"{whole}ms" if whole < 1000 else f"{seconds!r}s"
    if 60 < seconds < 120:
        return f"{whole // 1000}s"  # 90s is easier to read than 1m30s
    rest, parts = whole // 1000, ""
    for size, unit in ((int(_YEAR), "y"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        parts += f"{count}{unit}" if count else ""
    return parts or "0s"


def latency_text(milliseconds: float) -> str:
    """Return a latency as ``0.6 ms`` or ``123 ms``. From one second on, it has the form of ``duration_text``."""
    if milliseconds >= 999.5:
        return duration_text(milliseconds / 1000)
    return f"{milliseconds:.1f} ms" if milliseconds < 99.95 else f"{milliseconds:.0f} ms"


def milliseconds_text(value: float | None) -> str:
    """Return a latency in milliseconds for narrow columns: ``0.21ms``, ``63.2ms``, ``1.20s``, or ``-`` for None."""
    if value is None:
        return "-"
    if value < 1000:
        return f"{value:.2f}ms" if value < 10 else f"{value:.1f}ms" if value < 100 else f"{value:.0f}ms"
    return f"{value / 1000:.2f}s" if value < 100_000 else f"{value / 1000:.0f}s"


def span_text(seconds: float) -> str:
    """Return a waiting time in the unit that ``time_unit`` chooses, such as ``1 day`` or ``2.1 million years``."""
    size, name = time_unit(seconds)
    number = rounded(seconds / size)
    return f"{number} {name.removesuffix('s') if number == '1' else name}"


def time_unit(seconds: float) -> tuple[float, str]:
    """Return the length in seconds and the name of the largest time unit that is at most ``seconds`` long. If all units
    are longer, return the smallest unit."""
    return max((unit for unit in _SPANS if seconds >= unit[0]), default=_SPANS[0])
