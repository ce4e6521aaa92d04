"""Whole messages with evil values: what bytes that are changed at random rarely reach.

Foreign bytes are mostly JSON, TOML, HTTP heads or words with marks between them. ``mutate`` takes an input apart as one
of these, changes a value or two, and puts it together again. What it cannot take apart it changes byte by byte. It is
the mutator of the short pass in the ordinary tests, and one of two mutators under atheris.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

MAX_INPUT = 8192
"""Bytes; an input that grows beyond it is cut."""

_RAW = "\N{WHITE SQUARE}raw:"
"""Begins a text that stands for itself in JSON, without quotes: numbers that Python does not write."""

EVIL: list[Any] = [
    None, True, False, 0, 1, -1, 2, 31, 32, 33, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32,
    2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, 10**40, 1.5, -0.0, 1e-320, 4.9e-324, 1e-9, 1e18, 1e308,
    -1e308, float("nan"), float("inf"), -float("inf"), _RAW + "1e400000000", _RAW + "-1e999", _RAW + "1e-400000000",
    _RAW + "9" * 401, _RAW + "9" * 5000, _RAW + "0." + "0" * 400 + "1", _RAW + "01", _RAW + "1.0e+2", _RAW + "-",
    "", " ", "0", "00", "0x1", "-1", "+1", "1e5", "1_0", "٣", "1e400", "9" * 30, "9" * 5000, "nan", "inf", "NaN",
    "abc", "zz", "ff" * 4, "00" * 32, "ff" * 32, "00" * 33, "00" * 80, "ff" * 80, "ffffffff", "00000000", "1fffe000",
    "x" * 129, "x" * 5000, "\x00", "\x1b[31m", "\x1b]0;title\x07", "\x9b31m", "\r\nforged: line", "\n", "\u2028",
    "\u202e\u2066x", "\ud800", "\udfff\ud800", "\ufeff", "\ue000", "e\u0301" * 50, "é" * 300, "😀" * 50, "\u0130",
    "%", "%s", "%00", "%ff", "../../x", "/", "\\", "'", '"', "`", "$(x)", "|", "|,=\\", ";", "#", "@", "[", "]",
    "[::1", "[:]", "::1", "host:0", "host:65536", "host:٣", "a" * 64 + ".example", "xn--a", "xn--" + "9" * 60, "a..b",
    ".", "accepted", "rejected", "block", "true", "null", "None", "***", "password", "x",
    [], [[]], [[[]]], {}, {"a": 1}, {"": {}}, [None], [1, "a", None], ["x"] * 300, ["11" * 32] * 40,
    {"code": 5, "message": "x"}, {"code": 1e308}, [21, "Job not found", None], [[], [], []],
    {"version-rolling": True, "version-rolling.mask": "ffffffff"}, ["mining.notify", "x"], [["mining.notify", "x"]],
    {str(number): number for number in range(70)},
]  # fmt: skip
"""What takes the place of a value."""

HOSTILE = [
    b"9" * 30, b"1e999", b"NaN", b"null", b'""', b"[]", b"{}", b"[" * 40 + b"]" * 40, b"[" * 2000, b'{"a":' * 500,
    b'"\\ud800"', b'"\xff\xfe"', b"\x00", b"\r", b"\n", b"\r\n\r\n", b'"' + b"x" * 600 + b'"', b"\\", b'"',
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xae", b"\x1b[2J", b"%00", b"18446744073709551616",
    b"\xff" * 8, b"\x80\x00\x00\x00", b"\x7f\xff", b"\xaa\x55",
]  # fmt: skip
"""What is put among bytes."""

_ASSIGNMENT = re.compile(rb'\A(\s*[\w.\-"]+\s*[=:]\s*)(.+)\Z', re.S)
_WORD = re.compile(rb"[\w.\-]+")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")


def mutate(data: bytes, rng: random.Random, limit: int = MAX_INPUT) -> bytes:
    """Another input made of this one, of at most ``limit`` bytes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = _changed(data, rng)
    return data[:limit]


def _changed(data: bytes, rng: random.Random) -> bytes:
    whole = _json(data, rng)
    if whole is not None and rng.random() < 0.8:
        return whole
    lines = data.split(b"\n")
    if len(lines) > 1 and rng.random() < 0.15:
        return b"\n".join(_rearranged(lines, rng))
    if rng.random() < 0.15:
        return _bytes(data, rng)
    place = rng.randrange(len(lines))
    lines[place] = _line(lines[place], rng)
    return b"\n".join(lines)


