"""Detects whether a pool submits weak blocks to its node.

A *weak block* is a hash that solves a block but misses the share target. It can exist only if the network difficulty is
below the share difficulty, as on test chains. Some pools submit a weak block to their node, but still reject it as a
share (datum_gateway). Other pools compare a hash only with the share target, and so discard a weak block (ckpool,
public-pool). A rejection alone therefore proves nothing. But if the previous hash of a later job is the rejected hash,
the pool has submitted the weak block, and it is now part of the chain.
"""

from collections import OrderedDict

from stratum_miner.work.job import Job
from stratum_miner.work.share_result import ShareOutcome, ShareResult

MOST_REJECTED = 3
"""A weak block is a hash that solves a block but misses the share target. If a pool rejects this many weak blocks one
after the other, and submits none of them to its node, the miner submits no more weak blocks to this pool in the
session. The value is a guess, not a measurement. One or two rejections prove nothing, because another miner's block may
have been faster."""
MAX_SESSIONS = 64
"""Maximum number of sessions for which ``WeakBlocks`` remembers the rejected weak blocks (hashes that solve a block but
miss the share target). This is enough, because a miner has only one session at a time with each pool."""


class WeakBlocks:
    """Watches the results and the jobs of a miner's sessions, and decides in which sessions the miner submits weak
    blocks: hashes that solve a block but miss the share target."""

    def __init__(self) -> None:
        self._refused: OrderedDict[int, list[bytes]] = OrderedDict()
        """For each session, the hashes of the weak blocks that the pool rejected. The list is dropped when the pool
        accepts a weak block, or when a later job shows that the pool has submitted one of these weak blocks to its
        node."""

    def note_result(self, result: ShareResult) -> bool:
        """Record the result of a share. A share is a weak block if its hash solves a block but misses the share target.
        Return False if the share is no weak block, or if the pool did not reject it. Otherwise return whether the miner
        should submit further weak blocks in this session."""
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
        """Return whether the miner should submit weak blocks (hashes that solve a block but miss the share target) to
        the pool of this job."""
        refused = self._refused.get(job.origin.session, [])
        if job.previous_hash in refused:
            del self._refused[job.origin.session]
            return True
        return len(refused) < MOST_REJECTED
