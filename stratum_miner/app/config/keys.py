"""Turns an annotated dataclass into a list of configuration keys.

Each field of the dataclass is a setting: ``name: Annotated[TYPE, ..., MARKS] = DEFAULT``. The marks are ``SECRET``,
``LIVE``, ``Help`` and ``FileKeyName`` of this module.

If a setting is also an option of a command, ``Annotated`` also contains a ``cyclopts.Parameter``. Its first long name,
such as ``--until-shares``, determines the name of the key in a file, ``until_shares``, and of the environment variable,
``STRATUM_MINER_UNTIL_SHARES``.
"""

from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from cyclopts import Parameter

from stratum_miner.app.config import durations
from stratum_miner.app.config.problems import InvalidValue, shown
from stratum_miner.quantities import parse_duration
from stratum_miner.spelling import did_you_mean
from stratum_miner.written_numbers import to_float, to_int, unmistakable

VARIABLE_PREFIX: Final = "STRATUM_MINER_"


@dataclass(frozen=True, slots=True)
class KeyMark:
    """A property of a key that its type cannot express, such as ``SECRET``."""

    name: str


SECRET = KeyMark("secret")
"""Marks a key whose value is never shown."""
LIVE = KeyMark("live")
"""Marks a key whose new value is used at a reload, while mining. The new value of a key without this mark is used at a
restart."""

NUMERIC = KeyMark("numeric")
"""Marks a string key whose value is a number, perhaps with a unit, so that a file may contain a plain number."""
ONE_TEXT = KeyMark("one text")
"""Marks a key whose value is a list of texts that may contain spaces. The environment variable of such a key is not
split at spaces, so it gives a list with one text."""


@dataclass(frozen=True, slots=True)
class Help:
    """The help text of a key that is not a command-line option."""

    text: str


@dataclass(frozen=True, slots=True)
class FileKeyName:
    """The name of a key in a file, if the field cannot have this name. An example is ``pass``, a Python keyword."""

    name: str


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One configuration key: a field of an annotated dataclass."""

    field: str
    name: str
    """The name of the key in a file."""
    type: Any
    """The type of the field without ``Annotated``. ``T | None`` means that the key may be left out."""
    default: Any
    help: str
    secret: bool
    live: bool
    one_text: bool = False
    numeric: bool = False
    parameter: Parameter | None = None

    @property
    def flag(self) -> str:
        """The long option on the command line, such as ``--until-shares``."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return VARIABLE_PREFIX + self.name.upper()

    @property
    def wanted(self) -> Any:
        """The type that a given value must have: ``type`` without None."""
        return _without_none(self.type)

    @property
    def is_duration(self) -> bool:
        """Whether the value is a duration: a number of seconds, or a number with a unit of time."""
        return self.parameter is not None and self.parameter.converter is durations.convert

    @property
    def words(self) -> str:
        """The expected type in words, for errors and the documentation."""
        return durations.WORDS if self.is_duration else words(self.wanted)


def keys_of(table: type[Any]) -> dict[str, ConfigKey]:
    """Return the keys of an annotated dataclass by their names in a file, in the order of its fields."""
    hints = get_type_hints(table, include_extras=True)
    found = [_key(item.name, hints[item.name], item.default) for item in fields(table)]
    return {key.name: key for key in found}


def words(wanted: Any) -> str:
    """Return a type in words."""
    if get_origin(wanted) is list:
        return f"{words(get_args(wanted)[0])}, or a list of these"
    if get_origin(wanted) is Literal:
        return " or ".join(repr(choice) for choice in get_args(wanted))
    names = {int: "an integer", float: "a number", bool: "true or false", str: "a string", Path: "a file name"}
    return names.get(wanted, "a table of strings")


