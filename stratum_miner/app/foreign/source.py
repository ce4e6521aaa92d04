"""Reads the text of another miner's configuration file: JSON with the line of each key, or a table of settings as CSV.

JSON of real files is read as their programs read it: with a byte order mark, with comments, and with a comma after the
last item. What two programs would read differently, such as a key that is given twice, is an error.
"""

import codecs
import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stratum_miner.app.config.problems import ConfigError, Problem
from stratum_miner.foreign_text import is_plain, sanitize

MAX_DEPTH = 32
"""Largest depth to which objects and arrays may be nested. The files of all programs need less than ten."""
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: this mark begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CSV_ROW = re.compile(
    r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*"
    r'(?:"?key"?,"?type"?,"?encoding"?,"?value|"?\w+"?,"?(?:data|namespace|file)"?,"?\w*"?,)',
    re.IGNORECASE,
)
"""Matches the beginning of a CSV file from which the flash partition with the settings of an ESP32 is made: empty lines
and comments, and then the first row. This row may be the head of the table or, if the head is missing, a setting."""
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
}
"""The program that compressed a file, by the bytes with which the file begins."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Matches a byte that no text file in UTF-8 or Latin-1 contains."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|//[^\n]*|#[^\n]*|/\*.*?(?:\*/|\Z)|[\[\]{},:]', re.DOTALL)
"""Matches a string, a comment, or one of the characters ``[]{},:`` outside these. A string or comment without an end
matches up to the end of the text, so that a search takes linear time."""


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """The settings of a file. ``where`` names the file in errors."""

    where: str
    table: Mapping[str, Any]
    lines: Mapping[str, int]
    """The line of each key by its path, such as ``pools[0].url``, and the line of the first key of each object in an
    array."""
    is_csv: bool = False


class _Pairs(list[tuple[str, Any]]):
    """The keys and values of a JSON object in their order, with those that are given twice."""


def decode(content: bytes, where: str) -> str:
    """Return the text of a file in UTF-8, UTF-16 or UTF-32. Raises ConfigError if it is in none of these, because a
    guess could change a password, or if the file is no text."""
    for magic, program in _COMPRESSED.items():
        if content.startswith(magic):
            text = f"expected text, got a file that {program} compressed; decompress the file first"
            raise ConfigError(Problem(where, text))
    encoding: str = json.detect_encoding(content)
    for mark, name in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            content, encoding = content[len(mark) :], name
            break
    try:
        return content.decode("utf-8" if encoding == "utf-8-sig" else encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        if _CONTROL.search(content) and encoding.startswith("utf-8"):
            raise ConfigError(Problem(where, "expected text, got a binary file")) from None
        raise ConfigError(
            Problem(
                f"{where}:{line}",
                f"expected text in UTF-8, got the byte 0x{content[error.start]:02x}. If the file is in Latin-1, "
                "iconv -f LATIN1 -t UTF-8 OLD > NEW converts it",
            )
        ) from None


def parse(text: str, where: str) -> ForeignFile:
    """Parse the text of a file. Raises ConfigError if it is neither JSON nor a CSV file with settings."""
    start = text.lstrip()
    if _CSV_ROW.match(f"{text}\n"):
        return _parse_csv(text, where)
    if not start:
        raise ConfigError(Problem(where, "expected the configuration file of a miner, got an empty file"))
    plain, lines_of_keys = _without_extras(text, where)
    start = plain.lstrip()
    if not start:
        raise ConfigError(Problem(where, "expected the configuration file of a miner, got only comments"))
    if re.match(r"\W*key\W+type\W+encoding\W", start, re.IGNORECASE):
        text = "expected the columns key,type,encoding,value with commas and no spaces, as in a file of AxeOS settings"
        raise ConfigError(Problem(where, f"{text}, got {sanitize(start.splitlines()[0], 40)!r}"))
    if start[0] not in "{[" or re.match(r"\[\[?[A-Za-z][\w.-]*\]", start):
        raise ConfigError(
            Problem(
                where,
                "expected a configuration file in JSON, as other miners have it, got text that begins with "
                f"{sanitize(start.split()[0], 40)!r}. If it is a command line, give its options to stratum-miner mine",
            )
        )
    try:
        content = json.loads(plain, object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ConfigError(Problem(f"{where}:{error.lineno}", f"expected JSON: {_what_is_wrong(error)}")) from None
    except (RecursionError, ValueError) as error:
        raise ConfigError(Problem(where, f"expected JSON: {error}")) from None
    if not isinstance(content, _Pairs):
        raise ConfigError(Problem(where, "expected a JSON object, found another value"))
    lines: dict[str, int] = {}
    table = _tables(content, "", iter(lines_of_keys), lines, where)
    return ForeignFile(where, table, lines)


def _what_is_wrong(error: json.JSONDecodeError) -> str:
    got = error.doc[error.pos : error.pos + 1]
    if got in ("'", "`", "\u2018", "\u2019", "\u201c", "\u201d"):
        return f'a double quote ("), got {got}'
    if error.msg == "Extra data":
        return "one object, got more text after its end; convert each object by itself"
    return f"{error.msg}, got {got!r}" if got and is_plain(got) else error.msg


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number of JSON")


def _without_extras(text: str, where: str) -> tuple[str, list[int]]:
    """Return the text with spaces in place of comments and of commas after a last item, and the line of each key in the
    order of the text. Raises ConfigError if the text is nested too deep."""
    parts: list[str] = []
    lines: list[int] = []
    done = depth = 0
    line, counted = 1, 0
    comma = -1  # position in ``parts`` of a comma after which only comments and spaces came
    string_line = 0  # line of a string after which only comments and spaces came
    for token in _TOKEN.finditer(text):
        sign, between = token[0], text[done : token.start()]
        parts.append(between)
        done = token.end()
        if between.strip():
            comma, string_line = -1, 0
        line += text.count("\n", counted, token.start())
        counted = token.start()
        if sign.startswith(("/", "#")):
            parts.append("".join("\n" if character == "\n" else " " for character in sign))
            continue
        if sign in "]}" and comma >= 0:
            parts[comma] = " "
        if sign == ":" and string_line:
            lines.append(string_line)
        string_line = line if sign.startswith('"') else 0
        depth += (sign in "[{") - (sign in "]}")
        if depth > MAX_DEPTH:
            text = f"expected at most {MAX_DEPTH} nested objects and arrays, got more"
            raise ConfigError(Problem(f"{where}:{line}", text))
        parts.append(sign)
        comma = len(parts) - 1 if sign == "," else -1
    parts.append(text[done:])
    return "".join(parts), lines


def _tables(pairs: _Pairs, before: str, key_lines: Iterator[int], lines: dict[str, int], where: str) -> dict[str, Any]:
    """Return a JSON object as a dict, and add the line of each of its keys to ``lines``. Raises ConfigError for a key
    that is given twice with different values: programs differ in which of the two they use."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        path = f"{before}{sanitize(key)}"
        line = next(key_lines, 0)
        if before.endswith("]."):
            lines.setdefault(before[:-1], line)
        inner = _values(value, path, key_lines, lines, where)
        if key in found and not is_comment(key) and found[key] != inner:
            raise ConfigError(
                Problem(f"{where}:{line}", f"{path}: expected this key once, got it in line {lines[path]}, too")
            )
        found[key] = inner
        lines[path] = line
    return found


