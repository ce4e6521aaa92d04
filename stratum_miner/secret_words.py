"""Finds secrets in text, in every encoding, and hides them without hiding words that only look like a secret.

A password may be a common word such as "mining", "share" or "1234". In foreign text it is hidden wherever it stands as
a word of its own. In this program's own text it is not hidden: without these words, events, messages and paths would be
unreadable, and anybody could guess the password from the missing word.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import quote

from stratum_miner.foreign_text import replace_unsafe

HIDDEN = "***"
SHORTEST = 4
"""Least length of a secret in characters. A shorter password, such as "x", is a convention and not a secret."""
DISTINCT = 8
"""Length in characters from which a secret is also found inside of words, because no word contains it by chance."""
_WORD = re.compile(r"[^\W\d_]+|[\d.]+")
"""Letters only, or a number. Any text may contain it."""
_NAME = re.compile(r"[\w.-]+")
"""Characters that may occur in a path or a compound word. A user with a password, as in ``u:pool``, does not match."""
_AFTER_ESCAPE = r"(?<=\\[abfnrtv])|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-fA-F]{4})"
"""In JSON and in Python literals, the letter of an escape sequence may precede a secret."""
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?')
"""A JSON string, and the colon behind it if it is a key."""
_CUT = "…"


def is_word(secret: str) -> bool:
    """Return whether a secret is a plain word or a number, which other texts may contain, too."""
    return _WORD.fullmatch(secret) is not None


def spellings(secret: str) -> frozenset[str]:
    """Return all spellings of a secret: plain, in JSON, in URLs, in Python literals, and in sanitized text."""
    plain = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    urls = {quote(secret, errors="replace"), quote(secret, safe="", errors="replace")}
    spelt = {*plain, *(repr(text)[1:-1] for text in plain), *urls}
    return frozenset({*spelt, *map(replace_unsafe, spelt)})


class Hider:
    """Replaces a set of secrets in texts. Immutable, so that any thread may use it."""

    def __init__(self, secrets: Iterable[str] = (), *, own_text: bool = False) -> None:
        """With ``own_text``, for text of this program, a short secret is not hidden inside a path, name or number."""
        spelt = {spelling: secret for secret in secrets if len(secret) >= SHORTEST for spelling in spellings(secret)}
        self._spellings = sorted(spelt, key=len, reverse=True)  # longest first: one may be the beginning of another
        self._shortest_beginning = DISTINCT if own_text else SHORTEST
        distinct = [text for text in self._spellings if not _is_common(spelt[text])]
        common = [text for text in self._spellings if _is_common(spelt[text])]
        self._all = _pattern(self._spellings, own_text=own_text)
        self._distinct = _pattern(distinct, own_text=own_text)
        self._common = _pattern(common, own_text=own_text)

    def hide(self, text: str) -> str:
        """Return the text without the secrets. If the text was cut, the beginning of a secret at its end is hidden
        too."""
        if any(spelling in text for spelling in self._spellings):
            text = self._all.sub(HIDDEN, text)
        return self._without_beginning(text) if text.endswith(_CUT) else text

    def hide_in_line(self, line: bytes) -> bytes:
        """Return a line of the Stratum protocol without the secrets.

        Keys and method names are never replaced, even if a user chose the same word as a password.
        """
        text = line.decode("utf-8", "surrogateescape")
        if not any(spelling in text for spelling in self._spellings):
            return line
        text = self._distinct.sub(HIDDEN, text)
        text = self._in_strings(text) if _is_json(text) else self._common.sub(HIDDEN, text)
        return text.encode("utf-8", "surrogateescape")

    def _in_strings(self, text: str) -> str:
        key = ""

        def hidden(match: re.Match[str]) -> str:
            nonlocal key
            before, key = key, match[1] if match[2] else ""
            return match[0] if match[2] or before == "method" else f'"{self._common.sub(HIDDEN, match[1])}"'

        return _STRING.sub(hidden, text)

    def _without_beginning(self, text: str) -> str:
        body = text.removesuffix(_CUT)
        for spelling in self._spellings:
            for size in range(min(len(spelling) - 1, len(body)), self._shortest_beginning - 1, -1):
                if body.endswith(spelling[:size]):
                    return f"{body[:-size]}{HIDDEN}{_CUT}"
        return text


@lru_cache(maxsize=256)
def hider(secret: str) -> Hider:
    """Return the hider of one secret for foreign text."""
    return Hider([secret])


def _is_common(secret: str) -> bool:
    return len(secret) < DISTINCT or is_word(secret)


def _pattern(texts: Sequence[str], *, own_text: bool) -> re.Pattern[str]:
    return re.compile("|".join(_one_pattern(text, own_text=own_text) for text in texts) or r"(?!)")


def _one_pattern(text: str, *, own_text: bool) -> str:
    if len(text) >= DISTINCT or not _NAME.fullmatch(text):
        return re.escape(text)
    if own_text:
        return rf"(?:(?<![\w/])(?<!\w[.-])|{_AFTER_ESCAPE}){re.escape(text)}(?![\w/]|[.-]\w)"
    return rf"(?:(?<![^\W_])|{_AFTER_ESCAPE}){re.escape(text)}(?![^\W_])"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
