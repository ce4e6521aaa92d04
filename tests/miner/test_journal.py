"""The journal: what is written when, what a crash leaves, what the totals say after any of it."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.client import Fate, ShareOutcome
from stratum_miner.client.pool_client import Origin
from stratum_miner.miner import ShareCounts
from stratum_miner.miner.journal import CRASHED, Journal, JournalError, read
from stratum_miner.work import Job, NonceFound, Share, verify
from stratum_miner.work.space import SearchSpace

ORIGIN = Origin("stratum+tcp://pool.example:3333", "worker", "s1")
JOB = Job(
    session=1, job_id="j1", previous_hash=bytes(range(32)), coinbase_prefix=b"\x01" * 40, coinbase_suffix=b"\x02" * 40,
    merkle_branch=(b"\x03" * 32, b"\x04" * 32), version=0x20000000, nbits=0x207FFFFF, ntime=1_700_000_000,
    clean_jobs=True, extranonce1=b"\xa1\xb2", extranonce2_size=4, share_difficulty=1e-9, version_mask=0x1FFFE000,
    version_rolling=True,
)  # fmt: skip


class Clock:
    """Both clocks of a journal."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


def shares(count: int, *, block: bool | None = None) -> list[Share]:
    space = SearchSpace()
    space.set_job(JOB)
    unit = space.next_unit(0.0)
    assert unit is not None
    found: list[Share] = []
    for nonce in range(100_000):
        verdict = verify(NonceFound(unit, nonce, unit.version))
        if isinstance(verdict, Share) and (block is None or verdict.is_block is block):
            found.append(verdict)
            if len(found) == count:
                return found
    raise AssertionError("not enough shares")


def journal(path: Path, **options: int) -> Journal:
    return Journal(path, wall_clock=CLOCK, clock=CLOCK, **options)


def outcome(share: Share, fate: Fate = Fate.ACCEPTED, reason: str = "") -> ShareOutcome:
    return ShareOutcome(share, fate, reason, latency=0.01)


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_each_share_and_its_fate_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    it = journal(path)
    first, second = shares(2)
    it.found(first, ORIGIN)
    assert events(path) == ["found"]  # before the submit
    it.found(second, ORIGIN)
    it.settled(outcome(second, Fate.REJECTED, "23: low difficulty"))
    it.settled(outcome(first))
    it.close()
    assert events(path) == ["found", "found", "settled", "settled"]
    assert it.counts == ShareCounts(accepted=1, rejected=1)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["pool"] == "stratum+tcp://pool.example:3333"
    assert (lines[0]["job"], lines[0]["nonce"], lines[0]["hash"]) == ("j1", first.nonce, first.digest[::-1].hex())
    assert (lines[2]["id"], lines[2]["fate"], lines[2]["reason"]) == (2, "rejected", "23: low difficulty")
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_a_block_is_on_the_disk_before_it_is_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[list[str]] = []
    path = tmp_path / "shares.jsonl"
    it = journal(path)
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(events(path))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    [block] = shares(1, block=True)
    it.settled(outcome(block))  # nobody wrote it down: nothing to settle
    it.found(block, ORIGIN)
    assert synced == [["found"]]
    it.settled(outcome(block))
    assert len(synced) == 1
    CLOCK.now += 6
    it.sync_when_due()
    assert len(synced) == 2
    it.sync_when_due()
    assert len(synced) == 2


