"""Builds complete scenarios from options, scenario files and the answers of other programs.

A scenario describes a mining operation by named values, such as ``price``. These values are its *terms*.

A term is taken from the first of these sources that contains it: the options; the table of the scenario in the scenario
file; the top of that file; the answer of a node, a running miner or a price source; the default values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from stratum_miner.economics import chain, mainnet
from stratum_miner.economics.income import Operation, depreciation_per_day
from stratum_miner.economics.odds import YEAR_DAYS
from stratum_miner.economics.outlook import HORIZON_DAYS, Assumptions, Payback, payback
from stratum_miner.economics.profit import files, terms
from stratum_miner.economics.profit.machines import Machine, machine_named, machine_of
from stratum_miner.economics.profit.terms import TermError
from stratum_miner.economics.schemes import PayoutPool
from stratum_miner.quantities import rounded

MONTHS = 12
YEAR = Decimal(YEAR_DAYS)
DEFAULT_HORIZON_YEARS = Decimal(3)
DEFAULT_BAND = Decimal("0.01")
USUAL_POOL_SHARE = 0.03
"""Default hash rate of the pool, as a fraction of the network's hash rate: that of a pool of medium size. If the hash
rate of the user's machines is higher than that, the default is the hash rate of these machines instead."""
SECONDS_PER_SHARE = 10
"""Mean seconds between two shares of the user's machines at the default share difficulty. Pools aim at a similar
time."""
BEST_EFFICIENCY = Decimal(5)
"""Energy in J/TH below which the user has probably given wrong units: the best machines announced in 2026 need about
10."""
MAINNET: Mapping[str, mainnet.DatedFigure] = {
    "difficulty": mainnet.DIFFICULTY,
    "subsidy": mainnet.SUBSIDY,
    "fees": mainnet.FEES,
}
"""The terms (named values of a scenario) that have the figures of mainnet as defaults."""
WORST_EFFICIENCY = Decimal(10) ** 9
"""Energy in J/TH above which the user has probably given wrong units: a processor with 100 W and 100 kH/s needs this
much."""


