"""Mining machines by name: the built-in table, and a user's file that adds machines or replaces them."""

import re
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from stratum_miner.economics.profit import files, terms
from stratum_miner.economics.profit.terms import TermError
from stratum_miner.spelling import did_you_mean

_KEYS = ["hash_rate", "power", "capex", "source", "date"]
_EXTRA = re.compile(r"(?<=[a-z0-9])-(usb|stick|miner|\d{3})$")
"""What people write after the name of a machine without meaning another machine: the word for its form, or the number
of its board, such as 601 for a Bitaxe Gamma."""


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
    """Return the machine that a user means by a name: ``bitaxe-gamma``, ``Bitaxe Gamma`` and ``gamma`` are the same
    one.

    Raises TermError if no machine has this name, or if the name fits several machines. The error suggests names of
    machines.
    """
    if name in machines:
        return machines[name]
    wanted = _plain(name)
    wanted = _EXTRA.sub("", wanted)
    same = [known for known in machines if _plain(known).replace("-", "") == wanted.replace("-", "")]
    # "gamma" is the end of "bitaxe-gamma", and "gekkoscience-compac-f" ends with "compac-f"
    fitting = same or [known for known in machines if _is_end(wanted, _plain(known))]
    fitting = fitting or [known for known in machines if _is_end(_plain(known), wanted)]
    fitting = fitting or [known for known in machines if wanted.replace("-", "") in _joined_ends(_plain(known))]
    longest = [known for known in fitting if not any(_is_end(_plain(known), _plain(other)) for other in fitting)]
    if len(longest) == 1:
        return machines[longest[0]]
    if not longest:
        longest = [known for known in machines if f"-{wanted}-" in f"-{_plain(known)}-"]
    if len(longest) > 1:
        raise TermError(f"{where}: expected one machine, got {name!r}, which may be {' or '.join(longest)}")
    hint = (
        f": did you mean {longest[0]!r}?"
        if longest
        else did_you_mean(
            name,
            machines,
            f"; known machines: {', '.join(sorted(machines))}. Give --hash-rate and --power for any other",
        )
    )
    raise TermError(f"{where}: unknown machine {name!r}{hint}")


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", "-", name.strip().lower())


def _joined_ends(name: str) -> set[str]:
    """For each word of a name except the first, return the rest of the name from this word on, without hyphens:
    ``s19pro`` and ``pro`` for ``antminer-s19-pro``."""
    words = name.split("-")
    return {"".join(words[start:]) for start in range(1, len(words))}


def _is_end(end: str, name: str) -> bool:
    """Return whether ``name`` consists of one or more words, a hyphen, and ``end``."""
    return name.endswith(f"-{end}")


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
        capex=terms.capex_of_machine(f"{where}: capex", texts["capex"]) if "capex" in texts else None,
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
