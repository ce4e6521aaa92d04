"""TOML files of users: scenarios and hardware, read with a limit, and complained about by file and key."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from stratum_miner import user_files
from stratum_miner.economics.profit.terms import TermError
from stratum_miner.spelling import did_you_mean
from stratum_miner.user_files import UserFileError

MAX_FILE_SIZE = 1 << 20


def read_toml(path: Path, option: str) -> dict[str, Any]:
    """The tables of a file, numbers as Decimal. TermError names the file, and the line of a mistake in its form."""
    try:
        return user_files.parse_toml(user_files.read_text(path, MAX_FILE_SIZE), Decimal)
    except OSError as error:
        raise TermError(f"{option}: cannot read {str(path)!r}: {error.strerror}") from None
    except UserFileError as error:
        raise TermError(f"{error.where(path)}: {error}") from None


def table(value: Any, where: str) -> dict[str, Any]:
    """A table, or TermError."""
    if not isinstance(value, dict):
        raise TermError(f"{where}: expected a table, got {value!r}")
    return value


def text(value: Any, where: str) -> str:
    """A value as an option would have it: numbers and dates written out."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal | date):
        raise TermError(f"{where}: expected a text or a number, got {_kind(value)}")
    return str(value)


def check_keys(values: dict[str, Any], known: list[str], where: str) -> None:
    """TermError for the first unknown key, with the nearest known one."""
    for key in values:
        if key not in known:
            hint = did_you_mean(key, known, f"; known are {', '.join(sorted(known))}")
            raise TermError(f"{where}: unknown key {key!r}{hint}")


def _kind(value: Any) -> str:
    names = {bool: "true or false", dict: "a table", list: "a list"}
    return names.get(type(value), type(value).__name__)
