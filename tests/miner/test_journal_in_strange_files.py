"""Files of other kinds in the place of a share journal."""

import os
from pathlib import Path

import pytest

from stratum_miner.miner.journal import Journal, JournalError
from tests.miner.journals import TO, Events, Opener, shares


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"share journal '.*nowhere.*': No such file or directory"):
        Journal(tmp_path / "nowhere" / "shares.jsonl")
    with pytest.raises(JournalError, match="Is a directory"):
        Journal(tmp_path)


def test_a_pipe_is_refused_whether_anybody_reads_it_or_not(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(JournalError, match="expected a file"):
        Journal(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(JournalError, match="expected a file, got a pipe"):
        Journal(path)
    os.close(reader)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_is_neither_locked_nor_exchanged(opened: Opener, logged: Events) -> None:
    it, _ = opened(Path("/dev/null"), max_bytes=10), opened(Path("/dev/null"))
    for share in shares(3):
        it.submitted(share, TO)
    assert it.flush()
    assert (it.problem, Path("/dev/null").is_char_device()) == ("", True)
    full = opened(Path("/dev/full"))
    full.submitted(shares(1)[0], TO)
    full.close()
    assert [event["event"] for event in logged] == ["journal_failed", "journal_incomplete"]
