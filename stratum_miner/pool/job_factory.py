"""Turns templates into jobs that the pool announces to everyone.

Every job has a coinbase of its own (its id is in the coinbase's tag), so a miner that starts its extranonce2 counter
afresh with each job never repeats itself.
"""

from dataclasses import dataclass

from stratum_miner.bitcoin.target import target_from_bits
from stratum_miner.downstream.jobs import AnnouncedJob, JobContent, notify_lines
from stratum_miner.pool.template import BlockTemplate, coinbase_parts
from stratum_miner.stratum.errors import LocalProtocolError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolJob(AnnouncedJob):
    """One job for all sessions; frozen with its template, so a block always matches its header."""

    template: BlockTemplate


class JobFactory:
    """Turns templates into jobs with ids that are unique for the life of the process."""

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
        """The job that new sessions get."""
        self._payout_script = payout_script
        self._version_mask = version_mask
        self._extranonce_size = extranonce_size
        self._coinbase_tag = coinbase_tag
        self._next_id = first_id
        self._template: BlockTemplate | None = None
        self._fetched_at = 0.0

    def update(self, template: BlockTemplate, now: float) -> PoolJob | None:
        """Take note of a template, fetched just now. A job when miners must hear of it, else None.

        Where only the time is another, ``renew`` will use it.
        """
        current = self.current
        if current is None or not template.same_block(current.template) or self._undoes(template, current):
            return self.publish(template, now)
        self._template, self._fetched_at = template, now
        return None

    def publish(self, template: BlockTemplate, now: float) -> PoolJob:
        """Make a template, fetched just now, the current job; clean when the jobs before may make invalid blocks."""
        before = self.current
        clean = before is None or self._undoes(template, before)
        self._template, self._fetched_at = template, now
        self.current = self._job(template, template.time_at(0), clean=clean)
        return self.current

    def renew(self, now: float) -> PoolJob:
        """The newest template again, with a new id and the time that passed since it was fetched.

        LocalProtocolError without a template.
        """
        if self._template is None:
            raise LocalProtocolError("JobFactory.renew: expected a template to be published before")
        self.current = self._job(self._template, self._template.time_at(now - self._fetched_at), clean=False)
        return self.current

    def _undoes(self, template: BlockTemplate, current: PoolJob) -> bool:
        return template.undoes(current.template) or template.mintime > current.content.ntime

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
            # so that all ways to merge bits agree (docs/reference/stratum.md#merging-version-bits)
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
