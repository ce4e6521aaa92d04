"""Files that a command writes at its end."""

import os
from pathlib import Path

import pytest

from stratum_miner.cli import report_files
from stratum_miner.cli.exit_codes import CommandFailed, UsageError


def test_a_file_that_can_be_written_is_neither_made_nor_changed(tmp_path: Path) -> None:
    report_files.check_writable(None, "--html")
    report_files.check_writable(tmp_path / "new.html", "--html")
    assert not (tmp_path / "new.html").exists()
    (tmp_path / "old.html").write_text("old")
    report_files.check_writable(tmp_path / "old.html", "--html")
    assert (tmp_path / "old.html").read_text() == "old"


def test_one_that_cannot_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, reason in (
        (tmp_path, "Is a directory"),
        (tmp_path / "none" / "x", "No such file or directory"),
        (tmp_path / "file" / "x", "Not a directory"),
    ):
        with pytest.raises(UsageError, match=f"^--html: cannot write '{path}': {reason}$"):
            report_files.check_writable(path, "--html")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Permission denied"):
        report_files.check_writable(tmp_path / "x", "--html")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has none")
def test_a_full_disk(tmp_path: Path) -> None:
    report_files.write(tmp_path / "x", "text", "--html")
    assert (tmp_path / "x").read_text() == "text"
    with pytest.raises(CommandFailed, match=r"^--html: cannot write '/dev/full': No space left on device$"):
        report_files.write(Path("/dev/full"), "text", "--html")
