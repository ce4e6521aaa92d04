"""Text that somebody else wrote, made safe to show: bounded, printable, on one line. The one place that does this.

Peers, files, devices and other programs choose such text. It must not steer a terminal, begin another line of a log,
fill a page, turn the reading direction of what stands beside it, or look like another text. Where a text is an
identity, such as a job's id or a worker's name, the value itself stays as it came and is made safe where it is shown.
"""

import math
import re
from typing import Any

SHOWN_CHARACTERS = 200
"""How much of a foreign text is kept; python pools send tracebacks of 2 kB
(docs/reference/stratum.md#long-error-texts)."""
SENTENCE_CHARACTERS = 500
"""The same for a sentence of ours that quotes others, and for what a log line tells of one thing."""
SHOWN_ITEMS = 20
"""Entries of a collection that are kept."""
SHOWN_LINES = 500
"""Lines that are kept of a text that has some of its own, such as a traceback."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef]")
"""Characters that Python calls printable and nobody sees: fillers and selectors of variants. Not the two selectors that
belong to ordinary emoji."""


def is_plain(text: str) -> bool:
    """Whether a text can be shown as it is, whatever its length: every character is printable, and can be seen."""
    return text.isprintable() and (text.isascii() or not _UNSEEN.search(text))


def replace_unsafe(text: str) -> str:
    """A text of the same length in which each character that is not plain is a replacement character."""
    if is_plain(text):
        return text
    return _UNSEEN.sub(
        REPLACEMENT, "".join(character if character.isprintable() else REPLACEMENT for character in text)
    )


def sanitize(text: str | bytes, limit: int = SHOWN_CHARACTERS) -> str:
    """Replace what is not printable (control characters, escapes, line ends, marks of direction, what has no width,
    lone surrogates) and cut at ``limit`` characters; an ellipsis says that something was cut.
    """
    if isinstance(text, bytes):
        text = text[: limit * 4].decode("utf-8", "replace")
    return replace_unsafe(text[:limit]).strip() + ("…" if len(text) > limit else "")


def sanitize_lines(text: str, limit: int = 1000) -> str:
    """A text of our own making with lines, such as a traceback, that may quote foreign text: each line is sanitized,
    its indentation kept. At most ``SHOWN_LINES`` of them, the first and the last.
    """
    lines = text.splitlines()
    if len(lines) > SHOWN_LINES:
        half = SHOWN_LINES // 2
        lines = [*lines[:half], f"... {len(lines) - 2 * half} lines left out ...", *lines[-half:]]
    return "\n".join(replace_unsafe(line[:limit]) + ("…" if len(line) > limit else "") for line in lines)


def sanitize_value(value: Any, limit: int = SHOWN_CHARACTERS, depth: int = 4) -> Any:
    """The same value with every text in it sanitized, keys too: something that JSON can carry, of bounded size.

    The entries of a collection share ``limit`` and are at most ``SHOWN_ITEMS``; collections inside of each other end
    after ``depth``. What is no value of JSON, or a number that its readers do not take, becomes text.
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
    """JSON, on one line, that says the same in plain characters: for files and outputs that keep texts as they came."""
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
    """The same JSON value, of any size, in which each text is sanitized."""
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
