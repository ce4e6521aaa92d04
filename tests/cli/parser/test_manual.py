"""The manual page, the help and the completion of the shells have the same commands and options."""

import re
import shutil
import subprocess
from functools import cache

import pytest

from stratum_miner.cli.parser.commands import COMMANDS
from stratum_miner.cli.parser.manual import manual
from stratum_miner.cli.parser.page import arguments_of, help_text, page_of, subcommands
from stratum_miner.cli.parser.program import command_line
from tests.cli.one_command import run

APP = command_line()


@cache
def commands() -> list[str]:
    return [f"{name} {below}".strip() for name in COMMANDS for below in (subcommands(APP[name]) or [""])]


@cache
def text() -> str:
    return manual(APP)


def of_manual(command: str) -> str:
    """Return the part of the manual page on one command, as it is read."""
    start = text().index(f'.SS "stratum\\-miner {command}'.replace("-", r"\-").replace(r"\\-", r"\-"))
    part = text()[start + 1 :].partition("\n.S")[0]
    return re.sub(r"\\f[BIR]", "", part).replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\(ti", "~")


def test_the_manual_has_what_the_help_has(subtests: pytest.Subtests) -> None:
    for command in commands():
        with subtests.test(command):
            part = of_manual(command)
            page = page_of(APP, command.split())
            for panel in page.panels:
                for entry in panel.entries:
                    assert f"\n.TP\n{entry.label}\n" in part, entry.label
            for example in page.examples:
                assert f"\n    {example}\n" in part
            assert " ".join(page.paragraphs[0].split()) in " ".join(part.split())


def test_completion_has_the_options_of_the_help(subtests: pytest.Subtests, completions: dict[str, str]) -> None:
    for command in commands():
        with subtests.test(command):
            app = APP
            for word in command.split():
                app = app[word]
            shown = help_text(APP, command.split(), everything=True, width=100)
            for argument in arguments_of(app):
                for name in argument.names:
                    if name.startswith("--") and argument.index is None:
                        assert name in completions["zsh"], name
                        assert name.removeprefix("--") in completions["fish"], name
                        assert (
                            name in shown
                            or name.replace("--no-", "--[no-]", 1) in shown
                            or f"--[no-]{name[2:]}" in shown
                        )


@pytest.fixture(scope="module")
def completions() -> dict[str, str]:
    return {shell: APP.generate_completion(shell=shell) for shell in ("bash", "zsh", "fish")}


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "man") == (0, text(), "")


def test_no_line_is_a_request_by_accident() -> None:
    known = (".TH", ".SH", ".SS", ".PP", ".TP", ".nf", ".fi")
    assert [line for line in text().splitlines() if line.startswith((".", "'")) and line[:3] not in known] == []


@pytest.mark.skipif(shutil.which("man") is None and shutil.which("mandoc") is None, reason="no program shows a page")
def test_a_program_shows_it_without_a_warning() -> None:
    checker = ["mandoc", "-W", "error"] if shutil.which("man") is None else ["man", "--warnings", "-l", "-"]
    shown = subprocess.run(checker, input=text(), capture_output=True, text=True, check=False, env=None)
    if "unrecognized option" in shown.stderr:
        pytest.skip("this program man has no --warnings")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "--until-shares N" in shown.stdout
