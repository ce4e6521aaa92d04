"""A job: what mining.notify announced, completed by the session settings that were in force at that moment.

Difficulty, extranonce and version mask belong to the job, never to the connection: a share is judged against
the settings its own job was issued under (stratum.md 2.9).
"""

from dataclasses import dataclass, field

from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.merkle import fold_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import MAX_TARGET, difficulty_from_target, target_from_bits

MAX_EXTRANONCE2_SIZE = 32
"""Bytes; as ``stratum.fields`` takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One announced job; every byte string in internal order, every integer a plain number.

    Raises ValueError when nbits or the share target is no valid target, or a size is off.
    """

    session: int
    """Which session of ours issued it; a share goes back to that session only."""
    job_id: str
    previous_hash: bytes
    coinbase_prefix: bytes
    coinbase_suffix: bytes
    merkle_branch: tuple[bytes, ...]
    version: int
    nbits: int
    ntime: int
    clean_jobs: bool
    extranonce1: bytes
    extranonce2_size: int
    share_target: int
    """The largest hash that is a share, as exact as the pool said it."""
    version_mask: int = 0
    version_rolling: bool = False
    """True once the pool granted version rolling: submits then carry a sixth parameter, even under mask 0."""
    received_at: float = 0.0
    """Seconds of the caller's clock at arrival: the reference for ntime rolling."""
    network_target: int = field(init=False)

    def __post_init__(self) -> None:
        if len(self.previous_hash) != 32 or any(len(item) != 32 for item in self.merkle_branch):
            raise ValueError("job: expected 32-byte previous hash and merkle branch items")
        if not 0 <= self.extranonce2_size <= MAX_EXTRANONCE2_SIZE:
            raise ValueError(f"job: expected extranonce2_size 0 to {MAX_EXTRANONCE2_SIZE}, got {self.extranonce2_size}")
        if not 0 < self.share_target <= MAX_TARGET:
            raise ValueError(f"job: expected share_target 1 to 2^256-1, got {self.share_target}")
        object.__setattr__(self, "network_target", target_from_bits(self.nbits))

    @property
    def search_target(self) -> int:
        """The looser of share and network target: on test chains a block can miss the share target (2.6)."""
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
        """Of one hash to meet the share target."""
        return min(1.0, (self.share_target + 1) / 2**256)

    @property
    def rollable_mask(self) -> int:
        """Version bits we may set: granted, and not already used by the job's own version (2.5)."""
        return self.version_mask & ~self.version

    def content_hash(self) -> bytes:
        """A hash of everything that fixes a header but extranonce2, version, ntime and nonce.

        Two jobs that have it in common can be solved by the same header.
        """
        parts = (
            self.previous_hash,
            self.coinbase_prefix + self.extranonce1,
            bytes([self.extranonce2_size]),
            self.coinbase_suffix,
            self.nbits.to_bytes(4, "little"),
            *self.merkle_branch,
        )
        return sha256d(b"".join(len(part).to_bytes(4, "little") + part for part in parts))

    def coinbase(self, extranonce2: bytes) -> bytes:
        """The coinbase transaction without witness; its sha256d is the txid. ValueError on a wrong size."""
        if len(extranonce2) != self.extranonce2_size:
            raise ValueError(
                f"extranonce2: expected {self.extranonce2_size} bytes for job {self.job_id!r}, got {len(extranonce2)}"
            )
        return self.coinbase_prefix + self.extranonce1 + extranonce2 + self.coinbase_suffix

    def merkle_root(self, extranonce2: bytes) -> bytes:
        """Merkle root in internal order for this extranonce2."""
        return fold_branch(sha256d(self.coinbase(extranonce2)), self.merkle_branch)

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
