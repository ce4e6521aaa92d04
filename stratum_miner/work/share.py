"""From a claimed nonce to a share: re-hash in Python, compare with exact integers, believe nothing.

A wrong claim is a hardware error; a right hash above the target is merely below the difficulty. Both are values,
not exceptions: a broken device produces thousands of them and mining goes on.
"""

from dataclasses import dataclass, field
from enum import Enum

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import difficulty_from_target, hash_value
from stratum_miner.work.job import Job
from stratum_miner.work.unit import NONCE_SPACE, NonceFound


class InvalidNonce(Enum):
    """Why a claim is none of what its unit asks for, so that the device computes wrongly."""

    OUTSIDE_UNIT = "nonce or version bits outside the unit"
    ABOVE_UNIT_TARGET = "hash above the unit's target"


@dataclass(frozen=True, slots=True)
class BelowTarget:
    """A correct hash that meets neither the share target nor the network target."""

    difficulty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A verified solution: what a pool has to be told and what statistics want to know."""

    job: Job
    extranonce2: bytes
    ntime: int
    nonce: int
    version: int
    header: bytes
    digest: bytes
    device: str = ""
    backend: str = ""
    """The name of the backend that has the device."""
    worker_name: str = ""
    """Whom it is submitted for, where a device has a login of its own; empty for the pool's, ``.x`` adds to that."""
    hash_value: int = field(init=False, repr=False, compare=False)
    """The hash as a number, little-endian."""
    difficulty: float = field(init=False, repr=False, compare=False)
    """What this hash is worth: difficulty-1 target over hash, for display."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash_value", hash_value(self.digest))
        object.__setattr__(self, "difficulty", difficulty_from_target(self.hash_value))

    @property
    def meets_share_target(self) -> bool:
        """False for a block found below the share difficulty, possible on test chains only."""
        return self.hash_value <= self.job.share_target

    @property
    def is_block(self) -> bool:
        """Whether it also meets the network target."""
        return self.hash_value <= self.job.network_target

    @property
    def dedup_key(self) -> tuple[int, bytes]:
        """The session and the header without its version. Shares that have it in common differ in their version at
        most."""
        return self.job.origin.session, self.header[4:]


VerifyResult = Share | BelowTarget | InvalidNonce


def verify(found: NonceFound, *, backend: str = "", worker_name: str = "") -> VerifyResult:
    """Re-hash a claim against its own unit and job. A share bears the names that are given.

    A claim that meets the unit's target but neither target of the job (a coarser hardware filter) is BelowTarget.
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
