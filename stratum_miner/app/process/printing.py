"""Prints all lines and tables of the commands, with unsafe characters replaced, so that no foreign text can control a
terminal.

Most foreign text, such as paths, process names and messages of pools, is made safe when it enters the program, and is
checked here once more. Identifiers, such as worker names, must stay unchanged inside the program and are made safe only
here.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook
from rich.segment import Segment

from stratum_miner.foreign_text import REPLACEMENT, escape_json, replace_unsafe, sanitize

MAX_LINE = 65536
"""Largest number of characters in a printed line. It is large because the value of a setting may be a long list."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ASCII_AND_PRINTABLE = re.compile(r"[ -~]+")


def say(text: str, *, indent: int = 0, stderr: bool = False) -> None:
    """Print ``text`` as one line, with unsafe characters replaced."""
    print(" " * indent + sanitize(text, MAX_LINE), file=sys.stderr if stderr else sys.stdout, flush=True)


def console(*, stderr: bool = False, **options: Any) -> Console:
    """Return a ``Console`` of the library rich that replaces unsafe characters in everything that it prints.

    ``options`` are passed on to ``Console``. Markup is off, so that a name in a table cannot become a link.
    """
    made = Console(stderr=stderr, markup=False, emoji=False, **options)
    made.push_render_hook(_MadeSafe())
    return made


def safe(renderable: RenderableType) -> ConsoleRenderable:
    """Return a live display with the unsafe characters in it replaced. Use this for every live display, because rich
    draws it without calling the render hook of ``console``."""
    return _Safe(renderable)


class _MadeSafe(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Make everything that is to be printed safe. rich calls this method."""
        return [_Safe(renderable) for renderable in renderables]


class _Safe:
    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._renderable, options):
            text = segment.text
            if segment.control or _ASCII_AND_PRINTABLE.fullmatch(text):
                yield segment
            else:
                lines = "\n".join(map(replace_unsafe, text.split("\n")))  # keep the line ends that rich added
                yield Segment(lines, segment.style)


def print_json(value: Any) -> None:
    """Print one value as JSON on one line of stdout."""
    print(json_text(value), flush=True)


def json_text(value: Any) -> str:
    """Return a value as JSON on one line that is safe to print.

    Unprintable characters are written as JSON escapes. A lone surrogate, which is not valid Unicode, is replaced by
    U+FFFD.
    """
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        text = msgspec.json.encode(_whole_characters(msgspec.to_builtins(value))).decode()
    return escape_json(text)


def _whole_characters(value: Any) -> Any:
    match value:
        case str():
            return _LONE_SURROGATE.sub(REPLACEMENT, value)
        case list() | tuple():
            return [_whole_characters(item) for item in value]
        case dict():
            return {_whole_characters(key): _whole_characters(item) for key, item in value.items()}
    return value
