"""A work unit: a job with extranonce2, ntime and version fixed, so that only nonces (and granted bits) remain."""

from dataclasses import dataclass

from stratum_miner.work.job import Job

NONCE_SPACE = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class WorkUnit:
    """A header to search.

    ``header`` is the 80-byte serialized header with ``version`` as it stands here and a zero nonce.
    ``version_mask`` names the bits that are zero in ``version`` and that the backend itself may roll inside this
    unit; 0 for a backend that asked for none. The nonces to try are ``first_nonce`` up to, not including,
    ``first_nonce + nonce_count``. ``target`` is inclusive: a header whose hash is at most ``target`` is a hit.
    """

    job: Job
    extranonce2: bytes
    ntime: int
    version: int
    header: bytes
    target: int
    version_mask: int = 0
    first_nonce: int = 0
    nonce_count: int = NONCE_SPACE

    @property
    def hashes(self) -> int:
        """Size of the unit: points a backend can visit."""
        return self.nonce_count << self.version_mask.bit_count()


@dataclass(frozen=True, slots=True)
class NonceFound:
    """A backend's claim, unverified: this nonce under this header version meets the unit's target."""

    unit: WorkUnit
    nonce: int
    version: int
    device: str = ""
    """Who found it, as the backend names its parts: "cpu0", a serial number; for statistics only."""
