"""Whether a pool makes blocks of hashes that are below its share difficulty, learned from what it does with them.

Such a *weak block* exists where the network is easier than the pool's shares. Some pools give it to their node, and
refuse it as a share all the same (datum_gateway); others judge by the share difficulty alone and drop it (ckpool,
public-pool). So a refusal proves nothing. A later job tells: it builds on the refused hash, or on another block.
"""

from collections import OrderedDict

from stratum_miner.work.job import Job
from stratum_miner.work.share_result import ShareOutcome, ShareResult

IN_VAIN = 3
"""Weak blocks refused in a row, none of which became a block, before a pool gets no more in this session. Another block
may have been faster once or twice; picked by feel."""
MAX_SESSIONS = 64
"""Sessions remembered; a miner has one for each pool."""


class WeakBlocks:
    """Watches the answers and the jobs of a miner's sessions."""

    def __init__(self) -> None:
        self._refused: OrderedDict[int, list[bytes]] = OrderedDict()
        """Hashes of weak blocks that a session refused for their difficulty, since one of its was a block."""

    def note_result(self, result: ShareResult) -> bool:
        """A share was answered: whether it was a weak block that was refused, and another one is wanted anyway."""
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
        """Whether the session of this job may still make blocks of weak ones."""
        refused = self._refused.get(job.origin.session, [])
        if job.previous_hash in refused:
            del self._refused[job.origin.session]
            return True
        return len(refused) < IN_VAIN
