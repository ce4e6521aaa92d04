"""Parses the terms of a scenario (prices, powers, percentages, dates) as people write them in options and files.

Options and file keys share one table of parsers, ``PARSERS``, so that both accept the same values and have the same
errors. Each parser takes the text of the value and ``where``, its origin, such as ``--power`` or ``farm.toml:
scenarios.garage: power``. If the value is invalid, the parser raises TermError, whose text begins with the origin.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from stratum_miner.economics import chain
from stratum_miner.quantities import parse_hash_rate

LEAST = 1e-12
"""Minimum absolute value of a number other than 0. Smaller numbers are typing errors, and would take many digits to
print."""
MAX_MONEY = Decimal(10) ** 12
MAX_POWER = Decimal(10) ** 12
MAX_COUNT = 1_000_000
MIN_YEARS, MAX_YEARS = Decimal("0.01"), Decimal(30)
"""Minimum and maximum number of years. The minimum is 3.65 days, because the charts of the profit report need at least
three days."""
MAX_LENGTH = 60
"""Maximum characters of a number."""
_POWER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(m|k|M|G)?W")
_WATTS = {None: Decimal(1), "m": Decimal("0.001"), "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9}
_PERCENT = re.compile(r"([+-]?\d+(?:\.\d*)?)\s*%")
_MACHINE = re.compile(r"(?:(\d+)\s*x\s*)?([A-Za-z][\w.+-]*)")


class TermError(ValueError):
    """A value that the user gave is invalid. The text says where it was given, what was expected and what was found."""


def hash_rate(where: str, text: str) -> float:
    """Return the hash rate, in H/s, that a text such as ``1.2TH`` or ``30 EH/s`` gives. The unit is required."""
    try:
        return parse_hash_rate(text, unit_needed=True)
    except ValueError as error:
        raise TermError(f"{where}: {error}") from None


def power(where: str, text: str) -> Decimal:
    """Return the power, in watts, that a text such as ``17W`` or ``3.5kW`` gives. The unit is required."""
    match = _POWER.fullmatch(text.strip())
    value = Decimal(match[1]) * _WATTS[match[2]] if match and len(text) <= MAX_LENGTH else None
    if value is None:
        raise TermError(f"{where}: expected a power with its unit, such as 17W or 3.5kW, got {_got(text)}")
    if value > MAX_POWER:
        raise TermError(f"{where}: expected at most {MAX_POWER:,} W, got {_got(text)}")
    _check_smallness(where, text, value)
    return value


def money(where: str, text: str) -> Decimal:
    """Return an amount of money, which is 0 or more."""
    return _number(where, text, Decimal(0), MAX_MONEY)


def price(where: str, text: str) -> Decimal:
    """Return a price of a bitcoin, which is above 0. To give no price, a user omits the option or key."""
    return _number(where, text, Decimal(0), MAX_MONEY, above=True)


def bitcoin(where: str, text: str) -> Decimal:
    """Return an amount in bitcoin, from 0 to 21 million."""
    return _number(where, text, Decimal(0), Decimal(21_000_000))


def share(where: str, text: str) -> Decimal:
    """Return a percentage from 0 % to 100 % as a fraction: ``2%`` is 0.02."""
    return _percentage(where, text, Decimal(0), Decimal(100), "2%")


def uptime(where: str, text: str) -> Decimal:
    """Return a percentage above 0 % as a fraction: ``98%`` is 0.98."""
    value = share(where, text)
    if not value:
        raise TermError(f"{where}: expected more than 0%, got {_got(text)}: a machine that never runs earns nothing")
    return value


def stale(where: str, text: str) -> Decimal:
    """Return a percentage below 100 % as a fraction: ``2%`` is 0.02."""
    value = share(where, text)
    if value == 1:
        raise TermError(
            f"{where}: expected less than 100%, got {_got(text)}: a miner whose every share is stale earns nothing"
        )
    return value


def growth(where: str, text: str) -> float:
    """Return a growth from -50 % to 1000 % as a fraction: ``2%`` is 0.02."""
    return float(_percentage(where, text, Decimal(-50), Decimal(1000), "2% or -1%"))


def cooling(where: str, text: str) -> Decimal:
    """Return the electricity for cooling, a percentage of the electricity of the machines, as a fraction: ``10%`` is
    0.1."""
    return _percentage(where, text, Decimal(0), Decimal(1000), "10%")


def years(where: str, text: str) -> Decimal:
    """Return a number of years from 0.01 to 30."""
    return _number(where, text, MIN_YEARS, MAX_YEARS)


def difficulty(where: str, text: str) -> float:
    """Return a difficulty of the network or of a share, which is above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= chain.MAX_DIFFICULTY:
        raise TermError(f"{where}: expected a number above 0 and up to {chain.MAX_DIFFICULTY:g}, got {_got(text)}")
    _check_smallness(where, text, value)
    return value


