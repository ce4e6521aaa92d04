"""Which shares were judged already, so that none counts twice; bounded in bytes.

Theory of operation: a share is remembered with the job that it solves, and a job lives as long as a job table holds it,
that is, while a session that has it may still submit to it or may still be resumed. So nothing has to be cleaned up:
a job that nobody can submit to any more is gone with its shares.
"""

from stratum_miner.network.fair_bound import FairBound

MAX_BYTES = 512 << 20
"""The most bytes that the remembered shares of a whole pool or proxy may take."""
SHARE_BYTES = 200
"""What one takes at most: 80 for its hash, and 107 of a hash table that has just grown fourfold."""
MAX_SHARES = MAX_BYTES // SHARE_BYTES
"""2.7 million, three times what 10 000 miners with a share each ten seconds send while their jobs are good."""


class SeenShares:
    """The shares that were judged to be good on one job, whoever sent them, by their hash."""

    __slots__ = ("__weakref__", "_bound", "_digests")

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._bound: FairBound | None = None

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def add(self, digest: bytes, bound: FairBound) -> None:
        """Remember a share, at the expense of ``bound``."""
        self._bound = bound
        self._digests.add(digest)
        bound.used += 1

    def forget(self, digest: bytes) -> None:
        """A share may be sent again after all; nothing happens when it is not known."""
        if self._bound is not None and digest in self._digests:
            self._digests.remove(digest)
            self._bound.used -= 1

    def __del__(self) -> None:
        if self._bound is not None:
            self._bound.used -= len(self._digests)
