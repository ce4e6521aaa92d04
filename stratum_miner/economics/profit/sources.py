"""Reads terms (the named values of a scenario) from the answers of other programs: hash rate and power from a running
miner, a price from a price source, and figures of the block chain from a node.

The size of each number is checked before it is used or printed. Errors repeat only the beginning of an answer.
"""

import json
import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from stratum_miner import written_numbers
from stratum_miner.economics.chain import SATOSHIS
from stratum_miner.economics.profit import terms
from stratum_miner.foreign_text import sanitize
from stratum_miner.quantities import MAX_HASH_RATE, MIN_HASH_RATE

SHOWN = 40
"""Maximum characters of an answer in the text of an error."""


class SourceError(ValueError):
    """An answer cannot be used. The text says where it came from, what was expected and what was found."""


def chain_terms(*, difficulty: float, height: int, subsidy: int, average_fees: int, today: date) -> Mapping[str, str]:
    """Return the terms (named values of a scenario, such as ``difficulty``) that a node's current figures give.
    ``subsidy`` and ``average_fees`` are per block, in satoshis."""
    return {
        "difficulty": written_numbers.unmistakable(Decimal(repr(difficulty))),
        "height": str(height),
        "subsidy": f"{Decimal(subsidy) / SATOSHIS:f}",
        "fees": f"{Decimal(average_fees) / SATOSHIS:f}",
        "chain_date": today.isoformat(),
    }


def miner_terms(answer: bytes, option: str, source: str) -> Mapping[str, str]:
    """Return the measured hash rate of a running miner, and its power if its devices measure it.

    ``answer`` is the JSON of its HTTP API; ``option`` and ``source`` name the origin in errors. Raises SourceError if
    the answer cannot be used.
    """
    summary = _object(answer, option)
    shown = summary.get("hash_rate_15m") or summary.get("hash_rate")
    rate = _number(shown)
    if rate is None or not MIN_HASH_RATE <= rate < MAX_HASH_RATE:
        raise SourceError(
            f"{option}: expected a hash rate from {MIN_HASH_RATE:g} to {MAX_HASH_RATE:g} H/s from {source}, "
            f"got {sanitize(str(shown), SHOWN)}"
        )
    found = {"hash_rate": f"{rate:.6e}H"}
    power = summary.get("power_w")
    if power is None:
        return found
    watts = _number(power)
    if watts is None or not 0 <= watts <= terms.MAX_POWER:
        raise SourceError(
            f"{option}: expected a power from 0 to {terms.MAX_POWER:,} W from {source}, "
            f"got {sanitize(str(power), SHOWN)}"
        )
    return found | {"power": f"{watts:f}W"}


def price(answer: bytes, field: str | None, option: str, source: str, today: date) -> Mapping[str, str]:
    """Return the price in an answer. The answer is either a number, or JSON that contains the number at ``field``.

    ``field`` consists of names and indexes joined by dots. Raises SourceError if the answer has no valid price.
    """
    text = answer.decode("utf-8", "replace").strip()
    value: Any = text
    if field is not None or text[:1] in ("{", "["):
        try:
            value = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError, ArithmeticError):  # an exponent of 20 digits raises ArithmeticError
            raise SourceError(f"{option}: expected JSON from {source}, got {sanitize(text, SHOWN)!r}") from None
        value = _walk(value, field, source)
    # Reject non-ASCII digits, and underscores as in 1_000, because Decimal() would accept them. A point is taken as a
    # decimal point, because the text was written by a program.
    plain = "" if isinstance(value, bool) or not str(value).isascii() or "_" in str(value) else str(value)
    try:
        found = written_numbers.unmistakable(Decimal(plain))
        terms.price(option, found)
    except (InvalidOperation, terms.TermError):
        hint = "" if field else "; if the answer is JSON, name the field of the price with --price-field"
        raise SourceError(
            f"{option}: expected a price above 0 and up to {terms.MAX_MONEY:,} from {source}, "
            f"got {sanitize(str(value), SHOWN)!r}{hint}"
        ) from None
    return {"price": found, "price_date": today.isoformat()}


def _walk(value: Any, field: str | None, source: str) -> Any:
    for name in field.split(".") if field else ():
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise SourceError(f"--price-field: expected a field {name!r} in the answer of {source}, but it is missing")
    return value


def _object(body: bytes, option: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise SourceError(f"{option}: expected a JSON object, got {sanitize(body, SHOWN)!r}")
    return value


def _number(value: Any) -> float | None:
    """Return the value as a float. Return None if it is not a number, or is too large for a float. Also return None if
    it is infinite or NaN, which Python's JSON parser accepts."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
