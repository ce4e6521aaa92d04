"""Every command in a block of the documents: the real command line accepts it, and those that can run here do."""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache, wraps
from pathlib import Path
from typing import Any

import cyclopts
import pytest

from stratum_miner.cli import main
from stratum_miner.cli.parser.program import command_line
from stratum_miner.testing import SyncPool, sync_lab
from tests.command_blocks import DocumentBlock, DocumentCommand, blocks, commands, commands_of

BLOCKS = list(blocks())
COMMANDS = list(commands())
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def accepted(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words with a value for each placeholder, such as POOL or bcrt1q..."""
    text = "\0".join(words)
    for placeholder, value in (
        (r"\b(POOL|BACKUP|HOST|URL)\b(:PORT|:\d+)?", "127.0.0.1:3333"),
        (r"(bc|bcrt|tb)1q\.\.\.", ADDRESS),
    ):
        text = re.sub(placeholder, value, text)
    return tuple(text.split("\0"))


@cache
def apps() -> tuple[cyclopts.App, dict[str, cyclopts.App]]:
    """The program, and each of its commands. Groups of commands are objects of their modules."""
    program = command_line()
    found: dict[str, cyclopts.App] = {}

    def look(app: cyclopts.App, words: str) -> None:
        for name in app:
            if not name.startswith("-"):
                look(app[name], f"{words} {name}")
        if app.default_command is not None:
            found[words] = app

    look(program, "")
    return program, found


@cache
def idle(function: Callable[..., Any]) -> Callable[..., int]:
    return wraps(function)(lambda *_args, **_options: 0)


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command end before its first statement, after its options were parsed and converted."""
    program, commands = apps()
    for app in commands.values():
        monkeypatch.setattr(app, "default_command", idle(app.default_command))
    monkeypatch.setattr(main, "command_line", lambda: program)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_the_command_line_accepts_what_the_documents_show(
    command: DocumentCommand, nothing_runs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main.run(accepted(command.words))
    error = capsys.readouterr().err
    if not command.is_whole and "equires an argument" in error:
        return  # "..." stands for it
    assert (code, error) == (0, "")


def test_a_line_of_a_document_that_is_wrong_is_found(nothing_runs: None, capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("stratum-miner mine --no-such-option", "stratum-miner load 127.0.0.1:1 -n many", "stratum-miner mien"):
        [command] = commands_of(line, "here")
        assert main.run(command.words) == 2
    capsys.readouterr()


MINE = [command for command in COMMANDS if command.words[0] == "mine" and "--config" not in command.words]


@pytest.mark.parametrize("command", MINE, ids=str)
def test_mine_accepts_the_values_that_the_documents_show(
    command: DocumentCommand, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values of ``mine`` that the parser leaves as text, such as URLs, devices and durations."""
    monkeypatch.chdir(tmp_path)
    words = accepted(command.words)[1:]
    more = () if command.is_whole else ("-o", "127.0.0.1:3333", "-u", "worker")
    assert main.run(("config", "show", "--no-config", *words, *more)) == 0, capsys.readouterr().err


# ---- commands that run here -----------------------------------------------------------------------------------------


def runs(command: DocumentCommand) -> bool:
    """Whether a command needs nothing but a pool on this computer, and ends by itself within a second or two."""
    first, *rest = command.words
    text = " ".join(rest)
    match first:
        case "luck" | "completion" | "service" | "devices":
            return command.is_whole
        case "profit":
            return command.is_whole and not re.search(r"--(node|api|price-url|scenario) ", text)
        case "config":
            return rest[0] == "init" and "[" not in text
        case "conformance":
            return "--list" in rest
        case "mine":
            return command.is_whole and "--until-" in text
        case "ping":
            return True
    return False


RUN = [command for command in COMMANDS if runs(command)]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncPool]:
    """A pool, in place of the one at port 3333 that the documents name."""
    with sync_lab(1, tmp_path_factory.mktemp("lab")) as lab:
        yield lab.pool(difficulty=1e-6)


@pytest.mark.parametrize("command", RUN, ids=str)
def test_a_command_of_the_documents_runs(
    command: DocumentCommand,
    pool: SyncPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    address = str(pool.url).removeprefix("stratum+tcp://")
    words = [word.replace("127.0.0.1:3333", address) for word in accepted(command.words)]
    code = main.run(words)
    out, err = capfd.readouterr()
    fails = command.words[0] == "ping" and "stratum+ssl" in " ".join(words)  # the document shows that failure
    assert code == (4 if fails else 0), err
    assert out or err, "it printed nothing"


def test_how_many_commands_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\ndocuments: {len(COMMANDS)} commands parsed, {len(RUN)} of them run", end=" ")
    assert len(COMMANDS) > 80
    assert len(RUN) > 15


# ---- other languages ------------------------------------------------------------------------------------------------


def of_language(*languages: str) -> list[DocumentBlock]:
    return [block for block in BLOCKS if block.language in languages]


@pytest.mark.parametrize("block", of_language("python"), ids=str)
def test_python_in_the_documents_is_python(block: DocumentBlock) -> None:
    compile(block.text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("block", of_language("toml"), ids=str)
def test_toml_in_the_documents_is_toml(block: DocumentBlock) -> None:
    tomllib.loads(block.text)


@pytest.mark.parametrize("block", of_language("json"), ids=str)
def test_json_in_the_documents_is_json(block: DocumentBlock) -> None:
    for line in block.text.splitlines():
        json.loads(line)
