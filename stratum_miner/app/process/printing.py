"""What commands print: every line and table passes here, so that no text of others steers a terminal.

Paths, names of processes, words of pools and of other miners are made safe where they enter, if they are only shown.
This is the second net, and for identities, which stay as they are, the first.
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
"""Characters of a line; a setting may be a long list."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ASCII_AND_PRINTABLE = re.compile(r"[ -~]+")


def say(text: str, *, indent: int = 0, stderr: bool = False) -> None:
    """Print one line, whatever is in the text."""
    print(" " * indent + sanitize(text, MAX_LINE), file=sys.stderr if stderr else sys.stdout, flush=True)


def console(*, stderr: bool = False, **options: Any) -> Console:
    """A console of rich; what is printed on it is made safe, and nothing in it is markup: a name in a table must not
    become a link. ``options`` are rich's.
    """
    made = Console(stderr=stderr, markup=False, emoji=False, **options)
    made.push_render_hook(_MadeSafe())
    return made


def safe(renderable: RenderableType) -> ConsoleRenderable:
    """Make safe what rich draws without asking its hooks: the contents of a live display."""
    return _Safe(renderable)


class _MadeSafe(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """See rich."""
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
                lines = "\n".join(map(replace_unsafe, text.split("\n")))  # rich's own line ends stay
                yield Segment(lines, segment.style)


def print_json(value: Any) -> None:
    """Print one value as JSON on one line of stdout."""
    print(json_text(value), flush=True)


def json_text(value: Any) -> str:
    """A value as JSON on one line, which every reader takes and no terminal obeys: what is not printable is written
    with JSON's escapes, and half a character, which is no Unicode, becomes a replacement character.
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
