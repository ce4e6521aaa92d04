"""Counts the blocks on which the jobs of this miner were built."""

from collections import deque

TIPS_KEPT = 1000
"""How many of the newest blocks are remembered, to recognise a job that builds on one of them again."""


class Tips:
    """Counts the different blocks on which jobs are built: call ``note`` for each job. Times are Unix times."""

    def __init__(self) -> None:
        self.seen = 0
        """Number of different blocks, including the first one."""
        self.newest_at: float | None = None
        """Time at which the first job on the newest block came."""
        self.last_job_at: float | None = None
        self._newest: deque[bytes] = deque(maxlen=TIPS_KEPT)

    def note(self, previous_hash: bytes, at: float) -> None:
        """Note the previous block of a new job that came at the Unix time ``at``.

        A pool that lags behind may send a job on a block that is already known, which is not counted again.
        """
        self.last_job_at = at
        if previous_hash not in self._newest:
            self._newest.append(previous_hash)
            self.seen += 1
            self.newest_at = at
