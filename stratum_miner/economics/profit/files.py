"""TOML files of users: scenarios and hardware, read with a limit, and complained about by file and key."""

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from stratum_miner.economics.profit.terms import TermError
from stratum_miner.spelling import did_you_mean

MAX_FILE_SIZE = 1 << 20


def read_toml(path: Path, option: str) -> dict[str, Any]:
    """The tables of a file, numbers as Decimal. TermError names the file, and the line of a mistake in its form."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise TermError(f"{option}: cannot read {str(path)!r}: {error.strerror}") from None
    if len(content) > MAX_FILE_SIZE:
        raise TermError(f"{option}: expected at most {MAX_FILE_SIZE} bytes, {str(path)!r} is larger")
    try:
        return tomllib.loads(content.decode(), parse_float=Decimal)
    except UnicodeDecodeError:
        raise TermError(f"{path}: expected TOML in UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TermError(f"{path}: expected TOML: {error}") from None
    except (ValueError, ArithmeticError):  # what int makes of 5000 digits, and Decimal of an exponent of twenty
        raise TermError(f"{path}: expected TOML: a number in it is too large") from None


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
