"""Machines by name: the built-in table, and a user's file that adds to it."""

from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from stratum_miner.economics.profit import files, terms
from stratum_miner.economics.profit.terms import TermError
from stratum_miner.spelling import did_you_mean

_KEYS = ["hash_rate", "power", "capex", "source", "date"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One kind of machine; several of them when ``count`` says so, the figures being those of one."""

    name: str
    hash_rate: float
    power: Decimal
    capex: Decimal | None = None
    count: int = 1
    source: str = ""
    date: str = ""


def known_machines(extra: Path | None = None) -> dict[str, Machine]:
    """All machines by name; those of ``extra`` replace built-in ones. TermError says what is wrong with the file."""
    with resources("stratum_miner.economics.profit").joinpath("machines.toml").open("rb") as file:
        path = Path(file.name)
    machines = _read(path, "machines.toml")
    return machines | _read(extra, str(extra)) if extra else machines


def machine_named(name: str, machines: dict[str, Machine], where: str) -> Machine:
    """By name. TermError with the nearest one."""
    if name not in machines:
        hint = did_you_mean(name, machines, f"; known are {', '.join(sorted(machines))}")
        raise TermError(f"{where}: no machine is called {name!r}{hint}")
    return machines[name]


def machine_of(values: dict[str, Any], name: str, where: str, *, count: int = 1) -> Machine:
    """A machine from its keys in a file."""
    files.check_keys(values, _KEYS, where)
    for key in ("hash_rate", "power"):
        if key not in values:
            raise TermError(f"{where}: expected {key}, found none")
    texts = {key: files.text(value, f"{where}: {key}") for key, value in values.items()}
    return Machine(
        name=name,
        count=count,
        hash_rate=terms.hash_rate(f"{where}: hash_rate", texts["hash_rate"]),
        power=terms.power(f"{where}: power", texts["power"]),
        capex=terms.money(f"{where}: capex", texts["capex"]) if "capex" in texts else None,
        source=texts.get("source", ""),
        date=str(terms.day(f"{where}: date", texts["date"])) if "date" in texts else "",
    )


def _read(path: Path, shown: str) -> dict[str, Machine]:
    content = files.read_toml(path, "--hardware")
    files.check_keys(content, ["machines"], shown)
    entries = files.table(content.get("machines", {}), f"{shown}: machines")
    return {
        name: machine_of(files.table(values, f"{shown}: {name}"), name, f"{shown}: machines.{name}")
        for name, values in entries.items()
    }
