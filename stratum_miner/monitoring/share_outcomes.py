"""Keeps what is shown about resolved shares: the newest shares, the blocks that shares solve, the best share, and the
sums of the difficulties by outcome."""

from collections import defaultdict, deque

from stratum_miner.monitoring.view import BlockView, ShareView
from stratum_miner.work.difficulties import Difficulties
from stratum_miner.work.share_result import ShareOutcome, ShareResult

SHARES_KEPT = 200
BLOCKS_KEPT = 1000


class ShareOutcomes:
    """The resolved shares of one run: call ``add`` with each share when its outcome is known."""

    def __init__(self) -> None:
        self.newest: deque[ShareView] = deque(maxlen=SHARES_KEPT)
        self.blocks: deque[BlockView] = deque(maxlen=BLOCKS_KEPT)
        self.difficulties = Difficulties()
        self._best = _BestShares()
        self._best_of_pools: defaultdict[int | None, _BestShares] = defaultdict(_BestShares)
        self._solved: deque[bytes] = deque(maxlen=BLOCKS_KEPT)
        """For each counted block of this miner: the hash of the block before it. A second block with the same previous
        hash is not counted, because only one of the two can remain in the block chain."""

    def add(self, result: ShareResult, shown: ShareView) -> bool:
        """Keep a resolved share. ``result`` has the share and its outcome; ``shown`` is the form in which displays show
        the share. Return whether the share counts as a new block.

        The share counts if it solves a block, if a pool accepted it, and if no earlier accepted block has the same
        previous hash.
        """
        job = result.share.job
        self.newest.append(shown)
        self.difficulties.add(result)
        self._best.add(shown.at, shown.difficulty)
        self._best_of_pools[shown.pool_id].add(shown.at, shown.difficulty)
        if result.outcome is not ShareOutcome.ACCEPTED or shown.block is None or job.previous_hash in self._solved:
            return False
        self._solved.append(job.previous_hash)
        self.blocks.append(
            BlockView(
                at=shown.at,
                height=job.height,
                hash=shown.block,
                pool=shown.pool,
                pool_id=shown.pool_id,
                difficulty=shown.difficulty,
            )
        )
        return True

    def best_since(self, at: float, pool_id: int | None = None) -> float:
        """Return the highest difficulty among shares resolved at or after the Unix time ``at``; 0 if there is none.

        Without ``pool_id``, the shares of all pools count.
        """
        return (self._best if pool_id is None else self._best_of_pools[pool_id]).since(at)


class _BestShares:
    """Finds the highest difficulty of a share since any given time.

    Keeps a share only until a later share has the same difficulty or a higher one. So it keeps few shares, and each has
    a higher difficulty than the next.
    """

    def __init__(self) -> None:
        self._unsurpassed: list[tuple[float, float]] = []

    def add(self, at: float, difficulty: float) -> None:
        while self._unsurpassed and self._unsurpassed[-1][1] <= difficulty:
            self._unsurpassed.pop()
        self._unsurpassed.append((at, difficulty))

    def since(self, at: float) -> float:
        return next((difficulty for known_at, difficulty in self._unsurpassed if known_at >= at), 0.0)
