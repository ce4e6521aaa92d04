"""The summary at the end of a run: a few lines for people, and the exit code."""

from itertools import islice

from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.app.process.logs import console
from stratum_miner.miner import Miner, StopReason
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.view import PoolView, View
from stratum_miner.quantities import difficulty_text, duration_text, hash_rate_text, latency_text


def pool_line(pool: PoolView) -> str:
    """Return the figures of one pool as a line."""
    latency = "" if pool.latency_p50_ms is None else f", {latency_text(pool.latency_p50_ms)}"
    why = f" ({pool.reason})" if pool.reason else ""
    if pool.work_share is not None and pool.work_share < 1:
        why += f", {pool.work_share:.1%} of the work"
    if pool.bound:
        why += f" by {', '.join(pool.bound)}"
    return (
        f"  {'*' if pool.active else ' '} {pool.name} {pool.state}{why}: {pool.accepted} accepted, "
        f"{pool.rejected} rejected, {pool.stale} stale, {pool.lost} lost{latency}"
    )


def _worker_lines(pool: PoolView) -> list[str]:
    """Return a line for each worker name of a pool, if it has several."""
    workers = pool.workers
    return [
        f"      {worker.name}: {worker.accepted} accepted, {worker.rejected} rejected, {worker.stale} stale"
        + (f"; refused: {worker.refusal}" if worker.refusal else "")
        for worker in workers
        if len(workers) > 1
    ]


def print_summary(view: View, *, costs: str = "", blocks_refused: int = 0) -> None:
    """Print the summary on stderr. ``blocks_refused`` is the number of found blocks that the node rejected."""
    summary, shares = view.summary, view.summary.shares
    lines = [
        f"{duration_text(summary.elapsed_s)} at {hash_rate_text(summary.hash_rate)} on {summary.pool}",
        f"shares: {shares.accepted} accepted, {shares.rejected} rejected, {shares.stale} stale, {shares.lost} lost"
        f"; best {difficulty_text(summary.best_share)}; blocks {summary.blocks_accepted}"
        + (f", and {blocks_refused} that the node rejected" if blocks_refused else ""),
    ]
    if summary.frozen_s:
        lines.append(
            f"the process was suspended for {duration_text(summary.frozen_s)}, which is not part of the hash rate"
        )
    for pool in view.pools:
        lines += [pool_line(pool)] if len(view.pools) > 1 else []
        lines += _worker_lines(pool)
    lines += [f"  {count} {reason}" for reason, count in islice(summary.reasons.items(), 5)]
    if summary.all_runs is not None:
        lines.append(
            f"share journal, all runs: {', '.join(f'{count} {fate}' for fate, count in summary.all_runs.items())}"
        )
    if summary.hardware_errors:
        lines.append(f"hardware errors: {summary.hardware_errors}")
    if costs:
        lines.append(costs)
    for line in lines:
        console.print(line, markup=False)


def exit_code(ending: StopReason, miner: Miner, monitor: Monitor) -> ExitCode:
    """Return the exit code of a run.

    The code is 0 if something other than the time limit ended the run. If the time limit ended it, the first case that
    applies decides:

    * No pool gave a job: 4.
    * The run missed a goal of shares or blocks, or no device mined: 1.
    * Otherwise: 0.
    """
    if ending is not StopReason.TIME_LIMIT:
        return ExitCode.OK
    if not miner.has_had_work:
        return ExitCode.POOL_UNREACHABLE
    missed = miner.goals.shares is not None or miner.goals.blocks is not None or not monitor.has_mined
    return ExitCode.FAILED if missed else ExitCode.OK
