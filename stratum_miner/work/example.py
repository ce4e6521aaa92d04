"""Invented work for benchmarks and for checks of backends: valid headers of a job that no pool announced."""

from dataclasses import replace

from stratum_miner.bitcoin.target import MAX_TARGET
from stratum_miner.work.job import CoinbaseBody, Job, Origin, PoolKey
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import WorkUnit

NONCES = 512
"""Default number of nonces in a work unit. It is large enough that a backend searches the unit in several steps, and
small enough that hashlib can check it quickly."""
EASY = MAX_TARGET >> 5
"""A target that one hash in 32 meets."""


def unit_of(number: int, *, target: int = EASY, first_nonce: int = 1000 * 7, nonce_count: int = NONCES) -> WorkUnit:
    """Return a work unit with ``nonce_count`` nonces. Each ``number`` gives a different header."""
    job = Job(
        origin=Origin(PoolKey("example"), "", 1),
        job_id=f"check-{number}",
        previous_hash=number.to_bytes(32, "little"),
        body=CoinbaseBody(b"check", b"", (), b"", 4),
        version=0x20000000,
        nbits=0x207FFFFF,
        ntime=0x4966BC61,
        clean_jobs=True,
        share_target=MAX_TARGET,
    )
    space = SearchSpace()
    space.set_job(job)
    unit = space.next_unit(0.0)
    assert unit is not None
    return replace(unit, target=target, first_nonce=first_nonce, nonce_count=nonce_count)
