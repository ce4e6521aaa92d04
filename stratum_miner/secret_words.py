"""Finding secrets in text, in every spelling, to hide them; and leaving alone what merely looks like one.

A password may be a word that everybody uses: "mining", "share", "1234". Where others wrote the text it is hidden all
the same, as a word of its own. In our own text it is not: to replace our own words would make events, messages and
paths unreadable, and would tell the password to everybody who can guess the word that is missing.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import quote

from stratum_miner.foreign_text import replace_unsafe

HIDDEN = "***"
SHORTEST = 4
"""Characters; a shorter password ("x") is a convention and no secret."""
DISTINCT = 8
"""From so many characters on a text is looked for anywhere, also inside of words: none has it by chance."""
_WORD = re.compile(r"[^\W\d_]+|[\d.]+")
"""Letters only, or a number: what may stand in any text."""
_NAME = re.compile(r"[\w.-]+")
"""What may stand in a path or in a compound; a user and a password, ``u:pool``, are none."""
_AFTER_ESCAPE = r"(?<=\\[abfnrtv])|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-fA-F]{4})"
"""In JSON and in Python's quotes a letter of an escape may stand before it."""
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?')
"""A string of JSON, and whether it is a key."""
_CUT = "…"


def is_word(secret: str) -> bool:
    """Whether it is a plain word or a number, as others may use it too."""
    return _WORD.fullmatch(secret) is not None


def spellings(secret: str) -> frozenset[str]:
    """How a secret stands in JSON, in URLs, in what Python quotes, and in text that was made safe to show."""
    plain = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    urls = {quote(secret, errors="replace"), quote(secret, safe="", errors="replace")}
    spelt = {*plain, *(repr(text)[1:-1] for text in plain), *urls}
    return frozenset({*spelt, *map(replace_unsafe, spelt)})


class Hider:
    """Hides a set of secrets. Immutable; from any thread."""

    def __init__(self, secrets: Iterable[str] = (), *, ours: bool = False) -> None:
        """``ours``: for our own text, where a short secret is no part of a path, a name or a number."""
        spelt = {spelling: secret for secret in secrets if len(secret) >= SHORTEST for spelling in spellings(secret)}
        self._spellings = sorted(spelt, key=len, reverse=True)  # one may be the beginning of another
        self._shortest_beginning = DISTINCT if ours else SHORTEST
        self._all = _pattern(self._spellings, ours=ours)
        self._distinct = _pattern([text for text in self._spellings if not _is_common(spelt[text])], ours=ours)
        self._common = _pattern([text for text in self._spellings if _is_common(spelt[text])], ours=ours)

    def hide(self, text: str) -> str:
        """The text without any of the secrets, nor the beginning of one where it was cut."""
        if any(spelling in text for spelling in self._spellings):
            text = self._all.sub(HIDDEN, text)
        return self._without_beginning(text) if text.endswith(_CUT) else text

    def hide_in_line(self, line: bytes) -> bytes:
        """The same for a line of a Stratum conversation: its keys and methods are no secrets, though they may be words
        that somebody took for a password.
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
    """The hider of one secret, for text that others wrote."""
    return Hider([secret])


def _is_common(secret: str) -> bool:
    return len(secret) < DISTINCT or is_word(secret)


def _pattern(texts: Sequence[str], *, ours: bool) -> re.Pattern[str]:
    return re.compile("|".join(_one_pattern(text, ours=ours) for text in texts) or r"(?!)")


def _one_pattern(text: str, *, ours: bool) -> str:
    if len(text) >= DISTINCT or not _NAME.fullmatch(text):
        return re.escape(text)
    if ours:
        return rf"(?:(?<![\w/])(?<!\w[.-])|{_AFTER_ESCAPE}){re.escape(text)}(?![\w/]|[.-]\w)"
    return rf"(?:(?<![^\W_])|{_AFTER_ESCAPE}){re.escape(text)}(?![^\W_])"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
