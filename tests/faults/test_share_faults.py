"""Each fault spoils one thing of a share and nothing else."""

from dataclasses import fields, replace
from random import Random

import pytest

from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.target import MAX_TARGET, hash_value, target_from_difficulty
from stratum_miner.faults.share_faults import SHARE_FAULTS, FaultNotPossible, GoodShare, share_fault
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.work.job import Job
from tests.work.jobs import make_job

MASK = 0x1FFFE000
JOB = make_job(
    session=1,
    job_id="now",
    previous_hash=bytes(32),
    prefix=b"prefix",
    suffix=b"suffix",
    branch=(),
    version=0x20000000,
    nbits=0x1D00FFFF,
    ntime=0x66000000,
    clean_jobs=True,
    extranonce1=b"\x01\x02",
    extranonce2_size=4,
    share_target=target_from_difficulty(1e-9),
    version_mask=MASK,
    version_rolling=True,
)
SUBMIT = Submit("worker", "now", bytes(4), 0x66000001, 7, 0x2000)


def search(header: BlockHeader) -> int | None:
    """A nonce above that of ``SUBMIT`` that makes a share of the header; some five hashes a share."""
    nonces = (
        nonce for nonce in range(8, 1000) if hash_value(replace(header, nonce=nonce).digest()) <= JOB.share_target
    )
    return next(nonces, None)


GOOD = GoodShare(
    search=search,
    submit=SUBMIT,
    job=JOB,
    taken=replace(SUBMIT, nonce=8),
    outdated=replace(SUBMIT, job_id="before", nonce=9),
)
SPOILED = {
    "stale": {"job_id", "nonce"},
    "duplicate": {"nonce"},
    "below-target": {"nonce"},
    "wrong-job": {"job_id"},
    "wrong-extranonce2-size": {"extranonce2"},
    "ntime": {"ntime", "nonce"},
    "ntime-before-job": {"ntime", "nonce"},
    "version-bits-outside-mask": {"version_bits", "nonce"},
    "unauthorised-worker": {"worker_name"},
}


def value_of(job: Job, submit: Submit) -> int:
    version = job.version & ~job.version_mask | (submit.version_bits or 0)
    return hash_value(job.header(submit.extranonce2, submit.ntime, submit.nonce, version).digest())


def test_what_each_fault_spoils_is_known() -> None:
    assert set(SPOILED) == set(SHARE_FAULTS), "SPOILED above: expected which fields of the submit each fault changes"


@pytest.mark.parametrize("name", SPOILED)
@pytest.mark.parametrize("seed", range(5))
def test_one_thing_is_spoiled(name: str, seed: int) -> None:
    bad = SHARE_FAULTS[name].spoil(GOOD, Random(seed))
    changed = {item.name for item in fields(Submit) if getattr(bad, item.name) != getattr(SUBMIT, item.name)}
    assert changed == SPOILED[name]
    assert bad == SHARE_FAULTS[name].spoil(GOOD, Random(seed))  # the same again from the same seed
    assert Submit.from_params(bad.to_params()) == bad


@pytest.mark.parametrize("name", ["ntime", "ntime-before-job", "version-bits-outside-mask"])
@pytest.mark.parametrize("seed", range(5))
def test_a_changed_header_is_no_reason_to_reject_its_hash(name: str, seed: int) -> None:
    bad = SHARE_FAULTS[name].spoil(GOOD, Random(seed))
    assert value_of(JOB, bad) <= JOB.share_target


def test_a_changed_header_without_a_nonce_gets_another_extranonce2() -> None:
    tried: list[bytes] = []

    def rarely(header: BlockHeader) -> int | None:
        tried.append(header.merkle_root)
        return 5 if len(tried) == 3 else None

    bad = SHARE_FAULTS["ntime"].spoil(replace(GOOD, search=rarely), Random(1))
    assert len(set(tried)) == 3
    assert JOB.merkle_root(bad.extranonce2) == tried[-1]
    with pytest.raises(FaultNotPossible, match=r"within 32 extranonces, found none"):
        SHARE_FAULTS["ntime"].spoil(replace(GOOD, search=lambda _: None), Random(1))


def test_stale_and_duplicate_are_what_they_were_given() -> None:
    assert share_fault("stale").spoil(GOOD, Random(1)) is GOOD.outdated
    assert share_fault("duplicate").spoil(GOOD, Random(1)) is GOOD.taken


def test_below_target_misses_both_targets() -> None:
    for seed in range(20):
        job = replace(JOB, nbits=0x207FFFFF)  # every second hash is a block
        bad = share_fault("below-target").spoil(replace(GOOD, job=job), Random(seed))
        assert value_of(job, bad) > job.search_target


def test_extranonce2_of_both_wrong_sizes() -> None:
    sizes = {len(share_fault("wrong-extranonce2-size").spoil(GOOD, Random(seed)).extranonce2) for seed in range(20)}
    assert sizes == {3, 5}
    empty = replace(GOOD, submit=replace(SUBMIT, extranonce2=b""))
    assert len(share_fault("wrong-extranonce2-size").spoil(empty, Random(1)).extranonce2) == 1


def test_version_bits_leave_the_mask_by_one_bit() -> None:
    bad = share_fault("version-bits-outside-mask").spoil(GOOD, Random(3))
    assert bad.version_bits is not None
    assert (bad.version_bits & ~MASK).bit_count() == 1
    assert bad.version_bits & MASK == SUBMIT.version_bits


def test_ntime_is_beyond_what_a_block_may_have_and_before_its_job() -> None:
    assert share_fault("ntime").spoil(GOOD, Random(1)).ntime > JOB.ntime + 7200
    assert share_fault("ntime-before-job").spoil(GOOD, Random(1)).ntime < JOB.ntime
    late = replace(GOOD, submit=replace(SUBMIT, ntime=0xFFFFFFFF))
    assert share_fault("ntime").spoil(late, Random(1)).ntime == 0xFFFFFFFF


@pytest.mark.parametrize(
    ("name", "good", "missing"),
    [
        ("stale", replace(GOOD, outdated=None), "a share of a job on an older block"),
        ("duplicate", replace(GOOD, taken=None), "a share that the pool accepted"),
        (
            "below-target",
            replace(GOOD, job=replace(JOB, share_target=MAX_TARGET)),
            "all of 4,096 hashes meet it",
        ),
        ("version-bits-outside-mask", replace(GOOD, submit=replace(SUBMIT, version_bits=None)), "version rolling"),
        (
            "version-bits-outside-mask",
            replace(GOOD, job=replace(JOB, version_mask=0xFFFFFFFF)),
            "in which a bit is not set",
        ),
    ],
)
def test_what_cannot_be_spoiled_says_what_is_missing(name: str, good: GoodShare, missing: str) -> None:
    with pytest.raises(FaultNotPossible, match=f"^{name}: expected .*{missing}"):
        share_fault(name).spoil(good, Random(1))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dupliacte", "did you mean 'duplicate'"),
        ("Below_Target", "did you mean 'below-target'"),
        ("zzz", "known are stale, duplicate"),
    ],
)
def test_unknown_names_are_told_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        share_fault(name)
