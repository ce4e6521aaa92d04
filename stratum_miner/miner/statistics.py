"""The counters of a miner."""

from collections import Counter, OrderedDict

from stratum_miner.backends.statistics import DeviceKey
from stratum_miner.miner.share_counts import ShareCounts
from stratum_miner.work.hash_rate import HashRateMeter
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

MAX_SOLVED = 1024
"""Number of previous hashes that are remembered, so that two blocks with the same previous hash count as one."""


class Statistics:
    """The counters that a snapshot shows. The caller passes times in seconds."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.found = 0
        self.hardware_errors: Counter[DeviceKey] = Counter()
        """Number of reported nonces that the miner found to be wrong, by device."""
        self.best_share = 0.0
        self.blocks_accepted = 0
        self.accepted_difficulty = 0.0
        self.reasons: Counter[str] = Counter()
        self._outcomes: Counter[ShareOutcome] = Counter()
        self._solved: OrderedDict[bytes, None] = OrderedDict()
        self.meter = HashRateMeter(started)

    def add(self, result: ShareResult) -> None:
        """Count the result of a share."""
        self._outcomes[result.outcome] += 1
        share = result.share
        if result.outcome is ShareOutcome.ACCEPTED:
            self.accepted_difficulty += min(share.difficulty, share.job.share_difficulty)
        else:
            self.reasons[f"{result.outcome.value}: {result.cause}"] += 1

    def count_block(self, share: Share) -> None:
        """Count a block. Two blocks with the same previous hash count as one, because only one of them can stay in the
        chain."""
        previous = share.job.previous_hash
        if previous not in self._solved:
            self._solved[previous] = None
            self.blocks_accepted += 1
            if len(self._solved) > MAX_SOLVED:
                self._solved.popitem(last=False)

    @property
    def accepted(self) -> int:
        """Number of accepted shares."""
        return self._outcomes[ShareOutcome.ACCEPTED]

    @property
    def shares(self) -> ShareCounts:
        """Number of shares by outcome."""
        return ShareCounts(
            *(
                self._outcomes[outcome]
                for outcome in (ShareOutcome.ACCEPTED, ShareOutcome.REJECTED, ShareOutcome.STALE, ShareOutcome.LOST)
            )
        )
