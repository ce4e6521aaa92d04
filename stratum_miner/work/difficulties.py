"""Sums the difficulties of shares by outcome."""

from stratum_miner.work.share_result import ShareOutcome, ShareResult


class Difficulties:
    """Sums of difficulties, one for each outcome.

    A share counts with the share difficulty of its job, because the pool credits no more than this. There is one
    exception: a block whose hash misses the share target counts with the difficulty of its hash, which is lower than
    the share difficulty.
    """

    def __init__(self) -> None:
        self._sums = dict.fromkeys(ShareOutcome, 0.0)

    def add(self, result: ShareResult) -> None:
        """Add the difficulty of one share to the sum of its outcome."""
        share = result.share
        self._sums[result.outcome] += min(share.difficulty, share.job.share_difficulty)

    def by_outcome(self) -> dict[str, float]:
        """Return the sums by the name of the outcome, such as ``"accepted"``."""
        return {outcome.value: value for outcome, value in self._sums.items()}
