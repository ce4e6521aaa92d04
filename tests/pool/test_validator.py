"""Exact judgement: boundaries to the unit, the order of checks, bounded memory, nothing changed by a refusal."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import hash_value
from stratum_miner.pool.jobs import JobBoard, JobTable, SessionJob
from stratum_miner.pool.validator import Accepted, Refused, ShareValidator, Solution, solution_of
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.testing.scripted_node import EASY_BITS, HARD_BITS, make_template

NOW = 1_700_000_000.0
SUBMIT = Submit("w", "00000001", bytes(8), int(NOW), 5)


def job_of(submit: Submit = SUBMIT, *, target: int, nbits: int = HARD_BITS, mask: int = 0) -> SessionJob:
    board = JobBoard(payout_script=b"\x51", version_mask=0x1FFFE000, extranonce_size=12)
    return SessionJob(
        pool_job=board.publish(make_template(nbits=nbits), 0.0),
        extranonce1=b"\x01\x02\x03\x04",
        difficulty=0.5,
        target=target,
        version_mask=mask,
    )


def judge(
    job: SessionJob, submit: Submit = SUBMIT, *, now: float = NOW, tip: bytes | None = None
) -> Accepted | Refused:
    validator = ShareValidator()
    validator.set_tip(job.pool_job.notify.previous_hash if tip is None else tip)
    jobs = JobTable()
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
    job = replace(job, pool_job=replace(job.pool_job, network_target=value_of() + offset))
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
        ({"version_bits": 1}, ErrorReason.OTHER, "version bits: expected only bits of 00000000, got 00000001"),
        ({}, ErrorReason.LOW_DIFFICULTY, "low difficulty share"),
    ],
)
def test_the_first_fault_in_order_is_named(change: dict[str, int], reason: ErrorReason, text: str) -> None:
    verdict = judge(job_of(target=1), replace(SUBMIT, **change))  # type: ignore[arg-type]
    assert isinstance(verdict, Refused)
    assert verdict.reason is reason
    assert text in verdict.message
    assert verdict.candidate is None


def test_stale_comes_before_everything_but_the_job() -> None:
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


def test_low_difficulty_comes_before_duplicate_and_leaves_no_trace() -> None:
    job = job_of(target=1)
    validator = ShareValidator()
    validator.set_tip(job.pool_job.notify.previous_hash)
    jobs = JobTable()
    jobs.add(job)
    for _ in range(2):
        verdict = validator.judge(SUBMIT, jobs, NOW)
        assert isinstance(verdict, Refused)
        assert verdict.reason is ErrorReason.LOW_DIFFICULTY
    jobs.add(replace(job, target=2**256 - 1))
    assert isinstance(validator.judge(SUBMIT, jobs, NOW), Accepted)
    again = validator.judge(SUBMIT, jobs, NOW)
    assert isinstance(again, Refused)
    assert again.reason is ErrorReason.DUPLICATE


def test_memory_of_shares_is_bounded_and_forgets_no_share_before_its_jobs() -> None:
    job = job_of(target=2**256 - 1)
    validator = ShareValidator(max_shares=3)
    validator.set_tip(job.pool_job.notify.previous_hash)
    jobs = JobTable()
    jobs.add(job)
    verdicts = [validator.judge(replace(SUBMIT, nonce=nonce), jobs, NOW) for nonce in range(5)]
    assert [isinstance(verdict, Accepted) for verdict in verdicts] == [True, True, True, False, False]
    for number in range(32):
        validator.set_tip(number.to_bytes(32, "big"))
    validator.set_tip(job.pool_job.notify.previous_hash)
    again = validator.judge(SUBMIT, jobs, NOW)
    assert isinstance(again, Refused)


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
    board = JobBoard(payout_script=b"\x51", version_mask=0x1FFFE000, extranonce_size=12)
    assert board.publish(make_template(version=0x3FFFE004), 0.0).notify.version == 0x20000004


@pytest.mark.parametrize("stale", [False, True])
def test_a_stale_or_weak_candidate_is_given_out_once(stale: bool) -> None:
    job = job_of(target=1, nbits=EASY_BITS)
    submit = next(
        candidate
        for candidate in (replace(SUBMIT, nonce=nonce) for nonce in range(100))
        if solution_of(candidate, job).is_block
    )
    validator = ShareValidator()
    validator.set_tip(job.pool_job.notify.previous_hash)
    if stale:
        validator.set_tip(bytes(32))
    jobs = JobTable()
    jobs.add(job)
    first, second = (validator.judge(submit, jobs, NOW) for _ in range(2))
    assert isinstance(first, Refused)
    assert isinstance(first.candidate, Solution)
    assert isinstance(second, Refused)
    assert second.candidate is None
