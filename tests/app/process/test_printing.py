"""What commands print: no text of others steers a terminal, whichever way it is printed."""

import ast
import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

import stratum_miner
from stratum_miner.app.process import printing
from stratum_miner.foreign_text import is_plain

HOSTILE = "a\x1b]0;t\x07\x1b[2J\x9bb\r\u202e\u2066\u200b\u2028\ud800c"
ROOT = Path(stratum_miner.__file__).parent


def written(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def terminal(*, colours: bool = False) -> Console:
    return printing.console(
        file=io.StringIO(), width=200, force_terminal=True, color_system="standard" if colours else None
    )


def test_everything_that_a_console_draws_is_made_safe() -> None:
    console = terminal()
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(Text(HOSTILE))
    console.print(table)
    console.print(HOSTILE, markup=False)
    console.print(Text(HOSTILE), soft_wrap=True)
    with Live(printing.safe(HOSTILE), console=console, auto_refresh=False, transient=False) as live:
        live.update(printing.safe(Text(HOSTILE)), refresh=True)
        console.print(HOSTILE)
    shown = written(console)
    for sign in ("\x1b]0", "\x1b[2J", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\u2028", "\ud800"):
        assert sign not in shown


def test_nothing_that_is_printed_is_markup() -> None:
    console = terminal(colours=True)
    table = Table("[link=http://evil.example]a[/link]")
    table.add_row("[link=http://evil.example]a[/link]", "[bold]b[/bold] :smile:")
    console.print(table)
    console.print("[link=http://evil.example]a[/link] [/]", highlight=False)
    shown = written(console)
    assert "\x1b]8" not in shown
    assert shown.count("[link=http://evil.example]a[/link]") == 3
    assert "[bold]b[/bold] :smile:" in shown


def test_what_rich_itself_says_to_the_terminal_stays() -> None:
    console = terminal(colours=True)
    console.print(Text("a\x1bb", "bold"))
    assert written(console) == "\x1b[1ma�b\x1b[0m\n"


def test_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    printing.say(HOSTILE + "x" * 100_000, indent=2)
    printing.say(HOSTILE, stderr=True)
    out, err = capsys.readouterr()
    for line in (out, err):
        assert is_plain(line.removesuffix("\n"))
    assert out.startswith("  a�]0;t�")
    assert len(out) < 70_000


@pytest.mark.parametrize("value", [HOSTILE, {HOSTILE: [HOSTILE, 1]}, {"\U000e0001": "\u0000"}])
def test_json_says_the_same_in_characters_that_a_terminal_takes(value: object) -> None:
    text = printing.json_text(value)
    assert is_plain(text)
    text.encode()
    assert json.loads(text) == json.loads(json.dumps(value).replace("\\ud800", "\\ufffd"))


def test_nothing_else_prints() -> None:
    """A command that prints by itself passes the place that makes lines safe. Those below say what is ours alone, or
    make it safe by themselves because they must load quickly."""
    quick = {
        "cli/health.py",
        "cli/main.py",
        "app/process/streams.py",
        "cli/completion.py",
        "cli/man.py",
        "cli/parser/commands.py",
        "app/process/printing.py",
        "app/process/logs.py",
    }
    units = {"cli/service.py", "cli/doctor.py"}  # text of a file, to be redirected into one
    ruler = {"monitoring/screen/lines.py"}  # measures and prints nothing
    writers = ("print", "Console", "sys.stdout.write", "sys.stderr.write")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (
            *(ROOT / "app").rglob("*.py"),
            *(ROOT / "cli").rglob("*.py"),
            *(ROOT / "monitoring").rglob("*.py"),
            *(ROOT / "client").rglob("*.py"),
        )
        if any(f"{writer}(" in path.read_text(encoding="utf-8") for writer in writers)  # the tree alone is slow
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in writers
    }
    assert not found - quick - units - ruler


def test_nothing_else_decides_what_is_printable() -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if "isprintable" in path.read_text(encoding="utf-8")
    ]
    assert found == ["foreign_text.py"]
