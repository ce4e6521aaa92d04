"""Removes the passwords of mining.authorize from recorded lines, and from later lines that contain the same passwords.

Worker names are not removed: they are often public payout addresses, and a replay needs them.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from stratum_miner import secret_words
from stratum_miner.secret_words import Hider

STARS = secret_words.HIDDEN
HIDDEN = STARS.encode()
MAX_REMEMBERED = 32
"""Maximum number of passwords that are remembered for one connection. Every later line is searched for all of them,
which takes time."""
LONGEST = 128
"""Number of characters of each password that are remembered. Later lines are searched for these characters. If a
password has this many characters or more, a later line that contains its remembered part is hidden as a whole."""
_MARK = b"authorize"


class Redactor:
    """Removes the passwords from the lines of one connection. ``hide`` is a function that returns a text without
    secrets of other kinds."""

    def __init__(self, hide: Callable[[str], str] = lambda text: text) -> None:
        self._hide = hide
        self._known: dict[str, Hider] = {}
        """Maps each remembered password, cut to LONGEST characters, to the ``Hider`` that replaces this password in
        lines. Longer passwords are hidden first, because a shorter one may be a part of a longer one."""

    def redact(self, line: bytes) -> bytes:
        """Return the line with ``***`` in place of passwords.

        A line that contains "authorize" but is not a JSON object is replaced as a whole, because it could be a damaged
        mining.authorize.
        """
        try:
            message = msgspec.json.decode(line)
            if isinstance(message, dict) and message.get("method") == "mining.authorize":
                return self._authorize(message)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return HIDDEN if _MARK in line else self._without_known(line)
        return HIDDEN if _MARK in line and not isinstance(message, dict) else self._without_known(line)

    def _authorize(self, message: dict[str, Any]) -> bytes:
        params = message.get("params")
        if isinstance(params, list):
            for secret in params[1:]:
                self._remember(secret)
            message["params"] = params[:1] + [STARS] * len(params[1:])
        else:
            message["params"] = STARS
        return self._without_known(json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode())

    def _remember(self, secret: Any) -> None:
        if not isinstance(secret, str) or len(self._known) >= MAX_REMEMBERED:
            return
        start = secret[:LONGEST]
        if start not in self._known:
            known = {**self._known, start: Hider([start])}
            self._known = dict(sorted(known.items(), key=lambda item: -len(item[0])))

    def _without_known(self, line: bytes) -> bytes:
        for start, hider in self._known.items():
            without = hider.hide_in_line(line)
            if len(start) == LONGEST and without != line:
                return HIDDEN
            line = without
        text = line.decode("utf-8", "surrogateescape")
        hidden = self._hide(text)
        return line if hidden == text else hidden.encode("utf-8", "surrogateescape")
