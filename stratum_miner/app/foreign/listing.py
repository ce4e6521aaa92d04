"""Shows the outcome of each key of a converted file: each key and value, and below it the new setting or the reason."""

import textwrap
from collections.abc import Iterator

from stratum_miner.app.foreign.notes import Imported, KeyOutcome, Note

_WORDS = {KeyOutcome.CARRIED: "->", KeyOutcome.NOTHING_TO_DO: "nothing to do:", KeyOutcome.LOST: "NOT CARRIED OVER:"}
_INDENT = " " * 7


def listing(imported: Imported, width: int) -> Iterator[str]:
    """Yield the lines about all keys, in the order of the file. Each key begins with its line number in the file.

    ``width`` is the largest number of characters of a line.
    """
    for note in sorted(imported.notes, key=lambda item: item.line or 1 << 30):
        yield from wrapped(f"{note.line or '':>5}  {note.key}" + (f": {note.value}" if note.value else ""), width)
        yield from wrapped(f"{_INDENT}{_WORDS[note.outcome]} {note.text}", width)


def outcome(imported: Imported) -> str:
    """Return one sentence about the whole file: its program, its pools, and how much was lost."""
    pools = _count(len(imported.pools), "pool")
    switched_off = sum(pool.get("enabled") is False for pool in imported.pools)
    if switched_off:
        pools += f", {switched_off} of them switched off"
    return f"a configuration of {imported.program} with {pools}; {_lost(imported.lost)}"


def _lost(notes: list[Note]) -> str:
    if not notes:
        return "everything was carried over"
    keys = list(dict.fromkeys(note.key for note in notes))
    shown = ", ".join(keys[:5]) + (", ..." if len(keys) > 5 else "")
    return f"{_count(len(keys), 'key')} could not be carried over: {shown}"


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines of at most ``width`` characters."""
    indent = _INDENT + "   " if text.startswith(" ") else "  "
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False) or [text]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
