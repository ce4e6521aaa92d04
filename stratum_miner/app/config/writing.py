"""Settings as TOML text."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tomli_w

from stratum_miner.app.config.keys import ConfigKey

HIDDEN = "***"


def toml_value(value: Any) -> str:
    """A value on one line."""
    match value:
        case list() | tuple():
            return "[" + ", ".join(map(toml_value, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{toml_key(name)} = {toml_value(item)}" for name, item in value.items()) + "}"
        case Path():
            return toml_value(str(value))
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")


def toml_key(name: str) -> str:
    """A key, in quotes where it must be."""
    return tomli_w.dumps({name: 0}).removesuffix(" = 0\n")


def assignment(key: str, value: Any) -> str:
    """``key = value``."""
    return f"{toml_key(key)} = {toml_value(value)}"


def hidden(key: ConfigKey, value: Any) -> Any:
    """The value, or stars for a secret that is there."""
    if not key.secret or value is None:
        return value
    return [HIDDEN] * len(value) if isinstance(value, list) else HIDDEN


def reference(keys: Iterable[ConfigKey], *, options: bool) -> str:
    """A table of keys for the documentation, in Markdown; with ``options`` what each is on the command line."""
    heads = ["key", *(["option"] if options else []), "expects", "default", "changes", "what"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for key in keys:
        cells = [f"`{key.name}`", *([_flags(key)] if options else []), key.words, _default(key)]
        cells += ["live" if key.live else "at a restart", key.help]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _flags(key: ConfigKey) -> str:
    names = key.parameter.name if key.parameter is not None else ()
    shown = [names] if isinstance(names, str) else list(names or ())
    if key.wanted is bool:
        shown.append("--no-" + key.flag[2:])
    return " ".join(f"`{name}`" for name in shown)


def _default(key: ConfigKey) -> str:
    return "" if key.default is None else f"`{toml_value(key.default)}`"
