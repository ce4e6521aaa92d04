"""The transcript of a check: the messages and events on all connections of the check, with their times. Passwords are
replaced by ``***``."""

import json
import re
from dataclasses import dataclass, field

from stratum_miner.foreign_text import sanitize
from stratum_miner.secret_words import HIDDEN, hider

MAX_ENTRIES = 300
"""Maximum number of entries. If there are more, entries in the middle are left out."""
MAX_SHOWN = 64 << 10
"""Maximum number of characters of one line. Further characters of the line are left out. A mining.notify has at most a
few thousand."""
_AUTHORIZE = re.compile(rb'"mining\.authorize"')


@dataclass(frozen=True, slots=True)
class Entry:
    """One line or event. ``seconds`` is the time since the check began.

    ``direction`` is ``>`` for a line to the pool, ``<`` for a line from the pool and ``-`` for an event.
    """

    seconds: float
    connection: int
    direction: str
    text: str


@dataclass(slots=True)
class CheckTranscript:
    """The transcript of one check. ``secret`` is the password to replace; ``dropped`` is the number of entries that
    were left out."""

    secret: str = field(default="", repr=False)
    entries: list[Entry] = field(default_factory=list)
    dropped: int = 0

    def note(self, seconds: float, connection: int, direction: str, data: bytes | str) -> None:
        """Add an entry. ``data`` is a line as bytes, or the description of an event as text."""
        if len(self.entries) >= MAX_ENTRIES:
            del self.entries[MAX_ENTRIES // 2]
            self.dropped += 1
        self.entries.append(Entry(round(seconds, 4), connection, direction, self._safe(data)))

    def lines(self) -> list[str]:
        """Return the entries as text, one line each."""
        shown = [f"{each.seconds:9.4f} #{each.connection} {each.direction} {each.text}" for each in self.entries]
        if self.dropped:
            shown.insert(MAX_ENTRIES // 2, f"          ({self.dropped} entries are left out)")
        return shown

    def _safe(self, data: bytes | str) -> str:
        known = hider(self.secret)
        if isinstance(data, bytes):
            return sanitize(known.hide_in_line(without_password(data.rstrip(b"\n"))), MAX_SHOWN)
        return sanitize(known.hide(data), MAX_SHOWN)


def without_password(data: bytes) -> bytes:
    """Return the lines ``data`` with the password of each mining.authorize replaced by ``***``. If a line contains
    mining.authorize but is not valid JSON, the whole line is replaced. All other lines stay as they are."""
    if not _AUTHORIZE.search(data):
        return data
    return b"\n".join(_hide(line) if _AUTHORIZE.search(line) else line for line in data.split(b"\n"))


def _hide(line: bytes) -> bytes:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return b"(a line with mining.authorize that is not valid JSON)"
    params = message.get("params") if isinstance(message, dict) else None
    if isinstance(params, list) and len(params) > 1:
        message["params"] = [params[0], HIDDEN, *params[2:]]
    elif params is not None and not isinstance(params, list):
        message["params"] = HIDDEN
    return json.dumps(message).encode()
