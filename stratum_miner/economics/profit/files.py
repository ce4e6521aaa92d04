"""Reads the TOML files of users (scenarios, machines) with a size limit. Errors name the file and the key."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from stratum_miner import user_files, written_numbers
from stratum_miner.economics.profit.terms import TermError
from stratum_miner.spelling import did_you_mean
from stratum_miner.user_files import UserFileError

MAX_FILE_SIZE = 1 << 20
"""Maximum bytes of a TOML file that is read."""


def read_toml(path: Path, option: str) -> dict[str, Any]:
    """Return the tables of a TOML file, with numbers as Decimal.

    Raises TermError if the file cannot be read or is not valid TOML. The error names the file and, if known, the line.
    """
    try:
        return user_files.parse_toml(user_files.read_text(path, MAX_FILE_SIZE), Decimal)
    except OSError as error:
        raise TermError(f"{option}: cannot read {str(path)!r}: {error.strerror}") from None
    except UserFileError as error:
        raise TermError(f"{error.where(path)}: {error}") from None


def table(value: Any, where: str) -> dict[str, Any]:
    """Return the value if it is a table. Raises TermError otherwise."""
    if not isinstance(value, dict):
        raise TermError(f"{where}: expected a table, got {value!r}")
    return value


def text(value: Any, where: str) -> str:
    """Return a string or number of a TOML file as text, as a user would write it for an option.

    In a TOML number, a point is always a decimal point. The text is written so that nobody can read this point as a
    separator of thousands: 1.234 becomes ``1.2340``.

    Raises TermError if the value is a table, a list or a boolean.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal | date):
        raise TermError(f"{where}: expected a string or a number, got {_kind(value)}")
    return written_numbers.unmistakable(value) if isinstance(value, Decimal) else str(value)


def check_keys(values: dict[str, Any], known: list[str], where: str) -> None:
    """Raise TermError for the first unknown key; the text suggests the nearest known key."""
    for key in values:
        if key not in known:
            hint = did_you_mean(key, known, f"; known keys: {', '.join(sorted(known))}")
            raise TermError(f"{where}: unknown key {key!r}{hint}")


def _kind(value: Any) -> str:
    names = {bool: "true or false", dict: "a table", list: "a list"}
    return names.get(type(value), type(value).__name__)
