"""What miners are told of the pool's jobs: no work twice, whoever counts from the beginning again, and when."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.proxy import job_translator
from stratum_miner.proxy.job_translator import JobChange, JobTranslator
from stratum_miner.work.job import HeaderBody, Job
from stratum_miner.work.space import MAX_NTIME_ROLL
from tests.proxy.proxy_lab import NOW
from tests.work.jobs import body_of, make_job


def upstream_job(**changes: Any) -> Job:
    values: dict[str, Any] = {
        "session": 1, "job_id": "a", "previous_hash": bytes(32), "prefix": b"\x01" * 50,
        "suffix": b"\x02" * 9, "branch": (), "version": 0x20000000, "nbits": 0x1D00FFFF, "ntime": NOW,
        "clean_jobs": False, "extranonce1": b"\xa1\xb2", "extranonce2_size": 4,
        "share_target": target_from_difficulty(1),
    }  # fmt: skip
    return make_job(**values | changes)


def new_translator(**options: Any) -> JobTranslator:
    return JobTranslator(256, ntime_ahead=7000, resume_seconds=600, token=lambda: "token", **options)


def shown(job: Job) -> bytes:
    """The part of its coinbase that no miner may change."""
    return body_of(job).prefix + body_of(job).extranonce1


@dataclass
class RestlessMiner:
    """Searches the first points of whatever it is told, as if it had never heard of it; two bytes at a time."""

    extranonce1: bytes
    size: int
    seen: set[tuple[bytes, ...]] = field(default_factory=set)

    def search(self, translator: JobTranslator) -> None:
        assert translator.current is not None
        content = translator.current.content
        for value in range(3 if self.size else 1):
            extranonce2 = value.to_bytes(self.size, "big")
            coinbase = content.coinbase_prefix + self.extranonce1 + extranonce2 + content.coinbase_suffix
            point = (coinbase, content.ntime.to_bytes(4, "big"), content.previous_hash, *content.merkle_branch)
            assert point not in self.seen
            self.seen.add(point)


def announcements(translator: JobTranslator) -> tuple[bytes, int]:
    assert translator.current is not None
    return translator.current.content.coinbase_prefix, translator.current.content.ntime


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 6, 8])
def test_pools_in_turns_never_bring_the_same_work_back(size: int) -> None:
    translator, miner = new_translator(), None
    jobs = [upstream_job(session=number, extranonce1=bytes([number] * 2), extranonce2_size=size) for number in range(3)]
    for second, index in enumerate((0, 1, 0, 2, 1, 0, 0, 1) * 50):
        translator.take(jobs[index], second / 10)
        if miner is None:
            assert translator.split is not None
            miner = RestlessMiner(bytes(translator.split.prefix_size), translator.split.extranonce2_size)
        miner.search(translator)


def test_new_work_has_other_padding_and_the_time_of_now() -> None:
    translator, first, other = (
        new_translator(),
        upstream_job(extranonce2_size=5),
        upstream_job(session=2, extranonce1=b"other"),
    )
    translator.take(first, 100.0)
    translator.take(other, 130.0)
    translator.take(first, 160.7)
    prefix = shown(first)
    assert announcements(translator) == (prefix + b"\x01", NOW + 60)
    translator.take(other, 161.0)
    translator.take(first, 5000.0)
    assert announcements(translator) == (prefix + b"\x02", NOW + 600), (
        "pools differ in how far it may be ahead of the job's"
    )
    translator.take(replace(first, job_id="b", ntime=NOW + 4800), 5000.0)
    assert announcements(translator) == (prefix + b"\x03", NOW + 4800)


def test_where_no_byte_is_left_to_pad_each_second_has_its_own_work() -> None:
    translator, job = new_translator(), upstream_job()
    for _ in range(3):
        translator.take(job, 7.0)
    assert announcements(translator) == (shown(job), NOW + 2)


def test_a_restarted_proxy_pads_from_another_place() -> None:
    translator, job = new_translator(first_padding=0x1234FE), upstream_job(extranonce2_size=5)
    seen = []
    for _ in range(257):
        translator.take(job, 0.0)
        seen.append(announcements(translator))
    assert seen[0] == (shown(job) + b"\xfe", NOW)
    assert seen[2] == (shown(job) + b"\x00", NOW)
    assert seen[256] == (shown(job) + b"\xfe", NOW + 1)
    assert len(set(seen)) == 257


def test_a_job_is_made_anew_for_a_prefix_that_had_it_and_only_then() -> None:
    translator = new_translator()
    assert translator.job_for(b"\x01", 0.0) is None
    translator.take(upstream_job(), 0.0)
    first = translator.job_for(b"\x01", 0.0)
    translator.note_holder(b"\x01")
    assert translator.job_for(b"\x02", 0.0) is first
    anew = translator.job_for(b"\x01", 9.0)
    assert anew is not None
    assert first is not None
    assert (anew.content.ntime, anew.job) == (first.content.ntime + 9, first.job)
    assert anew.seen is first.seen
    assert translator.job_for(b"\x01", 10.0) is anew, "one new job does for all that come back"


def test_a_miner_that_comes_back_without_end_does_not_drive_the_time_of_all_away() -> None:
    translator = new_translator()
    translator.take(upstream_job(), 0.0)
    for _ in range(3000):
        translator.note_holder(b"\x01")
        translator.job_for(b"\x01", 5.0)
    assert announcements(translator)[1] == NOW + 5 + MAX_NTIME_ROLL


turns = st.tuples(
    st.integers(1, 4),  # session
    st.sampled_from([b"\xa1\xb2", b"\xc3\xd4"]),
    st.sampled_from([0, 1, 2, 3, 4, 5, 8]),
    st.sampled_from([b"\x01" * 50, b"\x03" * 50]),
    st.sampled_from([0, 1, 30]),  # of ntime
    st.sampled_from([0.0, 0.3, 1.0, 45.0]),  # that pass before
)


@settings(max_examples=100)
@given(st.lists(turns, min_size=1, max_size=40), st.integers(0, 2**64))
def test_no_sequence_of_jobs_makes_a_restless_miner_repeat_itself(
    script: list[tuple[int, bytes, int, bytes, int, float]], first_padding: int
) -> None:
    translator, now, miner = new_translator(first_padding=first_padding), 0.0, None
    seen: set[tuple[bytes, ...]] = set()
    for session, extranonce1, size, prefix, ntime, pause in script:
        now += pause
        job = upstream_job(
            session=session, extranonce1=extranonce1, extranonce2_size=size, prefix=prefix, ntime=NOW + ntime
        )
        if translator.take(job, now) is JobChange.SPLIT or miner is None:
            assert translator.split is not None
            miner = RestlessMiner(bytes(translator.split.prefix_size), translator.split.extranonce2_size, seen)
        miner.search(translator)
        assert translator.current is not None
        assert translator.current.content.ntime >= job.ntime


def test_the_same_work_divided_otherwise_is_not_repeated() -> None:
    """With four bytes of padding, then with five: where one ends the other's prefix begins."""
    translator, job, seen = new_translator(), upstream_job(extranonce2_size=8), set[tuple[bytes, ...]]()
    translator.take(job, 0.0)
    RestlessMiner(b"\x01", 3, seen).search(translator)
    assert translator.take(upstream_job(session=2, extranonce2_size=3), 0.0) is JobChange.SPLIT
    translator.take(job, 0.0)
    assert translator.current is not None
    assert translator.current.session.split == translator.split
    RestlessMiner(b"\x00", 2, seen).search(translator)
    assert len(seen) == 6


