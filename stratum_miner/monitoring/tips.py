"""The blocks that jobs were built upon, as far as this miner saw them."""

from collections import deque

TIPS_KEPT = 1000


class Tips:
    """Counts the blocks that jobs are built upon: ``note`` each job; times are Unix times."""

    def __init__(self) -> None:
        self.seen = 0
        """The number of different blocks, the first one included."""
        self.newest_at: float | None = None
        """Time at which the first job came that is built upon the newest block."""
        self.last_job_at: float | None = None
        self._newest: deque[bytes] = deque(maxlen=TIPS_KEPT)

    def note(self, previous_hash: bytes, at: float) -> None:
        """Note the block that a new job is built upon. A pool that lags behind may build upon a block that is known."""
        self.last_job_at = at
        if previous_hash not in self._newest:
            self._newest.append(previous_hash)
            self.seen += 1
            self.newest_at = at
