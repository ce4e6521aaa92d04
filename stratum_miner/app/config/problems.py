"""Mistakes in a configuration, one line each: where, what was expected, what came, and the nearest spelling."""

from dataclasses import dataclass
from typing import Any

from stratum_miner.foreign_text import sanitize

MAX_SHOWN = 60
MAX_PROBLEM = 1000
"""Characters; file and keys are in it, which others may have chosen."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. ``where`` is ``miner.toml:3: pools.home.quota``, ``STRATUM_MINER_QUOTA`` or ``--quota``."""

    where: str
    text: str

    def __str__(self) -> str:
        return sanitize(f"{self.where}: {self.text}", MAX_PROBLEM)


class InvalidValue(ValueError):  # noqa: N818  not a mistake in the program
    """A value does not fit; the message says what was expected and what came, and who catches it knows where."""


class ConfigError(Exception):
    """A configuration that cannot be used, with every mistake found in it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def shown(value: Any) -> str:
    """A value as the file has it, bounded."""
    match value:
        case bool():
            text = str(value).lower()
        case dict():
            text = "a table"
        case _:
            text = repr(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
