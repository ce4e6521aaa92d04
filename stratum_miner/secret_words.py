"""Finds secrets in text, in every encoding, and hides them without hiding ordinary words.

A password may be a common word such as "mining", "share" or "1234". In foreign text, which comes from other computers,
such a password is hidden wherever it is a whole word. In this program's own text, a password is not hidden if it is a
word that the program itself uses: otherwise events, messages and paths would be unreadable, and a reader could guess
the password from the missing word.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import quote

from stratum_miner.foreign_text import replace_unsafe

HIDDEN = "***"
SHORTEST = 4
"""Smallest length of a secret in characters. A shorter password is not hidden: "x", for example, is what miners send if
the pool needs no password."""
DISTINCT = 8
"""From this length in characters on, a secret is also hidden inside of words, because a text of
this length hardly ever occurs in a word by chance."""
_WORD = re.compile(r"[^\W\d_]+|[\d.]+")
"""Matches a secret that consists only of letters or is a number. Any text may contain it by chance."""
_NAME = re.compile(r"[\w.-]+")
"""Matches a secret that could be part of a name, such as a file name or a compound word. If such a secret is shorter
than ``DISTINCT``, it is hidden only as a whole word. A secret with other characters, such as ``u:pool``, is hidden
everywhere."""
_AFTER_ESCAPE = r"(?<=\\[abfnrtv])|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-fA-F]{4})"
"""Matches the position after an escape sequence of JSON or Python, such as ``\\n``. The letter ``n`` of the escape
sequence is not part of the word that follows it, so a secret may begin at this position."""
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?')
"""Matches a JSON string. If the string is a key, the match includes the colon after the string."""
_CUT = "…"


def without_credentials(url: str) -> str:
    """Return a URL, with or without a scheme, with ``***@`` in place of the user and the password in it."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    credentials, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{HIDDEN if credentials else ''}{at}{host}"


def is_word(secret: str) -> bool:
    """Return whether a secret is a plain word or a number. Any text may contain such a secret by chance."""
    return _WORD.fullmatch(secret) is not None


def spellings(secret: str) -> frozenset[str]:
    """Return all spellings of a secret: plain, in JSON, in URLs, in Python literals, and in sanitized text."""
    plain = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    urls = {quote(secret, errors="replace"), quote(secret, safe="", errors="replace")}
    spelt = {*plain, *(repr(text)[1:-1] for text in plain), *urls}
    return frozenset({*spelt, *map(replace_unsafe, spelt)})


class Hider:
    """Replaces a set of secrets in texts by ``***``. Immutable, so that any thread may use it."""

    def __init__(self, secrets: Iterable[str] = (), *, own_text: bool = False) -> None:
        """Prepare to hide ``secrets`` in foreign text or, with ``own_text``, in text of this program.

        In foreign text, a short secret (see ``_NAME``) is not hidden inside a word or number. In text of this program,
        such a secret is not hidden inside a path or a compound name either.
        """
        spelt = {spelling: secret for secret in secrets if len(secret) >= SHORTEST for spelling in spellings(secret)}
        # longest first, because a secret may be the beginning of a longer one
        self._spellings = sorted(spelt, key=len, reverse=True)
        self._shortest_beginning = DISTINCT if own_text else SHORTEST
        distinct = [text for text in self._spellings if not _is_common(spelt[text])]
        common = [text for text in self._spellings if _is_common(spelt[text])]
        self._all = _pattern(self._spellings, own_text=own_text)
        self._distinct = _pattern(distinct, own_text=own_text)
        self._common = _pattern(common, own_text=own_text)

    def hide(self, text: str) -> str:
        """Return the text without the secrets. If the text ends with an ellipsis, it may have been shortened before
        this call. If the beginning of a secret stands before this ellipsis, that beginning is hidden, too."""
        if any(spelling in text for spelling in self._spellings):
            text = self._all.sub(HIDDEN, text)
        return self._without_beginning(text) if text.endswith(_CUT) else text

    def hide_in_line(self, line: bytes) -> bytes:
        """Return a line of the Stratum protocol without the secrets.

        Keys and method names are never replaced, even if a user's password is the same word.
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
    """Return a cached object that hides one secret in foreign text."""
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
