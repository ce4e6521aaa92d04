"""The list of commands: it is true, grouped and quick."""

import subprocess
import sys
from inspect import cleandoc

import pytest

from stratum_miner import __version__
from stratum_miner.cli import main
from stratum_miner.cli.parser.commands import COMMANDS, overview
from stratum_miner.cli.parser.program import command_line
from tests.cli.one_command import run

NAMES = list(COMMANDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_summary_is_what_the_command_says_of_itself(name: str) -> None:
    text = " ".join(cleandoc(command_line()[name].help).split("\n\n")[0].split())
    assert text.startswith(COMMANDS[name].summary)
    assert COMMANDS[name].summary.endswith(".")


def test_the_list_is_grouped_by_who_a_command_is_for() -> None:
    lines = overview(80).splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Mine:", "Watch a miner:", "Devices:", "Pools, proxies and tests:", "Money:", "Set up:", "Examples:",
    ]  # fmt: skip
    listed = [line.split()[0] for line in lines if line[:2] == "  " and line[2:3].strip()]
    assert [word for word in listed if word != "stratum-miner"] == NAMES


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"], ["-help"], ["--help-all"]])
def test_the_list_is_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: stratum-miner COMMAND")


@pytest.mark.parametrize("words", [["version"], ["--version"], ["-V"], ["-v"], ["-version"], ["mine", "--version"]])
def test_the_version_is_printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *words) == (0, f"{__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["help", "mine"], "stratum-miner mine"),
        (["mine", "--help"], "stratum-miner mine"),
        (["mine", "help"], "stratum-miner mine"),
        (["mine", "-o", "h:1", "-h"], "stratum-miner mine"),
        (["help", "config", "check"], "stratum-miner config check"),
        (["config"], "stratum-miner config COMMAND"),
        (["config", "--help"], "stratum-miner config COMMAND"),
        (["pool", "--help-all"], "stratum-miner pool --address ADDRESS [OPTIONS]"),
    ],
)
def test_a_command_is_described(words: list[str], usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: {usage}")


QUICK = """
import sys
sys.argv[1:] = {words!r}
sys.stdout = open("/dev/null", "w")
from stratum_miner.cli.entry import entry_point
try:
    entry_point()
except SystemExit as end:
    assert end.code == 0, end.code
print(*sorted({{name for name in sys.modules if "." not in name or name.startswith("stratum_miner")}}), file=sys.stderr)
"""


def modules_of(*words: str) -> set[str]:
    """Return the top-level modules, and all of ours, that a command line imports."""
    script = QUICK.format(words=list(words))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_list_and_the_version_import_next_to_nothing() -> None:
    """Each of the packages that load slowly would cost more processor time than the whole answer."""
    for words in (("--help",), ("--version",), ("help",)):
        found = modules_of(*words)
        assert found.isdisjoint({"cyclopts", "rich", "trio", "structlog", "msgspec", "cffi", "asyncio", "ssl"}), words
        ours = {name for name in found if name.startswith("stratum_miner.")}
        assert ours == {
            "stratum_miner.app",
            "stratum_miner.app.process",
            "stratum_miner.app.process.signals",
            "stratum_miner.app.process.streams",
            "stratum_miner.cli",
            "stratum_miner.cli.entry",
            "stratum_miner.cli.parser",
            "stratum_miner.cli.parser.commands",
        }


def test_the_help_of_a_command_imports_no_other_command() -> None:
    found = {name for name in modules_of("mine", "--help") if name.startswith("stratum_miner.cli.")}
    commands = {name.removeprefix("stratum_miner.cli.") for name in found} & set(COMMANDS)
    assert commands == {"mine"}


def test_a_closed_pipe_is_no_error_of_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m stratum_miner --help | :"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_run_answers_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 0
    assert "Usage" in capsys.readouterr().out