def _values(value: Any, path: str, key_lines: Iterator[int], lines: dict[str, int], where: str) -> Any:
    if isinstance(value, _Pairs):
        return _tables(value, f"{path}.", key_lines, lines, where)
    if isinstance(value, list):
        return [_values(item, f"{path}[{index}]", key_lines, lines, where) for index, item in enumerate(value)]
    return value


def is_comment(key: str) -> bool:
    """Return whether a key, such as ``_comment1`` or ``//``, serves as a comment. Users write such keys because JSON
    has no comments."""
    return key.startswith(("_", "/", "#")) or key.lower().startswith("comment")


def _parse_csv(text: str, where: str) -> ForeignFile:
    table: dict[str, Any] = {}
    lines: dict[str, int] = {}
    rows = csv.reader(text.lstrip().splitlines())
    first = text[: len(text) - len(text.lstrip())].count("\n")
    try:
        for row in rows:
            if len(row) < 4 or row[1] == "namespace" or row[0].strip().lower() == "key" or row[0].startswith("#"):
                continue
            key, kind, encoding, value = row[0].strip(), row[1], row[2].strip(), ",".join(row[3:])
            if kind.strip() == "file":
                raise ConfigError(Problem(f"{where}:{first + rows.line_num}", f"{sanitize(key)}: expected a value"))
            number = re.fullmatch(r"-?\d{1,20}", value.strip()) if encoding[:1] in "ui" and encoding else None
            if key in table:
                text = f"{sanitize(key)}: expected this key once, got it in line {lines[sanitize(key)]}, too"
                raise ConfigError(Problem(f"{where}:{first + rows.line_num}", text))
            table[key] = int(value) if number else value
            lines[sanitize(key)] = first + rows.line_num
    except csv.Error as error:
        raise ConfigError(Problem(f"{where}:{first + rows.line_num}", f"expected CSV: {error}")) from None
    return ForeignFile(where, table, lines, is_csv=True)
