"""Wire fields of Stratum: the one place where hex strings and byte order become numbers and bytes.

``number`` fields are 32-bit integers printed most significant digit first; ``raw`` fields are byte strings in the
order in which they are spliced (docs/reference/stratum.md#byte-orders). Each function names the field in its
FieldError.
"""

import math
import re
from itertools import islice
from typing import Any

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum.errors import FieldError

MAX_EXTRANONCE_SIZE = 32
MAX_JOB_ID_LENGTH = 128
MAX_MERKLE_BRANCH = 32
"""2^32 transactions; a real block has at most some 16 levels."""
MAX_COINBASE = 64 << 10
"""Bytes of a job's coinbase, both parts together: 1900 outputs. Each share that waits for its answer keeps its job."""

_LOOSE_NUMBER = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})")
_STRICT_NUMBER = re.compile(r"[0-9a-fA-F]{8}")


SHOWN_CHARACTERS = 60
"""Most characters of a foreign value in an error message."""


def shown(value: Any) -> str:
    """A foreign value for an error message: its JSON-ish form, printable and short, whatever its size."""
    return sanitize(repr(_beginning(value)), SHOWN_CHARACTERS)


def _beginning(value: Any) -> Any:
    """Enough of a value to show, for to print a megabyte in order to cut it takes a stranger's choice of time."""
    match value:
        case str():
            return value[: SHOWN_CHARACTERS + 1]
        case list():
            return [_beginning(item) for item in value[:SHOWN_CHARACTERS]]
        case dict():
            return {_beginning(key): _beginning(item) for key, item in islice(value.items(), SHOWN_CHARACTERS)}
        case _:
            return value


def raw(value: Any, field: str, size: int | None = None) -> bytes:
    """Raw hex of exactly ``size`` bytes, or of any whole number of bytes."""
    try:
        result = bytes.fromhex(value)
    except (TypeError, ValueError):
        result = b""
    if not isinstance(value, str) or len(value) != 2 * len(result):  # fromhex passes over blanks
        raise FieldError(f"{field}: expected a hex string of whole bytes, got {shown(value)}")
    if size is not None and len(result) != size:
        raise FieldError(f"{field}: expected {2 * size} hex digits, got {len(value)}")
    return result


def number(value: Any, field: str) -> int:
    """A 32-bit number in hex, lenient: pools print it unpadded or with 0x
    (docs/reference/stratum.md#numbers-in-hex)."""
    match = _LOOSE_NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise FieldError(f"{field}: expected up to 8 hex digits, got {shown(value)}")
    return int(match[1], 16)


def strict_number(value: Any, field: str) -> int:
    """A 32-bit number of exactly 8 hex digits: what a pool demands of a share."""
    if not isinstance(value, str) or not _STRICT_NUMBER.fullmatch(value):
        raise FieldError(f"{field}: expected 8 hex digits, got {shown(value)}")
    return int(value, 16)


def number_hex(value: int) -> str:
    """Print a 32-bit number as 8 hex digits."""
    return f"{value:08x}"


def text(value: Any, field: str, limit: int) -> str:
    """A string of at most ``limit`` characters."""
    if not isinstance(value, str):
        raise FieldError(f"{field}: expected a string, got {shown(value)}")
    if len(value) > limit:
        raise FieldError(f"{field}: expected at most {limit} characters, got {len(value)}")
    return value


def integer(value: Any, field: str, low: int, high: int) -> int:
    """An integral number between bounds; pools also send it as a string or a float
    (docs/reference/stratum.md#extranonce-sizes)."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,12}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise FieldError(f"{field}: expected an integer from {low} to {high}, got {shown(value)}")
    return value


def difficulty(value: Any, field: str) -> float:
    """A share difficulty: finite and above zero; numeric strings are taken
    (docs/reference/stratum.md#setting-the-difficulty)."""
    result = _real(value)
    if result is None or not math.isfinite(result) or result <= 0:
        raise FieldError(f"{field}: expected a positive finite number, got {shown(value)}")
    return result


def seconds(value: Any, field: str, limit: float) -> float:
    """A time to wait, cut to ``limit``; numeric strings are taken, and null or an empty string is no time at all."""
    result = 0.0 if value in (None, "") else _real(value)
    if result is None or not result >= 0:
        raise FieldError(f"{field}: expected a number of seconds, 0 or more, got {shown(value)}")
    return min(result, limit)


def _real(value: Any) -> float | None:
    """A number, also from a string; infinite where a double is too small for it, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not re.fullmatch(r"[-+]?[0-9.eE+-]{1,40}", value):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if isinstance(value, int) and value > 0 else -math.inf
    except ValueError:
        return None


def plain(value: float) -> int | float:
    """A difficulty as it is printed: an integer where it is one and a double holds it exactly.

    Vanilla ckpool parses integers only, and nobody parses the 300 digits of 1e300.
    """
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value


def items(value: Any, field: str, low: int, high: int | None = None) -> list[Any]:
    """A JSON array with at least ``low`` and at most ``high`` items."""
    if not isinstance(value, list):
        raise FieldError(f"{field}: expected an array, got {shown(value)}")
    if len(value) < low or (high is not None and len(value) > high):
        wanted = f"{low}" if high == low else f"{low} or more" if high is None else f"{low} to {high}"
        raise FieldError(f"{field}: expected {wanted} params, got {len(value)}")
    return value
