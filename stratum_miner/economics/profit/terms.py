"""The terms of mining as people write them, on a command line or in a file, and what becomes of each text.

One table for both, so that an option and a key mean the same and complain the same. ``where`` is how the complaint
names the place: ``--power`` or ``farm.toml: scenarios.garage: power``.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from stratum_miner.economics import chain
from stratum_miner.quantities import parse_hash_rate

LEAST = 1e-12
"""The smallest number besides 0. Nobody means less, and writing it could take a screen of zeros."""
MAX_MONEY = Decimal(10) ** 12
MAX_POWER = Decimal(10) ** 12
MAX_COUNT = 1_000_000
MIN_YEARS, MAX_YEARS = Decimal("0.01"), Decimal(30)
"""From three days on there is a course of time to draw."""
MAX_LENGTH = 60
"""Characters of a number; nobody writes more digits."""
_POWER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(m|k|M|G)?W")
_WATTS = {None: Decimal(1), "m": Decimal("0.001"), "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9}
_PERCENT = re.compile(r"([+-]?\d+(?:\.\d*)?)\s*%")
_MACHINE = re.compile(r"(?:(\d+)\s*x\s*)?([A-Za-z][\w.+-]*)")


class TermError(ValueError):
    """The user's mistake in a term: where it stands, what was expected, what came."""


def hash_rate(where: str, text: str) -> float:
    """H/s of ``1.2TH`` or ``30 EH/s``; the unit must be there."""
    try:
        return parse_hash_rate(text, unit_needed=True)
    except ValueError as error:
        raise TermError(f"{where}: {error}") from None


def power(where: str, text: str) -> Decimal:
    """Watts of ``17W`` or ``3.5kW``; the unit must be there."""
    match = _POWER.fullmatch(text.strip())
    value = Decimal(match[1]) * _WATTS[match[2]] if match and len(text) <= MAX_LENGTH else None
    if value is None:
        raise TermError(f"{where}: expected watts with their unit, such as 17W or 3.5kW, got {_got(text)}")
    if value > MAX_POWER:
        raise TermError(f"{where}: expected at most {MAX_POWER:,} W, got {_got(text)}")
    _check_smallness(where, text, value)
    return value


def money(where: str, text: str) -> Decimal:
    """An amount, not negative."""
    return _number(where, text, Decimal(0), MAX_MONEY)


def price(where: str, text: str) -> Decimal:
    """Money per bitcoin, above 0: who has no price leaves it out."""
    return _number(where, text, Decimal(0), MAX_MONEY, above=True)


def bitcoin(where: str, text: str) -> Decimal:
    """An amount of coins that a block can pay."""
    return _number(where, text, Decimal(0), Decimal(21_000_000))


def share(where: str, text: str) -> Decimal:
    """``2%`` as 0.02, from 0 % to 100 %."""
    return _percentage(where, text, Decimal(0), Decimal(100), "2%")


def uptime(where: str, text: str) -> Decimal:
    """``98%`` as 0.98, above 0 %."""
    value = share(where, text)
    if not value:
        raise TermError(f"{where}: expected more than 0%: what never runs neither earns nor costs anything")
    return value


def stale(where: str, text: str) -> Decimal:
    """``2%`` as 0.02, below 100 %."""
    value = share(where, text)
    if value == 1:
        raise TermError(f"{where}: expected less than 100%: who hands in nothing in time earns nothing")
    return value


def growth(where: str, text: str) -> float:
    """``2%`` or ``-1%`` as a share."""
    return float(_percentage(where, text, Decimal(-50), Decimal(1000), "2% or -1%"))


def cooling(where: str, text: str) -> Decimal:
    """``10%`` of the machine's electricity on top, as 0.1."""
    return _percentage(where, text, Decimal(0), Decimal(1000), "10%")


def years(where: str, text: str) -> Decimal:
    """A span of years, from 0.01 to 30."""
    return _number(where, text, MIN_YEARS, MAX_YEARS)


