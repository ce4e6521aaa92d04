"""Builds a ``PoolView``, which describes one pool of a miner or proxy and is what all displays show."""

from stratum_miner.client.group.status import PoolStatus
from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize
from stratum_miner.monitoring.view import PoolView, WorkerView


def pool_view(number: int, priority: int, pool: PoolStatus) -> PoolView:
    """Return the view of a pool. ``number`` is its id; ``priority`` is its position among all pools, 0 for the best."""
    return PoolView(
        id=number,
        priority=priority,
        name=sanitize(pool.name),
        url=str(pool.client.url),
        worker_name=sanitize(pool.client.worker_name),
        active=pool.active,
        enabled=pool.enabled,
        state=pool.condition.value,
        reason=sanitize(pool.reason, SENTENCE_CHARACTERS),
        since_s=pool.since,
        connection=pool.client.state.value,
        accepted=pool.accepted,
        rejected=pool.rejected,
        stale=pool.stale,
        lost=pool.lost,
        reasons={sanitize(reason): count for reason, count in pool.reasons},
        reject_share=pool.reject_share,
        stale_share=pool.stale_share,
        latency_p50_ms=_milliseconds(pool.latency_p50),
        latency_p99_ms=_milliseconds(pool.latency_p99),
        job_switch_p50_ms=_milliseconds(pool.switch_p50),
        job_switch_p99_ms=_milliseconds(pool.switch_p99),
        difficulties=dict(pool.difficulties),
        best_share=pool.best_share,
        last_share_at=pool.last_accepted_at,
        last_share_difficulty=pool.last_accepted_difficulty,
        quota=pool.quota,
        work_share=pool.work_share,
        bound=pool.bound,
        workers=tuple(
            WorkerView(
                name=sanitize(worker.name),
                refusal=sanitize(worker.refusal, SENTENCE_CHARACTERS),
                accepted=worker.accepted,
                rejected=worker.rejected,
                stale=worker.stale,
            )
            for worker in pool.client.workers
        ),
        difficulty=pool.client.difficulty,
        version_mask=f"{pool.client.version_mask:08x}",
        jobs=pool.client.jobs,
        work_units=pool.work_units,
        connects=pool.client.connects,
        bytes_received=pool.client.bytes_received,
        bytes_sent=pool.client.bytes_sent,
        answers=pool.answers,
        job_switches=pool.switches,
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
