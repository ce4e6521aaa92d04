"""A command is one file and one line in the table.

It then runs, and has help, completions and errors like all others.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stratum_miner import cli
from stratum_miner.cli import main
from stratum_miner.cli.parser import commands


@pytest.fixture(autouse=True)
def file_and_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(Path(__file__).parent / "added")])
    greet = commands.CommandSummary("greet:greet", commands.WATCH, "Greet somebody.")
    monkeypatch.setitem(commands.COMMANDS, "greet", greet)


def lines_about(capsys: pytest.CaptureFixture[str], name: str) -> Iterator[str]:
    return (line for line in capsys.readouterr().out.splitlines() if name in line)


def test_it_runs_with_the_options_that_all_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["greet"]) == 0
    assert main.run(["greet", "--whom", "miners", "--json"]) == 0
    assert capsys.readouterr().out == 'hello world\n{"greeted":"miners"}\n'


def test_it_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    assert any("Greet somebody." in line for line in lines_about(capsys, "greet"))
    assert main.run(["greet", "--help"]) == 0
    assert any("Who is greeted." in line for line in lines_about(capsys, "--whom"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_is_completed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "greet" in script
    assert "whom" in script


def test_its_mistakes_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["greet", "--whom", ""]) == 2
    assert capsys.readouterr().err == "stratum-miner: --whom: expected a name, got none\n"
    assert main.run(["gret"]) == 2
    assert "greet" in capsys.readouterr().err
