"""Counts the blocks on which the jobs of this miner were built."""

from collections import deque

TIPS_KEPT = 1000
"""This many of the newest blocks are remembered. A further job on one of them does not count as a new block."""


class Tips:
    """Counts the different blocks on which jobs are built. ``note`` must be called for each job. Times are Unix
    times."""

    def __init__(self) -> None:
        self.seen = 0
        """Number of different blocks, including the first one."""
        self.newest_at: float | None = None
        """Time at which the first job arrived that builds on the newest block."""
        self.last_job_at: float | None = None
        self._newest: deque[bytes] = deque(maxlen=TIPS_KEPT)

    def note(self, previous_hash: bytes, at: float) -> None:
        """Count the previous block of a new job that arrived at the Unix time ``at``, unless the block is already
        known.

        Old blocks are remembered as well, because a pool that lags behind may send a job on a block that other pools
        have left long ago.
        """
        self.last_job_at = at
        if previous_hash not in self._newest:
            self._newest.append(previous_hash)
            self.seen += 1
            self.newest_at = at
