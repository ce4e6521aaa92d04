"""Makes foreign text (text from outside this program) safe to print: limited in length, printable, on one line.

Foreign text comes from peers, files, devices and other programs. When it is printed, it must not control a terminal,
begin another line of a log, fill a page, change the writing direction of neighbouring text, or contain invisible
characters. All modules that print foreign text use these functions. A text that identifies something, such as a job id
or a worker name, is stored unchanged, and is made safe only when it is printed.
"""

import math
import re
from typing import Any

SHOWN_CHARACTERS = 200
"""Foreign text is cut after this many characters. Some pools send error texts of 2 kB, such as Python tracebacks
(docs/reference/stratum.md#long-error-texts)."""
SENTENCE_CHARACTERS = 500
"""Largest number of characters of a message that quotes foreign text, and of each field of a log line. The rest is cut
off."""
SHOWN_ITEMS = 20
"""``sanitize_value`` keeps at most this many entries of a list or an object."""
SHOWN_LINES = 500
"""``sanitize_lines`` keeps at most this many lines of a text, such as a traceback."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef]")
"""Characters that Python calls printable although they are invisible: fillers and variation selectors. The two
variation selectors that ordinary emoji need are not among them."""


def is_plain(text: str) -> bool:
    """Return whether every character of a text is printable and visible. The length of the text does not matter."""
    return text.isprintable() and (text.isascii() or not _UNSEEN.search(text))


def replace_unsafe(text: str) -> str:
    """Return a text of the same length in which U+FFFD replaces each character that is invisible or not printable."""
    if is_plain(text):
        return text
    return _UNSEEN.sub(
        REPLACEMENT, "".join(character if character.isprintable() else REPLACEMENT for character in text)
    )


def sanitize(text: str | bytes, limit: int = SHOWN_CHARACTERS) -> str:
    """Return a text with U+FFFD in place of each character that is invisible or not printable, cut after ``limit``
    characters.

    The function replaces control characters (including line ends and the beginnings of escape sequences), direction
    marks, characters without width, and lone surrogates. It removes spaces at both ends. An ellipsis at the end shows
    that the text was cut.
    """
    if isinstance(text, bytes):
        text = text[: limit * 4].decode("utf-8", "replace")
    return replace_unsafe(text[:limit]).strip() + ("…" if len(text) > limit else "")


def sanitize_lines(text: str, limit: int = 1000) -> str:
    """Sanitize each line of a text of several lines, such as a traceback, and keep the indentation.

    Each line is cut after ``limit`` characters. If there are more than ``SHOWN_LINES`` lines, the middle ones are left
    out.
    """
    lines = text.splitlines()
    if len(lines) > SHOWN_LINES:
        half = SHOWN_LINES // 2
        lines = [*lines[:half], f"... {len(lines) - 2 * half} lines left out ...", *lines[-half:]]
    return "\n".join(replace_unsafe(line[:limit]) + ("…" if len(line) > limit else "") for line in lines)


def sanitize_value(value: Any, limit: int = SHOWN_CHARACTERS, depth: int = 4) -> Any:
    """Return a JSON value of limited size in which every text, including the keys, is sanitized.

    A string is cut after ``limit`` characters. This limit is divided among the entries of a list or object, of which at
    most ``SHOWN_ITEMS`` are kept. A list or object that is nested inside ``depth`` others is replaced by an ellipsis. A
    value that JSON cannot represent, or a number that JSON readers reject, becomes a string.
    """
    match value:
        case None | bool():
            return value
        case int() if value.bit_length() <= 63:
            return value
        case int():
            return f"a number of {value.bit_length()} bits"
        case float():
            return value if math.isfinite(value) else str(value)
        case list() | tuple() | set() | frozenset() | dict() if depth == 0:
            return "…"
        case list() | tuple() | set() | frozenset():
            items = list(value)[:SHOWN_ITEMS]
            return [sanitize_value(item, _part_of(limit, len(items)), depth - 1) for item in items]
        case dict():
            entries = [*value.items()][:SHOWN_ITEMS]
            part = _part_of(limit, len(entries))
            return {sanitize(str(key), part): sanitize_value(item, part, depth - 1) for key, item in entries}
        case str() | bytes():
            return sanitize(value, limit)
    return sanitize(str(value), limit)


def escape_json(text: str) -> str:
    """Return JSON text of the same meaning, in which an escape sequence replaces each character that is not printable.

    Foreign text that must not be changed is printed as such JSON, so that it is safe on a terminal.
    """
    return text if is_plain(text) else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if is_plain(character):
        return character
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def sanitize_texts(value: Any, limit: int = SENTENCE_CHARACTERS) -> Any:
    """Return a copy of a JSON value in which each text is sanitized and cut after ``limit`` characters. The number of
    texts is not limited."""
    match value:
        case str():
            return sanitize(value, limit)
        case list():
            return [sanitize_texts(item, limit) for item in value]
        case dict():
            return {sanitize(key, limit): sanitize_texts(item, limit) for key, item in value.items()}
    return value


def _part_of(limit: int, entries: int) -> int:
    return max(limit // max(entries, 1), SHOWN_ITEMS)
