"""Writes settings as TOML."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tomli_w

from stratum_miner.app.config.keys import ConfigKey
from stratum_miner.quantities import duration_spelling
from stratum_miner.secret_words import HIDDEN, without_credentials

_DEFAULT = re.compile(r" \[default: (.*)\]$")


def toml_value(value: Any) -> str:
    """Return a value as TOML on one line."""
    match value:
        case list() | tuple():
            return "[" + ", ".join(map(toml_value, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{toml_key(name)} = {toml_value(item)}" for name, item in value.items()) + "}"
        case Path():
            return toml_value(str(value))
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def toml_key(name: str) -> str:
    """Return a key as TOML, in quotes if TOML requires them."""
    return tomli_w.dumps({name: 0}).removesuffix(" = 0\n")


def assignment(key: str, value: Any) -> str:
    """Return ``key = value`` as TOML."""
    return f"{toml_key(key)} = {toml_value(value)}"


def hidden(key: ConfigKey, value: Any) -> Any:
    """Return the value, or ``***`` instead of a secret. The user and password in the URL of a pool are secret, too."""
    if key.name == "url" and value is not None:
        return list(map(without_credentials, value)) if isinstance(value, list) else without_credentials(value)
    if not key.secret or value is None:
        return value
    return [HIDDEN] * len(value) if isinstance(value, list) else HIDDEN


def reference(keys: Iterable[ConfigKey], *, options: bool) -> str:
    """Return a Markdown table of keys for the documentation.

    If ``options`` is true, the table also has a column with the command-line options of the keys.
    """
    heads = ["key", *(["option"] if options else []), "expects", "default", "changes take effect", "description"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for key in keys:
        cells = [f"`{key.name}`", *([_flags(key)] if options else []), key.words, _default(key)]
        cells += ["at a reload" if key.live else "at a restart", _DEFAULT.sub("", key.help)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _flags(key: ConfigKey) -> str:
    names = key.parameter.name if key.parameter is not None else ()
    shown = [names] if isinstance(names, str) else list(names or ())
    if key.wanted is bool:
        shown.append("--no-" + key.flag[2:])
    return " ".join(f"`{name}`" for name in shown)


def _default(key: ConfigKey) -> str:
    """Return the default of a key as text: ``key.default``, or if this is None, the default that the key's help text
    mentions.

    Return an empty text if there is neither.
    """
    if key.default is not None:
        return f"`{toml_value(duration_spelling(key.default) if key.is_duration else key.default)}`"
    in_help = _DEFAULT.search(key.help)
    return in_help[1] if in_help else ""
