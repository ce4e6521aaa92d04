"""Prints all lines and tables of the commands, so that no foreign text can control a terminal.

Foreign text that is only shown, such as paths, process names and messages of pools, is already made safe where it
enters the program; this module does it again. Identifiers, such as worker names, stay unchanged until they are printed
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
"""Largest number of characters in a line. It is large because a setting may be a long list."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ASCII_AND_PRINTABLE = re.compile(r"[ -~]+")


def say(text: str, *, indent: int = 0, stderr: bool = False) -> None:
    """Print a text as one line, with unsafe characters replaced."""
    print(" " * indent + sanitize(text, MAX_LINE), file=sys.stderr if stderr else sys.stdout, flush=True)


def console(*, stderr: bool = False, **options: Any) -> Console:
    """Return a console of the library rich that replaces unsafe characters in everything that it prints.

    ``options`` are passed on to rich's ``Console``. Markup is off, because a name in a table must not become a link.
    """
    made = Console(stderr=stderr, markup=False, emoji=False, **options)
    made.push_render_hook(_MadeSafe())
    return made


def safe(renderable: RenderableType) -> ConsoleRenderable:
    """Return the contents of a live display with unsafe characters replaced. The render hook of ``console`` cannot do
    this, because rich draws a live display without calling render hooks."""
    return _Safe(renderable)


class _MadeSafe(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Make everything safe that is to be printed. rich calls this method."""
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
                lines = "\n".join(map(replace_unsafe, text.split("\n")))  # the line ends that rich added stay unchanged
                yield Segment(lines, segment.style)


def print_json(value: Any) -> None:
    """Print one value as JSON on one line of stdout."""
    print(json_text(value), flush=True)


def json_text(value: Any) -> str:
    """Return a value as JSON on one line that is safe to print.

    Unprintable characters are written as JSON escapes. A lone surrogate, which is not valid Unicode, becomes U+FFFD.
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
