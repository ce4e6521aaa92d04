"""The log file: JSON lines, rotated; a disk that is full costs lines and nothing else."""

import json
from pathlib import Path

import pytest
import structlog

from stratum_miner.cli import logs
from stratum_miner.cli.exit_codes import UsageError
from stratum_miner.cli.operation.log_file import LogFile
from stratum_miner.cli.secrets import register


def test_lines_are_json_and_files_rotate(tmp_path: Path) -> None:
    path = tmp_path / "miner.log"
    file = LogFile(path, max_bytes=500, kept=2)
    for number in range(40):
        file.write({"event": "share_accepted", "number": number, "path": path})
    file.close()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["miner.log", "miner.log.1", "miner.log.2"]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1] == {"event": "share_accepted", "number": 39, "path": str(path)}


def test_a_full_disk_costs_lines_only(capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    file = LogFile(Path("/dev/full"))
    for _ in range(3):
        file.write({"event": "x"})
    assert file.failures == 3
    assert capsys.readouterr().err == ""


def test_a_file_that_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--log-file: cannot write .*: No such file or directory"):
        LogFile(tmp_path / "nowhere" / "miner.log")


def test_it_gets_what_is_logged_without_secrets_whatever_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register("a long password")
    path = tmp_path / "miner.log"
    try:
        logs.configure(level="warning", log_format="plain")
        with logs.writing_to(path):
            structlog.get_logger("x").info("pool_message", text="you said a long password")
            structlog.get_logger("x").debug("a_decision")
    finally:
        structlog.reset_defaults()
    [line] = [json.loads(line) for line in path.read_text().splitlines()]
    assert (line["event"], line["level"], line["text"]) == ("pool_message", "info", "you said ***")
    assert line["timestamp"].endswith("+00:00")
    assert capsys.readouterr().err == ""
