"""What a pool is told of a share."""

from dataclasses import replace

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.stratum_job import submit_of
from stratum_miner.work.share import Share, verify
from tests.work.test_share import VECTORS, claim_of, job_of


def test_a_granted_mask_of_zero_still_has_a_sixth_parameter() -> None:
    vector = next(item for item in VECTORS if item["name"] == "V3-mainnet-1")
    share = verify(claim_of(vector, job_of(vector, version_rolling=True)))
    assert isinstance(share, Share)
    assert submit_of(share, "worker").version_bits == 0


def test_bits_of_the_job_inside_the_mask_are_submitted() -> None:
    """What pools that assign and pools that OR both understand (docs/reference/stratum.md#merging-version-bits)."""
    vector = next(item for item in VECTORS if item["name"] == "V10-regtest-141")
    job = job_of(vector, version=0x20002000, share_target=target_from_difficulty(1e-10))
    claim = claim_of(vector, job)
    nonce = next(n for n in range(100) if isinstance(verify(replace(claim, nonce=n)), Share))
    share = verify(replace(claim, nonce=nonce))
    assert isinstance(share, Share)
    assert submit_of(share, "worker").version_bits == (0x20002000 | 0x00A5E000) & 0x1FFFE000


def test_a_mask_that_was_widened_since_counts() -> None:
    vector = next(item for item in VECTORS if item["name"] == "V10-regtest-141")
    share = verify(claim_of(vector, job_of(vector, version_mask=0x2000)))
    assert isinstance(share, Share)
    assert submit_of(share, "worker").version_bits == 0x00A5E000 & 0x2000
    assert submit_of(share, "worker", mask=0x1FFFE000).version_bits == 0x00A5E000


def test_the_other_form_has_what_differs_from_the_version_of_the_job() -> None:
    vector = next(item for item in VECTORS if item["name"] == "V10-regtest-141")
    share = verify(claim_of(vector, job_of(vector)))
    assert isinstance(share, Share)
    share = replace(share, job=replace(share.job, version=0x20002000))
    assert submit_of(share, "worker", differences=True).version_bits == 0x00A5E000 ^ 0x2000
