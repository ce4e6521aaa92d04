"""The last lines of ``demo``: what to type next, with a path that works where the user is."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from stratum_miner.cli import main
from stratum_miner.cli.demo import as_typed
from stratum_miner.cli.parser.program import command_line
from stratum_miner.pool import PoolConfig


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the environment of a checkout. The current directory is the checkout."""
    path = tmp_path / ".venv" / "bin" / "stratum-miner"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    return path


def test_a_program_below_the_current_directory_has_a_relative_path(program: Path) -> None:
    assert as_typed(str(program)) == ".venv/bin/stratum-miner"
    assert as_typed(".venv/bin/stratum-miner") == ".venv/bin/stratum-miner"


def test_a_program_in_the_current_directory_is_no_bare_name(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program.parent)
    assert as_typed("./stratum-miner") == "./stratum-miner"


def test_a_program_elsewhere_has_its_whole_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = program.parents[2] / "else where"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert as_typed(str(program)) == str(program)
    monkeypatch.chdir("/")
    other = elsewhere / "stratum-miner"
    assert shlex.split(as_typed(str(other))) == [str(other).removeprefix("/")]


def test_a_program_that_the_shell_finds_has_its_name(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pipx and uv link it into a directory of PATH."""
    links = program.parents[2] / "links"
    links.mkdir()
    (links / "stratum-miner").symlink_to(program)
    monkeypatch.setenv("PATH", f"/usr/bin:{links}")
    assert as_typed(str(program)) == "stratum-miner"
    assert as_typed(str(links / "stratum-miner")) == "stratum-miner"
    other = links / "other" / "stratum-miner"
    assert as_typed(str(other)) == "links/other/stratum-miner"  # another one than the shell finds


def test_a_module_is_run_by_its_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/a b/python3")
    assert as_typed("/opt/a b/stratum_miner/__main__.py") == "'/opt/a b/python3' -m stratum_miner"


def test_the_demo_ends_with_commands_that_the_command_line_accepts(
    program: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pbk")
    monkeypatch.setattr(sys, "argv", [str(program), "demo"])
    assert main.run(["demo", "--blocks", "1", "--difficulty", "1e-6", "-t", "1"]) == 0
    text = capsys.readouterr().out.partition("\nNext, in two terminals")[2]
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith("  ")]
    assert [words[:2] for words in commands] == [[".venv/bin/stratum-miner", name] for name in ("pool", "mine", "mine")]
    for words in commands:
        command_line().parse_args([word.replace("HOST:PORT", "h:1") for word in words[1:]], exit_on_error=False)
    _, miner, _ = commands
    assert miner[miner.index("-o") + 1] == f"127.0.0.1:{PoolConfig(payout_script=bytes([0x51])).port}"
    assert f"page at http://{miner[miner.index('--http') + 1]}\n" in text


def test_the_demo_does_not_offer_a_page_that_is_not_installed(
    program: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pbk")
    monkeypatch.setattr("stratum_miner.cli.demo.is_installed", lambda extra: extra != "page")
    assert main.run(["demo", "--blocks", "1", "--difficulty", "1e-6", "-t", "1"]) == 0
    out = capsys.readouterr().out
    assert "two terminals: a pool, and a miner\n" in out
    assert "http" not in out


def test_json_is_nothing_but_json(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pbk")
    assert main.run(["demo", "--blocks", "1", "--difficulty", "1e-6", "-t", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["height"] >= 1
