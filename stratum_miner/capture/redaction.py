"""Takes the passwords out of a conversation: those of mining.authorize, and wherever the pool repeats them.

Worker names stay: they are often public addresses, and a replay means nothing without them.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec

STARS = "***"
HIDDEN = STARS.encode()
SHORTEST = 4
"""A shorter password ("x") is a convention, no secret; replacing it everywhere would garble what is said."""
MAX_REMEMBERED = 64
"""Passwords looked for, of one connection."""
_MARK = b"authorize"


class Redactor:
    """For one connection. ``hide`` takes out what is known to be secret before anything is said."""

    def __init__(self, hide: Callable[[str], str] = lambda text: text) -> None:
        self._hide = hide
        self._known: dict[str, None] = {}

    def redact(self, line: bytes) -> bytes:
        """The same line, or one in which passwords are stars; a line of mining.authorize that cannot be read goes."""
        try:
            message = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return HIDDEN if _MARK in line else self._without_known(line)
        if isinstance(message, dict) and message.get("method") == "mining.authorize":
            return self._authorize(message)
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
        if isinstance(secret, str) and len(secret) >= SHORTEST and len(self._known) < MAX_REMEMBERED:
            self._known[secret] = None

    def _without_known(self, line: bytes) -> bytes:
        for secret in self._known:
            spellings = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
            for spelling in spellings:
                line = line.replace(spelling.encode("utf-8", "surrogatepass"), HIDDEN)
        text = line.decode("utf-8", "surrogateescape")
        hidden = self._hide(text)
        return line if hidden == text else hidden.encode("utf-8", "surrogateescape")
