"""A work unit: a job with fixed extranonce2 and ntime, in which a backend searches nonces and permitted version
bits."""

from dataclasses import dataclass

from stratum_miner.work.job import Job

NONCE_SPACE = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class WorkUnit:
    """A header to search.

    ``header`` is the serialized header (80 bytes) with this ``version`` and a zero nonce. ``version_mask`` has the
    version bits that the backend may roll inside this unit. These bits are zero in ``version``. The mask is 0 for a
    backend that does not roll versions. The backend tries ``nonce_count`` nonces, beginning with ``first_nonce``; after
    2^32 - 1 comes 0. A header is a solution if its hash is at most ``target``.
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
        """Number of headers that a backend can try in this unit."""
        return self.nonce_count << self.version_mask.bit_count()


@dataclass(frozen=True, slots=True)
class NonceFound:
    """A nonce that a backend reports and that is not verified yet.

    The header of the work unit with this nonce and this version should meet the target of the work unit.
    """

    unit: WorkUnit
    nonce: int
    version: int
    """The full version field of the header, with the rolled bits."""
    device: str = ""
    """The backend's name for the device that found the nonce, such as "cpu0" or a serial number; for statistics."""