def difficulty(where: str, text: str) -> float:
    """A difficulty of the network or of a share."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= chain.MAX_DIFFICULTY:
        raise TermError(f"{where}: expected a number above 0 and up to {chain.MAX_DIFFICULTY:g}, got {_got(text)}")
    _check_smallness(where, text, value)
    return value


def height(where: str, text: str) -> int:
    """The height of a block."""
    return _whole(where, text, 0, chain.MAX_HEIGHT)


def count(where: str, text: str) -> int:
    """A number of machines."""
    return _whole(where, text, 1, MAX_COUNT)


def day(where: str, text: str) -> date:
    """An ISO date, not in the future: nobody knows tomorrow's price."""
    try:
        value = date.fromisoformat(text)
    except ValueError:
        raise TermError(f"{where}: expected a date such as 2026-11-01, got {text!r}") from None
    today = datetime.now(UTC).date()
    if value > today:
        raise TermError(f"{where}: expected a date up to today, {today}, got {value}, which is in the future")
    return value


def currency(where: str, text: str) -> str:
    """A few letters to put behind amounts."""
    if not re.fullmatch(r"[^\W\d_]{1,8}|[$€£¥₿₹₽₩]", text):
        raise TermError(f"{where}: expected a currency such as EUR, got {text!r}")
    return text


def machine_and_count(where: str, text: str) -> tuple[int, str]:
    """``3xbitaxe-gamma`` as 3 and the name."""
    match = _MACHINE.fullmatch(text.strip())
    if match is None:
        raise TermError(f"{where}: expected a machine's name or COUNTxNAME, such as 3xbitaxe-gamma, got {text!r}")
    return (count(where, match[1]) if match[1] else 1), match[2]


PARSERS: dict[str, Callable[[str, str], Any]] = {
    "hash_rate": hash_rate,
    "power": power,
    "electricity": money,
    "cooling": cooling,
    "hosting": money,
    "maintenance": money,
    "capex": money,
    "resale": money,
    "lifetime": years,
    "stale": stale,
    "uptime": uptime,
    "difficulty": difficulty,
    "difficulty_growth": growth,
    "growth_band": share,
    "chain_date": day,
    "subsidy": bitcoin,
    "height": height,
    "fees": bitcoin,
    "price": price,
    "price_date": day,
    "price_growth": growth,
    "currency": currency,
    "pool_fee": share,
    "pool_hash_rate": hash_rate,
    "share_difficulty": difficulty,
    "horizon": years,
}
"""Every term by the name it has in a file; its option has hyphens and two more."""


def _number(where: str, text: str, low: Decimal, high: Decimal, *, above: bool = False) -> Decimal:
    try:
        value = Decimal(text if len(text) <= MAX_LENGTH else "NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and low <= value <= high and (value > low or not above)):
        bounds = f"above {low} and up to {high:,}" if above else f"from {low} to {high:,}"
        raise TermError(f"{where}: expected a number {bounds}, got {_got(text)}")
    _check_smallness(where, text, value)
    return value or Decimal(0)  # not 0e-400000000, which is as long to write


def _percentage(where: str, text: str, low: Decimal, high: Decimal, such_as: str) -> Decimal:
    match = _PERCENT.fullmatch(text.strip())
    value = Decimal(match[1]) if match and len(text) <= MAX_LENGTH else None
    if value is None or not low <= value <= high:
        raise TermError(f"{where}: expected a percentage from {low}% to {high}%, such as {such_as}, got {_got(text)}")
    _check_smallness(where, text, value)
    return value / 100


def _whole(where: str, text: str, low: int, high: int) -> int:
    digits = text.strip()  # int() strips less
    value = int(digits) if re.fullmatch(r"\d{1,12}", digits) else low - 1
    if not low <= value <= high:
        raise TermError(f"{where}: expected a whole number from {low} to {high:,}, got {_got(text)}")
    return value


def _check_smallness(where: str, text: str, value: Decimal | float) -> None:
    if value and -LEAST < value < LEAST:  # abs() would round to 0
        raise TermError(f"{where}: expected a number that is not closer to 0 than {LEAST:g}, got {_got(text)}")


def _got(text: str) -> str:
    return repr(text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "…")
