"""Bad shares by name: each is a good share with one thing wrong, so that a pool has one reason to refuse it.

Pure: a good share and a source of chance in, a submit out; nothing is sent here. What each may lawfully be answered
with is docs/reference/stratum.md#faulty-shares.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.target import hash_value
from stratum_miner.spelling import named
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason

FAR_AHEAD = 3 * 3600
"""Seconds added to a share's ntime: consensus allows two hours, and a job may be an hour old."""
FAR_BEHIND = 3600
"""Seconds taken from the job's ntime."""
_TRIES = 4096
"""Nonces tried for a hash above the target; one in two is on the easiest chain."""
_BITS = 0xFFFFFFFF


class FaultNotPossible(ValueError):  # noqa: N818  nothing is wrong, there is only nothing to spoil
    """This fault cannot be made of this share; the text says what is missing."""


class JobLike(Protocol):
    """What faults need of a job; ``work.job.Job`` has it."""

    @property
    def job_id(self) -> str:
        """As the pool named it."""

    @property
    def ntime(self) -> int:
        """As it was announced."""

    @property
    def version(self) -> int:
        """As it was announced."""

    @property
    def version_mask(self) -> int:
        """Granted bits; 0 without version rolling."""

    @property
    def search_target(self) -> int:
        """The looser of share and network target."""

    def header(self, extranonce2: bytes, ntime: int, nonce: int, version: int) -> BlockHeader:
        """The header of one point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodShare:
    """What a fault starts from. ``submit`` is good for ``job`` and was not sent."""

    submit: Submit
    job: JobLike
    taken: Submit | None = None
    """One that the pool accepted on this connection, on a job of the same block; for ``duplicate``."""
    outdated: Submit | None = None
    """A good one of a job that a later block replaced, never sent; for ``stale``."""


@dataclass(frozen=True, slots=True)
class ShareFault:
    """One way to spoil a share.

    ``spoil`` raises FaultNotPossible. ``expected`` are the reasons with which a pool that notices refuses it;
    ``tolerable`` says that pools which let it pass do themselves no harm.
    """

    name: str
    summary: str
    expected: frozenset[ErrorReason]
    spoil: Callable[[GoodShare, Random], Submit]
    tolerable: bool = False


def share_fault(name: str) -> ShareFault:
    """By name. ValueError names the nearest."""
    return named(SHARE_FAULTS, name, "share fault")


def _stale(good: GoodShare, _rng: Random) -> Submit:
    if good.outdated is None:
        raise FaultNotPossible("stale: expected a share of an older block's job, there is none yet")
    return good.outdated


def _duplicate(good: GoodShare, _rng: Random) -> Submit:
    if good.taken is None:
        raise FaultNotPossible("duplicate: expected a share that the pool accepted before, there is none yet")
    return good.taken


def _below_target(good: GoodShare, rng: Random) -> Submit:
    submit, job = good.submit, good.job
    version = job.version & ~job.version_mask | (submit.version_bits or 0)
    header = job.header(submit.extranonce2, submit.ntime, 0, version)
    first = rng.getrandbits(32)
    for offset in range(_TRIES):
        nonce = (first + offset) & _BITS
        if hash_value(replace(header, nonce=nonce).digest()) > job.search_target:
            return replace(submit, nonce=nonce)
    raise FaultNotPossible("below-target: expected a target that some hashes miss, nearly all meet this one")


def _wrong_job(good: GoodShare, rng: Random) -> Submit:
    return replace(good.submit, job_id=f"{rng.getrandbits(64):016x}")


def _wrong_extranonce2_size(good: GoodShare, rng: Random) -> Submit:
    extranonce2 = good.submit.extranonce2
    if extranonce2 and rng.getrandbits(1):
        return replace(good.submit, extranonce2=extranonce2[:-1])
    return replace(good.submit, extranonce2=extranonce2 + b"\x00")


def _ntime(good: GoodShare, _rng: Random) -> Submit:
    return replace(good.submit, ntime=min(good.submit.ntime + FAR_AHEAD, _BITS))


def _ntime_before_job(good: GoodShare, _rng: Random) -> Submit:
    return replace(good.submit, ntime=max(good.job.ntime - FAR_BEHIND, 0))


def _version_bits_outside_mask(good: GoodShare, rng: Random) -> Submit:
    bits = good.submit.version_bits
    if bits is None:
        raise FaultNotPossible("version-bits-outside-mask: expected version rolling, the pool did not grant it")
    outside = [1 << place for place in range(32) if not good.job.version_mask >> place & 1]
    if not outside:
        raise FaultNotPossible("version-bits-outside-mask: expected a mask that leaves bits out, got ffffffff")
    return replace(good.submit, version_bits=bits | rng.choice(outside))


def _unauthorised_worker(good: GoodShare, rng: Random) -> Submit:
    return replace(good.submit, worker_name=f"nobody.{rng.getrandbits(32):08x}")


SHARE_FAULTS: Mapping[str, ShareFault] = {
    fault.name: fault
    for fault in (
        ShareFault("stale", "on a job of the block before", frozenset({ErrorReason.JOB_NOT_FOUND}), _stale),
        ShareFault("duplicate", "one that was accepted already", frozenset({ErrorReason.DUPLICATE}), _duplicate),
        ShareFault(
            "below-target", "its hash misses the target", frozenset({ErrorReason.LOW_DIFFICULTY}), _below_target
        ),
        ShareFault("wrong-job", "on a job that never was", frozenset({ErrorReason.JOB_NOT_FOUND}), _wrong_job),
        ShareFault(
            "wrong-extranonce2-size",
            "extranonce2 a byte too long or too short",
            frozenset({ErrorReason.OTHER}),
            _wrong_extranonce2_size,
        ),
        ShareFault(
            "ntime",
            "three hours ahead: as a block it would be invalid",
            # a pool may hash before it looks at the time, and the hash is another then
            frozenset({ErrorReason.OTHER, ErrorReason.JOB_NOT_FOUND, ErrorReason.LOW_DIFFICULTY}),
            _ntime,
        ),
        ShareFault(
            "ntime-before-job",
            "an hour before its job",
            frozenset({ErrorReason.OTHER, ErrorReason.JOB_NOT_FOUND, ErrorReason.LOW_DIFFICULTY}),
            _ntime_before_job,
        ),
        ShareFault(
            "version-bits-outside-mask",
            "rolls a version bit that was not granted",
            frozenset({ErrorReason.OTHER, ErrorReason.LOW_DIFFICULTY}),
            _version_bits_outside_mask,
        ),
        ShareFault(
            "unauthorised-worker",
            "for a worker that did not authorize",
            frozenset({ErrorReason.UNAUTHORIZED, ErrorReason.OTHER}),
            _unauthorised_worker,
            tolerable=True,  # public-pool and NOMP credit the connection's own worker (ERR-22)
        ),
    )
}
"""All of them, in the order of docs/reference/stratum.md#faulty-shares."""
