"""Lines of a captured log, as tests compare them."""

from collections.abc import Iterable, Mapping
from typing import Any


def lines(logs: Iterable[Mapping[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """The lines of these names: name, level, and the other values in the order of their names."""
    return [
        (line["event"], line["log_level"], *(line[key] for key in sorted(line) if key not in ("event", "log_level")))
        for line in logs
        if line["event"] in names
    ]
