"""A journal of shares that an earlier run, or somebody else, left behind: read, and continued by a miner.

An input is the file. Reading it twice tells the same, and nothing of it is ever lost by continuing it.
"""

import tempfile
from pathlib import Path

from stratum_miner.miner.journal import Journal
from stratum_miner.miner.journal_records import JournalError, read
from tests.fuzz.judge import check_shown

FILE = Path(tempfile.mkdtemp(prefix="fuzz-journal-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)) / "j"
NOW = 1_700_000_000.0
"""In the committed inputs, too: a block that is found then is handed back."""
ROUNDS = 60


def run(data: bytes) -> None:
    for file in FILE.parent.iterdir():
        file.unlink()
    FILE.write_bytes(data)
    before = read(FILE)
    assert before.whole_bytes <= len(data)
    assert before.next_id >= 1
    try:
        journal = Journal(FILE, wall_clock=lambda: NOW)
    except JournalError as error:
        check_shown(str(error))
        return
    recovered = journal.recovered
    journal.close()
    assert all(item.share.is_block for item in recovered)
    after = read(FILE)
    assert after.counts.accepted == before.counts.accepted
    assert after.blocks == before.blocks
    assert after.next_id == before.next_id
    assert set(after.open) == {item.id for item in recovered}
