"""Faulty shares, by name: each is a valid share with one change, so that a pool has only one reason to reject it.

The functions do no input and output: they take a good share and a source of random numbers, and return a mining.submit.
docs/reference/stratum.md#faulty-shares lists the answers that a pool may give.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol, TypeAlias

from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.target import hash_value
from stratum_miner.spelling import named
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason

FAR_AHEAD = 3 * 3600
"""Seconds that the fault "ntime" adds to the ntime of a share. The consensus rules allow a block time of up to two
hours in the future. With three hours, the changed time is beyond this limit even if the job is almost an hour old."""
FAR_BEHIND = 3600
"""Seconds that the fault "ntime-before-job" subtracts from the ntime of the job."""
_TRIES = 4096
"""Maximum number of nonces that are tried to find a hash above the target. A few would be enough: even on regtest,
about half of all hashes are above the network target."""
_EXTRANONCES = 32
"""Maximum number of extranonces with which a nonce for a changed header is searched."""
_BITS = 0xFFFFFFFF


class FaultNotPossible(ValueError):  # noqa: N818  it is not an error: the fault only does not fit the share or the pool
    """The fault cannot be committed with this share or on this pool. The text of the exception says what is missing."""


class JobLike(Protocol):
    """The properties of a job that the functions of this module use. ``work.job.Job`` has them."""

    @property
    def job_id(self) -> str:
        """The id that the pool gave the job."""

    @property
    def ntime(self) -> int:
        """The block time of mining.notify, in seconds since 1970."""

    @property
    def version(self) -> int:
        """The block version of mining.notify."""

    @property
    def version_mask(self) -> int:
        """The version bits that the pool granted; 0 without version rolling."""

    @property
    def search_target(self) -> int:
        """The larger (easier) of the share target and the network target."""

    def header(self, extranonce2: bytes, ntime: int, nonce: int, version: int) -> BlockHeader:
        """Return the block header with these values."""


NonceSearch: TypeAlias = Callable[[BlockHeader], int | None]
"""A function that returns a nonce with which the hash of a header meets the share target of the job; None if there is
none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodShare:
    """The share that a fault changes. ``submit`` is a valid share of ``job``. The pool has not received this share yet,
    unless ``taken`` is equal to ``submit``."""

    submit: Submit
    job: JobLike
    taken: Submit | None = None
    """For the fault "duplicate": a share that the pool has already accepted on this connection. Its job has the same
    previous block as ``job``, so the share is not stale."""
    outdated: Submit | None = None
    """For the fault "stale": a valid share that was never sent, and whose job a new block has made outdated."""
    near: Submit | None = None
    """For the fault "below-target": a share that is valid except for its hash, which is just above the target. None if
    no such share was looked for, or it would take too long to find. The hash may then be far above the target."""
    search: NonceSearch
    """For faults that change the header: finds a nonce for the changed header. May take as long as finding a share."""


@dataclass(frozen=True, slots=True)
class ShareFault:
    """One way to make a good share wrong."""

    name: str
    summary: str
    """What is wrong with the share, as a phrase that continues "the share ..."."""
    expected: frozenset[ErrorReason]
    """The reasons with which a pool that detects the fault may reject the share."""
    spoil: Callable[[GoodShare, Random], Submit]
    """A function that returns the faulty share. Raises FaultNotPossible if the share cannot be given this fault."""
    tolerable: bool = False
    """Whether a pool that accepts the faulty share also passes the test, because accepting it does no harm to the
    pool."""


def share_fault(name: str) -> ShareFault:
    """Return the fault with this name. Raises ValueError if no fault has this name; the error suggests the nearest
    name."""
    return named(SHARE_FAULTS, name, "share fault")


def _header(good: GoodShare, submit: Submit) -> BlockHeader:
    version = good.job.version & ~good.job.version_mask | (submit.version_bits or 0)
    return good.job.header(submit.extranonce2, submit.ntime, 0, version)


def _solved(good: GoodShare, changed: Submit, rng: Random) -> Submit:
    """Return a share with a changed header, after finding a nonce with which its hash meets the share target. The
    change is then the only reason to reject the share. Otherwise a pool that does not check what was changed would
    reject it for its hash, or, on a chain with a very low network difficulty, accept it as a block by chance.
    """
    for _ in range(_EXTRANONCES):
        nonce = good.search(_header(good, changed))
        if nonce is not None:
            return replace(changed, nonce=nonce)
        changed = replace(changed, extranonce2=rng.randbytes(len(changed.extranonce2)))
    raise FaultNotPossible(f"expected to find a share within {_EXTRANONCES} extranonces, found none")


