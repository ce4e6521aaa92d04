"""Whether a pool makes blocks of hashes that are below its share difficulty, learned from what it does with them.

Such a *weak block* exists where the network is easier than the pool's shares. Some pools give it to their node, and
refuse it as a share all the same (datum_gateway); others judge by the share difficulty alone and drop it (ckpool,
public-pool). So a refusal proves nothing. The next job tells: it builds on the refused hash, or on another block.
"""

from collections import OrderedDict

from stratum_miner.client.fate import ShareOutcome
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share

IN_VAIN = 3
"""Weak blocks refused in a row, each followed by another block, before a pool gets no more in this session. Another
block may have been faster once or twice; picked by feel."""
MAX_SESSIONS = 64
"""Sessions remembered; a miner has one for each pool."""


class WeakBlocks:
    """Watches the answers and the jobs of a miner's sessions."""

    def __init__(self) -> None:
        self._refused: Share | None = None
        """The newest weak block that a pool refused for its difficulty, until the next job tells more."""
        self._in_vain: OrderedDict[int, int] = OrderedDict()
        """How many in a row, by session."""

    def note_outcome(self, outcome: ShareOutcome) -> None:
        """A share met its fate."""
        if not outcome.share.meets_share_target and outcome.refused_as_weak:
            self._refused = outcome.share

    def are_wanted(self, job: Job) -> bool:
        """A job came: whether its session may still make blocks of weak ones."""
        share = self._refused
        if share is not None and share.job.session == job.session and share.job.previous_hash != job.previous_hash:
            self._refused = None
            taken = job.previous_hash == share.digest
            self._in_vain[job.session] = 0 if taken else self._in_vain.get(job.session, 0) + 1
            self._in_vain.move_to_end(job.session)
            if len(self._in_vain) > MAX_SESSIONS:
                self._in_vain.popitem(last=False)
        return self._in_vain.get(job.session, 0) < IN_VAIN
