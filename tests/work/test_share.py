"""From a claim to a share: every captured share is believed, every way to lie is caught."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.bitcoin.header import swap_words
from stratum_miner.bitcoin.target import MAX_TARGET, target_from_difficulty
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.stratum_job import submit_of
from stratum_miner.work.job import Job
from stratum_miner.work.share import BelowTarget, InvalidNonce, Share, verify
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult
from stratum_miner.work.unit import NonceFound, WorkUnit
from tests.work.jobs import make_job

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "stratum.json").read_text())
by_name = pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])


def job_of(vector: dict[str, Any], **changes: Any) -> Job:
    job_id, previous, prefix, suffix, branch, version, nbits, ntime, clean = vector["notify_params"]
    values: dict[str, Any] = {
        "session": 1,
        "job_id": job_id,
        "previous_hash": swap_words(bytes.fromhex(previous)),
        "prefix": bytes.fromhex(prefix),
        "suffix": bytes.fromhex(suffix),
        "branch": tuple(map(bytes.fromhex, branch)),
        "version": int(version, 16),
        "nbits": int(nbits, 16),
        "ntime": int(ntime, 16),
        "clean_jobs": clean,
        "extranonce1": bytes.fromhex(vector["extranonce1"]),
        "extranonce2_size": len(vector["extranonce2"]) // 2,
        "share_target": target_from_difficulty(vector["expect"]["share_difficulty"] / 2),
        "version_mask": int(vector["version_mask"] or "0", 16),
        "version_rolling": vector["version_mask"] is not None,
    }
    return make_job(**{**values, **changes})


def claim_of(vector: dict[str, Any], job: Job) -> NonceFound:
    extranonce2, ntime = bytes.fromhex(vector["extranonce2"]), int(vector["ntime"], 16)
    version = job.version | int(vector["version_bits"] or "0", 16)
    unit = WorkUnit(
        job=job,
        extranonce2=extranonce2,
        ntime=ntime,
        version=version,
        header=job.header(extranonce2, ntime, 0, version).to_bytes(),
        target=job.search_target,
    )
    return NonceFound(unit, int(vector["nonce"], 16), version, "captured")


@by_name
def test_captured_shares_are_shares(vector: dict[str, Any]) -> None:
    share = verify(claim_of(vector, job_of(vector)))
    assert isinstance(share, Share)
    assert share.header.hex() == vector["expect"]["header"]
    assert share.digest[::-1].hex() == vector["expect"]["hash"]
    assert share.difficulty == pytest.approx(vector["expect"]["share_difficulty"])
    assert share.is_block is vector["expect"]["meets_network_target"]
    assert share.meets_share_target
    wanted = int(vector["version_bits"], 16) if vector["version_bits"] else None
    assert submit_of(share, "worker").version_bits == wanted
    assert share.device == "captured"


@by_name
def test_a_wrong_nonce_or_version_is_a_hardware_error(vector: dict[str, Any]) -> None:
    claim = claim_of(vector, job_of(vector))
    assert (
        verify(replace(claim, nonce=claim.nonce ^ 1)) is InvalidNonce.ABOVE_UNIT_TARGET
        or vector["network"] == "regtest"
    )
    assert verify(replace(claim, version=claim.version ^ 0x2000)) is InvalidNonce.OUTSIDE_UNIT
    assert verify(replace(claim, nonce=claim.nonce + (1 << 32))) is InvalidNonce.OUTSIDE_UNIT
    bounded = replace(claim.unit, first_nonce=claim.nonce + 1, nonce_count=10)
    assert verify(replace(claim, unit=bounded)) is InvalidNonce.OUTSIDE_UNIT


@by_name
def test_rolled_bits_inside_the_unit_are_allowed(vector: dict[str, Any]) -> None:
    if not vector["version_bits"]:
        pytest.skip("no version rolling in this vector")
    claim = claim_of(vector, job_of(vector))
    bits = int(vector["version_bits"], 16)
    base = claim.unit.version & ~bits
    unit = replace(
        claim.unit, version=base, version_mask=bits, header=base.to_bytes(4, "little") + claim.unit.header[4:]
    )
    assert isinstance(verify(replace(claim, unit=unit)), Share)
    narrower = replace(unit, version_mask=bits & (bits - 1))
    assert verify(replace(claim, unit=narrower)) is InvalidNonce.OUTSIDE_UNIT


def unit_with(target: int, **changes: Any) -> WorkUnit:
    """A unit of a job of which every hash is a share."""
    job = make_job(share_target=MAX_TARGET)
    return WorkUnit(
        job=job,
        extranonce2=bytes(4),
        ntime=job.ntime,
        version=job.version,
        header=job.header(bytes(4), job.ntime, 0, job.version).to_bytes(),
        target=target,
        **changes,
    )


@pytest.mark.parametrize(
    ("first", "count", "inside", "outside"),
    [
        (0, 1 << 32, [0, 0xFFFFFFFF], [-1, 1 << 32]),
        (5, 10, [5, 14], [4, 15]),
        (0xFFFFFFFF, 2, [0xFFFFFFFF, 0], [0xFFFFFFFE, 1]),
    ],
)
def test_the_nonces_of_a_unit_end_where_they_end(first: int, count: int, inside: list[int], outside: list[int]) -> None:
    unit = unit_with(MAX_TARGET, first_nonce=first, nonce_count=count)
    assert all(isinstance(verify(NonceFound(unit, nonce, unit.version)), Share) for nonce in inside)
    assert all(verify(NonceFound(unit, nonce, unit.version)) is InvalidNonce.OUTSIDE_UNIT for nonce in outside)


def test_a_unit_has_all_nonces_and_one_version_unless_it_says_otherwise() -> None:
    unit = unit_with(MAX_TARGET)
    assert unit.hashes == 1 << 32
    assert isinstance(verify(NonceFound(unit, 0, unit.version)), Share)
    assert verify(NonceFound(unit, 0, unit.version ^ 1)) is InvalidNonce.OUTSIDE_UNIT
    assert unit_with(MAX_TARGET, version_mask=0x6000, nonce_count=3).hashes == 12


def test_a_hash_that_equals_a_target_meets_it() -> None:
    share = verify(NonceFound(unit_with(MAX_TARGET), 7, 0x20000000))
    assert isinstance(share, Share)
    assert isinstance(verify(NonceFound(unit_with(share.hash_value), 7, 0x20000000)), Share)
    less = unit_with(share.hash_value - 1)
    assert verify(NonceFound(less, 7, 0x20000000)) is InvalidNonce.ABOVE_UNIT_TARGET
    for name in ("share_target", "network_target"):
        job = make_job(nbits=0x1D00FFFF, share_target=1)
        object.__setattr__(job, name, share.hash_value)
        assert isinstance(verify(NonceFound(replace(unit_with(MAX_TARGET), job=job), 7, 0x20000000)), Share)
        object.__setattr__(job, name, share.hash_value - 1)
        assert isinstance(verify(NonceFound(replace(unit_with(MAX_TARGET), job=job), 7, 0x20000000)), BelowTarget)


def test_a_hash_that_equals_the_network_target_is_a_block() -> None:
    share = verify(NonceFound(unit_with(MAX_TARGET), 7, 0x20000000))
    assert isinstance(share, Share)
    object.__setattr__(share.job, "network_target", share.hash_value)
    assert share.is_block
    object.__setattr__(share.job, "network_target", share.hash_value - 1)
    assert not share.is_block


def test_shares_that_differ_in_the_version_alone_have_one_key() -> None:
    share = verify(NonceFound(unit_with(MAX_TARGET, version_mask=0x2000), 7, 0x20000000))
    rolled = verify(NonceFound(unit_with(MAX_TARGET, version_mask=0x2000), 7, 0x20002000))
    other = verify(NonceFound(unit_with(MAX_TARGET), 8, 0x20000000))
    assert isinstance(share, Share)
    assert isinstance(rolled, Share)
    assert isinstance(other, Share)
    assert share.dedup_key == rolled.dedup_key == (share.job.origin.session, share.header[4:])
    assert share.dedup_key != other.dedup_key


def test_below_both_targets_is_no_share_and_no_error() -> None:
    vector = next(item for item in VECTORS if item["name"] == "V4-mainnet-share-bitaxe")
    claim = claim_of(vector, job_of(vector, share_target=target_from_difficulty(30_000.0)))
    coarse = replace(claim.unit, target=(1 << 256) - 1)
    verdict = verify(replace(claim, unit=coarse))
    assert isinstance(verdict, BelowTarget)
    assert verdict.difficulty == pytest.approx(29588.01398)


def test_exact_boundary_of_the_share_target() -> None:
    vector = next(item for item in VECTORS if item["name"] == "V4-mainnet-share-bitaxe")
    share = verify(claim_of(vector, job_of(vector)))
    assert isinstance(share, Share)
    object.__setattr__(share.job, "share_target", share.hash_value)
    assert share.meets_share_target
    object.__setattr__(share.job, "share_target", share.hash_value - 1)
    assert not share.meets_share_target


def test_a_refusal_of_stratum_means_one_of_ours() -> None:
    assert {reason.value for reason in ErrorReason} == {refusal.value for refusal in RejectReason}


def test_a_result_says_why_with_the_code_where_there_is_one() -> None:
    share = verify(claim_of(VECTORS[0], job_of(VECTORS[0])))
    assert isinstance(share, Share)
    lost = ShareResult(share, ShareOutcome.LOST, "its session is over")
    assert (lost.reason, lost.cause) == ("its session is over", "its session is over")
    refused = ShareResult(share, ShareOutcome.REJECTED, "Low difficulty 2.5e-10", RejectReason.LOW_DIFFICULTY, "23")
    assert (refused.reason, refused.cause) == ("23: Low difficulty 2.5e-10", "low difficulty share")
    assert replace(refused, text="", code="").reason == "low difficulty share"
