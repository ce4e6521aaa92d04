"""A job: what a pool announced, together with the settings of the session that were in force at that moment.

Targets, extranonces and the version mask belong to the job, never to the connection: a share is judged by the settings
that were in force when its own job was sent (docs/reference/stratum.md#when-a-setting-takes-effect). A job does not
depend on the protocol that brought it. Only the ``body`` of a job may differ between protocols: it has either the parts
of a coinbase, or only a merkle root.
"""

from dataclasses import dataclass, field
from typing import ClassVar, NewType, TypeAlias

from stratum_miner.bitcoin.coinbase import height_from_coinbase_prefix
from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.merkle import fold_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import MAX_TARGET, difficulty_from_target, expected_hashes, target_from_bits

MAX_EXTRANONCE2_SIZE = 32
"""Largest extranonce2 in bytes, more than any known pool assigns. The protocol code rejects larger sizes."""

PoolKey = NewType("PoolKey", str)
"""Identifies a configured pool: the name that the user gave to the pool, or else its URL and worker name. No two pools
of a miner have the same key."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The pool and the session that a job comes from. The shares of the job can only be submitted in this session."""

    pool: PoolKey
    worker_name: str
    """The worker name that is configured for the pool. A backend or device may have another worker name for its
    shares."""
    session: int
    """A number for the session, unique in this process across all pools."""
    session_id: str | None = None
    """The session id that the pool sent, needed to resume the session; None if it sent none."""


@dataclass(frozen=True, slots=True)
class CoinbaseBody:
    """The parts of a coinbase transaction, and the merkle branch from it to the root.

    The transaction consists of ``prefix``, extranonce1, extranonce2 and ``suffix``. The pool chooses extranonce1, the
    miner chooses extranonce2. ``prefix`` and ``suffix`` are serialized without witness; the branch items are 32 bytes
    in internal order, lowest level first. Raises ValueError if a size is wrong.
    """

    prefix: bytes
    suffix: bytes
    branch: tuple[bytes, ...]
    extranonce1: bytes
    extranonce2_size: int
    """Size of extranonce2 in bytes. With 0 the miner cannot change the coinbase."""

    def __post_init__(self) -> None:
        if any(len(item) != 32 for item in self.branch):
            raise ValueError(f"job: expected merkle branch items of 32 bytes, got {[*map(len, self.branch)]} bytes")
        if not 0 <= self.extranonce2_size <= MAX_EXTRANONCE2_SIZE:
            raise ValueError(f"job: expected extranonce2_size 0 to {MAX_EXTRANONCE2_SIZE}, got {self.extranonce2_size}")

    @property
    def height(self) -> int | None:
        """Height of the block from the coinbase script (BIP 34), or None if the script does not begin with a height."""
        return height_from_coinbase_prefix(self.prefix)

    def template_key(self) -> bytes:
        """Return 32 bytes that are equal for two bodies if and only if both give the same merkle root for each
        extranonce2.
        """
        return _hash_of((self.prefix + self.extranonce1, self.extranonce2_size, self.suffix, self.branch))

    def coinbase(self, extranonce2: bytes) -> bytes:
        """Return the coinbase transaction without witness; its sha256d is the txid.

        Raises ValueError if ``extranonce2`` has a wrong size.
        """
        _check_extranonce2(extranonce2, self.extranonce2_size)
        return self.prefix + self.extranonce1 + extranonce2 + self.suffix

    def merkle_root(self, extranonce2: bytes) -> bytes:
        """Return the merkle root in internal order. Raises ValueError if ``extranonce2`` has a wrong size."""
        return fold_branch(sha256d(self.coinbase(extranonce2)), self.branch)


@dataclass(frozen=True, slots=True)
class HeaderBody:
    """A merkle root whose coinbase the pool does not show, so that the miner can change only header fields.

    Raises ValueError if the root does not have 32 bytes.
    """

    root: bytes
    """The merkle root, 32 bytes in internal order."""
    extranonce2_size: ClassVar[int] = 0
    height: ClassVar[None] = None

    def __post_init__(self) -> None:
        if len(self.root) != 32:
            raise ValueError(f"job: expected a merkle root of 32 bytes, got {len(self.root)}")

    def template_key(self) -> bytes:
        """Return 32 bytes that are equal for two bodies if and only if their merkle roots are equal."""
        return _hash_of((self.root,))

    def merkle_root(self, extranonce2: bytes) -> bytes:
        """Return the root, in internal order. Raises ValueError if ``extranonce2`` is not empty."""
        _check_extranonce2(extranonce2, self.extranonce2_size)
        return self.root


