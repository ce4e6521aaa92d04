"""What shares were worth, summed by what became of them."""

from stratum_miner.work.share_result import ShareOutcome, ShareResult


class Difficulties:
    """A share is worth the difficulty that it was asked for; a block below that, its own."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys(ShareOutcome, 0.0)

    def add(self, result: ShareResult) -> None:
        """Add the worth of one share."""
        share = result.share
        self._sums[result.fate] += min(share.difficulty, share.job.share_difficulty)

    def by_fate(self) -> dict[str, float]:
        """The sums, by the word for each fate."""
        return {fate.value: value for fate, value in self._sums.items()}
