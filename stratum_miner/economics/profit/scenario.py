"""From what was written and asked for to one complete scenario: machines, terms, chain, price, and what is assumed.

What a flag says goes before what a scenario's table says, that before the top of its file, that before what a node, a
running miner or a price source answered, and that before the defaults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from stratum_miner.economics import chain
from stratum_miner.economics.income import Operation, depreciation_per_day
from stratum_miner.economics.odds import YEAR_DAYS
from stratum_miner.economics.outlook import Course, Payback, payback
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
"""The fraction of the network that a pool has if the user says nothing of it: a middling pool."""
SECONDS_PER_SHARE = 10
"""Where nothing is said of the share difficulty: pools aim at something like it."""
BEST_EFFICIENCY = Decimal(5)
"""J/TH that no machine of 2026 reaches (the best announced are near 10); below it a unit is likely wrong."""
WORST_EFFICIENCY = Decimal(10) ** 9
"""J/TH of a busy processor at 100 kH/s, the slowest that anybody mines with; above it a unit is likely wrong."""


@dataclass(frozen=True, slots=True)
class SourcedValue:
    """A text and the place it came from, as complaints name it."""

    text: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """One scenario before it is understood."""

    name: str
    values: Mapping[str, SourcedValue]
    machines: tuple[Machine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that answers depend on."""

    name: str
    operation: Operation
    """All machines together; its price is 0 when none is known."""
    machines: tuple[Machine, ...]
    price: Decimal | None
    currency: str
    subsidy: Decimal
    fees: Decimal
    height: int | None
    capex: Decimal | None
    resale: Decimal
    lifetime: Decimal | None
    """Years."""
    course: Course
    band: float
    """The difficulty may as well grow by so much less or more per epoch."""
    horizon_days: int
    pool: PayoutPool
    dates: Mapping[str, date]
    """The dates of what has one: price, chain."""

    @property
    def depreciation_per_day(self) -> Decimal | None:
        """Money; None without an outlay and a lifetime."""
        if self.capex is None or self.lifetime is None:
            return None
        return depreciation_per_day(self.capex, self.resale, self.lifetime * YEAR)

    @property
    def payback(self) -> Payback | None:
        """When the outlay is earned back; None without an outlay or a price."""
        if self.capex is None or self.price is None:
            return None
        return payback(self.capex, self.operation.revenue_per_day, self.operation.costs_per_day, self.course)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What looks like a slip, in words."""
        found = []
        efficiency = self.operation.joules_per_terahash
        if 0 < efficiency < BEST_EFFICIENCY:
            found.append(
                f"{efficiency:.3g} J/TH is better than any machine: are the units of hash rate and power right?"
            )
        if efficiency > WORST_EFFICIENCY:
            found.append(
                f"{rounded(float(efficiency))} J/TH is worse than any machine: "
                "are the units of hash rate and power right?"
            )
        network = chain.network_hash_rate(self.operation.difficulty)
        if self.operation.hash_rate > network:
            found.append("the hash rate is more than the whole network's at this difficulty, which would rise")
        return tuple(found)


def option(name: str) -> str:
    """``pool_fee`` as ``--pool-fee``."""
    return "--" + name.replace("_", "-")


def from_flags(given: Mapping[str, str | None], machines: Sequence[str], known: dict[str, Machine]) -> Raw:
    """What the command line says."""
    values = {name: SourcedValue(text, option(name)) for name, text in given.items() if text is not None}
    _check_exclusive(values)
    return Raw(name="", values=values, machines=tuple(_named(item, known, "--machine") for item in machines))


def from_file(path: Path, known: dict[str, Machine]) -> tuple[Raw, ...]:
    """Each scenario of a file: its [scenarios.NAME] tables over its top, or the top alone. TermError for a mistake."""
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


def answered(texts: Mapping[str, str], source: str) -> Raw:
    """What a node, a miner or a price source said."""
    return Raw(name="", values={name: SourcedValue(text, source) for name, text in texts.items()})


def merged(layers: Sequence[Raw], name: str) -> Raw:
    """One scenario of several layers, the first going before the others."""
    result = layers[0]
    for layer in layers[1:]:
        result = _over(result, layer, name)
    return Raw(name=name, values=result.values, machines=result.machines)


def complete(raw: Raw) -> Scenario:
    """Understand every value, fill in the defaults. TermError for the first thing that is wrong or missing."""
    parsed = {name: terms.PARSERS[name](value.where, value.text) for name, value in raw.values.items()}
    machines = raw.machines or (_machine(parsed),)
    if raw.machines and ("hash_rate" in raw.values or "power" in raw.values):
        where = raw.values.get("hash_rate", raw.values.get("power"))
        assert where is not None
        raise TermError(f"{where.where}: expected it or machines, got both")
    _require(parsed, "difficulty", "such as 144.40e12, or a node to ask: --node URL")
    _require(parsed, "electricity", "the price of a kWh")
    subsidy = _subsidy(parsed)
    fees = parsed.get("fees", Decimal(0))
    if not subsidy + fees:
        raise TermError("--subsidy, --fees: expected a block to be worth something, got 0")
    hash_rate = sum(machine.hash_rate * machine.count for machine in machines)
    capex = parsed.get("capex", _capex(machines))
    _check_resale(parsed, capex)
    horizon = int(parsed.get("horizon", DEFAULT_HORIZON_YEARS) * YEAR)
    height = parsed.get("height")
    operation = Operation(
        hash_rate=hash_rate,
        power=sum((machine.power * machine.count for machine in machines), Decimal(0)),
        electricity=parsed["electricity"],
        difficulty=parsed["difficulty"],
        block_reward=subsidy + fees,
        price=parsed.get("price", Decimal(0)),
        pool_fee=parsed.get("pool_fee", Decimal(0)),
        stale=parsed.get("stale", Decimal(0)),
        uptime=parsed.get("uptime", Decimal(1)),
        cooling=parsed.get("cooling", Decimal(0)),
        other_costs_per_day=sum((parsed.get(name, Decimal(0)) for name in ("hosting", "maintenance")), Decimal(0))
        * MONTHS / YEAR,
    )  # fmt: skip
    return Scenario(
        name=raw.name,
        operation=operation,
        machines=machines,
        price=parsed.get("price"),
        currency=parsed.get("currency", ""),
        subsidy=subsidy,
        fees=fees,
        height=height,
        capex=capex,
        resale=parsed.get("resale", Decimal(0)),
        lifetime=parsed.get("lifetime"),
        course=Course(
            growth=parsed.get("difficulty_growth", 0.0),
            price_growth=parsed.get("price_growth", 0.0),
            halvings=() if height is None else chain.halving_days(height, 365 * 30),
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
        dates={what: parsed[key] for what, key in (("price", "price_date"), ("chain", "chain_date")) if key in parsed},
    )


def _raw(
    content: dict[str, Any], name: str, where: str, known: dict[str, Machine], *, extra: tuple[str, ...] = ()
) -> Raw:
    files.check_keys(content, [*terms.PARSERS, "machines", *extra], where)
    listed = content.pop("machines", [])
    if not isinstance(listed, list):
        raise TermError(f"{where}: machines: expected a list, got {listed!r}")
    machines = tuple(_listed(item, known, f"{where}: machines[{index}]") for index, item in enumerate(listed))
    values = {
        key: SourcedValue(files.text(value, f"{where}: {key}"), f"{where}: {key}") for key, value in content.items()
    }
    _check_exclusive(values)
    return Raw(name=name, values=values, machines=machines)


def _check_exclusive(values: Mapping[str, SourcedValue]) -> None:
    if "subsidy" in values and "height" in values:
        first, second = values["subsidy"].where, values["height"].where
        raise TermError(f"{first}, {second}: expected one of the two: the height tells the subsidy")


def _listed(item: Any, known: dict[str, Machine], where: str) -> Machine:
    """A machine in a file: its name, or a table with a name or figures of its own."""
    if isinstance(item, str):
        return _named(item, known, where)
    values = dict(files.table(item, where))
    number = terms.count(f"{where}: count", files.text(values.pop("count", 1), f"{where}: count"))
    name = files.text(values.pop("name", ""), f"{where}: name")
    if values.keys() & {"hash_rate", "power"}:
        return machine_of(values, name or "machine", where, count=number)
    base = machine_named(name, known, where)
    files.check_keys(values, ["capex"], where)
    capex = terms.money(f"{where}: capex", files.text(values["capex"], where)) if "capex" in values else base.capex
    return Machine(
        name=name, count=number, hash_rate=base.hash_rate, power=base.power, capex=capex, source=base.source,
        date=base.date,
    )  # fmt: skip


def _named(text: str, known: dict[str, Machine], where: str) -> Machine:
    number, name = terms.machine_and_count(where, text)
    base = machine_named(name, known, where)
    return Machine(
        name=name, count=number, hash_rate=base.hash_rate, power=base.power, capex=base.capex, source=base.source,
        date=base.date,
    )  # fmt: skip


def _over(upper: Raw, lower: Raw, name: str) -> Raw:
    """Both layers as one; what the upper says replaces what the lower says otherwise, be it in other words."""
    values = dict(lower.values)
    if upper.machines:
        for key in ("hash_rate", "power"):
            values.pop(key, None)
    if "height" in upper.values:
        values.pop("subsidy", None)  # which follows from the height
    values |= upper.values
    hidden = {"hash_rate", "power"} & upper.values.keys()
    return Raw(name=name, values=values, machines=upper.machines or (() if hidden else lower.machines))


def _machine(parsed: Mapping[str, Any]) -> Machine:
    _require(parsed, "hash_rate", "such as 1.2TH, a machine's name (--machine), or a running miner to ask (--api URL)")
    _require(parsed, "power", "at the wall, such as 17W")
    return Machine(name="", hash_rate=parsed["hash_rate"], power=parsed["power"])


def _subsidy(parsed: Mapping[str, Any]) -> Decimal:
    if "subsidy" in parsed:
        return Decimal(parsed["subsidy"])
    if "height" not in parsed:
        raise TermError("--subsidy, --height: expected one of the two, such as --subsidy 3.125 or --height 930000")
    return Decimal(chain.subsidy(parsed["height"])) / chain.SATOSHIS


def _capex(machines: Sequence[Machine]) -> Decimal | None:
    amounts = [machine.capex * machine.count for machine in machines if machine.capex is not None]
    return sum(amounts, Decimal(0)) if amounts else None


def _check_resale(parsed: Mapping[str, Any], capex: Decimal | None) -> None:
    if "resale" in parsed and (capex is None or parsed["resale"] > capex):
        raise TermError("--resale: expected at most what the machine cost (--capex)")
    if "lifetime" in parsed and capex is None:
        raise TermError("--lifetime: expected it together with what the machine cost (--capex)")


def _require(parsed: Mapping[str, Any], name: str, hint: str) -> None:
    if name not in parsed:
        raise TermError(f"{option(name)}: expected it, {hint}")