def _stale(good: GoodShare, _rng: Random) -> Submit:
    if good.outdated is None:
        raise FaultNotPossible("stale: expected a share of a job on an older block, but no new block has come yet")
    return good.outdated


def _duplicate(good: GoodShare, _rng: Random) -> Submit:
    if good.taken is None:
        raise FaultNotPossible("duplicate: expected a share that the pool accepted before, but there is none yet")
    return good.taken


def _below_target(good: GoodShare, rng: Random) -> Submit:
    if good.near is not None:
        return good.near
    submit, job = good.submit, good.job
    header = _header(good, submit)
    first = rng.getrandbits(32)
    for offset in range(_TRIES):
        nonce = (first + offset) & _BITS
        if hash_value(replace(header, nonce=nonce).digest()) > job.search_target:
            return replace(submit, nonce=nonce)
    raise FaultNotPossible(f"below-target: expected a hash above the target, but all of {_TRIES:,} hashes meet it")


def _wrong_job(good: GoodShare, rng: Random) -> Submit:
    return replace(good.submit, job_id=f"{rng.getrandbits(64):016x}")


def _wrong_extranonce2_size(good: GoodShare, rng: Random) -> Submit:
    extranonce2 = good.submit.extranonce2
    if extranonce2 and rng.getrandbits(1):
        return replace(good.submit, extranonce2=extranonce2[:-1])
    return replace(good.submit, extranonce2=extranonce2 + b"\x00")


def _ntime(good: GoodShare, rng: Random) -> Submit:
    return _solved(good, replace(good.submit, ntime=min(good.submit.ntime + FAR_AHEAD, _BITS)), rng)


def _ntime_before_job(good: GoodShare, rng: Random) -> Submit:
    return _solved(good, replace(good.submit, ntime=max(good.job.ntime - FAR_BEHIND, 0)), rng)


def _version_bits_outside_mask(good: GoodShare, rng: Random) -> Submit:
    bits = good.submit.version_bits
    if bits is None:
        raise FaultNotPossible("version-bits-outside-mask: expected version rolling, but the pool did not grant it")
    outside = [1 << bit for bit in range(32) if not good.job.version_mask >> bit & 1]
    if not outside:
        raise FaultNotPossible("version-bits-outside-mask: expected a mask in which a bit is not set, got ffffffff")
    return _solved(good, replace(good.submit, version_bits=bits | rng.choice(outside)), rng)


def _unauthorised_worker(good: GoodShare, rng: Random) -> Submit:
    return replace(good.submit, worker_name=f"nobody.{rng.getrandbits(32):08x}")


SHARE_FAULTS: Mapping[str, ShareFault] = {
    fault.name: fault
    for fault in (
        ShareFault("stale", "is of a job on the previous block", frozenset({ErrorReason.JOB_NOT_FOUND}), _stale),
        ShareFault("duplicate", "was already accepted", frozenset({ErrorReason.DUPLICATE}), _duplicate),
        ShareFault(
            "below-target",
            "has a hash that does not meet the target",
            frozenset({ErrorReason.LOW_DIFFICULTY}),
            _below_target,
        ),
        ShareFault("wrong-job", "names a job that never existed", frozenset({ErrorReason.JOB_NOT_FOUND}), _wrong_job),
        ShareFault(
            "wrong-extranonce2-size",
            "has an extranonce2 that is one byte too long or too short",
            frozenset({ErrorReason.OTHER}),
            _wrong_extranonce2_size,
        ),
        ShareFault(
            "ntime",
            "has a time three hours in the future, which is invalid in a block",
            frozenset({ErrorReason.OTHER, ErrorReason.JOB_NOT_FOUND}),
            _ntime,
        ),
        ShareFault(
            "ntime-before-job",
            "has a time one hour before that of its job",
            frozenset({ErrorReason.OTHER, ErrorReason.JOB_NOT_FOUND}),
            _ntime_before_job,
        ),
        ShareFault(
            "version-bits-outside-mask",
            "changes a version bit that the pool did not grant",
            # LOW_DIFFICULTY comes from pools that ignore the bits outside of the mask, and so compute another hash
            frozenset({ErrorReason.OTHER, ErrorReason.LOW_DIFFICULTY}),
            _version_bits_outside_mask,
        ),
        ShareFault(
            "unauthorised-worker",
            "names a worker that is not authorized",
            frozenset({ErrorReason.UNAUTHORIZED, ErrorReason.OTHER}),
            _unauthorised_worker,
            tolerable=True,  # public-pool and NOMP accept the share and credit the authorized worker
        ),
    )
}
"""All faulty shares, in the order of docs/reference/stratum.md#faulty-shares."""
