"""Mining machines by name: the built-in table, and a user's file that adds machines or replaces them."""

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
    """One kind of mining machine, and how many machines of this kind there are (``count``). All other figures are those
    of one machine."""

    name: str
    hash_rate: float
    """Hash rate in H/s."""
    power: Decimal
    """Power in watts at the wall."""
    capex: Decimal | None = None
    """Purchase price; None if unknown."""
    count: int = 1
    """Number of machines."""
    source: str = ""
    """Where the figures come from, such as a data sheet."""
    date: str = ""
    """Date of the source (ISO 8601)."""


def known_machines(extra: Path | None = None) -> dict[str, Machine]:
    """Return all known machines by name. Those in the file ``extra`` replace built-in ones with the same name.

    Raises TermError if the file cannot be read or is invalid.
    """
    with resources("stratum_miner.economics.profit").joinpath("machines.toml").open("rb") as file:
        path = Path(file.name)
    machines = _read(path, "machines.toml")
    return machines | _read(extra, str(extra)) if extra else machines


def machine_named(name: str, machines: dict[str, Machine], where: str) -> Machine:
    """Return the machine with this name. Raises TermError, which suggests the nearest name, if there is none."""
    if name not in machines:
        hint = did_you_mean(name, machines, f"; known machines: {', '.join(sorted(machines))}")
        raise TermError(f"{where}: unknown machine {name!r}{hint}")
    return machines[name]


def machine_of(values: dict[str, Any], name: str, where: str, *, count: int = 1) -> Machine:
    """Return the machine that a table of a file describes. Raises TermError if a key or value is invalid.

    ``values`` is the table; the text of the error begins with ``where``."""
    files.check_keys(values, _KEYS, where)
    for key in ("hash_rate", "power"):
        if key not in values:
            raise TermError(f"{where}: expected the key {key}, but it is missing")
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
