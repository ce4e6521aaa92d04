"""Builds the summary of the whole miner from its snapshot, the health verdict, and the kept shares and jobs."""

from collections.abc import Callable, Mapping

from stratum_miner import __version__
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.economics.odds import seconds_per_share
from stratum_miner.foreign_text import sanitize
from stratum_miner.miner.snapshot import JobSnapshot, MinerSnapshot
from stratum_miner.monitoring.estimates import implied_hash_rate, luck_of
from stratum_miner.monitoring.health import HealthVerdict
from stratum_miner.monitoring.tips import Tips
from stratum_miner.monitoring.view import JobView, SharesView, Summary


def summary(
    snapshot: MinerSnapshot,
    verdict: HealthVerdict,
    tips: Tips,
    *,
    started_at: float,
    sample_age_s: float,
    last_share_age_s: float | None,
    difficulties: Mapping[str, float],
    power: tuple[float | None, bool],
    shown_job_id: Callable[[str], str],
) -> Summary:
    """Return the summary. Its field ``economics`` (costs and expected income) is None; ``Monitor`` fills it in.

    ``power`` is a pair: the power in watts (None if it is not known), and whether this power leaves out devices that
    use power but do not measure it.
    """
    rate, difficulty, minutes = snapshot.hash_rate_1m, snapshot.client.difficulty, snapshot.elapsed / 60
    power_w, is_partial = power
    return Summary(
        version=__version__,
        state=verdict.state,
        detail=verdict.detail,
        devices_mining=verdict.devices_mining,
        devices_total=verdict.devices_total,
        problems=verdict.problems,
        started_at=started_at,
        elapsed_s=snapshot.elapsed,
        frozen_s=snapshot.frozen,
        sample_age_s=sample_age_s,
        hash_rate=snapshot.hash_rate,
        hash_rate_5s=snapshot.hash_rate_5s,
        hash_rate_1m=rate,
        hash_rate_5m=snapshot.hash_rate_5m,
        hash_rate_15m=snapshot.hash_rate_15m,
        implied_hash_rate=implied_hash_rate(snapshot),
        shares=_shares(snapshot),
        reasons={sanitize(reason): count for reason, count in snapshot.reasons},
        all_runs=_all_runs(snapshot),
        blocks_accepted=snapshot.blocks_accepted,
        best_share=snapshot.best_share,
        difficulties=dict(difficulties),
        last_share_age_s=last_share_age_s,
        share_every_s=seconds_per_share(difficulty, rate) if difficulty is not None and rate > 0 else None,
        work_utility=snapshot.accepted_difficulty / minutes if minutes > 0 else 0.0,
        luck=luck_of(snapshot),
        hardware_errors=snapshot.hardware_errors,
        below_target=snapshot.below_target,
        withheld=snapshot.withheld,
        height=snapshot.height,
        work_units=snapshot.work_units,
        blocks_seen=tips.seen,
        block_at=tips.newest_at,
        last_job_at=tips.last_job_at,
        network_difficulty=snapshot.network_difficulty,
        job=None if snapshot.job is None else _job(snapshot.job, shown_job_id),
        pool=str(snapshot.client.url),
        worker_name=sanitize(snapshot.client.worker_name),
        power_w=power_w,
        power_is_partial=is_partial,
        joules_per_terahash=None if is_partial else _efficiency(power_w, snapshot.hash_rate_5m),
        economics=None,
    )


def _shares(snapshot: MinerSnapshot) -> SharesView:
    counts = snapshot.shares
    return SharesView(
        found=snapshot.found,
        accepted=counts.accepted,
        rejected=counts.rejected,
        stale=counts.stale,
        lost=counts.lost,
        open=snapshot.found - counts.total,
    )


def _all_runs(snapshot: MinerSnapshot) -> dict[str, int] | None:
    counts = snapshot.journalled
    if counts is None:
        return None
    return {"accepted": counts.accepted, "rejected": counts.rejected, "stale": counts.stale, "lost": counts.lost}


def _job(job: JobSnapshot, shown_job_id: Callable[[str], str]) -> JobView:
    return JobView(
        job_id=shown_job_id(job.job_id),
        age_s=job.age,
        previous_hash=display_hash(job.previous_hash),
        share_difficulty=job.share_difficulty,
        network_difficulty=job.network_difficulty,
        version_mask=f"{job.version_mask:08x}",
        version=job.version,
    )


def _efficiency(power_w: float | None, hash_rate: float) -> float | None:
    return power_w / hash_rate * 1e12 if power_w is not None and hash_rate > 0 else None