def _rearranged(lines: list[bytes], rng: random.Random) -> list[bytes]:
    place = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            return lines[:place] + lines[place + 1 :]
        case 1:
            return lines[:place] + [lines[place]] * rng.choice((2, 2, 3, 40)) + lines[place + 1 :]
        case 2:
            other = rng.randrange(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
            return lines
        case _:
            return lines[: place + 1]


def _line(line: bytes, rng: random.Random) -> bytes:
    ways: list[Callable[[bytes, random.Random], bytes | None]] = [_json, _json, _assignment, _words, _bytes]
    for way in rng.sample(ways, len(ways)):
        changed = way(line, rng)
        if changed is not None:
            return changed
    return _bytes(line, rng)


# ---- JSON --------------------------------------------------------------------------------------------------------


def _json(data: bytes, rng: random.Random) -> bytes | None:
    """A document with another value in it, behind the bytes that stood before it; None when there is none."""
    start = next((at for at, byte in enumerate(data[:8]) if byte in b"[{"), None)
    if start is None:
        return None
    try:
        document = json.loads(data[start:].decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return data[:start] + _dumped(_with_evil(document, rng), rng)


def _dumped(document: Any, rng: random.Random) -> bytes:
    separators = rng.choice(((",", ":"), (", ", ": ")))
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5, separators=separators)
    text = re.sub(r'"(?:\\u25a1|□)raw:([^"]*)"', r"\1", text)
    return text.encode("utf-8", "surrogatepass")


def _with_evil(document: Any, rng: random.Random) -> Any:
    """The document, changed in one place. It belongs to us: it is changed where it stands."""
    *path, last = rng.choice([(None,), *_places(document)])
    if last is None:
        return _evil(document, rng)
    inner = document
    for step in path:
        inner = inner[step]
    kind = rng.random()
    if isinstance(inner, list) and kind < 0.15:
        inner[last:last] = [rng.choice(EVIL)] * rng.choice((1, 1, 40))
    elif kind < 0.1:
        del inner[last]
    elif isinstance(inner, dict) and kind < 0.15:
        inner[rng.choice(("x", "", "\ud800", "id", "time", "a.b", "\x1b[2J", last + "x"))] = inner.pop(last)
    else:
        inner[last] = _evil(inner[last], rng)
    return document


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def _evil(value: Any, rng: random.Random) -> Any:
    if isinstance(value, str) and rng.random() < 0.5:
        return _text(value, rng)
    if isinstance(value, int | float) and rng.random() < 0.3:
        return rng.choice((value + 1, value - 1, -value, value * 2, str(value), -1.0))
    return rng.choice(EVIL)


def _text(value: str, rng: random.Random) -> str:
    """A text near to this one; one that is JSON itself is changed as such."""
    inner = _json(value.encode("utf-8", "surrogatepass"), rng) if value[:1] in ("{", "[") else None
    if inner is not None:
        return inner.decode("utf-8", "surrogatepass")
    evil = rng.choice([item for item in EVIL if isinstance(item, str) and not item.startswith(_RAW)])
    at = rng.randrange(len(value) + 1)
    return rng.choice((value[:at] + evil + value[at:], value[:at], value[at:], value * 2, value[:-1], value + "0"))


# ---- other texts, and bytes ------------------------------------------------------------------------------------------


def _assignment(line: bytes, rng: random.Random) -> bytes | None:
    """``key = value`` or ``name: value`` with another value."""
    match = _ASSIGNMENT.match(line)
    if match is None:
        return None
    if rng.random() < 0.5:
        return match[1] + _dumped(rng.choice(EVIL), rng)
    changed = _json(match[2], rng) or _words(match[2], rng)
    return None if changed is None else match[1] + changed


def _words(line: bytes, rng: random.Random) -> bytes | None:
    """One word of a line is another."""
    words = [*_WORD.finditer(line)]
    if not words:
        return None
    word = rng.choice(words)
    text = word[0].decode("utf-8", "replace")
    if _NUMBER.match(text) and rng.random() < 0.5 and len(text) < 300:
        new = str(rng.choice((float(text) * 2, -float(text), text + "0", text + "e9", text[:-1])))
    else:
        new = str(rng.choice(EVIL)).removeprefix(_RAW) if rng.random() < 0.7 else _text(text, rng)
    return line[: word.start()] + new.encode("utf-8", "surrogatepass") + line[word.end() :]


def _bytes(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    to = min(len(data), at + rng.choice((1, 1, 2, 4, 30)))
    match rng.randrange(8):
        case 0 | 1 if at < len(data):
            return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        case 2:
            return data[:at] + rng.choice(HOSTILE) + data[at:]
        case 3:
            return data[:at] + rng.choice(HOSTILE) + data[to:]
        case 4:
            return data[:at] + data[to:]
        case 5:
            return data[:at] + rng.randbytes(to - at) + data[to:]
        case 6:
            return data[:at] + data[at:to] * rng.choice((2, 3, 100)) + data[to:]
        case _:
            return data[:at]
