"""The blocks that jobs were built upon, as far as this miner saw them."""

from collections import deque

TIPS_KEPT = 1000


class Tips:
    """``note`` each job; times are Unix times."""

    def __init__(self) -> None:
        self.seen = 0
        """Different blocks, the first too."""
        self.newest_at: float | None = None
        """When the first job came that is built upon the newest of them."""
        self.last_job_at: float | None = None
        self._newest: deque[bytes] = deque(maxlen=TIPS_KEPT)

    def note(self, previous_hash: bytes, at: float) -> None:
        """A job has come. A pool that lags behind may build upon a block that is known."""
        self.last_job_at = at
        if previous_hash not in self._newest:
            self._newest.append(previous_hash)
            self.seen += 1
            self.newest_at = at
