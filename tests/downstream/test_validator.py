"""Exact judgement: boundaries to the unit, the order of checks, bounded memory, nothing changed by a refusal."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import hash_value
from stratum_miner.downstream.jobs import MAX_JOBS, MAX_OLD_JOBS, JobTable, SessionJob
from stratum_miner.downstream.share_memory import MAX_SHARES, SeenShares
from stratum_miner.downstream.validator import Accepted, Refused, ShareValidator, ShareVerdict, Solution, solution_of
from stratum_miner.network.fair_bound import FairBound
from stratum_miner.pool.job_factory import JobFactory, PoolJob
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.testing.scripted_node import EASY_BITS, HARD_BITS, make_template

NOW = 1_700_000_000.0
SUBMIT = Submit("w", "00000001", bytes(8), int(NOW), 5)


def job_of(submit: Submit = SUBMIT, *, target: int, nbits: int = HARD_BITS, mask: int = 0) -> SessionJob[PoolJob]:
    factory = JobFactory(payout_script=b"\x51", version_mask=0x1FFFE000, extranonce_size=12)
    return SessionJob(
        announced=factory.publish(make_template(nbits=nbits), 0.0),
        extranonce1=b"\x01\x02\x03\x04",
        difficulty=0.5,
        target=target,
        version_mask=mask,
    )


def judge(
    job: SessionJob[PoolJob], submit: Submit = SUBMIT, *, now: float = NOW, tip: bytes | None = None
) -> ShareVerdict[PoolJob]:
    validator = ShareValidator()
    validator.set_tip(job.announced.content.previous_hash if tip is None else tip)
    jobs = JobTable[PoolJob]()
    jobs.add(job)
    return validator.judge(submit, jobs, now)


def value_of(submit: Submit = SUBMIT, nbits: int = HARD_BITS) -> int:
    return hash_value(solution_of(submit, job_of(target=1, nbits=nbits)).digest)


@pytest.mark.parametrize(("offset", "accepted"), [(-1, False), (0, True), (1, True)])
def test_share_target_is_met_by_equality_and_missed_by_one(offset: int, accepted: bool) -> None:
    verdict = judge(job_of(target=value_of() + offset))
    assert isinstance(verdict, Accepted) == accepted
    if isinstance(verdict, Refused):
        assert verdict.reason is ErrorReason.LOW_DIFFICULTY
        assert "expected 0.5, got" in verdict.message


@pytest.mark.parametrize(("offset", "is_block"), [(-1, False), (0, True), (1, True)])
def test_network_target_is_met_by_equality_and_missed_by_one(offset: int, is_block: bool) -> None:
    job = job_of(target=1)
    job = msgspec.structs.replace(job, announced=replace(job.announced, network_target=value_of() + offset))
    verdict = judge(job)
    assert isinstance(verdict, Refused)
    assert verdict.reason is ErrorReason.LOW_DIFFICULTY
    assert (verdict.candidate is not None) == is_block, "a block below the share target is for the node to judge"


@pytest.mark.parametrize(
    ("change", "reason", "text"),
    [
        ({"extranonce2": bytes(7), "job_id": "?"}, ErrorReason.OTHER, "extranonce2: expected 8 bytes, got 7"),
        ({"job_id": "?", "ntime": 0}, ErrorReason.JOB_NOT_FOUND, "job not found"),
        ({"ntime": 0, "version_bits": 1}, ErrorReason.OTHER, "ntime out of range"),
        (
            {"version_bits": 1},
            ErrorReason.OTHER,
            "version bits: expected none, because version rolling was not granted with mining.configure, got 00000001",
        ),
        ({}, ErrorReason.LOW_DIFFICULTY, "low difficulty share"),
    ],
)
def test_the_first_fault_in_order_is_named(change: dict[str, int], reason: ErrorReason, text: str) -> None:
    verdict = judge(job_of(target=1), replace(SUBMIT, **change))  # type: ignore[arg-type]
    assert isinstance(verdict, Refused)
    assert verdict.reason is reason
    assert text in verdict.message
    assert verdict.candidate is None


def test_stale_comes_before_everything_but_the_job_and_a_duplicate() -> None:
    verdict = judge(job_of(target=1), replace(SUBMIT, ntime=0, version_bits=1), tip=bytes(32))
    assert isinstance(verdict, Refused)
    assert verdict.reason is ErrorReason.JOB_NOT_FOUND
    assert verdict.message.startswith("stale")


@pytest.mark.parametrize(
    ("ntime", "now", "good"),
    [
        (int(NOW) - 1, NOW, False),
        (int(NOW), NOW, True),
        (int(NOW) + 600, NOW, True),
        (int(NOW) + 601, NOW, False),
        (int(NOW) + 601, NOW + 1, True),
        (int(NOW), NOW - 9000, True),  # the job's own, though our clock says that no node would take it
        (int(NOW) + 1, NOW - 9000, False),
        (int(NOW) + 600, NOW - 6600, True),
        (int(NOW) + 601, NOW - 6600, False),
    ],
)
def test_ntime_window(ntime: int, now: float, good: bool) -> None:
    verdict = judge(job_of(target=2**256 - 1), replace(SUBMIT, ntime=ntime), now=now)
    assert isinstance(verdict, Accepted) == good


@pytest.mark.parametrize("stale", [False, True])
def test_a_time_for_which_the_template_does_not_hold_is_refused(stale: bool) -> None:
    easy = job_of(target=2**256 - 1, nbits=EASY_BITS)
    job = msgspec.structs.replace(easy, announced=replace(easy.announced, maxtime=int(NOW) + 30))
    tip = bytes(32) if stale else None
    inside = judge(job, replace(SUBMIT, ntime=int(NOW) + 30), tip=tip)
    beyond = judge(job, replace(SUBMIT, ntime=int(NOW) + 31), tip=tip)
    assert isinstance(inside, Accepted) is not stale
    assert isinstance(beyond, Refused)
    assert beyond.candidate is None, "the node would refuse the block"
    if not stale:
        assert "expected at most 6553f11e, the last second for which the node's template is valid" in beyond.message


def test_low_difficulty_comes_before_duplicate_and_leaves_no_trace() -> None:
    job = job_of(target=1)
    validator = ShareValidator()
    validator.set_tip(job.announced.content.previous_hash)
    jobs = JobTable[PoolJob]()
    jobs.add(job)
    for _ in range(2):
        verdict = validator.judge(SUBMIT, jobs, NOW)
        assert isinstance(verdict, Refused)
        assert verdict.reason is ErrorReason.LOW_DIFFICULTY
    jobs.add(msgspec.structs.replace(job, target=2**256 - 1))
    assert isinstance(validator.judge(SUBMIT, jobs, NOW), Accepted)
    again = validator.judge(SUBMIT, jobs, NOW)
    assert isinstance(again, Refused)
    assert again.reason is ErrorReason.DUPLICATE


def table(*jobs: SessionJob[PoolJob]) -> JobTable[PoolJob]:
    jobs_of_session = JobTable[PoolJob]()
    for job in jobs:
        jobs_of_session.add(job)
    return jobs_of_session


def accepted(validator: ShareValidator, jobs: JobTable[PoolJob], nonces: range, job_id: str = SUBMIT.job_id) -> int:
    verdicts = [validator.judge(replace(SUBMIT, job_id=job_id, nonce=nonce), jobs, NOW) for nonce in nonces]
    return sum(isinstance(verdict, Accepted) for verdict in verdicts)


def test_a_share_that_was_accepted_is_a_duplicate_also_once_its_job_is_stale() -> None:
    job = job_of(target=2**256 - 1)
    validator, jobs = ShareValidator(), table(job)
    validator.set_tip(job.announced.content.previous_hash)
    assert isinstance(validator.judge(SUBMIT, jobs, NOW), Accepted)
    validator.set_tip(bytes(32))
    for now in (NOW, NOW - 9000):  # also when its ntime is out of range by now
        again = validator.judge(SUBMIT, jobs, now)
        assert isinstance(again, Refused)
        assert again.reason is ErrorReason.DUPLICATE
    other = validator.judge(replace(SUBMIT, nonce=6), jobs, NOW)
    assert isinstance(other, Refused)
    assert other.reason is ErrorReason.JOB_NOT_FOUND


def test_a_stale_share_tells_how_much_work_it_took_unless_something_else_is_wrong_with_it() -> None:
    good, hard = job_of(target=2**256 - 1), job_of(target=1)
    for job, submit, work in (
        (good, SUBMIT, 0.5),
        (good, replace(SUBMIT, ntime=0), 0.0),
        (good, replace(SUBMIT, version_bits=1), 0.0),
        (good, replace(SUBMIT, job_id="?"), 0.0),
        (hard, SUBMIT, 0.0),
    ):
        verdict = judge(job, submit, tip=bytes(32))
        assert isinstance(verdict, Refused)
        assert verdict.work == work


def test_a_session_that_floods_is_refused_while_others_find_room() -> None:
    job = job_of(target=2**256 - 1)
    memory = FairBound(100)
    validator = ShareValidator(memory=memory)
    validator.set_tip(job.announced.content.previous_hash)
    flood, second = table(job), table(msgspec.structs.replace(job, extranonce1=b"\x05\x06\x07\x08"))
    assert accepted(validator, flood, range(200)) == 50
    refusal = validator.judge(replace(SUBMIT, nonce=200), flood, NOW)
    assert isinstance(refusal, Refused)
    assert refusal.message == "too many valid shares: 50 on the current jobs. Ask for a higher difficulty"
    assert refusal.work == 0.5, "or vardiff would take it for silence and ask for still easier shares"
    assert accepted(validator, second, range(200)) == 25, "two floods leave room for a third session"
    for number in range(10):
        honest = table(msgspec.structs.replace(job, extranonce1=bytes([9, 9, 9, number])))
        assert accepted(validator, honest, range(2)) == 2
    assert memory.used == 95
    assert accepted(validator, flood, range(200)) == 0, "none counts twice meanwhile"


def test_a_flood_of_many_sessions_keeps_to_the_bound() -> None:
    job = job_of(target=2**256 - 1)
    memory = FairBound(100)
    validator = ShareValidator(memory=memory)
    validator.set_tip(job.announced.content.previous_hash)
    tables = [table(msgspec.structs.replace(job, extranonce1=bytes([1, 1, 1, number]))) for number in range(200)]
    for jobs in tables:
        accepted(validator, jobs, range(3))
    assert memory.used == 100


def test_a_flood_over_several_jobs_is_one_flood() -> None:
    job = job_of(target=2**256 - 1)
    validator = ShareValidator(memory=FairBound(100))
    validator.set_tip(job.announced.content.previous_hash)
    jobs = table(job)
    total = 0
    for number in range(10):
        content = replace(job.announced.content, job_id=str(number), ntime=int(NOW))
        pool_job = replace(job.announced, content=content)
        pool_job = replace(pool_job, seen=SeenShares())
        jobs.add(msgspec.structs.replace(job, announced=pool_job))
        total += accepted(validator, jobs, range(20), str(number))
    assert total == 50


def test_a_job_is_forgotten_with_its_shares_when_no_session_may_submit_to_it() -> None:
    memory = FairBound(100)
    validator = ShareValidator(memory=memory)
    factory = JobFactory(payout_script=b"\x51", version_mask=0, extranonce_size=12)
    jobs = JobTable[PoolJob](max_jobs=2)
    for number in range(1, 50):
        pool_job = factory.publish(make_template(number, curtime=int(NOW) + 700 * number), 0.0)
        validator.set_tip(pool_job.content.previous_hash)
        jobs.add(msgspec.structs.replace(job_of(target=2**256 - 1), announced=pool_job))
        ntime = replace(SUBMIT, ntime=pool_job.content.ntime, job_id=pool_job.content.job_id)
        assert all(
            isinstance(validator.judge(replace(ntime, nonce=nonce), jobs, pool_job.content.ntime), Accepted)
            for nonce in range(10)
        )
        assert memory.used <= 20
        assert jobs.shares == memory.used
        del pool_job
    factory.current = None
    del jobs
    assert memory.used == 0


def test_a_share_is_recognized_for_ten_minutes_however_many_jobs_came_since() -> None:
    memory = FairBound(MAX_SHARES)
    validator = ShareValidator(memory=memory)
    job = job_of(target=2**256 - 1)
    jobs = table(job)
    validator.set_tip(job.announced.content.previous_hash)
    assert accepted(validator, jobs, range(1)) == 1

    def later(number: int, seconds: int) -> SessionJob[PoolJob]:
        content = replace(job.announced.content, job_id=str(number), ntime=int(NOW) + seconds)
        return msgspec.structs.replace(job, announced=replace(job.announced, content=content, seen=SeenShares()))

    for number in range(100):
        jobs.add(later(number, 600))
    verdicts = [validator.judge(replace(SUBMIT, nonce=nonce), jobs, NOW) for nonce in (0, 1)]
    assert [verdict.reason for verdict in verdicts if isinstance(verdict, Refused)] == [
        ErrorReason.DUPLICATE,
        ErrorReason.JOB_NOT_FOUND,
    ]
    assert jobs.shares == 1
    jobs.add(later(100, 601))
    assert jobs.shares == 0
    late = validator.judge(replace(SUBMIT, nonce=0), jobs, NOW)
    assert isinstance(late, Refused)
    assert late.message == "job not found"


def test_old_jobs_are_bounded_in_number() -> None:
    memory = FairBound(MAX_SHARES)
    validator, jobs = ShareValidator(memory=memory), JobTable[PoolJob]()
    job = job_of(target=2**256 - 1)
    validator.set_tip(job.announced.content.previous_hash)
    for number in range(MAX_JOBS + 2 * MAX_OLD_JOBS):
        content = replace(job.announced.content, job_id=str(number))
        jobs.add(msgspec.structs.replace(job, announced=replace(job.announced, content=content, seen=SeenShares())))
        assert accepted(validator, jobs, range(2), str(number)) == 2
    assert memory.used == jobs.shares == 2 * (MAX_JOBS + MAX_OLD_JOBS)


def test_a_share_that_is_forgotten_may_come_again() -> None:
    job = job_of(target=2**256 - 1)
    memory = FairBound(MAX_SHARES)
    validator, jobs = ShareValidator(memory=memory), table(job)
    validator.set_tip(job.announced.content.previous_hash)
    verdict = validator.judge(SUBMIT, jobs, NOW)
    assert isinstance(verdict, Accepted)
    for _ in range(2):
        job.announced.seen.forget(verdict.solution.digest)
        assert memory.used == 0
    assert isinstance(validator.judge(SUBMIT, jobs, NOW), Accepted)


@given(
    mask=st.integers(0, 0x1FFFE000).map(lambda bits: bits & 0x1FFFE000),
    bits=st.integers(0, 0xFFFFFFFF),
)
def test_version_is_assigned_inside_the_mask_only(mask: int, bits: int) -> None:
    job = job_of(target=2**256 - 1, mask=mask)
    verdict = judge(job, replace(SUBMIT, version_bits=bits))
    if bits & ~mask:
        assert isinstance(verdict, Refused)
        return
    assert isinstance(verdict, Accepted)
    assert int.from_bytes(verdict.solution.header[:4], "little") == 0x20000000 | bits


def test_template_version_bits_inside_the_pools_mask_are_cleared() -> None:
    factory = JobFactory(payout_script=b"\x51", version_mask=0x1FFFE000, extranonce_size=12)
    assert factory.publish(make_template(version=0x3FFFE004), 0.0).content.version == 0x20000004


@pytest.mark.parametrize("stale", [False, True])
def test_a_stale_or_weak_candidate_is_given_out_once(stale: bool) -> None:
    job = job_of(target=1, nbits=EASY_BITS)
    submit = next(
        candidate
        for candidate in (replace(SUBMIT, nonce=nonce) for nonce in range(100))
        if solution_of(candidate, job).is_block
    )
    validator = ShareValidator()
    validator.set_tip(job.announced.content.previous_hash)
    if stale:
        validator.set_tip(bytes(32))
    jobs = JobTable[PoolJob]()
    jobs.add(job)
    first, second = (validator.judge(submit, jobs, NOW) for _ in range(2))
    assert isinstance(first, Refused)
    assert isinstance(first.candidate, Solution)
    assert isinstance(second, Refused)
    assert (second.reason, second.candidate) == (ErrorReason.DUPLICATE, None)


@pytest.mark.parametrize(("bits", "good"), [(0x2000, True), (0x4000, True), (0x6000, True), (0x8000, False)])
def test_a_bit_that_the_job_itself_sets_may_be_named_without_being_granted(bits: int, good: bool) -> None:
    job = job_of(target=2**256 - 1, mask=0x4000)
    content = replace(job.announced.content, version=0x20002000)
    verdict = judge(
        msgspec.structs.replace(job, announced=replace(job.announced, content=content)),
        replace(SUBMIT, version_bits=bits),
    )
    assert isinstance(verdict, Accepted) == good
    if isinstance(verdict, Accepted):
        assert int.from_bytes(verdict.solution.header[:4], "little") == 0x20002000 | bits


def test_an_old_jobs_share_is_known_by_what_its_session_had() -> None:
    """With its own extranonce1 and version mask, though the session has others by now."""
    job = job_of(target=2**256 - 1, mask=0x6000)
    validator, jobs = ShareValidator(), JobTable[PoolJob](max_jobs=1)
    validator.set_tip(job.announced.content.previous_hash)
    jobs.add(job)
    rolled = replace(SUBMIT, version_bits=0x4000)
    assert isinstance(validator.judge(rolled, jobs, NOW), Accepted)
    content = replace(job.announced.content, job_id="2")
    jobs.add(msgspec.structs.replace(job, announced=replace(job.announced, content=content), extranonce1=b"\x05" * 4))
    verdicts = [validator.judge(each, jobs, NOW) for each in (rolled, SUBMIT)]
    assert [each.reason for each in verdicts if isinstance(each, Refused)] == [
        ErrorReason.DUPLICATE,
        ErrorReason.JOB_NOT_FOUND,
    ]


def test_what_a_share_is_credited_with() -> None:
    """The difficulty of the job; whether it is a block, and the best difficulty that its hash meets, beside it."""
    hard, easy = judge(job_of(target=2**256 - 1)), judge(job_of(target=2**256 - 1, nbits=EASY_BITS), block_submit())
    assert isinstance(hard, Accepted)
    assert isinstance(easy, Accepted)
    assert (hard.difficulty, hard.is_block, easy.is_block) == (0.5, False, True)
    value = hash_value(hard.solution.digest)
    assert hard.solution.difficulty == pytest.approx((0xFFFF << 208) / value)


def block_submit() -> Submit:
    job = job_of(target=1, nbits=EASY_BITS)
    return next(
        each for each in (replace(SUBMIT, nonce=nonce) for nonce in range(100)) if solution_of(each, job).is_block
    )


def test_a_block_in_a_flood_is_given_out_and_its_work_counts() -> None:
    """Where no further share is remembered."""
    job = job_of(target=2**256 - 1, nbits=EASY_BITS)
    validator, jobs = ShareValidator(memory=FairBound(0)), table(job)
    validator.set_tip(job.announced.content.previous_hash)
    verdict = validator.judge(block_submit(), jobs, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.message.startswith("too many valid shares: 0 on the current jobs")
    assert (verdict.candidate is not None, verdict.work) == (True, 0.5)


def test_a_stale_block_with_a_time_that_no_node_takes_is_no_candidate() -> None:
    job = job_of(target=2**256 - 1, nbits=EASY_BITS)
    submits = (replace(SUBMIT, ntime=int(NOW) - 1, nonce=nonce) for nonce in range(100))
    submit = next(each for each in submits if solution_of(each, job).is_block)
    verdict = judge(job, submit, tip=bytes(32))
    assert isinstance(verdict, Refused)
    assert (verdict.candidate, verdict.work) == (None, 0.0)
