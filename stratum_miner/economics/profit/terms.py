"""Parses the terms of a scenario (prices, powers, percentages, dates) as people write them in options and files.

Options and file keys share one table of parsers, ``PARSERS``, so that both accept the same values and have the same
errors. Each parser takes the text of the value and ``where``, its origin, such as ``--power`` or ``farm.toml:
scenarios.garage: power``. If the value is invalid, the parser raises TermError, whose text begins with the origin.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from stratum_miner import written_numbers
from stratum_miner.economics import chain
from stratum_miner.quantities import parse_hash_rate
from stratum_miner.written_numbers import MAX_LENGTH, AmbiguousNumberError

LEAST = Decimal("1e-12")
"""Minimum absolute value of a number other than 0. Smaller numbers are typing errors, and would take many digits to
print."""
MAX_MONEY = Decimal(10) ** 12
MAX_POWER = Decimal(10) ** 12
MAX_COUNT = 1_000_000
MAX_FEES = Decimal(21_000_000)
MAX_SUBSIDY = Decimal(50)
"""Maximum subsidy of a block in bitcoin: that of the first blocks."""
MIN_YEARS, MAX_YEARS = Decimal("0.01"), Decimal(30)
"""Minimum and maximum number of years for which profit is calculated. The minimum is 3.65 days, because the charts of
the profit report need at least three days."""
ONE = Decimal(1)
_PARTS = re.compile(rf"([^0-9+\-.,]*)({written_numbers.NUMBER})([^0-9]*)")
"""What stands before a number, the number, and what stands after it."""
Units = Mapping[str, Decimal]
"""The value of each unit that may follow a number, in lower case. The empty text stands for a number without a unit."""
_WATTS: Units = {
    **dict.fromkeys(("", "w", "watt", "watts"), ONE),
    "kw": Decimal(10**3),
    "mW": Decimal("0.001"),  # only here, upper and lower case make a difference
    "MW": Decimal(10**6),
    "gw": Decimal(10**9),
}
_SI_PREFIXES: Units = {
    "": ONE, "k": Decimal(10**3), "m": Decimal(10**6), "g": Decimal(10**9), "t": Decimal(10**12), "p": Decimal(10**15),
    "e": Decimal(10**18),
}  # fmt: skip
_PERCENT: Units = dict.fromkeys(("", "%", "percent", "pct"), ONE)
_BITCOIN: Units = {
    **dict.fromkeys(("", "btc", "bitcoin", "bitcoins", "₿"), ONE),
    **dict.fromkeys(("sat", "sats", "satoshi", "satoshis"), ONE / chain.SATOSHIS),
}
_YEARS: Units = {
    **dict.fromkeys(("", "y", "yr", "yrs", "year", "years"), ONE),
    **dict.fromkeys(("month", "months"), ONE / 12),
}
_MONEY: Mapping[str, Units] = {
    "electricity": {"kwh": ONE, "mwh": Decimal("0.001")},
    "hosting": {"month": ONE, "mo": ONE, "year": ONE / 12, "yr": ONE / 12},
    "maintenance": {"month": ONE, "mo": ONE, "year": ONE / 12, "yr": ONE / 12},
    "price": {"btc": ONE, "bitcoin": ONE},
    "capex": {},
    "resale": {},
}
"""The terms (named values of a scenario) that are amounts of money, each with the units to which the amount may refer,
as in ``0.30/kWh``."""
MONEY = frozenset(_MONEY)
_CURRENCIES = {
    "$": "USD", "us$": "USD", "dollar": "USD", "dollars": "USD", "€": "EUR", "euro": "EUR", "euros": "EUR",
    "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₩": "KRW", "zł": "PLN", "fr": "CHF",
}  # fmt: skip
"""Signs and words that people write beside an amount of money, in lower case, and the currency that each means."""
_HUNDREDTHS = {
    **dict.fromkeys(("ct", "cts", "c", "cent", "cents", "¢"), ""), "p": "GBP", "pence": "GBP", "rp": "CHF",
}  # fmt: skip
"""For each unit that is a hundredth of a currency, the code of this currency. The code is empty if several currencies
have a unit of this name, as with the cent."""
_NO_CURRENCIES = frozenset({"BTC", "XBT", "SAT", "KWH", "MWH"})
_WORDS_OF_MONEY = re.compile(r"us\$|[^\W\d_]+|[^\s\w.]", re.IGNORECASE)
_MACHINE = re.compile(r"(?:([0-9][0-9.,'’]*)\s*[x×*]\s*|([0-9]+)\s+)?([A-Za-z0-9][\w.+ -]*)", re.IGNORECASE)


class TermError(ValueError):
    """A value that the user gave is invalid. The text says where it was given, what was expected and what was found."""


def hash_rate(where: str, text: str) -> float:
    """Return the hash rate, in H/s, that a text such as ``1.2TH`` or ``30 EH/s`` gives. The unit is required."""
    try:
        return parse_hash_rate(text, unit_needed=True)
    except ValueError as error:
        raise TermError(f"{where}: {error}") from None


def power(where: str, text: str) -> Decimal:
    """Return the power, in watts, that a text such as ``17W`` or ``3.5kW`` gives. A number without a unit is in
    watts."""
    expected = "a power such as 17W or 3.5kW"
    value = _quantity(where, text, _WATTS, lambda watts: watts >= 0, expected)
    if value > MAX_POWER:
        raise TermError(f"{where}: expected at most {MAX_POWER:,} W, got {_got(text)}")
    return value


def money(where: str, text: str, term: str) -> Decimal:
    """Return the amount that a text such as ``0.30``, ``30ct/kWh`` or ``EUR 200`` gives for a term of ``MONEY``. The
    amount is 0 or more."""
    bounds = f"a number from 0 to {MAX_MONEY:,}"
    return _money(where, text, _MONEY[term], lambda value: 0 <= value <= MAX_MONEY, bounds)[0]


def price(where: str, text: str) -> Decimal:
    """Return a price of a bitcoin, which is above 0. To give no price, a user omits the option or key."""
    bounds = f"a number above 0 and up to {MAX_MONEY:,}"
    return _money(where, text, _MONEY["price"], lambda value: 0 < value <= MAX_MONEY, bounds)[0]


def currency_in(text: str, term: str) -> str:
    """Return the currency that a user wrote beside an amount of money, such as ``EUR`` for ``30 €``. Return an empty
    text if there is none."""
    return _money("", text, _MONEY[term], lambda value: True, "")[1]


def check_same_currency(texts: Mapping[str, tuple[str, str]], stated: str = "") -> str:
    """Return the currency of all amounts of money: the ``stated`` one, otherwise that which is written beside them, or
    an empty text.

    ``texts`` has the origin and the text of each term (a named value of a scenario); terms that are no amounts of money
    are ignored. Raises TermError if two currencies differ, because nothing here converts currencies.
    """
    first, first_where = _CURRENCIES.get(stated.casefold(), stated.upper()), "--currency"
    for term, (where, text) in texts.items():
        name = currency_in(text, term) if term in MONEY else ""
        if name and first and name != first:
            raise TermError(f"{where}: expected {first}, the currency of {first_where}, got {name}")
        if name and not first:
            first, first_where = name, where
    return stated or first


def capex_of_machine(where: str, text: str) -> Decimal:
    """Return the purchase price of a machine, which is given without a currency."""
    if currency := currency_in(text, "capex"):
        raise TermError(f"{where}: expected a number without a currency, which --currency names, got {currency}")
    return money(where, text, "capex")


def subsidy(where: str, text: str) -> Decimal:
    """Return the subsidy of a block in bitcoin, from 0 to 50."""
    return _bounded(where, text, _BITCOIN, Decimal(0), MAX_SUBSIDY)


def fees(where: str, text: str) -> Decimal:
    """Return the transaction fees of a block in bitcoin, from 0 to 21 million."""
    return _bounded(where, text, _BITCOIN, Decimal(0), MAX_FEES)


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
    return _bounded(where, text, _YEARS, MIN_YEARS, MAX_YEARS)


def difficulty(where: str, text: str) -> float:
    """Return a difficulty of the network or of a share, which is above 0. An SI prefix may follow, as in ``144.4T``."""
    maximum = Decimal(chain.MAX_DIFFICULTY)
    bounds = f"a number above 0 and up to {chain.MAX_DIFFICULTY:g}"
    return float(_quantity(where, text, _SI_PREFIXES, lambda value: 0 < value <= maximum, bounds, point_may_group=True))


def height(where: str, text: str) -> int:
    """Return the height of a block."""
    return whole(where, text, 0, chain.MAX_HEIGHT)


def count(where: str, text: str) -> int:
    """Return a number of machines, which is at least 1."""
    return whole(where, text, 1, MAX_COUNT)


def whole(where: str, text: str, low: int, high: int) -> int:
    """Return an integer from ``low`` to ``high``."""
    return int(
        _quantity(
            where, text, {"": ONE}, lambda value: low <= value <= high and value == int(value),
            f"an integer from {low} to {high:,}", point_may_group=True,
        )
    )  # fmt: skip


def number(where: str, text: str, low: Decimal, high: Decimal) -> Decimal:
    """Return a number from ``low`` to ``high``."""
    return _bounded(where, text, {"": ONE}, low, high)


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
        raise TermError(f"{where}: expected NAME or COUNTxNAME of a machine, such as 3xbitaxe-gamma, got {_got(text)}")
    number_of = match[1] or match[2]
    return (count(where, number_of) if number_of else 1), match[3]


PARSERS: dict[str, Callable[[str, str], Any]] = {
    "hash_rate": hash_rate,
    "power": power,
    "electricity": partial(money, term="electricity"),
    "cooling": cooling,
    "hosting": partial(money, term="hosting"),
    "maintenance": partial(money, term="maintenance"),
    "capex": partial(money, term="capex"),
    "resale": partial(money, term="resale"),
    "lifetime": years,
    "stale": stale,
    "uptime": uptime,
    "difficulty": difficulty,
    "difficulty_growth": growth,
    "growth_band": share,
    "chain_date": day,
    "subsidy": subsidy,
    "height": height,
    "fees": fees,
    "price": price,
    "price_date": day,
    "price_growth": growth,
    "currency": currency,
    "pool_fee": share,
    "pool_hash_rate": hash_rate,
    "share_difficulty": difficulty,
    "horizon": years,
}
"""The parser of each term (a named value of a scenario), by the key that the term has in a file. ``scenario.option``
returns the option for the same term."""


def _money(
    where: str, text: str, units: Units, is_allowed: Callable[[Decimal], bool], expected: str
) -> tuple[Decimal, str]:
    """Return an amount of money and its currency, which is empty if none is written.

    A currency and one of the ``units`` may be written with the amount, as in ``0.30 EUR/kWh``. ``k`` and ``M`` may
    follow the number: ``95k`` is 95,000.
    """
    before, number_text, after = _parts(text)
    factor, currency_name, seen = ONE, "", set()
    for word in _WORDS_OF_MONEY.findall(f"{before} {after}"):
        kind, step, name = _money_word(word, units)
        if kind in seen:
            kind = "unknown"
        seen.add(kind)
        factor, currency_name = factor * step, name or currency_name
    if units is _MONEY["price"] and "unit" in seen and not seen & {"/", "per"}:
        seen.add("unknown")  # an amount of bitcoin, such as 90000BTC, is no price of a bitcoin
    if "unknown" in seen:
        raise TermError(f"{where}: expected {expected}, got {_got(text)}")
    value = _read(
        where, text, (before, number_text, after), factor, is_allowed=is_allowed, expected=expected,
        point_may_group=True,
    )  # fmt: skip
    return value, currency_name


def _money_word(word: str, units: Units) -> tuple[str, Decimal, str]:
    """Return three values for a word beside an amount of money. The first is its kind: "unit", "currency", "size" (k or
    m) or "unknown", or the word itself if it is "/" or "per". The second is the factor by which it multiplies the
    amount. The third is the currency that it names, or an empty text."""
    plain = word.casefold()
    if plain in ("/", "per"):
        return plain, ONE, ""
    if plain in units:
        return "unit", units[plain], ""
    if plain in _HUNDREDTHS:
        return "currency", Decimal("0.01"), _HUNDREDTHS[plain]
    if plain in _CURRENCIES:
        return "currency", ONE, _CURRENCIES[plain]
    if plain in ("k", "m"):
        return "size", _SI_PREFIXES[plain], ""
    if re.fullmatch(r"[a-z]{3}", plain) and word.upper() not in _NO_CURRENCIES:
        return "currency", ONE, word.upper()
    if plain[0] in "km" and re.fullmatch(r"[a-z]{3}", plain[1:]) and word[1:].upper() not in _NO_CURRENCIES:
        return "currency", _SI_PREFIXES[plain[0]], word[1:].upper()
    return "unknown", ONE, ""


def _percentage(where: str, text: str, low: Decimal, high: Decimal, such_as: str) -> Decimal:
    expected = f"a percentage from {low}% to {high}%, such as {such_as}"
    value = _quantity(where, text, _PERCENT, lambda value: low <= value <= high, expected)
    if value and not _parts(text)[2].strip():
        spellings = [f"{item:f}%" for item in _meant_percentages(value) if low <= item <= high]
        raise TermError(f"{where}: expected {expected}, got {_got(text)}: write {' or '.join(spellings)}")
    return value / 100


def _meant_percentages(value: Decimal) -> tuple[Decimal, ...]:
    """Return the percentages that a number without a percent sign may mean. A number up to 1 may also be a fraction:
    0.5 may mean 50 % or 0.5 %."""
    return ((value * 100).normalize(), value) if 0 < value <= 1 else (value,)


def _bounded(where: str, text: str, units: Units, low: Decimal, high: Decimal) -> Decimal:
    return _quantity(where, text, units, lambda value: low <= value <= high, f"a number from {low:g} to {high:,}")


def _quantity(
    where: str,
    text: str,
    units: Units,
    is_allowed: Callable[[Decimal], bool],
    expected: str,
    *,
    point_may_group: bool = False,
) -> Decimal:
    """Return the value of a number with one of the ``units``. Raises TermError if the text is anything else, if the
    value is not allowed, or if the text has two meanings."""
    parts = _parts(text)
    unit = parts[2].strip()
    factor = units.get(unit, units.get(unit.lower()))
    if factor is None or parts[0]:
        raise TermError(f"{where}: expected {expected}, got {_got(text)}")
    return _read(where, text, parts, factor, is_allowed=is_allowed, expected=expected, point_may_group=point_may_group)


def _parts(text: str) -> tuple[str, str, str]:
    """Return what stands before a number, the number and what stands after it. If the text is too long or has no
    number, all of it is returned as what stands before."""
    match = _PARTS.fullmatch(text.strip()) if len(text) <= MAX_LENGTH else None
    return (match[1], match[2], match[3]) if match else (text or "?", "", "")


def _read(
    where: str,
    text: str,
    parts: tuple[str, str, str],
    factor: Decimal,
    *,
    is_allowed: Callable[[Decimal], bool],
    expected: str,
    point_may_group: bool,
) -> Decimal:
    """Return the number in ``parts``, multiplied by ``factor``."""

    def value_of(found: Decimal) -> Decimal:
        # Leave out the factor if ``found`` is extremely large or small: the product could overflow, and ``found`` alone
        # is out of range already.
        return found if found and abs(found.adjusted()) > MAX_LENGTH else found * factor

    before, number_text, after = parts
    try:
        found = written_numbers.read(
            number_text, lambda item: is_allowed(value_of(item)), before=before, after=after.rstrip(),
            point_may_group=point_may_group,
        )  # fmt: skip
    except AmbiguousNumberError as error:
        raise TermError(f"{where}: {error}") from None
    if found is None:
        raise TermError(f"{where}: expected {expected}, got {_got(text)}")
    value = value_of(found)
    if value and -LEAST < value < LEAST:  # abs() is not used, because it would round a tiny Decimal to 0
        raise TermError(f"{where}: expected 0 or a number of at least {LEAST:g}, got {_got(text)}")
    # a zero such as 0e-400000000 is replaced by 0, because printing it would take 400,000,000 characters
    return value or Decimal(0)


def _got(text: str) -> str:
    return repr(text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "…")