def test_work_that_is_announced_now_and_then_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_translator, "MAX_ANNOUNCED", 2)
    translator, miner = new_translator(), RestlessMiner(b"\x01", 3)
    for number in range(6):
        translator.take(upstream_job(), 0.0)
        miner.search(translator)
        translator.take(upstream_job(suffix=bytes([number])), 0.0)


def test_memory_of_announcements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_translator, "MAX_ANNOUNCED", 10)
    translator = new_translator()
    for number in range(30):
        translator.take(upstream_job(suffix=bytes([number])), 0.0)
    assert len(translator._announced) == 10


def test_a_mask_that_is_widened_counts_for_all_extranonces_of_its_session_and_for_no_other() -> None:
    translator = new_translator()
    jobs = [
        upstream_job(session=1, extranonce1=b"a", version_mask=0xE000, version_rolling=True),
        upstream_job(session=2, extranonce1=b"b", version_mask=0xE000, version_rolling=True),
        upstream_job(session=1, extranonce1=b"c", version_mask=0xE000, version_rolling=True),
    ]
    sessions = []
    for job in jobs:
        translator.take(job, 0.0)
        assert translator.current is not None
        sessions.append(translator.current.session)
    assert translator.take(replace(jobs[2], version_mask=0x1FFFE000), 0.0) is JobChange.MASK
    granted = [session.as_granted(job).version_mask for session, job in zip(sessions, jobs, strict=True)]
    assert granted == [0x1FFFE000, 0xE000, 0x1FFFE000]


