"""Detects whether a pool makes blocks of hashes that solve a block but miss the share target.

Such a *weak block* exists only if the network difficulty is below the share difficulty, as on test chains. Some pools
submit a weak block to their node, but still reject it as a share (datum_gateway). Other pools compare only with the
share target and discard a weak block (ckpool, public-pool). So a rejection alone proves nothing. If the previous hash
of the next job is the rejected hash, the pool has made a block of it.
"""

from collections import OrderedDict

from stratum_miner.work.job import Job
from stratum_miner.work.share_result import ShareOutcome, ShareResult

MOST_REJECTED = 3
"""Number of weak blocks in a row that a pool may reject without making a block of one. After that the miner submits no
more weak blocks to this pool in the session. The value is a guess, not a measurement. One or two rejections prove
nothing, because another miner's block may have been faster."""
MAX_SESSIONS = 64
"""Maximum number of sessions that are remembered; a miner has one for each pool."""


class WeakBlocks:
    """Watches the results and the jobs of a miner's sessions."""

    def __init__(self) -> None:
        self._refused: OrderedDict[int, list[bytes]] = OrderedDict()
        """For each session, the hashes of the weak blocks that the pool rejected. The list is emptied when the pool
        accepts a weak block, or has made a block of one."""

    def note_result(self, result: ShareResult) -> bool:
        """Note the result of a share. Return True if the share is a rejected weak block and the miner should submit
        another."""
        share = result.share
        if self._refused and result.outcome is ShareOutcome.ACCEPTED and not share.meets_share_target:
            self._refused.pop(share.job.origin.session, None)
        if not result.refused_as_weak:
            return False
        self._refused.setdefault(share.job.origin.session, []).append(share.digest)
        if len(self._refused) > MAX_SESSIONS:
            self._refused.popitem(last=False)
        return self.are_wanted(share.job)

    def are_wanted(self, job: Job) -> bool:
        """Return whether the miner should submit weak blocks to the pool of this job."""
        refused = self._refused.get(job.origin.session, [])
        if job.previous_hash in refused:
            del self._refused[job.origin.session]
            return True
        return len(refused) < MOST_REJECTED