Body: TypeAlias = CoinbaseBody | HeaderBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that a pool announced. All hashes are in internal byte order.

    Raises ValueError if nbits or the share target is not a valid target, or if a size is wrong.
    """

    origin: Origin
    job_id: str
    """Identifies the job at the pool. The miner sends this text back with each share and does not interpret it."""
    previous_hash: bytes
    """Hash of the previous block, 32 bytes in internal order."""
    body: Body
    version: int
    """The version field of the header, 32 bits, before version rolling."""
    nbits: int
    """The network target in compact form, as in the header."""
    ntime: int
    """The earliest ntime that a share may have, Unix time in seconds."""
    clean_jobs: bool
    """Whether the pool no longer accepts shares of earlier jobs of this session."""
    share_target: int
    """The largest hash that is a share."""
    version_mask: int = 0
    """The version bits that the pool permits the miner to choose."""
    version_rolling: bool = False
    """Whether the pool agreed to version rolling, possibly with mask 0."""
    received_at: float = 0.0
    """Time at which the job arrived, in seconds of the caller's clock. The miner may increase ntime by the time that
    has passed since then."""
    network_target: int = field(init=False)
    """The largest hash that solves a block, computed from ``nbits``."""

    def __post_init__(self) -> None:
        if len(self.previous_hash) != 32:
            raise ValueError(f"job: expected a previous hash of 32 bytes, got {len(self.previous_hash)}")
        if not 0 < self.share_target <= MAX_TARGET:
            raise ValueError(f"job: expected share_target 1 to 2^256-1, got {self.share_target}")
        object.__setattr__(self, "network_target", target_from_bits(self.nbits))

    @property
    def height(self) -> int | None:
        """Height of the block to be found, or None if the pool does not show it."""
        return self.body.height

    @property
    def extranonce2_size(self) -> int:
        """Number of bytes of the coinbase that the miner may choose; 0 if the pool does not show the coinbase."""
        return self.body.extranonce2_size

    @property
    def search_target(self) -> int:
        """The largest hash that the miner looks for: the larger of share target and network target. On test networks
        the network target may be the larger one, so that a block can miss the share target
        (docs/reference/stratum.md#difficulty-and-target)."""
        return max(self.share_target, self.network_target)

    @property
    def share_difficulty(self) -> float:
        """Difficulty of the share target, rounded, for display."""
        return difficulty_from_target(self.share_target)

    @property
    def network_difficulty(self) -> float:
        """Difficulty of the network target, rounded, for display."""
        return difficulty_from_target(self.network_target)

    @property
    def share_chance(self) -> float:
        """Probability that one hash meets the share target."""
        return float(1 / expected_hashes(self.share_target))

    @property
    def rollable_mask(self) -> int:
        """Version bits that the miner may set: the pool permits them, and they are 0 in the job's own version
        (docs/reference/stratum.md#merging-version-bits)."""
        return self.version_mask & ~self.version

    def content_hash(self) -> bytes:
        """Return a hash (32 bytes) of everything in the job's headers that the miner does not choose. The miner chooses
        extranonce2, version, ntime and nonce.

        If two jobs have the same hash, a header that the miner makes for one job may also be a header of the other.
        """
        return _hash_of((self.previous_hash, self.nbits, self.body.template_key()))

    def merkle_root(self, extranonce2: bytes) -> bytes:
        """Return the merkle root in internal order. Raises ValueError if ``extranonce2`` has a wrong size."""
        return self.body.merkle_root(extranonce2)

    def header(self, extranonce2: bytes, ntime: int, nonce: int, version: int) -> BlockHeader:
        """Return the header of this job with these values. Raises ValueError if ``extranonce2`` has a wrong size."""
        return BlockHeader(
            version=version,
            previous_hash=self.previous_hash,
            merkle_root=self.merkle_root(extranonce2),
            ntime=ntime,
            nbits=self.nbits,
            nonce=nonce,
        )


def _hash_of(content: tuple[object, ...]) -> bytes:
    """Return a hash of byte strings and numbers. Two tuples with different contents never have the same repr."""
    return sha256d(repr(content).encode())


def _check_extranonce2(extranonce2: bytes, size: int) -> None:
    if len(extranonce2) != size:
        raise ValueError(f"extranonce2: expected {size} bytes, got {len(extranonce2)}")