def from_file(key: ConfigKey, value: Any, directory: Path) -> Any:
    """Convert a value of a TOML file to the type of the key. Raises InvalidValue if it has another type.

    File names are relative to ``directory``, the directory of the file.
    """
    wanted = key.wanted
    if key.numeric and isinstance(value, float):
        return unmistakable(Decimal(repr(value)))  # in TOML, a point in a number always separates decimals
    if get_origin(wanted) is list and not isinstance(value, list):
        value = [value]
    if isinstance(value, list):
        value = [_as_text(item, get_args(wanted)[0]) if get_args(wanted) else item for item in value]
    elif isinstance(value, dict):
        value = {name: _as_text(item, str) for name, item in value.items()}
        wrong = next((name for name, item in value.items() if not isinstance(item, str)), None)
        if wrong is not None and get_origin(wanted) is dict:
            raise InvalidValue(f"expected a string or a number as the value of {wrong!r}, got {shown(value[wrong])}")
    return _convert(key, _as_text(value, wanted), strict=True, directory=directory)


def from_text(key: ConfigKey, text: str) -> Any:
    """Convert the text of an environment variable to the type of the key. Raises InvalidValue for a wrong text.

    If the type is a list, spaces separate its items. For a secret and a key with the mark ONE_TEXT, the whole text is
    one item, because it may contain spaces.
    """
    value: Any = text
    if key.wanted in (int, float) and not key.is_duration:
        try:
            return to_int(text) if key.wanted is int else to_float(text)
        except ValueError as error:
            raise InvalidValue(str(error)) from None
    if get_origin(key.wanted) is list:
        value = [text] if key.secret or key.one_text else text.split()
    return _convert(key, value, strict=False, directory=Path())


def _convert(key: ConfigKey, value: Any, *, strict: bool, directory: Path) -> Any:
    if key.is_duration and isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise InvalidValue(str(error)) from None

    def decode(wanted: type, item: Any) -> Any:
        if wanted is Path and isinstance(item, str) and item and "\0" not in item:
            return directory / Path(item).expanduser()
        raise InvalidValue

    try:
        return msgspec.convert(value, key.wanted, strict=strict, dec_hook=decode)
    except (msgspec.ValidationError, InvalidValue):
        got = "another value" if key.secret else shown(value)
        hint = ""
        if get_origin(key.wanted) is Literal and isinstance(value, str):
            hint = did_you_mean(value, map(str, get_args(key.wanted)))
        raise InvalidValue(f"expected {key.words}, got {got}{hint}") from None


def _as_text(value: Any, wanted: Any) -> Any:
    """Return a number as a string if ``wanted``, the type of the key, is a string: ``electricity = 0.30`` becomes
    "0.3". Return any other value unchanged."""
    return str(value) if wanted is str and isinstance(value, int | float) and not isinstance(value, bool) else value


def _key(field: str, hint: Any, default: Any) -> ConfigKey:
    marks = list(hint.__metadata__) if get_origin(hint) is Annotated else []
    bare = hint.__origin__ if marks else hint
    parameters = [mark for mark in marks if isinstance(mark, Parameter)]
    parameter = parameters[0] if parameters else None
    helps = [mark.text for mark in marks if isinstance(mark, Help)] or [parameter.help or "" if parameter else ""]
    return ConfigKey(
        field=field,
        name=next(
            (mark.name for mark in marks if isinstance(mark, FileKeyName)), _name(parameter) if parameter else field
        ),
        type=bare,
        default=None if default is MISSING else default,
        help=helps[0],
        secret=SECRET in marks,
        live=LIVE in marks,
        one_text=ONE_TEXT in marks,
        numeric=NUMERIC in marks,
        parameter=parameter,
    )


def _name(parameter: Parameter) -> str:
    names = [parameter.name] if isinstance(parameter.name, str) else list(parameter.name or ())
    return next(name for name in names if name.startswith("--"))[2:].replace("-", "_")


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (UnionType, Union):
        [kept] = [part for part in get_args(hint) if part is not NoneType]
        return kept
    return hint
