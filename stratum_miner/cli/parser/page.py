"""The help of a command as data, which is drawn for a terminal here and as a manual page in ``manual``.

The parser knows the options of a command and their texts. ``examples`` adds examples, and the options that a beginner
needs.
"""

import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from inspect import cleandoc
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import cyclopts
from cyclopts import Argument

from stratum_miner.cli.parser.commands import PROGRAM, described
from stratum_miner.cli.parser.examples import BEGINNERS, EXAMPLES

LAST_PANELS = ("Watching", "Output", "Record", "Configuration")
PARAMETERS, OPTIONS = "Parameters", "Options"
"""The parser's name for the options that belong to no group, and their heading on a page."""
FIRST_PANELS = ("Arguments", PARAMETERS, "Pool", "Backend")
INDENT = 25
"""Column at which the explanations of options begin."""
WIDEST = 100
"""Largest number of columns that a page uses."""
_ARGUMENTS: dict[Callable[..., Any], tuple[Argument, ...]] = {}
"""The arguments of each function of a command."""
_SHAPE = re.compile(r"(?<![/@\w])[A-Z]+[:=][A-Z:=]*[A-Z]\b")
"""The shape of a value, such as HOST:PORT or KIND=COMMAND, in the help of its option. A part of a URL is no shape."""


@dataclass(frozen=True, slots=True)
class HelpEntry:
    """An option, an argument or a subcommand, with its explanation."""

    names: tuple[str, ...]
    value: str
    """Name of the value that the option takes. Empty for a flag, an argument and a subcommand."""
    text: str

    @property
    def label(self) -> str:
        """Names and value, as in ``-o, --url URL``."""
        return ", ".join(self.names) + (f" {self.value}" if self.value else "")


@dataclass(frozen=True, slots=True)
class HelpPanel:
    """Entries that belong together, below one heading."""

    title: str
    entries: tuple[HelpEntry, ...]


@dataclass(frozen=True, slots=True)
class HelpPage:
    """The help of one command."""

    command: str
    """The command with the name of the program, such as ``stratum-miner config check``."""
    usage: str
    paragraphs: tuple[str, ...]
    """What the command does. The first paragraph is a summary."""
    exit_codes: str
    """The paragraph of the help that begins with "Exit code". Empty if there is none."""
    examples: tuple[str, ...]
    panels: tuple[HelpPanel, ...]
    beginners: tuple[str, ...]
    """Names of the options on the short page. Empty if the short page has all options."""

    @property
    def options(self) -> int:
        """Number of options."""
        return sum(entry.names[0].startswith("-") for panel in self.panels for entry in panel.entries)

    def short(self) -> "HelpPage":
        """Return the page with the arguments and the options that a beginner needs."""
        panels = []
        for panel in self.panels:
            entries = [item for item in panel.entries if not item.names[0].startswith("-") or self._is_for_all(item)]
            if entries:
                panels.append(HelpPanel(panel.title, tuple(entries)))
        return replace(self, paragraphs=self.paragraphs[:1], examples=self.examples[:1], panels=tuple(panels))

    def _is_for_all(self, entry: HelpEntry) -> bool:
        return not self.beginners or not set(self.beginners).isdisjoint(entry.names)

    def text(self, width: int | None = None) -> str:
        """Return the page for lines of ``width`` columns. Without a width, the terminal decides."""
        columns = min(width or shutil.get_terminal_size().columns, WIDEST)
        lines = textwrap.wrap(f"Usage: {self.usage}", columns, subsequent_indent=" " * 7)
        for paragraph in self.paragraphs:
            lines += ["", *textwrap.wrap(paragraph, columns, break_on_hyphens=False)]
        if self.examples:
            lines += ["", "Example:" if len(self.examples) == 1 else "Examples:"]
            lines += [line for example in self.examples for line in _example_lines(example, columns)]
        for panel in self.panels:
            lines += ["", f"{panel.title}:"]
            for entry in panel.entries:
                lines += described(f"  {entry.label}", entry.text.replace("`", ""), INDENT, columns)
        if self.exit_codes:
            lines += ["", *textwrap.wrap(self.exit_codes, columns, break_on_hyphens=False)]
        return "\n".join(lines) + "\n"


def _example_lines(example: str, columns: int) -> Iterator[str]:
    """Yield an example on as many lines as it needs. A shell reads these as one line, because a backslash ends each of
    them but the last."""
    line = "  "
    for part in re.split(r"(?<=\S) (?=--|>)", example):
        if line.strip() and len(line) + len(part) + 3 > columns:
            yield f"{line} \\"
            line = "      "
        line += f" {part}" if line.strip() else part
    yield line


def help_text(app: cyclopts.App, words: Sequence[str], *, everything: bool, width: int | None = None) -> str:
    """Return the help of the command ``words``: all of it if ``everything`` is True, otherwise what a beginner
    needs."""
    page = page_of(app, words)
    if everything or not page.beginners:
        return page.text(width)
    columns = min(width or shutil.get_terminal_size().columns, WIDEST)
    rest = textwrap.wrap(f"{page.command} --help-all shows all {page.options} options.", columns)
    return page.short().text(width) + "\n" + "\n".join(rest) + "\n"


