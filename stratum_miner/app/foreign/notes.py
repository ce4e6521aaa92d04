"""The settings that a foreign file was converted to, and a note on each of its keys."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from stratum_miner.app.config.writing import assignment
from stratum_miner.foreign_text import sanitize
from stratum_miner.secret_words import HIDDEN

MAX_SHOWN = 64
"""Maximum length in characters of a shown value of the converted file. A longer value is cut."""
_SECRET_KEYS = re.compile(r"pass|secret|token|wifip|(?<!pub)key|monitor|cmd-|cert$", re.IGNORECASE)
"""Matches keys whose values may be secret: passwords, keys, and commands, which may contain passwords."""
_USERINFO = re.compile(r"(\A|(?<=://)|(?<=\|))[^/\s|@]*:[^/\s|@]*@")
"""Matches the user name and password in a URL."""
_SECRET_TARGETS = frozenset({"pass", "userpass", "on_event"})


class KeyOutcome(Enum):
    """Whether a key of the foreign file was converted."""

    CARRIED = "carried over"
    NOTHING_TO_DO = "nothing to do"
    """The key has no effect on mining with stratum-miner, or stratum-miner does what the key asks for without any
    setting."""
    LOST = "lost"
    """The key asks for something that no setting of stratum-miner can do, or its value cannot be used."""


@dataclass(frozen=True, slots=True)
class Note:
    """Says whether one key was converted. ``text`` is the new setting or the reason. No text contains a secret."""

    key: str
    line: int
    """The line of the file; 0 if no line has this key."""
    value: str
    """The value in the file, as far as it may be shown."""
    outcome: KeyOutcome
    text: str


@dataclass(slots=True)
class Imported:
    """The settings that a file was converted to, and a note on each of its keys."""

    program: str
    options: dict[str, Any] = field(default_factory=dict)
    pools: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def lost(self) -> list[Note]:
        """The notes about the keys that are lost."""
        return [note for note in self.notes if note.outcome is KeyOutcome.LOST]

    def toml(self, *, hide: bool = False) -> str:
        """Return the settings as the text of a configuration file. With ``hide``, ``***`` replaces secrets, so that the
        text can be shown."""

        def line(key: str, value: Any) -> str:
            return assignment(key, hidden(key, value) if hide else value)

        lines = [f"# converted from a configuration of {self.program}"]
        lines += [line(*item) for item in self.options.items()]
        for number, pool in enumerate(self.pools, 1):
            lines += ["", f"[pools.pool{number}]", *(line(*item) for item in pool.items())]
        return "\n".join(lines) + "\n"


def shown_value(key: str, value: Any) -> str:
    """Return a value of a foreign file in a form that is safe to show, without secrets."""
    if value is None or isinstance(value, bool) or value == "":
        return json.dumps(value)
    if _SECRET_KEYS.search(key):
        return HIDDEN
    match value:
        case str():
            text = f'"{_USERINFO.sub(f"{HIDDEN}@", value[: MAX_SHOWN * 4])}"'
        case dict():
            text = "{...}" if value else "{}"
        case list():
            text = (
                "[" + ", ".join(shown_value(key, item) for item in value[:8]) + ("..." if len(value) > 8 else "") + "]"
            )
        case int() if value.bit_length() > 64:
            text = "a number of many digits"
        case _:
            text = str(value)
    return sanitize(text, MAX_SHOWN)


def hidden(key: str, value: Any) -> Any:
    """Return the value of a converted setting without its secrets."""
    if key in _SECRET_TARGETS:
        return [HIDDEN] * len(value) if isinstance(value, list) else HIDDEN
    if key == "proxy":
        return _USERINFO.sub(f"{HIDDEN}@", value)
    return value


def assigned(settings: Iterable[tuple[str, Any]]) -> str:
    """Return converted settings for the note on a foreign key: one text with ``key = value`` for each setting, without
    secrets."""
    return ", ".join(assignment(key, hidden(key, value)) for key, value in settings)
