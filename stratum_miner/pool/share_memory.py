"""Which shares were judged already, so that none counts twice: bounded in bytes, and fair to every session.

Theory of operation: a share is remembered with the job that it solves, and a job lives as long as a job table holds it,
that is, while a session that has it may still submit to it or may still be resumed. So nothing has to be cleaned up:
a job that nobody can submit to any more is gone with its shares.

What is remembered in all is bounded. A session may add a share only while it holds less than the room that is left for
everybody. A session that floods is refused at half of the bound, two of them at a third each, and whoever sends few
shares always finds room.
"""

MAX_BYTES = 512 << 20
"""For the shares of a whole pool or proxy."""
SHARE_BYTES = 200
"""What one takes at most: 80 for its hash, and 107 of a hash table that has just grown fourfold."""
MAX_SHARES = MAX_BYTES // SHARE_BYTES
"""2.7 million, three times what 10 000 miners with a share each ten seconds send while their jobs are good."""


class ShareMemory:
    """The bound that the shares of all jobs of a pool or proxy have in common."""

    def __init__(self, max_shares: int = MAX_SHARES) -> None:
        self.max_shares = max_shares
        self.remembered = 0

    def has_room(self, held: int) -> bool:
        """Whether a session that holds so many shares may add one."""
        return held < self.max_shares - self.remembered


class SeenShares:
    """The shares that were judged to be good on one job, whoever sent them, by their hash."""

    __slots__ = ("__weakref__", "_digests", "_memory")

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._memory: ShareMemory | None = None

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._digests

    def add(self, digest: bytes, memory: ShareMemory) -> None:
        """Remember a share, at the expense of ``memory``."""
        self._memory = memory
        self._digests.add(digest)
        memory.remembered += 1

    def forget(self, digest: bytes) -> None:
        """A share may be sent again after all; nothing happens when it is not known."""
        if self._memory is not None and digest in self._digests:
            self._digests.remove(digest)
            self._memory.remembered -= 1

    def __del__(self) -> None:
        if self._memory is not None:
            self._memory.remembered -= len(self._digests)
