"""A share journal that was damaged or changed."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.client.resume import Resumable
from stratum_miner.miner import ShareCounts
from stratum_miner.miner.journal import Journal, JournalError, read
from stratum_miner.work.job import HeaderBody
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome
from tests.miner.journals import (
    CLOCK,
    JOB,
    TO,
    Opener,
    as_after_a_crash,
    events,
    outcome,
    records,
    shares,
)


@pytest.mark.parametrize("content", [b"notes of mine", b"a\nb", b'{"event":"nothing"}\n', b"\xff\xfe\n\n", b"\n"])
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="expected a share journal, got another kind of file"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_last_line_without_its_end_counts_the_same_every_time(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    [share] = shares(1)
    it.submitted(share, TO)
    it.resolved(outcome(share))
    path = as_after_a_crash(it)
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    for _ in range(3):
        again = opened(path)
        assert (again.counts, again.damaged) == (ShareCounts(accepted=1), 0)
        again.close()
    assert read(path).counts == ShareCounts(accepted=1)


def _journal_of_a_block(it: Journal) -> tuple[Share, list[dict[str, Any]]]:
    [block] = shares(1)
    [other] = shares(1, block=False)
    it.submitted(other, TO)
    it.resolved(outcome(other))
    it.submitted(block, TO)
    return block, records(as_after_a_crash(it))


@pytest.mark.parametrize("value", [-1, 1 << 32, 1 << 33, 1 << 70, 10**400, "x", None, 1.5, [], True])
@pytest.mark.parametrize("name", ["nonce", "ntime", "version", "difficulty", "extranonce1", "hash", "job"])
def test_a_block_is_recovered_whatever_else_its_record_says(
    tmp_path: Path, opened: Opener, name: str, value: Any
) -> None:
    block, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    lines[-1][name] = value
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = opened(path)
    assert again.counts.accepted == 1
    if again.recovered:
        assert again.recovered[0].share.header == block.header
    assert again.counts.lost == (0 if again.recovered else 1)
    out_of_range = isinstance(value, int) and not isinstance(value, bool) and name in ("nonce", "ntime", "version")
    assert again.recovered or not out_of_range


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("header", "00"), ("header", "zz"), ("header", 1), ("extranonce2", "0"), ("extranonce2", "00" * 40),
        ("job_fields", "x"), ("job_fields", []), ("job_fields", {}), ("session_id", 7), ("time", "x"),
    ],
)  # fmt: skip
def test_a_block_that_cannot_be_rebuilt_is_lost_and_the_rest_stays(
    tmp_path: Path, opened: Opener, name: str, value: Any
) -> None:
    _, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    lines[-1][name] = value
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = opened(path)
    assert (again.recovered, again.counts) == ((), ShareCounts(accepted=1, lost=1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nbits", 0), ("nbits", -1), ("nbits", "x"), ("nbits", 0x1D00FFFF), ("ntime", 1 << 40), ("version", 1 << 40),
        ("extranonce2_size", 10**9), ("share_difficulty", 0), ("share_difficulty", "x"), ("version_mask", 1 << 70),
        ("branch", [1]), ("branch", None), ("previous_hash", "zz"), ("unknown", 1), ("job_id", 5), ("prefix", "00"),
        ("body", None), ("body", {}), ("kind", "header"), ("kind", 1), ("extranonce2_size", "4"), ("origin", None),
    ],
)  # fmt: skip
def test_a_block_of_a_damaged_job_is_never_handed_back_changed(
    tmp_path: Path, opened: Opener, name: str, value: Any
) -> None:
    block, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    fields = lines[-1]["job_fields"]
    (fields["body"] if name in fields["body"] else fields)[name] = value
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = opened(path)
    assert again.counts.accepted == 1
    assert [item.share.header for item in again.recovered] in ([], [block.header])
    assert again.open + again.counts.lost == 1


@pytest.mark.parametrize("value", [-1, 1 << 32, "x", True, None, 0, (1 << 32) - 1])
@pytest.mark.parametrize("name", ["version", "ntime", "version_mask"])
def test_a_damaged_number_of_a_job_is_replaced_by_that_of_the_header(
    tmp_path: Path, opened: Opener, name: str, value: Any
) -> None:
    block, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    lines[-1]["job_fields"][name] = value
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    [recovered] = opened(path).recovered
    of_header = {"version": block.version, "ntime": block.ntime, "version_mask": 0}
    is_valid = type(value) is int and 0 <= value < 1 << 32
    assert getattr(recovered.share.job, name) == (value if is_valid else of_header[name])


def test_a_block_is_recovered_from_a_record_of_before_jobs_had_bodies(tmp_path: Path, opened: Opener) -> None:
    block, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    body = lines[-1]["job_fields"].pop("body")
    lines[-1]["job_fields"] |= {
        "session": 1, "coinbase_prefix": body["prefix"], "coinbase_suffix": body["suffix"],
        "merkle_branch": body["branch"], "extranonce1": body["extranonce1"],
        "extranonce2_size": body["extranonce2_size"],
    }  # fmt: skip
    path = tmp_path / "older.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    [recovered] = opened(path).recovered
    assert recovered.share == replace(block, job=recovered.share.job, worker_name="worker")
    assert recovered.share.job.body == JOB.body
    assert recovered.resumable == Resumable("s1", b"\xa1\xb2", 4)


def test_a_block_of_a_bare_root_cannot_be_handed_back(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    job = replace(JOB, body=HeaderBody(bytes(32)))
    [block] = shares(1, job)
    it.submitted(block, TO)
    path = as_after_a_crash(it)
    [_, record] = records(path)
    assert record["job_fields"]["body"] == {"kind": "header", "merkle_root": "00" * 32}
    again = opened(path)
    assert (again.recovered, again.counts.lost) == ((), 1)


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"settled","id":1180591620717411303424,"time":1,"fate":"lost"}\n',
        b'{"event":"settled","id":1,"time":1,"fate":"accepted"}\n',  # once more
        b'{"event":"found","id":1,"time":1,"block":true}\n',  # once more
        b'{"event":"totals","time":1,"accepted":-5,"rejected":0,"stale":0,"lost":0,"blocks":0,"next_id":9}\n',
        b'{"event":"totals","time":1,"accepted":9223372036854775807,"rejected":0,"stale":0,"lost":0,"blocks":0,'
        b'"next_id":9}\n',
        b'{"event":"found","id":9007199254740992,"time":1}\n',
        b'{"event":"found","id":0,"time":1}\n', b'{"event":"found","job_fields":' + b"[" * 100_000 + b"\n",
        b"\0" * 4096 + b"\n", b"x" * (5 << 20) + b"\n", b"\xef\xbb\xbf\n", b"\n",
    ],
)  # fmt: skip
def test_a_line_that_is_no_record_costs_nothing_else(tmp_path: Path, opened: Opener, line: bytes) -> None:
    _, lines = _journal_of_a_block(opened(tmp_path / "shares.jsonl"))
    path = tmp_path / "damaged.jsonl"
    whole = [json.dumps(item).encode() + b"\n" for item in lines]
    path.write_bytes(b"".join([*whole[:3], line, *whole[3:]]))
    again = opened(path)
    assert (again.counts, again.damaged, len(again.recovered)) == (ShareCounts(accepted=1), 1, 1)
    assert again.recovered[0].id == 2


def test_a_number_that_was_changed_costs_no_other_share(tmp_path: Path, opened: Opener) -> None:
    it = opened(tmp_path / "shares.jsonl")
    for share in shares(9):
        it.submitted(share, TO)
        it.resolved(outcome(share))
    content = as_after_a_crash(it).read_bytes()
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(content.replace(b'"found","id":2,', b'"found","id":800,'))
    again = opened(path)
    assert (again.counts, again.damaged) == (ShareCounts(accepted=8), 1)
    assert [record.share.header for record in again.recovered] == [shares(2)[1].header]


def test_a_file_that_lost_its_beginning_goes_on_from_the_one_before(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "shares.jsonl"
    it = opened(path, max_bytes=4000)
    for share in shares(30):
        it.submitted(share, TO)
        it.resolved(outcome(share))
        assert it.flush()
    it.close()
    it.submitted(shares(1)[0], TO)
    before = read(path.with_name("shares.jsonl.1")).counts.accepted
    content = path.read_bytes()
    for lost, expected in ((content, before), (content[:40], 30), (content[:1], 30)):
        path.write_bytes(content.removeprefix(lost) if lost != content[:40] else b"\0" * 40 + content[40:])
        again = opened(path)
        assert again.counts.accepted == expected
        again.close()
        assert read(path).counts.accepted == expected
    path.unlink()
    again = opened(path)
    assert again.counts.accepted == before
    for share in shares(3):
        again.submitted(share, TO)
        assert again.flush()
    assert events(path) == ["totals", "opened", *["found"] * 3]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(list(ShareOutcome)), max_size=12), st.integers(0, 4000), st.binary(max_size=40))
def test_any_cut_and_any_garbage_can_be_read(fates: list[ShareOutcome], cut: int, garbage: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "shares.jsonl"
        it = Journal(path, wall_clock=CLOCK)
        for share, fate in zip(shares(len(fates) or 1), fates, strict=False):
            it.submitted(share, TO)
            it.resolved(outcome(share, fate))
        it.close()
        content = path.read_bytes()[: cut or None]
        path.write_bytes(content + garbage)
        if not read(path).records and path.stat().st_size and (garbage or b"\n" in content):
            return  # nothing of a journal is left: test_a_file_of_another_kind_is_left_alone
        again = Journal(path, wall_clock=CLOCK)
        whole = sum(b'"settled"' in line for line in content.split(b"\n")[:-1])
        last = b'"settled"' in content.rpartition(b"\n")[2]
        opened_ = sum(b'"found"' in line for line in content.split(b"\n"))
        assert whole <= again.counts.total + len(again.recovered) <= opened_ + last
        again.close()
        final = read(path)
        assert final.counts == again.counts
