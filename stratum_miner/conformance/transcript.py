"""What was said on the connections of one check, both directions, with times; passwords replaced, sizes bounded."""

import json
import re
from dataclasses import dataclass, field

from stratum_miner.foreign_text import sanitize
from stratum_miner.secret_words import HIDDEN, hider

MAX_ENTRIES = 300
"""Lines kept of a check: the first half and the last."""
MAX_SHOWN = 4096
"""Characters kept of a line."""
_AUTHORIZE = re.compile(rb'"mining\.authorize"')


@dataclass(frozen=True, slots=True)
class Entry:
    """One line or event. ``direction`` is ``>`` to the pool, ``<`` from it, ``-`` for what happened."""

    seconds: float
    connection: int
    direction: str
    text: str


@dataclass(slots=True)
class CheckTranscript:
    """The record of one check."""

    secret: str = field(default="", repr=False)
    entries: list[Entry] = field(default_factory=list)
    dropped: int = 0

    def note(self, seconds: float, connection: int, direction: str, data: bytes | str) -> None:
        """Keep a line; ``data`` is as it was on the wire, or words for an event."""
        if len(self.entries) >= MAX_ENTRIES:
            del self.entries[MAX_ENTRIES // 2]
            self.dropped += 1
        self.entries.append(Entry(round(seconds, 4), connection, direction, self._safe(data)))

    def lines(self) -> list[str]:
        """For people, one line each."""
        shown = [f"{each.seconds:9.4f} #{each.connection} {each.direction} {each.text}" for each in self.entries]
        if self.dropped:
            shown.insert(MAX_ENTRIES // 2, f"          ({self.dropped} lines left out)")
        return shown

    def _safe(self, data: bytes | str) -> str:
        known = hider(self.secret)
        if isinstance(data, bytes):
            return sanitize(known.hide_in_line(without_password(data.rstrip(b"\n"))), MAX_SHOWN)
        return sanitize(known.hide(data), MAX_SHOWN)


def without_password(data: bytes) -> bytes:
    """The lines with the password of each mining.authorize replaced, whatever it is; other bytes as they are."""
    if not _AUTHORIZE.search(data):
        return data
    return b"\n".join(_hide(line) if _AUTHORIZE.search(line) else line for line in data.split(b"\n"))


def _hide(line: bytes) -> bytes:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return b"(a line of mining.authorize)"
    params = message.get("params") if isinstance(message, dict) else None
    if isinstance(params, list) and len(params) > 1:
        message["params"] = [params[0], HIDDEN, *params[2:]]
    elif params is not None and not isinstance(params, list):
        message["params"] = HIDDEN
    return json.dumps(message).encode()
