"""Combines the sources of settings: the command line, the environment, the configuration file, and the defaults.

The first of these sources that has a setting decides its whole value: a list on the command line replaces a list in the
file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, TypeVar

from stratum_miner.app.config.document import Document
from stratum_miner.app.config.keys import VARIABLE_PREFIX, ConfigKey, from_file, from_text, keys_of
from stratum_miner.app.config.problems import ConfigError, InvalidValue, Problem, shown
from stratum_miner.spelling import did_you_mean

TableT = TypeVar("TableT")
Table_co = TypeVar("Table_co", covariant=True)


class Layer(IntEnum):
    """The kinds of sources of a setting. If several sources have the setting, the kind with the largest number takes
    precedence."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    COMMAND_LINE = 3


@dataclass(frozen=True, slots=True)
class SettingSource:
    """The source of a setting. Errors about the setting begin with ``where``."""

    layer: Layer
    where: str

    def __str__(self) -> str:
        if self.layer is Layer.COMMAND_LINE:
            return "command line"
        return self.where.rpartition(": ")[0] if self.layer is Layer.FILE else self.where


NOT_GIVEN = SettingSource(Layer.DEFAULT, "default")


@dataclass(frozen=True, slots=True)
class Resolved(Generic[Table_co]):
    """The settings that result from all sources. ``origins`` maps the name of each field to the source of its value."""

    values: Table_co
    origins: Mapping[str, SettingSource]

    def layer(self, field: str) -> Layer:
        """Return the kind of source that decided the setting of this field."""
        return self.origins[field].layer


def resolve(
    table: type[TableT],
    *,
    given: Mapping[str, Any],
    environment: Mapping[str, str],
    document: Document | None,
    tables: frozenset[str] = frozenset(),
) -> Resolved[TableT]:
    """Return a table of settings, combined from all sources. Raises ConfigError, which contains every error that was
    found.

    ``given`` maps names of fields to the values from the command line. ``tables`` names those tables of the file that
    this function leaves to other functions.
    """
    keys = keys_of(table)
    problems: list[Problem] = []
    found = {} if document is None else table_values(document, (), keys, problems, elsewhere=tables)
    for key in keys.values():
        text = environment.get(key.variable, "")
        if text:
            try:
                found[key.field] = (from_text(key, text), SettingSource(Layer.ENVIRONMENT, key.variable))
            except InvalidValue as error:
                problems.append(Problem(key.variable, str(error)))
        if given.get(key.field) is not None:
            flag = "--no-" + key.flag[2:] if given[key.field] is False else key.flag
            found[key.field] = (given[key.field], SettingSource(Layer.COMMAND_LINE, flag))
    if problems:
        raise ConfigError(*problems)
    origins = {key.field: NOT_GIVEN for key in keys.values()}
    origins |= {field: origin for field, (_, origin) in found.items()}
    return Resolved(table(**{field: value for field, (value, _) in found.items()}), origins)


def table_values(
    document: Document,
    path: tuple[str, ...],
    keys: Mapping[str, ConfigKey],
    problems: list[Problem],
    *,
    elsewhere: frozenset[str] = frozenset(),
) -> dict[str, tuple[Any, SettingSource]]:
    """Return the values of one table of a file. The keys of the result are names of fields; each value comes with its
    source. ``path`` is the path of the table in the file. Errors are added to ``problems``."""
    content: Any = document.table
    for name in path:
        content = content[name]
    found: dict[str, tuple[Any, SettingSource]] = {}
    for name, value in content.items():
        where = document.where(*path, name)
        if name in elsewhere:
            if not isinstance(value, dict):
                problems.append(Problem(where, f"expected tables, as in [{name}.NAME], got {shown(value)}"))
            continue
        if name not in keys:
            kind = "table" if isinstance(value, dict) else "key"
            known = ", ".join(sorted(keys))
            otherwise = (
                f"; known keys are {known}"
                if path
                else "; stratum-miner config init NEW.toml writes a file with all keys"
            )
            hint = did_you_mean(name, [*keys, *elsewhere], otherwise)
            problems.append(Problem(where, f"unknown {kind}{hint}"))
            continue
        try:
            found[keys[name].field] = (
                from_file(keys[name], value, document.path.parent),
                SettingSource(Layer.FILE, where),
            )
        except InvalidValue as error:
            problems.append(Problem(where, str(error)))
    return found


def unknown_variables(
    environment: Mapping[str, str], keys: Mapping[str, ConfigKey], others: frozenset[str]
) -> list[Problem]:
    """Return a problem for each environment variable that begins with STRATUM_MINER_ but is unknown, and so probably
    misspelt."""
    known = {key.variable for key in keys.values()} | others
    return [
        Problem(name, f"unknown variable{did_you_mean(name, known)}")
        for name in sorted(environment)
        if name.startswith(VARIABLE_PREFIX) and name not in known
    ]
