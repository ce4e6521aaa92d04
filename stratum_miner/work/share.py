"""Verifies a reported nonce: hashes the header with this nonce in Python and compares the hash with the exact targets.

If the hash misses the target of the work unit, the nonce is a hardware error. Some devices compare hashes with a target
only roughly. The work units of such a device have a larger target than the job, so a hash that meets the target of the
unit can still miss the targets of the job. For a hash that misses a target, ``verify`` returns a value instead of
raising an exception, because a broken device reports thousands of wrong nonces while mining continues.
"""

from dataclasses import dataclass, field
from enum import Enum

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import difficulty_from_target, hash_value
from stratum_miner.work.job import Job
from stratum_miner.work.unit import NONCE_SPACE, NonceFound


class InvalidNonce(Enum):
    """Why a reported nonce is not a solution of its work unit, which means that the device computes wrongly."""

    OUTSIDE_UNIT = "nonce or version bits outside the unit"
    ABOVE_UNIT_TARGET = "hash above the unit's target"


@dataclass(frozen=True, slots=True)
class BelowTarget:
    """A hash that meets the target of its work unit, but neither the share target nor the network target of the job."""

    difficulty: float
    """Difficulty of the hash, rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A verified solution of a job, with the fields of a ``mining.submit`` message and the names of device and backend.

    ``header`` is the serialized header (80 bytes), ``digest`` its hash (32 bytes, internal order), ``version`` the full
    version field with the rolled bits.
    """

    job: Job
    extranonce2: bytes
    ntime: int
    nonce: int
    version: int
    header: bytes
    digest: bytes
    device: str = ""
    backend: str = ""
    """The name of the backend that the device belongs to."""
    worker_name: str = ""
    """Worker name of the device that found the share. In a proxy, it is the worker name of the connected miner. If it
    is empty, the share is submitted under the worker name that is configured for the backend or the pool. If it begins
    with a dot, it is appended to that configured worker name."""
    hash_value: int = field(init=False, repr=False, compare=False)
    """The hash as a number (little-endian), to be compared with a target."""
    difficulty: float = field(init=False, repr=False, compare=False)
    """Difficulty of the hash: difficulty-1 target divided by the hash, rounded, for display."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash_value", hash_value(self.digest))
        object.__setattr__(self, "difficulty", difficulty_from_target(self.hash_value))

    @property
    def meets_share_target(self) -> bool:
        """Whether the hash meets the share target. On test chains a hash can solve a block and miss the share
        target."""
        return self.hash_value <= self.job.share_target

    @property
    def is_block(self) -> bool:
        """Whether the hash meets the network target."""
        return self.hash_value <= self.job.network_target

    @property
    def dedup_key(self) -> tuple[int, bytes]:
        """The session number and bytes 4 to 79 of the header. Bytes 0 to 3 are the version, so shares with equal
        keys differ at most in their version."""
        return self.job.origin.session, self.header[4:]


VerifyResult = Share | BelowTarget | InvalidNonce
"""What ``verify`` returns."""


def verify(found: NonceFound, *, backend: str = "", worker_name: str = "") -> VerifyResult:
    """Hash a reported nonce again and compare the hash with the targets of its work unit and of its job.

    Returns a Share with the given names if the hash meets a target of the job. Returns BelowTarget if the hash meets
    only the target of the unit, which is larger if the device can compare hashes only roughly. Returns InvalidNonce if
    the nonce is not a solution of the unit.
    """
    unit, job = found.unit, found.unit.job
    offset = (found.nonce - unit.first_nonce) % NONCE_SPACE
    rolled = found.version ^ unit.version
    if not 0 <= found.nonce < NONCE_SPACE or offset >= unit.nonce_count or rolled & ~unit.version_mask:
        return InvalidNonce.OUTSIDE_UNIT
    header = found.version.to_bytes(4, "little") + unit.header[4:76] + found.nonce.to_bytes(4, "little")
    digest = sha256d(header)
    value = hash_value(digest)
    if value > unit.target:
        return InvalidNonce.ABOVE_UNIT_TARGET
    if value > job.search_target:
        return BelowTarget(difficulty_from_target(value))
    return Share(
        job=job,
        extranonce2=unit.extranonce2,
        ntime=unit.ntime,
        nonce=found.nonce,
        version=found.version,
        header=header,
        digest=digest,
        device=found.device,
        backend=backend,
        worker_name=worker_name,
    )
