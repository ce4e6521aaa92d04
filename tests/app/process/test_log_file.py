"""The log file: JSON lines, rotated; a disk that is full costs lines and nothing else."""

import json
import os
from pathlib import Path

import pytest
import structlog

from stratum_miner.app.process import logs
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.process.log_file import LogFile
from stratum_miner.app.process.secrets import register


def test_lines_are_json_and_files_rotate(tmp_path: Path) -> None:
    path = tmp_path / "miner.log"
    file = LogFile(path, max_bytes=500, kept=2)
    for number in range(40):
        file.write({"event": "share_accepted", "number": number, "path": path})
    file.close()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["miner.log", "miner.log.1", "miner.log.2"]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1] == {"event": "share_accepted", "number": 39, "path": str(path)}


def test_a_full_disk_costs_lines_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = tmp_path / "miner.log", os.write
    file = LogFile(path)
    file.write({"event": "before"})

    def full(descriptor: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for _ in range(3):
            file.write({"event": "during"})
        assert (file.failures, file.problem) == (3, "No space left on device")
        assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["before"]  # no half lines
    file.write({"event": "after"})
    file.close()
    assert (file.failures, file.problem) == (3, "")
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["before", "after"]


def test_a_rotation_that_fails_costs_lines_only(tmp_path: Path) -> None:
    (tmp_path / "miner.log.2").mkdir()
    (tmp_path / "miner.log.1").touch()
    file = LogFile(tmp_path / "miner.log", max_bytes=30, kept=2)
    for _ in range(3):
        file.write({"event": "something of a length"})
    assert (file.failures, file.problem) == (2, "Is a directory")
    file.close()


def test_a_rotation_that_cannot_open_the_next_file_moves_the_old_ones_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "miner.log"
    file = LogFile(path, max_bytes=30, kept=3)
    file.write({"event": "before", "number": 1000})

    def no_descriptors(*arguments: object) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", no_descriptors)
        for _ in range(5):
            file.write({"event": "during", "number": 1000})
    assert [item.name for item in tmp_path.iterdir()] == ["miner.log.1"]
    file.write({"event": "after"})
    file.close()
    assert "before" in (tmp_path / "miner.log.1").read_text()
    assert "after" in path.read_text()


def test_a_line_after_the_end_goes_nowhere(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "miner.log")
    file.close()
    reused = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    file.write({"event": "late"})
    os.close(reused)
    assert (tmp_path / "other").read_bytes() == (tmp_path / "miner.log").read_bytes() == b""


def test_a_file_name_that_is_no_text_can_be_logged(tmp_path: Path) -> None:
    path = tmp_path / "miner.log"
    try:
        logs.configure(level="info", log_format="json")
        with logs.writing_to(path):
            structlog.get_logger("x").warning("journal_damaged", file=os.fsdecode(b"shares\xff"), lines=1)
    finally:
        structlog.reset_defaults()
    [line] = path.read_text().splitlines()
    assert json.loads(line)["file"] == "shares\\udcff"


def test_a_device_is_not_rotated() -> None:
    file = LogFile(Path("/dev/null"), max_bytes=10)
    for _ in range(3):
        file.write({"event": "something of a length"})
    file.close()
    assert file.failures == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has none")
def test_a_log_that_cannot_be_written_is_told_once_and_lasts_as_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        logs.configure(level="info", log_format="plain")
        with logs.writing_to(Path("/dev/full")):
            for _ in range(3):
                structlog.get_logger("x").info("pool_message", text="hello")
            [problem] = logs.problems()
            assert problem.text == "Cannot write the log file '/dev/full': No space left on device."
    finally:
        structlog.reset_defaults()
    err = capsys.readouterr().err
    assert err.count("log_file_failed") == 1
    assert err.endswith("/dev/full: 4 lines could not be written\n")
    assert logs.problems() == ()


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
