"""Reads numbers as people write them: with a decimal point or a decimal comma, with or without separators between
thousands.

A point and a comma mean different things in different countries. A text with one comma before exactly three digits,
such as ``90,000``, therefore has two readings, 90000 and 90.000, and the user must decide between them.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

NUMBER = r"[+-]?(?:[0-9][0-9.,'’_\u00a0\u202f\u2009 ]*[0-9.]|[0-9]|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?"
"""Regular expression of a number as people write it. Whether its separators make sense is checked by ``readings``."""
MAX_LENGTH = 60
"""Maximum number of characters of a text that is read as a number. A longer text has no reading."""
_SPACES = "'’_\u00a0\u202f\u2009 "
_PARTS = re.compile(r"([+-]?)([0-9.,'’_\u00a0\u202f\u2009 ]+)((?:[eE][+-]?[0-9]+)?)")


class AmbiguousNumberError(ValueError):
    """A text may mean two numbers, and both are allowed. The message shows an unambiguous spelling of each."""


def readings(text: str, *, point_may_group: bool = False) -> tuple[Decimal, ...]:
    """Return every number that a text may mean: none if it is not a number, two if it is ambiguous.

    If the only separator is a comma before exactly three digits, this comma may separate thousands or be a decimal
    comma. If the only separator is a point, it is a decimal point. With ``point_may_group``, however, a point before
    exactly three digits is ambiguous like a comma. Of two readings, the one with thousands is the first.
    """
    match = _PARTS.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        return ()
    sign, digits, exponent = match.groups()
    found = []
    for spelling in _spellings(digits, point_may_group=point_may_group and not exponent, grouped=not exponent):
        try:
            found.append(Decimal(sign + spelling + exponent))
        except InvalidOperation:  # the exponent has too many digits
            return ()
    return tuple(found)


def read(
    text: str,
    is_allowed: Callable[[Decimal], bool],
    *,
    before: str = "",
    after: str = "",
    point_may_group: bool = False,
) -> Decimal | None:
    """Return the number that a text means, or None if no reading of the text is allowed.

    If only one of two readings is allowed, this reading is meant. For the error message, ``before`` and ``after`` are
    the texts that the user wrote before and after the number, such as a unit. Raises AmbiguousNumberError if two
    readings are allowed.
    """
    allowed = [number for number in readings(text, point_may_group=point_may_group) if is_allowed(number)]
    if len(allowed) < 2:
        return allowed[0] if allowed else None
    whole, fraction = allowed
    clear = unmistakable(fraction) if point_may_group else f"{fraction:f}"
    raise AmbiguousNumberError(
        f"expected a number with one meaning, got {before + text + after!r}, which may be {whole:f} or {fraction:f}: "
        f"write {before}{whole:f}{after} or {before}{clear}{after}"
    )


def to_float(text: str) -> float:
    """Return the number that a text means. Raises ValueError if the text is no number, is too large, or has two
    readings."""
    found = read(text.strip(), lambda number: math.isfinite(float(number)))
    if found is None:
        raise ValueError(f"expected a number, got {text[:MAX_LENGTH]!r}")
    return float(found)


def to_int(text: str) -> int:
    """Return the integer that a text means. The prefixes ``0x``, ``0o`` and ``0b`` mean the same as in Python. Raises
    ValueError if the text is no integer, or has two readings."""
    stripped = text.strip()
    if re.fullmatch(r"[+-]?0[xob][0-9a-f]+", stripped, re.IGNORECASE | re.ASCII):
        return int(stripped, 0)
    found = read(stripped, _is_integer, point_may_group=True)
    if found is None:
        raise ValueError(f"expected an integer, got {text[:MAX_LENGTH]!r}")
    return int(found)


def _is_integer(number: Decimal) -> bool:
    # The size is checked first, because the conversion of a number such as 1e9999999 would write out millions of
    # digits.
    return number.adjusted() < MAX_LENGTH and number == number.to_integral_value()


def unmistakable(number: Decimal) -> str:
    """Return the number as a text that has only one reading, even if a point may separate thousands: 1.234 becomes
    ``1.2340``, and 90.000 becomes ``90``."""
    text = str(number)  # with an exponent if the number is very large or very small
    _, _, fraction = text.partition(".")
    if len(fraction) != 3:
        return text
    return text.rstrip("0").removesuffix(".") if fraction.endswith("0") else f"{text}0"


def _spellings(digits: str, *, point_may_group: bool, grouped: bool) -> tuple[str, ...]:
    """Return each number that ``digits`` may mean, written with a decimal point and without separators of thousands.

    ``digits`` has neither a sign nor an exponent. ``grouped`` tells whether a comma may separate thousands if it is the
    only separator; ``point_may_group`` tells the same for a point."""
    if spaced := re.fullmatch(rf"([0-9]{{1,3}}([{_SPACES}])[0-9]{{3}}(?:\2[0-9]{{3}})*)(?:[.,]([0-9]+))?", digits):
        whole = spaced[1].replace(spaced[2], "")
        return (f"{whole}.{spaced[3]}" if spaced[3] else whole,)
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return _with_both(digits)
    separator = "," if commas else "."
    if points + commas > 1:
        return (digits.replace(separator, ""),) if _is_grouped(digits, separator) else ()
    whole, mark, fraction = digits.partition(separator)
    if not f"{whole}{fraction}".isdecimal() or (mark and not fraction and commas):
        return ()
    plain = f"{whole or '0'}.{fraction}" if fraction else whole
    may_group = (commas and grouped) or (points and point_may_group)
    if may_group and re.fullmatch("[1-9][0-9]{0,2}", whole) and len(fraction) == 3:
        return whole + fraction, plain
    return (plain,)


def _with_both(digits: str) -> tuple[str, ...]:
    """Return the reading of a number that contains both points and commas, or nothing if it has none. The last
    separator separates the decimals."""
    decimal = max(".", ",", key=digits.rfind)
    thousands = "," if decimal == "." else "."
    whole, _, fraction = digits.rpartition(decimal)
    if decimal in whole or not fraction or not _is_grouped(whole, thousands):
        return ()
    return (f"{whole.replace(thousands, '')}.{fraction}",)


def _is_grouped(digits: str, separator: str) -> bool:
    """Return whether separators stand between thousands, or between lakhs and crores as in India: 1,00,000."""
    mark = re.escape(separator)
    return bool(re.fullmatch(rf"[0-9]{{1,3}}(?:{mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}", digits))
