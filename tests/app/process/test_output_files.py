"""Files that a command writes."""

import json
import os
import socket
from pathlib import Path

import pytest

from stratum_miner.app.process import output_files
from stratum_miner.app.process.exit_codes import CommandFailed, UsageError
from stratum_miner.cli import main

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


def test_a_file_that_can_be_written_is_neither_made_nor_changed(tmp_path: Path) -> None:
    output_files.check_writable(None, "--html")
    output_files.check_writable(tmp_path / "new.html", "--html")
    assert not (tmp_path / "new.html").exists()
    (tmp_path / "old.html").write_text("old")
    output_files.check_writable(tmp_path / "old.html", "--html")
    assert (tmp_path / "old.html").read_text() == "old"


def test_one_that_cannot_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, reason in (
        (tmp_path, "Is a directory"),
        (tmp_path / "none" / "x", "No such file or directory"),
        (tmp_path / "file" / "x", "Not a directory"),
    ):
        with pytest.raises(UsageError, match=f"^--html: cannot write '{path}': {reason}$"):
            output_files.check_writable(path, "--html")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        output_files.check_writable(tmp_path / "x", "--html")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has none")
def test_a_full_disk(tmp_path: Path) -> None:
    output_files.write(tmp_path / "x", "text", "--html")
    assert (tmp_path / "x").read_text() == "text"
    with pytest.raises(CommandFailed, match=r"^--html: cannot write '/dev/full': No space left on device$"):
        output_files.write(Path("/dev/full"), "text", "--html")


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    pipe, plug = tmp_path / "pipe", tmp_path / "socket"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(plug))
        for path, reason in (
            (pipe, "expected a file, got a pipe"),
            (tmp_path / "link", "expected a file, got a pipe"),
            (plug, "expected a file, got a socket"),
            (tmp_path / ("x" * 300), "File name too long"),
        ):
            assert output_files.obstacle(path) == reason
    assert "embedded null" in output_files.obstacle(Path("nul\0l"))  # the words depend on the Python
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert output_files.obstacle(pipe) == "expected a file, got a pipe"
    os.close(reader)


def test_devices_and_our_own_streams_are_as_good_as_files() -> None:
    assert output_files.obstacle(Path("/dev/null")) == ""
    reading, writing = os.pipe()
    try:
        assert output_files.obstacle(Path(f"/dev/fd/{writing}")) == ""
    finally:
        os.close(reading)
        os.close(writing)


PIPED = [
    ["mine", "-o", "127.0.0.1:1", "-u", "w", "--journal"],
    ["mine", "-o", "127.0.0.1:1", "-u", "w", "--log-file"],
    ["mine", "-o", "127.0.0.1:1", "-u", "w", "--record"],
    ["pool", "--address", ADDRESS, "--node", "kernel", "--record"],
    ["tap", "127.0.0.1:0", "127.0.0.1:1", "--record"],
    ["conformance", "127.0.0.1:1", "--junit"],
    ["conformance", "127.0.0.1:1", "--html"],
    ["load", "127.0.0.1:1", "--html"],
    ["profit", "--html"],
]


@pytest.mark.parametrize("arguments", PIPED, ids=lambda arguments: f"{arguments[0]} {arguments[-1]}")
def test_every_command_refuses_a_pipe_at_once(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert main.run([*arguments, str(pipe)]) == 2
    assert f"{arguments[-1]}: cannot write '{pipe}': expected a file, got a pipe" in capsys.readouterr().err


def test_a_journal_ends_well_where_mining_does_not_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shares.jsonl"
    for _ in range(2):
        assert main.run(["mine", "-o", "127.0.0.1:1", "-u", "w", "--journal", str(path), "--watch-config"]) == 2
        assert "journal_unclean" not in capsys.readouterr().err
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["opened", "closed"] * 2
