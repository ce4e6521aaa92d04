"""Parses the fields of Stratum messages. Only this module turns hex strings into numbers and byte strings.

``number`` parses a 32-bit integer in hex, the most significant digit first. ``raw`` parses a byte string in the order
in which its bytes stand in the coinbase or header (docs/reference/stratum.md#byte-orders). Each function raises
FieldError if the value is malformed; the error names the field.
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
"""Maximum number of hashes in a merkle branch, enough for 2^32 transactions. The branch of a real block has at most
about 16."""
MAX_COINBASE = 64 << 10
"""Maximum number of bytes of a job's coinbase prefix and coinbase suffix together, enough for about 1,900 outputs. The
limit saves memory, because each share that waits for its answer keeps its job in memory."""

_LOOSE_NUMBER = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})")
_STRICT_NUMBER = re.compile(r"[0-9a-fA-F]{8}")


SHOWN_CHARACTERS = 60
"""Maximum number of characters of a value from the peer in an error message."""


def shown(value: Any) -> str:
    """Return a value from the peer for an error message: printable and short, whatever its size."""
    return sanitize(repr(_beginning(value)), SHOWN_CHARACTERS)


def _beginning(value: Any) -> Any:
    """Return the beginning of a value, at least as much as an error message can show. To format a whole value of a
    megabyte from a hostile peer would take too long."""
    match value:
        case str():
            return value[:SHOWN_CHARACTERS]  # the quotes of its repr show that it was cut
        case list():
            return [_beginning(item) for item in value[:SHOWN_CHARACTERS]]
        case dict():
            return {_beginning(key): _beginning(item) for key, item in islice(value.items(), SHOWN_CHARACTERS)}
        case _:
            return value


def raw(value: Any, field: str, size: int | None = None) -> bytes:
    """Parse a byte string in hex, of exactly ``size`` bytes. ``size`` None: any number of bytes."""
    try:
        result = bytes.fromhex(value)
    except (TypeError, ValueError):
        result = b""
    if not isinstance(value, str) or len(value) != 2 * len(result):  # fromhex skips spaces, so compare the length
        raise FieldError(f"{field}: expected a hex string of whole bytes, got {shown(value)}")
    if size is not None and len(result) != size:
        raise FieldError(f"{field}: expected {2 * size} hex digits, got {len(value)}")
    return result


def number(value: Any, field: str) -> int:
    """Parse a 32-bit number in hex. Some pools send it without leading zeros, or with 0x
    (docs/reference/stratum.md#numbers-in-hex)."""
    match = _LOOSE_NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise FieldError(f"{field}: expected up to 8 hex digits, got {shown(value)}")
    return int(match[1], 16)


def strict_number(value: Any, field: str) -> int:
    """Parse a 32-bit number of exactly 8 hex digits, as in a mining.submit."""
    if not isinstance(value, str) or not _STRICT_NUMBER.fullmatch(value):
        raise FieldError(f"{field}: expected 8 hex digits, got {shown(value)}")
    return int(value, 16)


def number_hex(value: int) -> str:
    """Return a 32-bit number as 8 hex digits, the most significant first."""
    return f"{value:08x}"


def text(value: Any, field: str, limit: int) -> str:
    """Check that a value is a string of at most ``limit`` characters, and return it."""
    if not isinstance(value, str):
        raise FieldError(f"{field}: expected a string, got {shown(value)}")
    if len(value) > limit:
        raise FieldError(f"{field}: expected at most {limit} characters, got {len(value)}")
    return value


def integer(value: Any, field: str, low: int, high: int) -> int:
    """Parse an integer from ``low`` to ``high``. Some pools send it as a string or a float
    (docs/reference/stratum.md#extranonce-sizes)."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,12}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise FieldError(f"{field}: expected an integer from {low} to {high}, got {shown(value)}")
    return value


def difficulty(value: Any, field: str) -> float:
    """Parse a share difficulty, finite and above zero. Numeric strings are accepted
    (docs/reference/stratum.md#setting-the-difficulty)."""
    result = _real(value)
    if result is None or not math.isfinite(result) or result <= 0:
        raise FieldError(f"{field}: expected a positive finite number, got {shown(value)}")
    return result


def seconds(value: Any, field: str, limit: float) -> float:
    """Parse a number of seconds, 0 or more. A larger number than ``limit`` becomes ``limit``. Numeric strings are
    accepted; null and an empty string mean 0."""
    result = 0.0 if value in (None, "") else _real(value)
    if result is None or not result >= 0:
        raise FieldError(f"{field}: expected a number of seconds, 0 or more, got {shown(value)}")
    return min(result, limit)


def _real(value: Any) -> float | None:
    """Return a number, or the number in a string, as a float: infinity if it is too large, None if it is not a
    number."""
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
    """Return a difficulty in the form in which it is sent: as an integer if it is integral and below 2^53.

    Unmodified ckpool parses only integers. A very large value stays a float, because pools cannot parse 300 digits.
    """
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value


def items(value: Any, field: str, low: int, high: int | None = None) -> list[Any]:
    """Check that a value is an array of ``low`` to ``high`` items, and return it. ``high`` None: no upper limit."""
    if not isinstance(value, list):
        raise FieldError(f"{field}: expected an array, got {shown(value)}")
    if len(value) < low or (high is not None and len(value) > high):
        wanted = f"{low}" if high == low else f"{low} or more" if high is None else f"{low} to {high}"
        raise FieldError(f"{field}: expected {wanted} params, got {len(value)}")
    return value
