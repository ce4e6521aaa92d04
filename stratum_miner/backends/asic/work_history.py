"""Which work a chip holds, and what a nonce it reports is worth. Knows headers and job ids; no port, no clock.

Every reported nonce is hashed here before anything else uses it. A reply names its work more or less well: Icarus
not at all, others by job id, and ids come round again. So the candidates that the reply points to are tried first,
then all other work still remembered, newest first; only what hashes to nothing anywhere is a hardware error. Work that
became void is remembered, too: its late answers are stale, which is no fault of the chip.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import expected_hashes, hash_value, target_from_difficulty
from stratum_miner.work.unit import NONCE_SPACE, NonceFound, WorkUnit

REAL_BOUND = (1 << 224) - 1
"""What chips report when left alone: 32 leading zero bits, a little easier than difficulty 1."""


def nonce_bound(nonce_difficulty: float | None) -> int:
    """Largest hash that a device reports; None, and 1, are the real one."""
    return REAL_BOUND if nonce_difficulty in (None, 1) else target_from_difficulty(nonce_difficulty)


@dataclass(slots=True, eq=False)
class ChipWork:
    """A unit as it was given to a chip."""

    job_id: int
    unit: WorkUnit
    versions: tuple[int, ...]
    """Header versions it was told to hash, in the order of the midstates; one where the chip rolls by itself."""
    void: bool = False
    seen: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class ReportedNonce:
    """What a nonce reply says, read by its chip family."""

    nonce: bytes
    candidates: tuple[tuple[int, int], ...] = ()
    """Job id and index into ``ChipWork.versions``, likeliest first."""
    rolled: int = 0
    """Version bits that the chip set by itself."""
    chip: int = 0


@dataclass(frozen=True, slots=True)
class VerifiedNonce:
    """A reported nonce whose hash is at most the bound."""

    work: ChipWork
    nonce: int
    version: int
    hash_value: int
    is_duplicate: bool

    @property
    def is_stale(self) -> bool:
        """Whether the work it answers was void by then."""
        return self.work.void

    def nonce_found(self, device: str) -> NonceFound | None:
        """What to report; None for a hash above the unit's target and for a point outside the unit."""
        unit = self.work.unit
        offset = (self.nonce - unit.first_nonce) % NONCE_SPACE
        rolled = self.version ^ unit.version
        if self.hash_value > unit.target or offset >= unit.nonce_count or rolled & ~unit.version_mask:
            return None
        return NonceFound(unit, self.nonce, self.version, device)


class WorkHistory:
    """The last ``remembered`` works given to one chain."""

    def __init__(self, bound: int, remembered: int) -> None:
        self.bound = bound
        """A nonce whose hash is above it is wrong."""
        self._works: deque[ChipWork] = deque(maxlen=remembered)

    def add(self, job_id: int, unit: WorkUnit, versions: Sequence[int]) -> ChipWork:
        """Note that this unit is what the chip searches from now on."""
        work = ChipWork(job_id, unit, tuple(versions))
        self._works.append(work)
        return work

    def mark_void(self) -> None:
        """All work given so far is worthless."""
        for work in self._works:
            work.void = True

    def verify(self, reported: ReportedNonce) -> VerifiedNonce | None:
        """The first place where the nonce hashes below the bound; None when it does nowhere: a hardware error."""
        for work, version in self._candidates(reported):
            value = _value(work.unit, version, reported.nonce)
            if value <= self.bound:
                nonce = int.from_bytes(reported.nonce, "little")
                is_duplicate = (nonce, version) in work.seen
                work.seen.add((nonce, version))
                return VerifiedNonce(work, nonce, version, value, is_duplicate)
        return None

    def matches(self, reported: ReportedNonce) -> bool:
        """Whether ``prove`` would succeed; notes nothing."""
        return any(
            _value(work.unit, version, reported.nonce) <= self.bound for work, version in self._candidates(reported)
        )

    def _candidates(self, reported: ReportedNonce) -> Iterator[tuple[ChipWork, int]]:
        newest_first = tuple(reversed(self._works))
        tried = set()
        for job_id, index in reported.candidates:
            work = next((work for work in newest_first if work.job_id == job_id), None)
            if work is not None and index < len(work.versions):
                tried.add((id(work), index))
                yield work, work.versions[index] | reported.rolled
        for work in newest_first:
            for index, version in enumerate(work.versions):
                if (id(work), index) not in tried:
                    yield work, version | reported.rolled


def hashes_per_nonce(bound: int, ticket_bits: int = 0) -> float:
    """How many hashes one reported nonce takes on average."""
    return float(expected_hashes(bound)) * (1 << ticket_bits)


def _value(unit: WorkUnit, version: int, nonce: bytes) -> int:
    return hash_value(sha256d(version.to_bytes(4, "little") + unit.header[4:76] + nonce))