def page_of(app: cyclopts.App, words: Sequence[str]) -> HelpPage:
    """Return the help of the command ``words``, such as ``["config", "check"]``."""
    for word in words:
        app = app[word]
    name = " ".join(words)
    text, _, _ = cleandoc(app.help).partition("\n\nParameters\n---")  # the panels show the options
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    exit_codes = paragraphs.pop() if paragraphs[-1].startswith("Exit code") else ""
    panels = [*_subcommands(app), *_panels(arguments_of(app))]
    return HelpPage(
        f"{PROGRAM} {name}",
        " ".join((PROGRAM, name, *_usage(app))),
        tuple(paragraphs),
        exit_codes,
        EXAMPLES.get(name, ()),
        tuple(panels),
        BEGINNERS.get(name, ()),
    )


def arguments_of(app: cyclopts.App) -> Sequence[Argument]:
    """Return the options and arguments of a command, which are made once in a process, because this takes long. A group
    of commands has none."""
    function = app.default_command
    if function is None:
        return ()
    if function not in _ARGUMENTS:
        _ARGUMENTS[function] = tuple(app.assemble_argument_collection(parse_docstring=True))
    return _ARGUMENTS[function]


def takes_value(argument: Argument) -> bool:
    """Return whether the option is followed by a value."""
    return bool(argument.token_count()[0])


def subcommands(app: cyclopts.App) -> list[str]:
    """Return the names of the commands of a group of commands. No command is imported."""
    return [name for name in app if not name.startswith("-")]


def _subcommands(app: cyclopts.App) -> Iterator[HelpPanel]:
    entries = [HelpEntry((name,), "", first_sentence(cleandoc(app[name].help))) for name in subcommands(app)]
    if entries:
        yield HelpPanel("Commands", tuple(entries))


def first_sentence(text: str) -> str:
    """Return the first sentence of a text."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]


def _usage(app: cyclopts.App) -> Iterator[str]:
    arguments = arguments_of(app)
    if not arguments and subcommands(app):
        yield "COMMAND"
    options = [each for each in arguments if each.index is None]
    yield from (f"{each.name} {_value_name(each)}" for each in options if each.required)
    if not all(each.required for each in options):
        yield "[OPTIONS]"
    for each in arguments:
        if each.index is not None:
            several = "..." if takes_many(each) else ""
            yield f"{label_of(each)}{several}" if each.required else f"[{label_of(each)}{several}]"


def label_of(argument: Argument) -> str:
    """Return the name of an option, or the name of an argument in capital letters."""
    return argument.name if argument.index is None else argument.name.removeprefix("--").upper()


def takes_many(argument: Argument) -> bool:
    """Return whether the argument collects all further words of the command line."""
    return argument.index is not None and bool(argument.token_count()[1])


def _panels(arguments: Sequence[Argument]) -> Iterator[HelpPanel]:
    """Yield the panels. Those about the pool and the backend come first. Those that are the same for all commands, such
    as "Output", come last."""
    titles = dict.fromkeys(_title(each) for each in arguments)
    between = [title for title in titles if title not in FIRST_PANELS + LAST_PANELS]
    for title in (*FIRST_PANELS, *between, *LAST_PANELS):
        entries = tuple(_entry(each) for each in arguments if _title(each) == title)
        if entries:
            yield HelpPanel(OPTIONS if title == PARAMETERS else title, entries)


def _title(argument: Argument) -> str:
    groups = argument.parameter.group
    assert isinstance(groups, tuple)
    names = [group if isinstance(group, str) else group.name for group in groups]
    return names[0] if names else PARAMETERS


def _entry(argument: Argument) -> HelpEntry:
    text = str(argument.parameter.help or argument.field_info.help or "")
    notes = []
    if choices := argument.get_choices():
        notes.append(f"[choices: {', '.join(choices)}]")
    if argument.parameter.env_var:
        notes.append(f"[environment variable: {', '.join(argument.parameter.env_var)}]")
    if default := _default(argument):
        notes.append(f"[default: {default}]")
    if argument.required:
        notes.append("[required]")
    return HelpEntry(_names(argument), _value_name(argument), " ".join([text, *notes]))


def _default(argument: Argument) -> str:
    """Return the default as the page shows it. Return an empty text if there is none, if it is False or an
    empty tuple, or if the argument has ``show_default=False``."""
    show, default = argument.show_default, argument.field_info.default
    if not show or default in (None, False, (), argument.field_info.empty):
        return ""
    if callable(show):
        return str(show(default) or "")
    return "true" if default is True else str(default)


def _names(argument: Argument) -> tuple[str, ...]:
    """Return the names of an option; names of one letter, such as ``-o``, are first. A flag such as ``--retry``, which
    can be negated, is shown as ``--[no-]retry``."""
    if argument.index is not None:
        return (label_of(argument),)
    names = sorted((name for name in argument.names if name not in argument.negatives), key=lambda name: name[1] == "-")
    negated = {f"--{name.removeprefix('--no-')}" for name in argument.negatives}
    return tuple(f"--[no-]{name.removeprefix('--')}" if name in negated else name for name in names)


def _value_name(argument: Argument) -> str:
    if argument.index is not None or not takes_value(argument):
        return ""
    if argument.parameter.metavar:
        return argument.parameter.metavar
    kind = type_of_value(argument.hint)
    if get_origin(kind) is Literal:
        return "CHOICE"
    if kind is Path:
        return "DIRECTORY" if argument.name.endswith("-dir") else "FILE"
    if kind in (int, float):
        return "N" if kind is int else "NUMBER"
    shape = _SHAPE.search(str(argument.parameter.help or ""))
    return shape.group() if shape else argument.name.rpartition("-")[2].upper()


def type_of_value(hint: Any) -> Any:
    """Return the type of one value of an option."""
    if get_origin(hint) in (UnionType, Union):
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    if get_origin(hint) in (list, tuple):
        hint = get_args(hint)[0]
    return hint