def test_a_job_without_its_coinbase_cannot_be_divided() -> None:
    translator = new_translator()
    translator.take(upstream_job(), 0.0)
    current = translator.current
    with pytest.raises(ValueError, match="got a merkle root"):
        translator.take(replace(upstream_job(), body=HeaderBody(bytes(32))), 0.0)
    assert translator.current is current


def test_of_a_thousand_jobs_the_one_that_was_announced_longest_ago_is_forgotten_first() -> None:
    """It would be announced as if it were new."""
    translator = new_translator()
    jobs = [upstream_job(extranonce2_size=5, suffix=number.to_bytes(9, "big")) for number in range(1025)]
    for job in jobs[:1024]:
        translator.take(job, 0.0)
    for index, padding in ((0, 1), (1024, 0), (1, 0), (3, 1)):  # job 1 went for job 1024, and job 2 for job 1
        translator.take(jobs[index], 0.0)
        assert announcements(translator) == (shown(jobs[index]) + bytes([padding]), NOW)


def test_of_sixteen_sessions_the_one_that_was_used_longest_ago_is_forgotten_first() -> None:
    translator = new_translator()
    jobs = [upstream_job(session=number, extranonce1=bytes([number])) for number in range(17)]
    sessions = []
    for job in jobs[:16]:
        translator.take(job, 0.0)
        assert translator.current is not None
        sessions.append(translator.current.session)
    for index, known in ((0, True), (16, False), (2, True), (1, False)):
        translator.take(jobs[index], 0.0)
        assert translator.current is not None
        assert (translator.current.session in sessions) == known


def test_a_pool_that_changes_only_the_size_of_its_extranonce2_pads_the_new_one() -> None:
    translator = new_translator()
    for size in (4, 5, 8):
        translator.take(upstream_job(extranonce2_size=size), 0.0)
        assert translator.current is not None
        assert translator.current.session.extranonce2_size == size
        assert len(translator.current.padding) == translator.current.session.padding_size == size - 4
        assert translator.current.content.clean, "a session that is entered voids the work before"