def height(where: str, text: str) -> int:
    """Return the height of a block."""
    return _whole(where, text, 0, chain.MAX_HEIGHT)


def count(where: str, text: str) -> int:
    """Return a number of machines, which is at least 1."""
    return _whole(where, text, 1, MAX_COUNT)


def day(where: str, text: str) -> date:
    """Return an ISO 8601 date that is not in the future."""
    try:
        value = date.fromisoformat(text)
    except ValueError:
        raise TermError(f"{where}: expected a date such as 2026-11-01, got {text!r}") from None
    today = datetime.now(UTC).date()
    if value > today:
        raise TermError(f"{where}: expected a date that is not after today ({today}), got {value}")
    return value


def currency(where: str, text: str) -> str:
    """Return a currency, which is printed after amounts of money: a name of one to eight letters, or a sign such as
    €."""
    if not re.fullmatch(r"[^\W\d_]{1,8}|[$€£¥₿₹₽₩]", text):
        raise TermError(f"{where}: expected a currency such as EUR, got {text!r}")
    return text


def machine_and_count(where: str, text: str) -> tuple[int, str]:
    """Return the number and the name of machines in a text: ``3xbitaxe-gamma`` is 3 and ``bitaxe-gamma``."""
    match = _MACHINE.fullmatch(text.strip())
    if match is None:
        raise TermError(f"{where}: expected NAME or COUNTxNAME of a machine, such as 3xbitaxe-gamma, got {text!r}")
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
"""The parser of each term, by the key that the term has in a file. ``scenario.option`` returns the option for the same
term."""


def _number(where: str, text: str, low: Decimal, high: Decimal, *, above: bool = False) -> Decimal:
    try:
        value = Decimal(text if len(text) <= MAX_LENGTH else "NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and low <= value <= high and (value > low or not above)):
        bounds = f"above {low} and up to {high:,}" if above else f"from {low} to {high:,}"
        raise TermError(f"{where}: expected a number {bounds}, got {_got(text)}")
    _check_smallness(where, text, value)
    # a zero such as 0e-400000000 is replaced by 0, because printing it would take 400,000,000 characters
    return value or Decimal(0)


def _percentage(where: str, text: str, low: Decimal, high: Decimal, such_as: str) -> Decimal:
    match = _PERCENT.fullmatch(text.strip())
    value = Decimal(match[1]) if match and len(text) <= MAX_LENGTH else None
    if value is None or not low <= value <= high:
        raise TermError(f"{where}: expected a percentage from {low}% to {high}%, such as {such_as}, got {_got(text)}")
    _check_smallness(where, text, value)
    return value / 100


def _whole(where: str, text: str, low: int, high: int) -> int:
    digits = text.strip()  # because fullmatch() below accepts no spaces
    value = int(digits) if re.fullmatch(r"\d{1,12}", digits) else low - 1
    if not low <= value <= high:
        raise TermError(f"{where}: expected an integer from {low} to {high:,}, got {_got(text)}")
    return value


def _check_smallness(where: str, text: str, value: Decimal | float) -> None:
    if value and -LEAST < value < LEAST:  # abs() is not used, because it would round a tiny Decimal to 0
        raise TermError(f"{where}: expected 0 or a number of at least {LEAST:g}, got {_got(text)}")


def _got(text: str) -> str:
    return repr(text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "…")
