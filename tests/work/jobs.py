"""Jobs of our own making, for tests that need one and do not care which."""

from dataclasses import fields, replace
from typing import Any

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.work.job import CoinbaseBody, Job, Origin, PoolKey

JOB = Job(
    origin=Origin(PoolKey("pool"), "worker", 1),
    job_id="1",
    previous_hash=bytes(32),
    body=CoinbaseBody(b"prefix", b"suffix", (), b"\x01\x02\x03\x04", 4),
    version=0x20000000,
    nbits=0x207FFFFF,
    ntime=1_700_000_000,
    clean_jobs=False,
    share_target=target_from_difficulty(1.0),
)


def make_job(job: Job = JOB, **changes: Any) -> Job:
    """This job with changes of its own fields, of its coinbase's or of its origin's."""

    def of(kind: type) -> dict[str, Any]:
        return {field.name: changes.pop(field.name) for field in fields(kind) if field.name in changes}

    own: dict[str, Any] = {"origin": replace(job.origin, **of(Origin))}
    if isinstance(job.body, CoinbaseBody):
        own["body"] = replace(job.body, **of(CoinbaseBody))
    return replace(job, **own | changes)


def body_of(job: Job) -> CoinbaseBody:
    """Its coinbase."""
    assert isinstance(job.body, CoinbaseBody)
    return job.body
