"""Errors in a configuration. Each is one line that says where the error is, what was expected and what was found. It
may suggest a similar known word."""

from dataclasses import dataclass
from typing import Any

from stratum_miner.foreign_text import sanitize

MAX_SHOWN = 60
MAX_PROBLEM = 1000
"""Largest number of characters of an error text. The text may quote long names of files and keys."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error. ``where`` names the place, for example ``miner.toml:3: pools.home.quota``, ``STRATUM_MINER_QUOTA`` or
    ``--quota``."""

    where: str
    text: str

    def __str__(self) -> str:
        return sanitize(f"{self.where}: {self.text}", MAX_PROBLEM)


class InvalidValue(ValueError):  # noqa: N818  not an error of the program
    """A value is not as expected. The message says what was expected and what was found. Whoever catches this error
    adds the place of the value, such as a file and a line."""


class ConfigError(Exception):
    """A configuration cannot be used. ``problems`` has every error that was found in it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def shown(value: Any) -> str:
    """Return a value as text for an error message. A long text is cut off.

    A table is shown as "a table", because it may hold a password. For the same reason, a list of tables or lists is
    shown as "a list with tables" or "a list with lists".
    """
    match value:
        case bool():
            text = str(value).lower()
        case dict():
            text = "a table"
        case list() if any(isinstance(item, dict | list) for item in value):
            text = f"a list with {'tables' if any(isinstance(item, dict) for item in value) else 'lists'}"
        case _:
            text = repr(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
