"""Lines of text that fit a width: wrapped between words, packed from items, and never a word that steers a terminal."""

import io
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from stratum_miner.foreign_text import is_plain, replace_unsafe

LABEL = 12
NARROW = 60
"""Below it, a label has no column of its own."""
_ASCII = {ord("·"): "|", ord("…"): "~", ord("–"): "-", ord("─"): "-"}
_RULER = Console(file=io.StringIO(), width=80)
"""rich asks for one to wrap text, whatever the width."""


def field(label: str, body: str | Text, width: int, *, style: str = "dim") -> list[Text]:
    """A label and its text, wrapped between words; lines that continue it are indented."""
    text = body if isinstance(body, Text) else Text(body)
    if width >= NARROW:
        return hanging(Text(f"{label:<{LABEL}}", style), text, width)
    told = Text.assemble((f"{label}: ", style), text)
    first, *rest = _wrapped(told, width - 2 * (told.cell_len > width))
    return [first, *(Text("  ") + line for line in rest)]


def hanging(label: Text, text: Text, width: int) -> list[Text]:
    """A text beside its label, and below nothing but itself."""
    first, *rest = _wrapped(text, width - len(label))
    indent = Text(" " * len(label))
    return [label + first, *(indent + line for line in rest)]


def _wrapped(text: Text, width: int) -> list[Text]:
    told = _printable(text)
    if told.cell_len <= width:
        return [told]
    lines = told.wrap(_RULER, width)
    for line in lines[:-1]:
        line.rstrip()
    return list(lines)


def packed(items: Sequence[str | Text], width: int, *, label: str = "", between: str = " · ") -> list[Text]:
    """Items on as many lines as they need, none divided unless it is wider than a line; a label may be blank."""
    prefix = f"{label:<{LABEL}}" if label and width >= NARROW else f"{label}: " if label.strip() else "  " * len(label)
    indent = " " * (len(prefix) if width >= NARROW else 2 * bool(label))
    lines: list[Text] = []
    for item in items:
        text = _printable(item if isinstance(item, Text) else Text(item))
        if lines and lines[-1].cell_len + len(between) + text.cell_len <= width:
            lines[-1].append(between).append_text(text)
        else:
            lines += hanging(Text(indent if lines else prefix, "dim"), text, width)
    return lines


def fitted(line: Text, width: int, *, ascii_only: bool = False) -> Text:
    """The line as a terminal may show it: printable, and cut where it is too long all the same."""
    shown = _printable(line).copy()
    if ascii_only:
        plain = shown.plain.translate(_ASCII)
        shown.plain = "".join(letter if letter.isascii() else "?" for letter in plain)
    shown.truncate(width, overflow="crop" if ascii_only else "ellipsis")
    shown.no_wrap = True
    return shown


def _printable(line: Text) -> Text:
    """What others say may be in it, and must not steer the terminal."""
    if is_plain(line.plain):
        return line
    shown = line.copy()
    shown.plain = replace_unsafe(shown.plain)
    return shown


def sides(left: Text, right: Text, width: int) -> Text | None:
    """Both on one line; None where they do not fit."""
    gap = width - left.cell_len - right.cell_len
    return None if gap < 2 else Text.assemble(left, " " * gap, right)


def shortened(text: str, width: int) -> str:
    """A name that is too long without its middle: names of ports differ at their ends."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
