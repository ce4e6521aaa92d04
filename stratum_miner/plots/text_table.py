"""Tables for a terminal, with box-drawing lines or, for simple terminals, with ASCII characters."""

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.table import Table


def is_plain(output: Console) -> bool:
    """Return whether the terminal can show ASCII characters only."""
    return output.options.ascii_only or output.is_dumb_terminal


def text_table(output: Console, headings: Iterable[str], *, names: int = 1, between: int = 1) -> Table:
    """Return a table without rows.

    The first ``names`` columns contain words, which may be wrapped; the others contain numbers. ``between`` is the
    number of spaces between two columns.
    """
    padding = (0, between // 2, 0, between - between // 2)
    table = Table(box=box.ASCII if is_plain(output) else box.SIMPLE_HEAD, padding=padding)
    for index, heading in enumerate(headings):
        is_name = index < names
        table.add_column(heading, justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")
    return table