def test_totals_go_on_over_runs(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    for _ in range(3):
        it = journal(path)
        for share in shares(4):
            it.found(share, ORIGIN)
            it.settled(outcome(share))
        it.close()
    assert it.counts == ShareCounts(accepted=12)
    assert read(path).counts == ShareCounts(accepted=12)
    ids = [json.loads(line)["id"] for line in path.read_text().splitlines() if '"found"' in line]
    assert ids == list(range(1, 13))


def test_what_a_crash_left_open_is_lost_and_blocks_come_back(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    it = journal(path)
    [block] = shares(1, block=True)
    it.found(block, ORIGIN)
    os.close(it._file)  # as a crash does
    with path.open("ab") as file:
        file.write(b'{"event":"found","id":2,"ti')
    CLOCK.now += 60
    again = journal(path)
    assert again.damaged == 1
    [recovered] = again.recovered
    assert recovered.share.header == block.header
    assert recovered.share.job.coinbase(block.extranonce2) == JOB.coinbase(block.extranonce2)
    assert (recovered.pool, recovered.resumable.session_id) == (ORIGIN.pool, "s1")
    assert (recovered.resumable.extranonce1, recovered.resumable.extranonce2_size) == (b"\xa1\xb2", 4)
    assert again.open == 1
    again.adopt(recovered)
    again.settled(outcome(recovered.share))
    assert again.counts == ShareCounts(accepted=1)
    assert again.blocks == 1
    again.close()
    assert read(path).damaged == 0  # the half line was cut off


def test_an_old_block_is_not_handed_back(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    it = journal(path)
    [block] = shares(1, block=True)
    it.found(block, ORIGIN)
    os.close(it._file)
    CLOCK.now += 601
    again = journal(path)
    assert again.recovered == ()
    assert again.counts == ShareCounts(lost=1)
    assert json.loads(path.read_text().splitlines()[-1])["reason"] == CRASHED


def test_a_large_file_is_rotated_and_the_new_one_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    it = journal(path, max_bytes=4000)
    kept, *rest = shares(40)
    it.found(kept, ORIGIN)
    for share in rest:
        it.found(share, ORIGIN)
        it.settled(outcome(share))
    it.settled(outcome(kept, Fate.STALE))
    it.close()
    assert sorted(item.name for item in tmp_path.iterdir())[:2] == ["shares.jsonl", "shares.jsonl.1"]
    assert len(list(tmp_path.iterdir())) <= 6
    reading = read(path)
    assert reading.counts == ShareCounts(accepted=39, stale=1)
    assert (reading.open, reading.damaged) == ({}, 0)
    assert journal(path).counts == reading.counts


def test_rotation_that_fails_is_told(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    (tmp_path / "shares.jsonl.4").touch()
    (tmp_path / "shares.jsonl.5").mkdir()
    it = journal(path, max_bytes=10)
    [share] = shares(1)
    it.found(share, ORIGIN)
    with pytest.raises(JournalError, match=r"journal '.*shares.jsonl': Is a directory"):
        it.settled(outcome(share))
    it.close()


def test_two_miners_do_not_write_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    it = journal(path)
    [share] = shares(1)
    it.found(share, ORIGIN)
    before = path.read_bytes()
    with pytest.raises(JournalError, match="another miner writes it"):
        journal(path)
    assert path.read_bytes() == before  # its open share is not settled as lost
    it.close()
    journal(path).close()


@pytest.mark.parametrize("content", [b"notes of mine", b"a\nb", b'{"event":"nothing"}\n', b"\xff\xfe\n\n", b"\n"])
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="expected a share journal, got another kind of file"):
        journal(path)
    assert path.read_bytes() == content


@settings(max_examples=40)
@given(st.lists(st.sampled_from(list(Fate)), max_size=12), st.integers(0, 4000), st.binary(max_size=40))
def test_any_cut_and_any_garbage_can_be_read(fates: list[Fate], cut: int, garbage: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "shares.jsonl"
        it = journal(path)
        for share, fate in zip(shares(len(fates) or 1), fates, strict=False):
            it.found(share, ORIGIN)
            it.settled(outcome(share, fate))
        it.close()
        content = path.read_bytes()[: cut or None]
        path.write_bytes(content + garbage)
        if not read(path).records and path.stat().st_size and (garbage or b"\n" in content):
            return  # nothing of a journal is left: test_a_file_of_another_kind_is_left_alone
        again = journal(path)
        whole = sum(b'"settled"' in line for line in content.split(b"\n")[:-1])
        assert again.counts.total in (whole, whole + 1)
        again.close()
        final = read(path)
        assert final.counts == again.counts


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"journal '.*nowhere.*': No such file or directory"):
        journal(tmp_path / "nowhere" / "shares.jsonl")
    with pytest.raises(JournalError, match="Is a directory"):
        journal(tmp_path)
    if Path("/dev/full").exists():
        it, _ = journal(Path("/dev/full")), journal(Path("/dev/full"))  # a device is not locked
        with pytest.raises(JournalError, match="No space left on device"):
            it.found(shares(1)[0], ORIGIN)
