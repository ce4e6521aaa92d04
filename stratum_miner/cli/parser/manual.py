"""The manual page of the program: every command with all its options, made from the same pages as the help."""

import textwrap
from collections.abc import Iterator

import cyclopts

from stratum_miner.cli.parser.commands import COMMANDS, EXIT_CODES, PROGRAM, PURPOSE, version
from stratum_miner.cli.parser.page import HelpPage, page_of, subcommands

_MEANINGS = str.maketrans(
    {"\\": r"\e", "-": r"\-", "'": r"\(aq", '"': r"\(dq", "^": r"\(ha", "~": r"\(ti", "`": r"\(ga"}
)


def manual(app: cyclopts.App) -> str:
    """Return the manual page in the language of man(7), as ``man -l FILE`` shows it."""
    return "\n".join(_lines(app)) + "\n"


def _lines(app: cyclopts.App) -> Iterator[str]:
    yield f'.TH {PROGRAM.upper()} 1 "" "{_escaped(PROGRAM)} {_escaped(version())}" "User Commands"'
    yield ".SH NAME"
    yield f"{_escaped(PROGRAM)} \\- mine Bitcoin over Stratum V1, and run and test pools"
    yield ".SH SYNOPSIS"
    yield rf"\fB{_escaped(PROGRAM)}\fR \fICOMMAND\fR [\fIOPTIONS\fR]"
    yield ".SH DESCRIPTION"
    yield from _text(PURPOSE)
    yield ".SH COMMANDS"
    for name in COMMANDS:
        for below in subcommands(app[name]) or [""]:
            yield from _command(page_of(app, f"{name} {below}".split()))
    yield ".SH EXIT STATUS"
    yield from _text(EXIT_CODES)


def _command(page: HelpPage) -> Iterator[str]:
    yield f'.SS "{_escaped(page.usage)}"'
    for number, paragraph in enumerate((*page.paragraphs, *filter(None, [page.exit_codes]))):
        yield from [".PP"] * bool(number)
        yield from _text(paragraph)
    if page.examples:
        yield from (".PP", ".nf", *(f"    {_escaped(example)}" for example in page.examples), ".fi")
    for panel in page.panels:
        yield from (".PP", rf"\fI{_escaped(panel.title)}\fR")
        for entry in panel.entries:
            yield ".TP"
            names = ", ".join(rf"\fB{_escaped(name)}\fR" for name in entry.names)
            yield names + (rf" \fI{_escaped(entry.value)}\fR" if entry.value else "")
            yield from _text(entry.text.replace("`", ""))


def _text(text: str) -> Iterator[str]:
    """Yield a text as lines of the page's source. The program man takes a line that begins with a dot or an apostrophe
    for a command, so an invisible character is put before such a line."""
    for line in textwrap.wrap(text, 100, break_on_hyphens=False, break_long_words=False):
        escaped = _escaped(line)
        yield rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escaped(text: str) -> str:
    """Return a text with an escape sequence for each character that man would not print as it is. A hyphen therefore
    remains a hyphen when the user copies it from the page."""
    return text.translate(_MEANINGS)
