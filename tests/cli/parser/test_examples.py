"""The examples of the help are command lines that the program reads, and the short pages have what a beginner needs."""

import shlex
from functools import cache

import pytest

from stratum_miner.cli.parser.arguments import command_of, understood
from stratum_miner.cli.parser.commands import EXAMPLES as FIRST
from stratum_miner.cli.parser.commands import PROGRAM
from stratum_miner.cli.parser.examples import BEGINNERS, EXAMPLES
from stratum_miner.cli.parser.page import help_text, page_of, subcommands
from stratum_miner.cli.parser.program import command_line

APP = command_line()
MANY = 12
"""Largest number of options that a page of --help shows without a shorter page."""


@cache
def commands() -> list[str]:
    return [f"{name} {below}".strip() for name in subcommands(APP) for below in (subcommands(APP[name]) or [""])]


def test_every_command_has_an_example_that_it_reads(subtests: pytest.Subtests) -> None:
    for command in commands():
        with subtests.test(command):
            for example in EXAMPLES[command]:
                program, *words = shlex.split(example.partition(" > ")[0])
                assert program == PROGRAM
                chain, rest = command_of(APP, words)
                assert " ".join(chain) == command
                APP.parse_args([*chain, *understood(APP, chain, rest)], print_error=False, exit_on_error=False)


def test_the_first_examples_are_of_commands() -> None:
    for example, _ in FIRST:
        _, *words = example.split()
        assert words[0] == "help" or command_of(APP, words)[0] == words[:1]


def test_nothing_in_the_tables_is_of_an_unknown_command() -> None:
    assert set(EXAMPLES) == set(commands())
    assert set(BEGINNERS) <= set(commands())


def test_a_long_page_has_a_short_one(subtests: pytest.Subtests) -> None:
    for command in commands():
        with subtests.test(command):
            page = page_of(APP, command.split())
            assert (page.options > MANY) == (command in BEGINNERS)
            short = help_text(APP, command.split(), everything=False, width=80)
            whole = help_text(APP, command.split(), everything=True, width=80)
            if command not in BEGINNERS:
                assert short == whole
                continue
            assert f"{PROGRAM} {command} --help-all shows all {page.options} options." in " ".join(short.split())
            names = {name for panel in page.panels for entry in panel.entries for name in entry.names}
            assert set(BEGINNERS[command]) <= names
            for name in BEGINNERS[command]:
                assert f" {name}" in short
            required = {
                entry.names[-1] for panel in page.panels for entry in panel.entries if "[required]" in entry.text
            }
            assert {name for name in required if name.startswith("-")} <= set(BEGINNERS[command])
            assert len(short.splitlines()) < 60
            assert len(whole.splitlines()) > 60 or command in ("tap", "replay", "misbehave", "solo")


def test_mine_shows_the_six_options_of_a_beginner_and_an_example() -> None:
    page = help_text(APP, ["mine"], everything=False, width=80)
    shown = [line.split()[0].rstrip(",") for line in page.splitlines() if line.startswith("  -")]
    assert shown == ["-o", "-u", "-p", "-t", "--device", "--http"]
    assert "\nExample:\n  stratum-miner mine -o stratum+tcp://127.0.0.1:3333 -u worker\n" in page
    assert page.index("Example:") < page.index("Pool:") < page.index("Exit code 1")


@pytest.mark.parametrize("width", [40, 80])
def test_a_long_example_works_when_it_is_copied(width: int) -> None:
    for command in commands():
        page = help_text(APP, command.split(), everything=True, width=width)
        _, _, after = page.partition("Example")
        lines = after.partition("\n\n")[0].replace(" \\\n", "").splitlines()[1:]
        assert [" ".join(line.split()) for line in lines] == list(EXAMPLES[command])
