"""``PoolControl``: changes the pools of a group while the miner mines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.group.member import GroupMember
from stratum_miner.client.group.members import Members
from stratum_miner.client.group.quota import Quotas
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.work.job import PoolKey

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class PoolControl:
    """Changes the pools of a group while the miner mines. See ``Miner.pool_control`` and ``PoolGroup.control``.

    The methods name a pool by its position in the order of preference, from 0 for the best pool. Call all methods in
    the trio thread. Methods that take a position raise ValueError, with the reason in one line, if no pool has that
    position.
    """

    _members: Members
    _changed: Callable[[], None]
    """Called after each change, so that ``PoolGroup`` carries the change out."""

    # ---- views --------------------------------------------------------------------------------------------------

    def pools(self) -> tuple[PoolStatus, ...]:
        """Return the status of all pools, the best first."""
        return self._members.statuses()

    def settings(self) -> tuple[PoolSettings, ...]:
        """Return the settings of all pools, the best first."""
        return tuple(member.settings for member in self._members.all)

    # ---- changes ------------------------------------------------------------------------------------------------

    def enable(self, index: int, enabled: bool) -> None:
        """Use a pool from now on, or stop using it. If the miner stops using its active pool, it switches to another
        pool at once."""
        self._check(index)
        self._members.failover.enable(index, enabled)
        log.info("pool_enabled" if enabled else "pool_disabled", pool=self._members.name(self._members.all[index]))
        self._changed()

    def switch(self, index: int) -> None:
        """Make a pool the best one, and mine on it as soon as it is up.

        Raises ValueError if the strategy is Strategy.QUOTA, which mines on all pools in turn.
        """
        self._check(index)
        if self._members.quotas is not None:
            problem = "pool: expected the failover strategy, got quotas, which use all pools in turn"
            raise ValueError(f"{problem}; change the quotas instead")
        self._members.failover.trust(index)
        if not self._members.failover.is_enabled(index):
            self.enable(index, True)
        self.move(index, 0)

    def add(self, settings: PoolSettings, index: int | None = None) -> PoolKey:
        """Add a pool at position ``index``, or as the last one if ``index`` is None. Return the pool's key, which
        identifies it.

        Raises ValueError if there is a pool with the same URL and worker name.
        """
        position = len(self._members.all) if index is None else index
        if not 0 <= position <= len(self._members.all):
            raise ValueError(f"pool: expected a position from 0 to {len(self._members.all)}, got {position}")
        _check_for_twin(settings, self.settings())
        self._members.all.insert(position, self._members.join(settings))
        self._members.failover.insert(position, self._members.clock())
        self._members.failover.enable(position, settings.enabled)
        log.info("pool_added", pool=self._members.name(self._members.all[position]), place=position)
        self._changed()
        return self._members.all[position].key

    def remove(self, index: int) -> None:
        """Remove a pool. Its connection stays open until its open shares have results, for at most 30 s.

        Raises ValueError if the group has no other pool.
        """
        self._check(index)
        self._members.failover.remove(index)
        member = self._members.all.pop(index)
        self._members.retire(member)
        log.info("pool_removed", pool=self._members.name(member))
        self._changed()

    def move(self, index: int, to: int) -> None:
        """Move a pool to another position; 0 is the best."""
        self._check(index)
        self._check(to)
        self._members.failover.move(index, to)
        self._members.all.insert(to, self._members.all.pop(index))
        log.info("pool_moved", pool=self._members.name(self._members.all[to]), place=to)
        self._changed()

    def set_quota(self, index: int, quota: int) -> None:
        """Change the quota of a pool from now on. Raises ValueError if ``quota`` is below 0."""
        self._check(index)
        if quota < 0:
            raise ValueError(f"quota: expected an integer of at least 0, got {quota}")
        client = self._members.all[index].client
        client.settings = replace(client.settings, quota=quota)
        log.info("pool_quota", pool=self._members.name(self._members.all[index]), quota=quota)
        self._changed()

    def change(self, index: int, settings: PoolSettings) -> None:
        """Replace the settings of a pool, with the effects that ``arrange`` describes. Raises ValueError if another
        pool has the same URL and worker name."""
        self._check(index)
        known = self.settings()
        wanted = (
            settings.enabled if settings.enabled != known[index].enabled else self._members.failover.is_enabled(index)
        )
        self.arrange([*known[:index], settings, *known[index + 1 :]])
        self._members.failover.enable(index, wanted)
        log.info("pool_changed", pool=self._members.name(self._members.all[index]))

    def arrange(self, settings: Sequence[PoolSettings]) -> None:
        """Replace all pools. The new pools have these settings, and this order.

        A pool keeps its connection if only ``name``, ``quota`` and ``enabled`` change in its settings; otherwise the
        client connects again. A pool that the method ``enable`` has switched on or off stays so, unless ``enabled``
        differs between its old and its new settings. The connections of removed pools stay open until their open shares
        have results, for at most 30 s. Raises ValueError if there is no pool, or if two pools have the same URL and
        worker name.
        """
        left, members, positions = list(self._members.all), list[GroupMember | None](), list[int | None]()
        for index, item in enumerate(settings):
            _check_for_twin(item, settings[:index])
            kept = next((member for member in left if _keeps_connection(member.settings, to=item)), None)
            positions.append(None if kept is None else self._members.index(kept))
            if kept is not None:
                left.remove(kept)
            members.append(kept)
        enabled = [self._shall_be_used(item) for item in settings]
        self._members.failover.arrange(positions, self._members.clock())
        for member in left:
            self._members.retire(member)
        self._members.all = [
            self._members.join(item) if member is None else member
            for member, item in zip(members, settings, strict=True)
        ]
        for member, item in zip(self._members.all, settings, strict=True):
            member.client.settings = item
        for index, wanted in enumerate(enabled):
            if wanted != self._members.failover.is_enabled(index):
                self._members.failover.enable(index, wanted)
        self._changed()

    def use(self, strategy: Strategy) -> None:
        """Switch to another strategy. After a switch to QUOTA, the mining time from then on is divided by the quotas.
        The mining time that each pool got before the switch does not count."""
        if (strategy is Strategy.QUOTA) != (self._members.quotas is not None):
            self._members.quotas = Quotas(self._members.clock()) if strategy is Strategy.QUOTA else None
            log.info("strategy", strategy=strategy.value)
            self._changed()

    def _shall_be_used(self, settings: PoolSettings) -> bool:
        before = next((item for item in self._members.all if _identity(item.settings) == _identity(settings)), None)
        if before is not None and before.settings.enabled == settings.enabled:
            return self._members.failover.is_enabled(self._members.index(before))
        return settings.enabled

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self._members.all):
            raise ValueError(f"pool: expected a position from 0 to {len(self._members.all) - 1}, got {index}")


def _check_for_twin(settings: PoolSettings, others: Sequence[PoolSettings]) -> None:
    if any(_login(settings) == _login(other) for other in others):
        raise ValueError(f"pool: expected each pool once, got {settings.url} for worker {settings.worker_name!r} twice")


def _login(settings: PoolSettings) -> tuple[PoolUrl, str]:
    return settings.url, settings.worker_name


def _identity(settings: PoolSettings) -> object:
    """Return a value that is equal for two settings of the same pool: the name or, if the pool has none, its URL and
    worker name."""
    return settings.name or _login(settings)


def _keeps_connection(before: PoolSettings, *, to: PoolSettings) -> bool:
    """Return whether a pool keeps its connection if its settings change from ``before`` to ``to``."""
    return replace(before, name=to.name, quota=to.quota, enabled=to.enabled) == to
