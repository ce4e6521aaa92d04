"""The records of a share journal: which of them fit together, and what is read of damaged lines."""

import json
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.miner.journal_records import Account, Reading, ResolvedShare, SubmittedShare, Totals, read
from stratum_miner.miner.share_counts import ShareCounts


def found(number: int, *, block: bool = False) -> SubmittedShare:
    return SubmittedShare(id=number, time=1.0, block=block)


def resolved(number: int, fate: Any = "accepted") -> ResolvedShare:
    return ResolvedShare(id=number, time=1.0, fate=fate)


def test_an_account_adds_up() -> None:
    it = Account()
    assert (it.next_id, it.counts.total) == (1, 0)
    for number, fate in enumerate(["accepted", "rejected", "stale", "lost", "accepted", "rejected"], 1):
        assert it.take(found(number, block=number <= 2))
        assert it.take(resolved(number, fate))
    assert it.take(found(9, block=True))
    assert it.counts == ShareCounts(accepted=2, rejected=2, stale=1, lost=1)
    assert (it.blocks, [*it.open], it.next_id) == (1, [9], 10), "only an accepted block counts"
    copy = it.copy()
    assert copy == it
    assert copy.take(resolved(9))
    assert (copy.blocks, copy.open) == (2, {})
    assert ([*it.open], it.counts.total) == ([9], 6), "a copy is independent"


def test_totals_begin_an_account_anew() -> None:
    before = Account()
    for number in (1, 2, 3):
        before.take(found(number, block=True))
    before.take(resolved(1))
    before.take(resolved(2, "stale"))
    it = Account()
    it.take(found(77))
    for record in before.totals(5.0):
        assert record.time in (5.0, 1.0)
        assert it.take(record)
    assert it == before


def test_a_share_keeps_its_first_record_and_its_result() -> None:
    it = Account()
    first = found(1, block=True)
    it.take(first)
    assert it.take(found(1)), "a repetition says nothing new"
    assert it.open[1] is first
    assert it.take(resolved(1))
    assert not it.take(resolved(1, "lost"))
    assert not it.take(resolved(2))
    assert it.counts == ShareCounts(accepted=1)


def test_an_id_may_be_a_little_ahead_and_not_very_far() -> None:
    """A damaged id must not make all later ids impossible."""
    it = Account()
    assert not it.take(found(1 + (1 << 40)))
    assert (it.next_id, it.open) == (1, {})
    assert it.take(found(1 << 40))
    assert it.next_id == (1 << 40) + 1
    assert it.take(found(5))
    assert it.next_id == (1 << 40) + 1, "an older id does not bring back ids that were given"


def test_a_count_that_was_read_can_still_grow() -> None:
    largest = 1 << 52
    it = Account()
    it.take(Totals(time=1.0, accepted=largest, rejected=0, stale=0, lost=0, blocks=0, next_id=1))
    it.take(found(1))
    it.take(resolved(1))
    assert it.counts.accepted == largest + 1


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "records", "damaged", "open_ids", "rest", "unended", "closed"),
    [
        (b"", 0, 0, [], 0, False, False),
        (line(event="opened", time=1), 1, 0, [], 0, False, False),
        (line(event="opened", time=1)[:-1], 1, 0, [], 0, True, False),
        (line(event="opened", time=1) + b'{"ev', 1, 1, [], 4, False, False),
        (line(event="opened", time=1) + line(event="closed", time=1), 2, 0, [], 0, False, True),
        (line(event="closed", time=1) + line(event="opened", time=1), 2, 0, [], 0, False, False),
        (line(event="closed", time=1) + b"x\n", 1, 1, [], 0, False, False),
        (line(event="found", id=1, time="x"), 1, 0, [1], 0, False, False),
        (line(event="found", id=1, block="x"), 0, 1, [], 0, False, False),
        (line(event="settled", id=1, time=1), 0, 1, [], 0, False, False),
        (b"\0\0" + line(event="found", id=1, time=1), 1, 0, [1], 0, False, False),
    ],
)
def test_whole_damaged_and_unended_lines(
    tmp_path: Path, content: bytes, records: int, damaged: int, open_ids: list[int], rest: int, unended: bool,
    closed: bool,
) -> None:  # fmt: skip
    path = tmp_path / "shares.jsonl"
    path.write_bytes(content)
    it = read(path)
    assert (it.records, it.damaged, [*it.open], it.whole_bytes) == (records, damaged, open_ids, len(content) - rest)
    assert (it.unended, it.closed) == (unended, closed)


def test_a_result_without_its_other_fields_still_counts(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    path.write_bytes(line(event="found", id=1, time="x", block=True) + line(event="settled", id=1, fate="accepted"))
    it = read(path)
    assert (it.counts, it.blocks, it.damaged) == (ShareCounts(accepted=1), 1, 0)


def test_a_share_with_a_result_is_not_submitted_again_but_after_new_totals_its_id_is_free(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    once = line(event="found", id=1, time=1) + line(event="settled", id=1, time=1, fate="lost")
    zero = dict.fromkeys(("accepted", "rejected", "stale", "lost", "blocks"), 0)
    path.write_bytes(once + line(event="found", id=1, time=2))
    assert (read(path).damaged, read(path).open) == (1, {})
    path.write_bytes(once + line(event="totals", time=2, next_id=1, **zero) + line(event="found", id=1, time=2))
    assert (read(path).damaged, [*read(path).open]) == (0, [1])


def test_the_headers_of_shares_are_kept_with_their_times(tmp_path: Path) -> None:
    path = tmp_path / "shares.jsonl"
    path.write_bytes(b"".join(line(event="found", id=number, time=number, header=f"{number:02x}") for number in (1, 2)))
    assert [*read(path).headers] == [(1.0, "01"), (2.0, "02")]


def test_of_very_many_headers_the_newest_65_536_are_kept() -> None:
    it = Reading()
    it.headers.extend((float(number), "") for number in range(65_537))
    assert (len(it.headers), it.headers[0]) == (65_536, (1.0, ""))


@pytest.mark.parametrize(("count", "damaged"), [(1 << 52, 0), ((1 << 52) + 1, 1), (-1, 1)])
def test_a_count_is_from_0_to_2_to_the_52nd(tmp_path: Path, count: int, damaged: int) -> None:
    path = tmp_path / "shares.jsonl"
    counts = dict.fromkeys(("rejected", "stale", "lost", "blocks"), 0)
    path.write_bytes(line(event="totals", time=1, next_id=1, accepted=count, **counts))
    assert (read(path).damaged, read(path).counts.accepted) == (damaged, 0 if damaged else count)


@pytest.mark.parametrize("length", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_line_of_any_length_is_one_line(tmp_path: Path, length: int) -> None:
    path = tmp_path / "shares.jsonl"
    first, last = line(event="opened", time=1), line(event="closed", time=1)
    path.write_bytes(first + b"x" * (length - 1) + b"\n" + last)
    it = read(path)
    assert (it.records, it.damaged, it.closed, it.whole_bytes) == (2, 1, True, path.stat().st_size)
