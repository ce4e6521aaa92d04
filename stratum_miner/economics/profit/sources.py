"""What others know, out of their answers: a running miner's hash rate and power, a price, the state of a chain.

Each number is checked for its size before anything is computed with it or printed; no answer gets into a message whole.
"""

import json
import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from stratum_miner.economics.chain import SATOSHIS
from stratum_miner.economics.profit import terms
from stratum_miner.foreign_text import sanitize
from stratum_miner.quantities import MAX_HASH_RATE, MIN_HASH_RATE

SHOWN = 40
"""Characters of an answer that a message repeats."""


class SourceError(ValueError):
    """An answer that cannot be used: who gave it, what was expected, what came."""


def chain_terms(*, difficulty: float, height: int, subsidy: int, average_fees: int, today: date) -> Mapping[str, str]:
    """Difficulty, height, subsidy and fees as a node has them now; subsidy and fees in satoshis."""
    return {
        "difficulty": repr(difficulty),
        "height": str(height),
        "subsidy": f"{Decimal(subsidy) / SATOSHIS:f}",
        "fees": f"{Decimal(average_fees) / SATOSHIS:f}",
        "chain_date": today.isoformat(),
    }


def miner_terms(answer: bytes, option: str, source: str) -> Mapping[str, str]:
    """Measured hash rate of a running miner, and its power when it knows it. SourceError."""
    told = _object(answer, option)
    shown = told.get("hash_rate_15m") or told.get("hash_rate")
    rate = _number(shown)
    if rate is None or not MIN_HASH_RATE <= rate < MAX_HASH_RATE:
        raise SourceError(
            f"{option}: expected a hash rate from {MIN_HASH_RATE:g} to {MAX_HASH_RATE:g} H/s from {source}, "
            f"got {sanitize(str(shown), SHOWN)}"
        )
    found = {"hash_rate": f"{rate:.6e}H"}
    power = told.get("power_w")
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
    """A number alone, or the one under ``field`` (names and indexes joined by dots) of a JSON answer. SourceError."""
    text = answer.decode("utf-8", "replace").strip()
    value: Any = text
    if field is not None or text[:1] in ("{", "["):
        try:
            value = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError, ArithmeticError):  # the last: Decimal, of an exponent of twenty digits
            raise SourceError(f"{option}: expected JSON from {source}, got {sanitize(text, SHOWN)!r}") from None
        value = _walk(value, field, source)
    found = "" if isinstance(value, bool) else str(value)
    if not found.isascii() or "_" in found:  # Python takes 1_000, and the digits of every script
        found = ""
    try:
        terms.price(option, found)
    except terms.TermError:
        hint = "" if field else "; --price-field names the place of a number in JSON"
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
            raise SourceError(f"--price-field: found no {name!r} in the answer of {source}")
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
    """A number; None for what is none, what is too large for one, and for the NaN that Python reads in JSON."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
