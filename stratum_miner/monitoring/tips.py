"""Counts the different blocks on which the jobs of this miner were built. Such a block is the tip of the block
chain."""

import math
from collections import deque

TIPS_KEPT = 1000
"""Maximum number of blocks that are remembered: the newest ones. If a further job is built on one of them, this block
is not counted again."""


class Tips:
    """Counts the different blocks on which jobs are built. ``note`` must be called for each job when its search begins.
    Times are Unix times unless they say otherwise."""

    def __init__(self) -> None:
        self.seen = 0
        """Number of different blocks, including the first one."""
        self.newest_at: float | None = None
        """Time at which a job on the newest block first arrived."""
        self.last_job_at: float | None = None
        """Time at which the newest of the jobs arrived."""
        self._last_received = -math.inf
        """The same time, in seconds of a clock that is never adjusted."""
        self._newest: deque[bytes] = deque(maxlen=TIPS_KEPT)

    def note(self, previous_hash: bytes, received_at: float, at: float) -> None:
        """Count the previous block of a job that arrived at the Unix time ``at``, unless the block is already known.
        ``received_at`` is the same time on a clock that is never adjusted.

        Old blocks are remembered as well: a pool that is slow may still send a job on an old block after other pools
        have sent jobs on newer blocks. A job may also have waited: after a change of pools, the miner searches a job
        that can be older than the job before it.
        """
        if received_at >= self._last_received:
            self._last_received, self.last_job_at = received_at, at
        if previous_hash not in self._newest:
            self._newest.append(previous_hash)
            self.seen += 1
            self.newest_at = at
