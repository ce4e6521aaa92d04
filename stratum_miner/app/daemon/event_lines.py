"""Logs the events of a miner."""

from typing import Any

import structlog

from stratum_miner.bitcoin.header import display_hash
from stratum_miner.client.events import ConnectionState, StateChanged
from stratum_miner.miner import JobStarted, MinerEvent
from stratum_miner.quantities import difficulty_text
from stratum_miner.work.share_result import ShareOutcome, ShareResult

log = structlog.get_logger("stratum_miner")


class EventLines:
    """Logs each event of a miner as a line. With ``quiet``, logs only shares that were not accepted.

    ``node_judges`` is true if the pool runs in this process. The pool then logs for each block whether the Bitcoin node
    accepts it, so the line of the share that solves the block does not mention the block.
    """

    def __init__(self, *, quiet: bool = False, node_judges: bool = False) -> None:
        self.quiet = quiet
        self._node_judges = node_judges

    def __call__(self, event: MinerEvent) -> None:
        """Log one event."""
        match event:
            case ShareResult():
                self._share(event)
            case JobStarted(job, height, new_block) if not self.quiet:
                log.info(
                    "new_block" if new_block else "new_job",
                    job_id=job.job_id,
                    height=height,
                    difficulty=difficulty_text(job.share_difficulty),
                    clean=job.clean_jobs,
                )
            case StateChanged(_, state, detail) if not self.quiet and state is not ConnectionState.STOPPED:
                log.info(state.value, **({"detail": detail} if detail else {}))

    def _share(self, result: ShareResult) -> None:
        share = result.share
        accepted = result.outcome is ShareOutcome.ACCEPTED
        solves = share.is_block and not self._node_judges
        if accepted and self.quiet:
            return
        fields: dict[str, Any] = {"job_id": share.job.job_id, "difficulty": difficulty_text(share.difficulty)}
        if result.latency is not None:
            fields["latency_ms"] = round(result.latency * 1000, 1)
        if solves:
            fields["block"] = display_hash(share.digest)
        if result.reason:
            fields["reason"] = result.reason
        (log.info if accepted else log.warning)(f"share_{result.outcome.value}", **fields)
