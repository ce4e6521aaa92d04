"""Builds lines of text that fit a width: wrapped between words or packed from items, without terminal control codes."""

import io
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from stratum_miner.foreign_text import is_plain, replace_unsafe

LABEL = 12
"""Width of the column of labels."""
NARROW = 60
"""Width of the screen below which labels have no column of their own."""
_ASCII = {ord("·"): "|", ord("…"): "~", ord("–"): "-", ord("─"): "-"}
_RULER = Console(file=io.StringIO(), width=80)
"""The library rich needs a console to wrap text. The width of this console does not matter."""


def field(label: str, body: str | Text, width: int, *, style: str = "dim") -> list[Text]:
    """Return a label and its text, wrapped between words. Continuation lines are indented."""
    text = body if isinstance(body, Text) else Text(body)
    if width >= NARROW:
        return hanging(Text(f"{label:<{LABEL}}", style), text, width)
    whole = Text.assemble((f"{label}: ", style), text)
    first, *rest = _wrapped(whole, width - 2 * (whole.cell_len > width))
    return [first, *(Text("  ") + line for line in rest)]


def hanging(label: Text, text: Text, width: int) -> list[Text]:
    """Return the lines of ``text``, the first of them after its label. The others are indented by the width of the
    label."""
    first, *rest = _wrapped(text, width - len(label))
    indent = Text(" " * len(label))
    return [label + first, *(indent + line for line in rest)]


def _wrapped(text: Text, width: int) -> list[Text]:
    shown = _printable(text)
    if shown.cell_len <= width:
        return [shown]
    lines = shown.wrap(_RULER, width)
    for line in lines[:-1]:
        line.rstrip()
    return list(lines)


def packed(items: Sequence[str | Text], width: int, *, label: str = "", between: str = " · ") -> list[Text]:
    """Return the items on as many lines as they need. An item is divided only if it is wider than a line.

    ``label`` stands before the first item. If ``label`` is only spaces, the items are indented instead. ``between``
    separates items on the same line.
    """
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
    """Return the line in printable characters, cut to the width if it is too long."""
    shown = _printable(line).copy()
    if ascii_only:
        plain = shown.plain.translate(_ASCII)
        shown.plain = "".join(letter if letter.isascii() else "?" for letter in plain)
    shown.truncate(width, overflow="crop" if ascii_only else "ellipsis")
    shown.no_wrap = True
    return shown


def _printable(line: Text) -> Text:
    """Replace characters that could control the terminal, because the line may contain text from other computers."""
    if is_plain(line.plain):
        return line
    shown = line.copy()
    shown.plain = replace_unsafe(shown.plain)
    return shown


def sides(left: Text, right: Text, width: int) -> Text | None:
    """Return one line with ``left`` at its left end and ``right`` at its right end; None if the texts do not fit."""
    gap = width - left.cell_len - right.cell_len
    return None if gap < 2 else Text.assemble(left, " " * gap, right)


def shortened(text: str, width: int) -> str:
    """Return the name ``text``. If it is longer than ``width``, its middle is left out: many names, such as those of
    ports, differ only at their ends."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
