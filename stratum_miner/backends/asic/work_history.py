"""Remembers the work that a chip chain got, and verifies the nonces that the chain reports. Uses no port and no clock.

Every reported nonce is hashed here before anything else uses it. The work to which it belongs is not always certain: an
Icarus sends no job id, and the job ids of other chips repeat. The work with the job id of the reply is therefore tried
first, and then all other remembered work, the newest first. A nonce belongs to a work unit if the hash of the header
is at most the *bound*, the largest hash that the device should report. A nonce that belongs to no remembered work unit
is a hardware error. Void work, whose nonces have become worthless, is remembered, too, so that a late nonce counts as
stale and not as a hardware error.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import expected_hashes, hash_value, target_from_difficulty
from stratum_miner.work.unit import NONCE_SPACE, NonceFound, WorkUnit

REAL_BOUND = (1 << 224) - 1
"""Largest hash that real chips report: 32 leading zero bits, which is slightly easier than difficulty 1."""


def nonce_bound(nonce_difficulty: float | None) -> int:
    """Return the largest hash that a device should report. ``nonce_difficulty`` is the difficulty of the easiest nonces
    that an emulator reports; None for real chips. For None and for 1, the result is ``REAL_BOUND``."""
    return REAL_BOUND if nonce_difficulty in (None, 1) else target_from_difficulty(nonce_difficulty)


@dataclass(slots=True, eq=False)
class ChipWork:
    """A work unit as it was sent to a chip chain."""

    job_id: int
    unit: WorkUnit
    versions: tuple[int, ...]
    """Header versions that the chips search. If the chips cannot roll versions by themselves, they got a midstate for
    each version, in this order. Otherwise, this is only one version."""
    void: bool = False
    seen: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class ReportedNonce:
    """The contents of a nonce reply, decoded by its chip family."""

    nonce: bytes
    """Four bytes, as they stand in the header."""
    candidates: tuple[tuple[int, int], ...] = ()
    """Pairs of job id and index into ``ChipWork.versions``, the most likely pair first."""
    rolled: int = 0
    """Version bits that the chip set by itself."""
    chip: int = 0
    """Number of the chip that found the nonce, counted from 0."""


@dataclass(frozen=True, slots=True)
class VerifiedNonce:
    """A reported nonce whose recomputed hash is at most the bound (see ``nonce_bound``) of the device."""

    work: ChipWork
    nonce: int
    version: int
    hash_value: int
    is_duplicate: bool

    @property
    def is_stale(self) -> bool:
        """Whether the work of this nonce is void by now, so that the nonce is worthless."""
        return self.work.void

    def nonce_found(self, device: str) -> NonceFound | None:
        """Convert the nonce to a ``NonceFound``, which can be sent to the miner. Return None if the hash is above the
        target of the work unit, or if the nonce or the version is not one of those that the unit contains."""
        unit = self.work.unit
        offset = (self.nonce - unit.first_nonce) % NONCE_SPACE
        rolled = self.version ^ unit.version
        if self.hash_value > unit.target or offset >= unit.nonce_count or rolled & ~unit.version_mask:
            return None
        return NonceFound(unit, self.nonce, self.version, device)


class WorkHistory:
    """The last work units that one chip chain got. ``remembered`` is the number of units to keep. ``bound`` is the
    largest hash that the chips should report."""

    def __init__(self, bound: int, remembered: int) -> None:
        self.bound = bound
        self._works: deque[ChipWork] = deque(maxlen=remembered)

    def add(self, job_id: int, unit: WorkUnit, versions: Sequence[int]) -> ChipWork:
        """Remember that the chips search this unit from now on."""
        work = ChipWork(job_id, unit, tuple(versions))
        self._works.append(work)
        return work

    def mark_void(self) -> None:
        """Mark all work sent so far as void: its nonces are worthless from now on."""
        for work in self._works:
            work.void = True

    def verify(self, reported: ReportedNonce) -> VerifiedNonce | None:
        """Find the remembered work to which a reported nonce belongs. Return the verified nonce, which names this work.
        Return None if the nonce belongs to no remembered work: this is a hardware error.

        The nonce is remembered, so that it counts as a duplicate if it comes again.
        """
        for work, version in self._candidates(reported):
            value = _value(work.unit, version, reported.nonce)
            if value <= self.bound:
                nonce = int.from_bytes(reported.nonce, "little")
                is_duplicate = (nonce, version) in work.seen
                work.seen.add((nonce, version))
                return VerifiedNonce(work, nonce, version, value, is_duplicate)
        return None

    def matches(self, reported: ReportedNonce) -> bool:
        """Return whether ``verify`` would find the work of this nonce. The nonce is not remembered."""
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
    """Return how many hashes a device computes on average until it reports a nonce.

    ``bound`` is the largest hash that it reports without a ticket mask. ``ticket_bits`` is the number of leading zero
    bits that its ticket mask requires in addition to those of ``bound``.
    """
    return float(expected_hashes(bound)) * (1 << ticket_bits)


def _value(unit: WorkUnit, version: int, nonce: bytes) -> int:
    return hash_value(sha256d(version.to_bytes(4, "little") + unit.header[4:76] + nonce))