@dataclass(frozen=True, slots=True)
class SourcedValue:
    """A value as the user wrote it, and the option or file key that it came from, for the text of errors."""

    text: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawScenario:
    """One scenario whose values are not parsed yet."""

    name: str
    values: Mapping[str, SourcedValue]
    machines: tuple[Machine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One complete scenario: everything on which its figures depend."""

    name: str
    operation: Operation
    """The figures of all machines together. If ``price`` is None, its field for the price of a bitcoin is 0."""
    machines: tuple[Machine, ...]
    price: Decimal | None
    currency: str
    subsidy: Decimal
    fees: Decimal
    height: int | None
    capex: Decimal | None
    resale: Decimal
    lifetime: Decimal | None
    """Lifetime of the machines, in years."""
    assumptions: Assumptions
    band: float
    """Uncertainty of the assumed growth of the difficulty per epoch, as a fraction. The true growth is taken to be
    between the assumed growth minus this fraction and the assumed growth plus this fraction."""
    horizon_days: int
    pool: PayoutPool
    defaults: Mapping[str, mainnet.DatedFigure]
    """The terms of ``MAINNET`` that no source gave, with the figures that are used for them."""
    dates: Mapping[str, date]
    """The dates of the price (key ``price``) and of the chain's figures (``chain``), if they are known."""

    @property
    def depreciation_per_day(self) -> Decimal | None:
        """Return the loss of value per day; None without a purchase price or a lifetime."""
        if self.capex is None or self.lifetime is None:
            return None
        return depreciation_per_day(self.capex, self.resale, self.lifetime * YEAR)

    @property
    def payback(self) -> Payback | None:
        """Return when the purchase price is earned back; None without a purchase price or a price of a bitcoin."""
        if self.capex is None or self.price is None:
            return None
        return payback(self.capex, self.operation.revenue_per_day, self.operation.costs_per_day, self.assumptions)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return sentences about values that are probably mistakes."""
        found = []
        efficiency = self.operation.joules_per_terahash
        if 0 < efficiency < BEST_EFFICIENCY:
            found.append(
                f"{efficiency:.3g} J/TH is better than any machine; check the units of the hash rate and the power"
            )
        if efficiency > WORST_EFFICIENCY:
            found.append(
                f"{rounded(float(efficiency))} J/TH is worse than any machine; "
                "check the units of the hash rate and the power"
            )
        network = chain.network_hash_rate(self.operation.difficulty)
        if self.operation.hash_rate > network:
            found.append(
                "the hash rate exceeds that of the whole network at this difficulty, so the difficulty would rise"
            )
        return tuple(found)


def option(name: str) -> str:
    """Return the name of the option for a term (a named value of a scenario): ``--pool-fee`` for ``pool_fee``."""
    return "--" + name.replace("_", "-")


def from_flags(given: Mapping[str, str | None], machines: Sequence[str], known: dict[str, Machine]) -> RawScenario:
    """Return the scenario that the options of the command line give. Raises TermError if a machine is unknown.

    ``given`` contains the text of each term (a named value of the scenario, such as ``price``), or None. ``machines``
    contains the values of --machine. ``known`` maps names to machines.
    """
    values = {name: SourcedValue(text, option(name)) for name, text in given.items() if text is not None}
    _check_exclusive(values)
    return RawScenario(name="", values=values, machines=tuple(_named(item, known, "--machine") for item in machines))


def from_file(path: Path, known: dict[str, Machine]) -> tuple[RawScenario, ...]:
    """Return the scenarios of a file: one for each table [scenarios.NAME]. Terms (named values, such as ``price``) that
    the table does not contain are taken from the top of the file: the keys outside these tables.

    If the file has no table [scenarios.NAME], the top of the file is the only scenario. Raises TermError if the file is
    invalid.
    """
    content = files.read_toml(path, "--scenario")
    named = files.table(content.pop("scenarios", {}), f"{path}: scenarios")
    top = _raw(content, path.stem, str(path), known, extra=("scenarios",))
    if not named:
        return (top,)
    found = []
    for name, values in named.items():
        where = f"{path}: scenarios.{name}"
        own = _raw(files.table(values, where), name, where, known)
        found.append(_over(own, top, name))
    return tuple(found)


def from_answers(texts: Mapping[str, str], source: str) -> RawScenario:
    """Return a scenario with the terms (named values, such as ``price``) in ``texts``, which come from the answer of a
    node, a miner or a price source. In errors, ``source`` names the program that answered."""
    return RawScenario(name="", values={name: SourcedValue(text, source) for name, text in texts.items()})


def merged(layers: Sequence[RawScenario], name: str) -> RawScenario:
    """Merge several scenarios into one. If a term (a named value, such as ``price``) is in several of them, its value
    comes from the first scenario that contains it."""
    result = layers[0]
    for layer in layers[1:]:
        result = _over(result, layer, name)
    return RawScenario(name=name, values=result.values, machines=result.machines)


def complete_scenario(raw: RawScenario) -> Scenario:
    """Parse every value and fill in the defaults. Raises TermError for the first value that is invalid or missing."""
    parsed = {name: terms.PARSERS[name](value.where, value.text) for name, value in raw.values.items()}
    machines = raw.machines or (_machine(parsed),)
    own = [raw.values[name] for name in ("hash_rate", "power") if name in raw.values]
    if raw.machines and own:
        raise TermError(f"{own[0].where}: expected either machines, or a hash rate and a power, got both")
    _require(parsed, "electricity", "the price of 1 kWh, as in --electricity 0.30")
    currency = terms.check_same_currency(
        {name: (value.where, value.text) for name, value in raw.values.items()}, parsed.get("currency", "")
    )
    defaults = {name: figure for name, figure in MAINNET.items() if name not in parsed}
    if "subsidy" in defaults and "height" in parsed:
        parsed["subsidy"] = Decimal(chain.subsidy(parsed["height"])) / chain.SATOSHIS
        del defaults["subsidy"]
    parsed = {name: figure.value for name, figure in defaults.items()} | parsed
    subsidy, fees = parsed["subsidy"], parsed["fees"]
    if not subsidy + fees:
        raise TermError("--subsidy, --fees: expected a sum above 0, got 0")
    hash_rate = sum(machine.hash_rate * machine.count for machine in machines)
    capex = parsed.get("capex", _capex(machines))
    _check_resale(parsed, capex)
    horizon = int(parsed.get("horizon", DEFAULT_HORIZON_YEARS) * YEAR)
    height = parsed.get("height")
    operation = Operation(
        hash_rate=hash_rate,
        power=sum((machine.power * machine.count for machine in machines), Decimal(0)),
        electricity=parsed["electricity"],
        difficulty=float(parsed["difficulty"]),
        block_reward=subsidy + fees,
        price=parsed.get("price", Decimal(0)),
        other_costs_per_day=(parsed.get("hosting", Decimal(0)) + parsed.get("maintenance", Decimal(0))) * MONTHS / YEAR,
        **{name: parsed[name] for name in ("pool_fee", "stale", "uptime", "cooling") if name in parsed},
    )
    return Scenario(
        name=raw.name,
        operation=operation,
        machines=machines,
        price=parsed.get("price"),
        currency=currency,
        subsidy=subsidy,
        fees=fees,
        height=height,
        capex=capex,
        resale=parsed.get("resale", Decimal(0)),
        lifetime=parsed.get("lifetime"),
        assumptions=Assumptions(
            growth=parsed.get("difficulty_growth", 0.0),
            price_growth=parsed.get("price_growth", 0.0),
            halvings=() if height is None else chain.halving_days(height, HORIZON_DAYS),
            subsidy_share=subsidy / (subsidy + fees),
        ),
        band=float(parsed.get("growth_band", DEFAULT_BAND)),
        horizon_days=horizon,
        pool=PayoutPool(
            hash_rate=parsed.get(
                "pool_hash_rate", max(hash_rate, USUAL_POOL_SHARE * chain.network_hash_rate(operation.difficulty))
            ),
            share_difficulty=parsed.get("share_difficulty", hash_rate * SECONDS_PER_SHARE / chain.hashes_per_block(1)),
        ),
        defaults=defaults,
        dates={what: parsed[key] for what, key in (("price", "price_date"), ("chain", "chain_date")) if key in parsed},
    )


def _raw(
    content: dict[str, Any], name: str, where: str, known: dict[str, Machine], *, extra: tuple[str, ...] = ()
) -> RawScenario:
    files.check_keys(content, [*terms.PARSERS, "machines", *extra], where)
    listed = content.pop("machines", [])
    if not isinstance(listed, list):
        raise TermError(f"{where}: machines: expected a list, got {listed!r}")
    machines = tuple(_listed(item, known, f"{where}: machines[{index}]") for index, item in enumerate(listed))
    values = {
        key: SourcedValue(files.text(value, f"{where}: {key}"), f"{where}: {key}") for key, value in content.items()
    }
    _check_exclusive(values)
    return RawScenario(name=name, values=values, machines=machines)


def _check_exclusive(values: Mapping[str, SourcedValue]) -> None:
    if "subsidy" in values and "height" in values:
        first, second = values["subsidy"].where, values["height"].where
        raise TermError(f"{first}, {second}: expected one of the two, got both: the subsidy follows from the height")


def _listed(item: Any, known: dict[str, Machine], where: str) -> Machine:
    """Return the machine that one item of the list of machines in a scenario file describes.

    The item is the name of a known machine, or a table with such a name or with the figures of a machine.
    """
    if isinstance(item, str):
        return _named(item, known, where)
    values = dict(files.table(item, where))
    number = terms.count(f"{where}: count", files.text(values.pop("count", 1), f"{where}: count"))
    name = files.text(values.pop("name", ""), f"{where}: name")
    if values.keys() & {"hash_rate", "power"}:
        return machine_of(values, name or "machine", where, count=number)
    base = machine_named(name, known, where)
    files.check_keys(values, ["capex"], where)
    if "capex" in values:
        place = f"{where}: capex"
        base = replace(base, capex=terms.capex_of_machine(place, files.text(values["capex"], place)))
    return replace(base, count=number)


def _named(text: str, known: dict[str, Machine], where: str) -> Machine:
    number, name = terms.machine_and_count(where, text)
    return replace(machine_named(name, known, where), count=number)


def _over(upper: RawScenario, lower: RawScenario, name: str) -> RawScenario:
    """Merge two scenarios; the terms (named values, such as ``price``) of ``upper`` replace those of ``lower``.

    The function drops terms of ``lower`` that would contradict ``upper``. If ``upper`` has machines, it drops the hash
    rate and the power of ``lower``. If ``upper`` has a hash rate or a power, it drops the machines of ``lower``. If
    ``upper`` has a height, it drops the subsidy of ``lower``.
    """
    values = dict(lower.values)
    if upper.machines:
        for key in ("hash_rate", "power"):
            values.pop(key, None)
    if "height" in upper.values:
        values.pop("subsidy", None)  # the subsidy follows from the height
    values |= upper.values
    hidden = {"hash_rate", "power"} & upper.values.keys()
    return RawScenario(name=name, values=values, machines=upper.machines or (() if hidden else lower.machines))


def _machine(parsed: Mapping[str, Any]) -> Machine:
    _require(parsed, "hash_rate", "a hash rate, as in --hash-rate 1.2TH (or --machine NAME, or --api URL of a miner)")
    _require(parsed, "power", "the power that the devices take from the mains, as in --power 17W")
    return Machine(name="", hash_rate=parsed["hash_rate"], power=parsed["power"])


def _capex(machines: Sequence[Machine]) -> Decimal | None:
    amounts = [machine.capex * machine.count for machine in machines if machine.capex is not None]
    return sum(amounts, Decimal(0)) if amounts else None


def _check_resale(parsed: Mapping[str, Any], capex: Decimal | None) -> None:
    if "resale" in parsed and (capex is None or parsed["resale"] > capex):
        raise TermError("--resale: expected at most the purchase price (--capex), which must be given as well")
    if "lifetime" in parsed and capex is None:
        raise TermError("--lifetime: needs the purchase price of the machine (--capex)")


def _require(parsed: Mapping[str, Any], name: str, hint: str) -> None:
    if name not in parsed:
        raise TermError(f"{option(name)} is needed: {hint}")
