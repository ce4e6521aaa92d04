"""Makes jobs for all miners from block templates.

The job id is part of the coinbase, so the coinbase of each job is different. A miner that starts its extranonce2
counter again with each job therefore never repeats its work.
"""

import math
from dataclasses import dataclass

from stratum_miner.bitcoin.target import target_from_bits
from stratum_miner.downstream.jobs import AnnouncedJob, JobContent, notify_lines
from stratum_miner.pool.template import BlockTemplate, coinbase_parts
from stratum_miner.stratum.errors import LocalProtocolError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolJob(AnnouncedJob):
    """A job for all sessions of a pool."""

    template: BlockTemplate
    """The template of the job; a block of this job is made from it."""


class JobFactory:
    """Makes jobs from block templates, with ids that count up from ``first_id``.

    Blocks pay to ``payout_script``. ``version_mask`` has the version bits that miners may roll. ``extranonce_size`` is
    the number of bytes of extranonce1 and extranonce2 together. ``coinbase_tag`` is part of each coinbase script.
    """

    def __init__(
        self,
        *,
        payout_script: bytes,
        version_mask: int,
        extranonce_size: int,
        coinbase_tag: bytes = b"",
        first_id: int = 1,
    ) -> None:
        self.current: PoolJob | None = None
        """The newest job, which new sessions get; None before the first template."""
        self._payout_script = payout_script
        self._version_mask = version_mask
        self._extranonce_size = extranonce_size
        self._coinbase_tag = coinbase_tag
        self._next_id = first_id
        self._template: BlockTemplate | None = None
        self._fetched_at = -math.inf

    def update(self, template: BlockTemplate, now: float) -> PoolJob | None:
        """Record a template that the node has just given. Return a job if miners need a new one, otherwise None.

        ``now`` is the time in seconds on a clock that never goes back, such as a monotonic clock. If the template
        differs from the previous one only in its time, miners need no new job. The next job that ``renew`` makes has
        the new time.
        """
        current = self.current
        if current is None or not template.same_block(current.template) or self._invalidates(template, current):
            return self.publish(template, now)
        self._template, self._fetched_at = template, now
        return None

    def publish(self, template: BlockTemplate, now: float) -> PoolJob:
        """Make a job from a template that the node has just given, and return it.

        The field ``clean`` of the job, which miners get as clean_jobs, is true if a block from an earlier job may now
        be invalid.
        """
        before = self.current
        clean = before is None or self._invalidates(template, before)
        self._template, self._fetched_at = template, now
        self.current = self._job(template, template.time_at(0), clean=clean)
        return self.current

    def renew(self, now: float) -> PoolJob:
        """Make another job from the newest template, with a new id and the present time.

        Raises LocalProtocolError if there is no template yet.
        """
        if self._template is None:
            raise LocalProtocolError("JobFactory.renew: expected a template, got none yet. Call publish first")
        self.current = self._job(self._template, self._template.time_at(now - self._fetched_at), clean=False)
        return self.current

    def _invalidates(self, template: BlockTemplate, current: PoolJob) -> bool:
        return template.invalidates(current.template) or template.mintime > current.content.ntime

    def _job(self, template: BlockTemplate, ntime: int, *, clean: bool) -> PoolJob:
        job_id = f"{self._next_id & 0xFFFFFFFF:08x}"
        self._next_id += 1
        prefix, suffix = coinbase_parts(
            template,
            payout_script=self._payout_script,
            extranonce_size=self._extranonce_size,
            tag=self._coinbase_tag + bytes.fromhex(job_id),
        )
        content = JobContent(
            job_id=job_id,
            previous_hash=template.previous_hash,
            coinbase_prefix=prefix,
            coinbase_suffix=suffix,
            merkle_branch=template.merkle_branch,
            # Clear the bits that miners may roll. Miners merge their own bits into this version in different ways. All
            # ways give the same result if these bits are 0 (docs/reference/stratum.md#merging-version-bits).
            version=template.version & ~self._version_mask,
            nbits=template.nbits,
            ntime=ntime,
            clean=clean,
        )
        line, clean_line = notify_lines(content)
        return PoolJob(
            content=content,
            template=template,
            network_target=target_from_bits(template.nbits),
            rollable_mask=self._version_mask,
            line=line,
            clean_line=clean_line,
            maxtime=template.maxtime,
        )
