"""Carries out cgminer's command ``zero``: resets the counts of this API. Other displays keep their counts."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace

from stratum_miner.monitoring.view import DeviceView, PoolView, SharesView, Summary, View

BestSince = Callable[[float, int | None], float]
"""A function with two arguments: a Unix time, and the id of a pool or None. It returns the highest difficulty among the
shares that were resolved since this time. With a pool id, only the shares of this pool count; with None, those of all
pools."""


class Zero:
    """Remembers the moment from which this API counts: the last ``zero`` command, or the start of the run if there was
    none.

    As in cgminer, ``zero|all`` resets the counts of the run, of pools and of devices, and the best shares. It does not
    reset ``Network Blocks`` and the hash rates of the last minutes.
    """

    def __init__(self, best_since: BestSince = lambda at, pool_id: 0.0) -> None:
        self._best_since = best_since
        self._before: View | None = None
        self._best_from: float | None = None

    def everything(self, view: View) -> None:
        """Reset all counts. ``view`` is the newest view of the miner, with the counts of the whole run. It must not be
        a view that ``since`` returned, because the counts of such a view were already reduced."""
        self._before = view
        self.best_share(view)

    def best_share(self, view: View) -> None:
        """Reset only the best share. ``view`` is the newest view of the miner; its time is the moment of the reset."""
        self._best_from = view.at

    def since(self, view: View) -> View:
        """Return a copy of ``view`` in which the counts begin at the last reset."""
        if self._best_from is not None:
            best_of, at = self._best_since, self._best_from
            pools = (replace(pool, best_share=best_of(at, pool.id)) for pool in view.pools)
            view = replace(view, summary=replace(view.summary, best_share=best_of(at, None)), pools=tuple(pools))
        if self._before is None:
            return view
        pools_before = {pool.id: pool for pool in self._before.pools}
        devices_before = {device.id: device for device in self._before.devices}
        return replace(
            view,
            summary=_summary(view.summary, self._before.summary),
            pools=tuple(_pool(pool, pools_before[pool.id]) if pool.id in pools_before else pool for pool in view.pools),
            devices=tuple(
                _device(device, devices_before[device.id], self._before.at) if device.id in devices_before else device
                for device in view.devices
            ),
        )


def _summary(now: Summary, before: Summary) -> Summary:
    elapsed = now.elapsed_s - before.elapsed_s
    hashes = now.hash_rate * now.elapsed_s - before.hash_rate * before.elapsed_s
    counts = {one.name: getattr(now.shares, one.name) - getattr(before.shares, one.name) for one in fields(SharesView)}
    return replace(
        now,
        elapsed_s=elapsed,
        hash_rate=hashes / elapsed if elapsed > 0 else 0.0,
        shares=SharesView(**counts),
        blocks_accepted=now.blocks_accepted - before.blocks_accepted,
        hardware_errors=now.hardware_errors - before.hardware_errors,
        work_units=now.work_units - before.work_units,
        difficulties=_less(now.difficulties, before.difficulties),
    )


def _pool(now: PoolView, before: PoolView) -> PoolView:
    has_new = now.accepted > before.accepted
    return replace(
        now,
        accepted=now.accepted - before.accepted,
        rejected=now.rejected - before.rejected,
        stale=now.stale - before.stale,
        lost=now.lost - before.lost,
        jobs=now.jobs - before.jobs,
        work_units=now.work_units - before.work_units,
        difficulties=_less(now.difficulties, before.difficulties),
        last_share_at=now.last_share_at if has_new else None,
        last_share_difficulty=now.last_share_difficulty if has_new else 0.0,
    )


def _device(now: DeviceView, before: DeviceView, at: float) -> DeviceView:
    has_new = now.accepted > before.accepted
    return replace(
        now,
        came_at=at,
        frozen_s=now.frozen_s - before.frozen_s,
        hashes=now.hashes - before.hashes,
        nonces_found=now.nonces_found - before.nonces_found,
        accepted=now.accepted - before.accepted,
        refused=now.refused - before.refused,
        hardware_errors=now.hardware_errors - before.hardware_errors,
        difficulties=_less(now.difficulties, before.difficulties),
        last_share_at=now.last_share_at if has_new else None,
        last_share_pool_id=now.last_share_pool_id if has_new else None,
        last_share_difficulty=now.last_share_difficulty if has_new else 0.0,
    )


def _less(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Return, for each key of ``now``, by how much its value has grown since ``before``. A key that is missing in
    ``before`` had the value 0 then. The results are rounded to remove the small errors of adding floats."""
    return {outcome: max(round(value - before.get(outcome, 0.0), 10), 0.0) for outcome, value in now.items()}
