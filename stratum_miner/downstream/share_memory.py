"""Remembers valid shares and block candidates, so that no share is counted twice. The memory is limited.

Theory of operation: each job has a ``SeenShares`` object with the hashes of its shares. Each session that is open or
can be resumed has a table of its jobs. When a job is in none of these tables any more, Python frees its ``SeenShares``
object. So no code has to remove old hashes.
"""

from stratum_miner.network.fair_bound import FairBound

MAX_BYTES = 512 << 20
"""Maximum number of bytes that the remembered shares of a whole pool or proxy may take."""
SHARE_BYTES = 200
"""Maximum number of bytes that one remembered share takes, rounded up: 80 for its hash, and 107 for its entry in the
set of hashes. The size of an entry varies: it is largest just after Python has made the set four times as large,
because most places of the set are empty then."""
MAX_SHARES = MAX_BYTES // SHARE_BYTES
"""Maximum number of shares that are remembered: 2.7 million. That is almost three times the 960,000
shares that 10,000 miners submit, at one share every 10 s each, in the 16 minutes for which a job may stay valid
(``jobs.MAX_JOBS``)."""


class SeenShares:
    """The hashes of the valid shares and block candidates that all miners have submitted for one job."""

    __slots__ = ("__weakref__", "_bound", "_digests")

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._bound: FairBound | None = None

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def add(self, digest: bytes, bound: FairBound) -> None:
        """Remember the hash of a share, and count it in ``bound``, which limits the remembered shares of all jobs."""
        self._bound = bound
        self._digests.add(digest)
        bound.used += 1

    def forget(self, digest: bytes) -> None:
        """Forget the hash of a share, so that it may be submitted again. An unknown hash is ignored."""
        if self._bound is not None and digest in self._digests:
            self._digests.remove(digest)
            self._bound.used -= 1

    def __del__(self) -> None:
        if self._bound is not None:
            self._bound.used -= len(self._digests)
