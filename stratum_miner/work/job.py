"""A job: what a pool announced, completed by the settings that were in force at that moment.

Targets, extranonces and the version mask belong to the job, never to the connection: a share is judged against the
settings its own job was issued under (docs/reference/stratum.md#when-a-setting-takes-effect). A job does not know which
protocol brought it. What protocols do differently is in its ``body``: a pool shows either the parts of a coinbase, or
nothing but a merkle root.
"""

from dataclasses import dataclass, field
from typing import ClassVar, NewType, TypeAlias

from stratum_miner.bitcoin.coinbase import height_from_coinbase_prefix
from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.merkle import fold_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import MAX_TARGET, difficulty_from_target, target_from_bits

MAX_EXTRANONCE2_SIZE = 32
"""Bytes; more than any pool is known to give. Protocols refuse what is larger where they read it."""

PoolKey = NewType("PoolKey", str)
"""Which pool of ours: the name that the user gave it, else its URL and worker. No two pools of a miner share one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a job comes from; a share of it can only go back there."""

    pool: PoolKey
    worker_name: str
    """The pool's own worker; a device may submit for another one."""
    session: int
    """Which session of ours with a pool. The number is never used again, whatever pool is next."""
    session_id: str | None = None
    """What the pool calls that session, where it names it."""


@dataclass(frozen=True, slots=True)
class CoinbaseBody:
    """A coinbase transaction around two extranonces, the second of which is ours, and the way from it to the root.

    The halves are serialized without witness. Raises ValueError when a size is off.
    """

    prefix: bytes
    suffix: bytes
    branch: tuple[bytes, ...]
    extranonce1: bytes
    extranonce2_size: int
    """Bytes; 0 is a coinbase that we cannot change."""

    def __post_init__(self) -> None:
        if any(len(item) != 32 for item in self.branch):
            raise ValueError("job: expected 32-byte merkle branch items")
        if not 0 <= self.extranonce2_size <= MAX_EXTRANONCE2_SIZE:
            raise ValueError(f"job: expected extranonce2_size 0 to {MAX_EXTRANONCE2_SIZE}, got {self.extranonce2_size}")

    @property
    def height(self) -> int | None:
        """Height of the block, from the coinbase script (BIP 34); None when that does not begin with one."""
        return height_from_coinbase_prefix(self.prefix)

    def row_key(self) -> bytes:
        """A name for all merkle roots of this body: 32 bytes, equal for bodies that have the same roots."""
        return _hash_of(
            self.prefix + self.extranonce1, bytes([self.extranonce2_size]), self.suffix, b"".join(self.branch)
        )

    def coinbase(self, extranonce2: bytes) -> bytes:
        """The coinbase transaction without witness; its sha256d is the txid. ValueError on a wrong size."""
        _check_extranonce2(extranonce2, self.extranonce2_size)
        return self.prefix + self.extranonce1 + extranonce2 + self.suffix

    def merkle_root(self, extranonce2: bytes) -> bytes:
        """Merkle root in internal order for this extranonce2. ValueError on a wrong size."""
        return fold_branch(sha256d(self.coinbase(extranonce2)), self.branch)


@dataclass(frozen=True, slots=True)
class HeaderBody:
    """A merkle root whose coinbase the pool does not show; nothing below the header can be changed.

    Raises ValueError when it does not have 32 bytes.
    """

    root: bytes
    """In internal order."""
    extranonce2_size: ClassVar[int] = 0
    height: ClassVar[None] = None

    def __post_init__(self) -> None:
        if len(self.root) != 32:
            raise ValueError(f"job: expected a 32-byte merkle root, got {len(self.root)}")

    def row_key(self) -> bytes:
        """A name for this root: 32 bytes."""
        return _hash_of(self.root)

    def merkle_root(self, extranonce2: bytes) -> bytes:
        """The root, in internal order. ValueError when there is an extranonce2."""
        _check_extranonce2(extranonce2, self.extranonce2_size)
        return self.root


Body: TypeAlias = CoinbaseBody | HeaderBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One announced job; every byte string in internal order, every integer a plain number.

    Raises ValueError when nbits or the share target is no valid target, or a size is off.
    """

    origin: Origin
    job_id: str
    """What the pool calls it; told back to it with each share, and not to be looked into."""
    previous_hash: bytes
    body: Body
    version: int
    nbits: int
    ntime: int
    """The earliest that a share may have."""
    clean_jobs: bool
    """Whether work on earlier jobs of this session is void."""
    share_target: int
    """The largest hash that is a share, as exact as the pool said it."""
    version_mask: int = 0
    """The version bits that the pool lets us choose."""
    version_rolling: bool = False
    """Whether the pool agreed to version rolling at all, even under mask 0."""
    received_at: float = 0.0
    """Seconds of the caller's clock at arrival: the reference for ntime rolling."""
    network_target: int = field(init=False)

    def __post_init__(self) -> None:
        if len(self.previous_hash) != 32:
            raise ValueError("job: expected a 32-byte previous hash")
        if not 0 < self.share_target <= MAX_TARGET:
            raise ValueError(f"job: expected share_target 1 to 2^256-1, got {self.share_target}")
        object.__setattr__(self, "network_target", target_from_bits(self.nbits))

    @property
    def height(self) -> int | None:
        """Height of the block that is searched for; None when the pool does not show it."""
        return self.body.height

    @property
    def extranonce2_size(self) -> int:
        """Bytes of the coinbase that are ours to choose; 0 where it is not shown."""
        return self.body.extranonce2_size

    @property
    def search_target(self) -> int:
        """The looser of share and network target: on test chains a block can miss the share target
        (docs/reference/stratum.md#difficulty-and-target)."""
        return max(self.share_target, self.network_target)

    @property
    def share_difficulty(self) -> float:
        """Difficulty of the share target, for display."""
        return difficulty_from_target(self.share_target)

    @property
    def network_difficulty(self) -> float:
        """Difficulty of the network target, for display."""
        return difficulty_from_target(self.network_target)

    @property
    def share_chance(self) -> float:
        """Probability that one hash meets the share target."""
        return min(1.0, (self.share_target + 1) / 2**256)

    @property
    def rollable_mask(self) -> int:
        """Version bits we may set: granted, and not already used by the job's own version
        (docs/reference/stratum.md#merging-version-bits)."""
        return self.version_mask & ~self.version

    def content_hash(self) -> bytes:
        """A hash of everything that fixes a header but extranonce2, version, ntime and nonce.

        Two jobs that have it in common can be solved by the same header.
        """
        return _hash_of(self.previous_hash, self.nbits.to_bytes(4, "little"), self.body.row_key())

    def merkle_root(self, extranonce2: bytes) -> bytes:
        """Merkle root in internal order for this extranonce2. ValueError on a wrong size."""
        return self.body.merkle_root(extranonce2)

    def header(self, extranonce2: bytes, ntime: int, nonce: int, version: int) -> BlockHeader:
        """The full header for one point of the search space."""
        return BlockHeader(
            version=version,
            previous_hash=self.previous_hash,
            merkle_root=self.merkle_root(extranonce2),
            ntime=ntime,
            nbits=self.nbits,
            nonce=nonce,
        )


def _hash_of(*parts: bytes) -> bytes:
    return sha256d(b"".join(len(part).to_bytes(4, "little") + part for part in parts))


def _check_extranonce2(extranonce2: bytes, size: int) -> None:
    if len(extranonce2) != size:
        raise ValueError(f"extranonce2: expected {size} bytes, got {len(extranonce2)}")