def test_when_a_change_of_the_mask_is_no_new_job() -> None:
    translator, job = new_translator(), upstream_job(version_mask=0xE000, version_rolling=True)
    assert translator.take(job, 0.0) is JobChange.SPLIT
    assert translator.take(job, 0.0) is JobChange.JOB, "the same job again is new work"
    assert translator.current is not None
    job_id = translator.current.content.job_id
    wider = replace(job, version_mask=0xFFE000)
    assert translator.take(wider, 0.0) is JobChange.MASK
    assert translator.current.content.job_id == job_id
    assert (translator.current.rollable_mask, translator.latest) == (0xFFE000, translator.current)
    assert translator.take(replace(wider, version_mask=0xE000, clean_jobs=True), 0.0) is JobChange.JOB
    assert translator.take(replace(wider, version_mask=0, ntime=NOW + 1), 0.0) is JobChange.JOB
    translator.lose()
    assert translator.current is None
    assert translator.take(replace(wider, ntime=NOW + 1), 0.0) is JobChange.JOB, "miners were sent away from it"


def test_ids_count_up_in_hex_and_the_pools_own_are_not_used() -> None:
    translator = new_translator(first_id=0xFFFFFFFF)
    ids = []
    for _ in range(2):
        translator.take(upstream_job(), 0.0)
        assert translator.current is not None
        ids.append(translator.current.content.job_id)
    assert ids == ["ffffffff", "0"]
    plain = new_translator()
    plain.take(upstream_job(extranonce2_size=5), 0.0)
    assert plain.current is not None
    assert (plain.current.content.job_id, plain.current.padding) == ("1", b"\x00")
    assert plain.extranonces.lease(0.0).extranonce1 == b"\x00"


def test_a_job_is_clean_if_the_pool_says_so_or_the_session_is_another() -> None:
    translator = new_translator()
    again = upstream_job(job_id="b")
    steps = [
        (upstream_job(), True),
        (again, False),
        (upstream_job(clean_jobs=True), True),
        (upstream_job(session=2), True),
        (upstream_job(session=1), True),
        (again, False),
    ]
    for job, clean in steps:
        translator.take(job, 0.0)
        assert translator.current is not None
        assert translator.current.content.clean == clean


def test_a_job_says_what_its_pool_says() -> None:
    translator = new_translator()
    job = upstream_job(branch=(b"\x09" * 32,), version=0x20000004, session=5)
    translator.take(job, 0.0)
    current = translator.current
    assert current is not None
    content = current.content
    assert (content.version, content.nbits, content.merkle_branch) == (0x20000004, 0x1D00FFFF, (b"\x09" * 32,))
    assert content.coinbase_suffix == b"\x02" * 9
    assert (current.origin, current.network_target, current.job) == (5, 0xFFFF << 208, job)
    assert current.difficulty == 1.0


def test_bits_are_granted_only_where_they_are_not_known_yet() -> None:
    translator = new_translator()
    job = upstream_job(version_mask=0xE000, version_rolling=True)
    translator.take(job, 0.0)
    assert translator.current is not None
    session = translator.current.session
    assert session.as_granted(job) is job
    narrow = replace(job, version_mask=0, version_rolling=False)
    granted = session.as_granted(narrow)
    assert (granted.version_mask, granted.version_rolling) == (0xE000, True)


def test_the_time_of_announcements_never_goes_back_and_never_far_ahead() -> None:
    translator, job = new_translator(), upstream_job()
    for now, ntime in ((0.0, NOW), (0.5, NOW + 1), (0.9, NOW + 2), (1.0, NOW + 3), (60.0, NOW + 60), (60.0, NOW + 61)):
        translator.take(job, now)
        assert announcements(translator)[1] == ntime


def test_when_the_last_byte_to_pad_is_used_up_a_second_begins() -> None:
    translator, job = new_translator(), upstream_job(extranonce2_size=5)
    for _ in range(256):
        translator.take(job, 0.0)
    assert announcements(translator) == (shown(job) + b"\xff", NOW)
    translator.take(job, 0.0)
    assert announcements(translator) == (shown(job) + b"\x00", NOW + 1)


def test_before_the_first_job_there_is_nothing_to_divide() -> None:
    lease = new_translator().extranonces.lease(0.0)
    assert (lease.extranonce1, lease.extranonce2_size) == (b"", 0)
