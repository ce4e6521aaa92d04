"""The pools of a group, in their order, and the methods that change them while the miner mines."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from stratum_miner.client.group.failover import DEFAULT_POLICY, Condition, Failover, FailoverPolicy
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.group.member import GroupMember
from stratum_miner.client.group.quota import Quotas
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.work.job import PoolKey

log = structlog.get_logger(__name__)


class Arrangement:
    """The pools of a group, the best first. Its methods change them while the miner mines.

    A pool is named by its position, from 0. ``PoolGroup.control`` and ``Miner.pool_control`` are such objects. Call all
    methods in the trio thread. Those that take a position raise ValueError, with the reason in one line, if there is no
    pool at it.
    """

    def __init__(
        self,
        settings: Sequence[PoolSettings],
        new_member: Callable[[PoolSettings, PoolKey], GroupMember],
        changed: Callable[[], None],
        clock: Callable[[], float],
        *,
        identities: PoolIdentities,
        policy: FailoverPolicy = DEFAULT_POLICY,
        strategy: Strategy = Strategy.FAILOVER,
    ) -> None:
        self._new_member = new_member
        self._changed = changed
        self._clock = clock
        self._identities = identities
        self.members = [self._joined(item) for item in settings]
        """The pools, the best first."""
        self.removed: list[GroupMember] = []
        """Pools that were removed and may still have open shares."""
        self.active: GroupMember | None = None
        """The pool that the miner mines on."""
        self.failover = Failover(len(self.members), clock(), policy)
        for index, item in enumerate(settings):
            self.failover.enable(index, item.enabled)
        self.quotas: Quotas[GroupMember] | None = Quotas(clock()) if strategy is Strategy.QUOTA else None

    # ---- views --------------------------------------------------------------------------------------------------

    def pools(self) -> tuple[PoolStatus, ...]:
        """Return the status of all pools, the best first."""
        now = self._clock()
        return tuple(
            member.status(
                self.name(member),
                self.failover.health(index),
                now,
                active=member is self.active,
                enabled=self.failover.is_enabled(index),
                work_share=None if self.quotas is None else self.quotas.share(member),
            )
            for index, member in enumerate(self.members)
        )

    def settings(self) -> tuple[PoolSettings, ...]:
        """Return the settings of all pools, the best first."""
        return tuple(member.settings for member in self.members)

    def index(self, member: GroupMember) -> int:
        """Return the position of a pool; 0 is the best."""
        return self.members.index(member)

    def name(self, member: GroupMember) -> str:
        """Return the label of a pool; see ``PoolIdentities``."""
        return self._identities.label(member.key, member.settings)

    def condition(self, member: GroupMember) -> Condition:
        """Return the condition of a pool."""
        return self.failover.health(self.index(member)).condition

    # ---- changes ------------------------------------------------------------------------------------------------

    def enable(self, index: int, enabled: bool) -> None:
        """Use a pool from now on, or stop using it. If it is the active one, the miner switches to another at once."""
        self._check(index)
        self.failover.enable(index, enabled)
        log.info("pool_enabled" if enabled else "pool_disabled", pool=self.name(self.members[index]))
        self._changed()

    def switch(self, index: int) -> None:
        """Make a pool the best one, and mine on it as soon as it is up.

        Raises ValueError with Strategy.QUOTA, which mines on all pools in turn.
        """
        self._check(index)
        if self.quotas is not None:
            raise ValueError("pool: expected failover, got quotas; change the quotas instead")
        self.failover.trust(index)
        if not self.failover.is_enabled(index):
            self.enable(index, True)
        self.move(index, 0)

    def add(self, settings: PoolSettings, index: int | None = None) -> PoolKey:
        """Add a pool at a position, or as the last one. Return its key.

        Raises ValueError if there is a pool with the same URL and worker name.
        """
        position = len(self.members) if index is None else index
        if not 0 <= position <= len(self.members):
            raise ValueError(f"pool: expected a position from 0 to {len(self.members)}, got {position}")
        _check_for_twin(settings, self.settings())
        self.members.insert(position, self._joined(settings))
        self.failover.insert(position, self._clock())
        self.failover.enable(position, settings.enabled)
        log.info("pool_added", pool=self.name(self.members[position]), place=position)
        self._changed()
        return self.members[position].key

    def remove(self, index: int) -> None:
        """Remove a pool. Its connection stays open until its open shares have results, for at most 30 s.

        Raises ValueError for the last pool.
        """
        self._check(index)
        self.failover.remove(index)
        member = self.members.pop(index)
        self._retire(member)
        log.info("pool_removed", pool=self.name(member))
        self._changed()

    def move(self, index: int, to: int) -> None:
        """Move a pool to another position; 0 is the best."""
        self._check(index)
        self._check(to)
        self.failover.move(index, to)
        self.members.insert(to, self.members.pop(index))
        log.info("pool_moved", pool=self.name(self.members[to]), place=to)
        self._changed()

    def set_quota(self, index: int, quota: int) -> None:
        """Change the quota of a pool from now on. Raises ValueError if it is below 0."""
        self._check(index)
        if quota < 0:
            raise ValueError(f"quota: expected an integer of at least 0, got {quota}")
        client = self.members[index].client
        client.settings = replace(client.settings, quota=quota)
        log.info("pool_quota", pool=self.name(self.members[index]), quota=quota)
        self._changed()

    def change(self, index: int, settings: PoolSettings) -> None:
        """Replace the settings of a pool; see ``arrange``. Raises ValueError if another pool has the same URL and
        worker name."""
        self._check(index)
        known = self.settings()
        wanted = settings.enabled if settings.enabled != known[index].enabled else self.failover.is_enabled(index)
        self.arrange([*known[:index], settings, *known[index + 1 :]])
        self.failover.enable(index, wanted)
        log.info("pool_changed", pool=self.name(self.members[index]))

    def arrange(self, settings: Sequence[PoolSettings]) -> None:
        """Replace all pools by these, in this order.

        A pool keeps its connection if its settings differ only in ``name``, ``quota`` and ``enabled``; otherwise the
        client connects again. A pool that ``enable`` switched off or on stays so until ``enabled`` changes in its
        settings. The connections of removed pools stay open until their open shares have results, for at most 30 s.
        Raises ValueError if there is no pool, or if two pools have the same URL and worker name.
        """
        left, members, positions = list(self.members), list[GroupMember | None](), list[int | None]()
        for index, item in enumerate(settings):
            _check_for_twin(item, settings[:index])
            kept = next((member for member in left if _is_same_connection(member.settings, item)), None)
            positions.append(None if kept is None else self.index(kept))
            if kept is not None:
                left.remove(kept)
            members.append(kept)
        enabled = [self._shall_be_used(item) for item in settings]
        self.failover.arrange(positions, self._clock())
        for member in left:
            self._retire(member)
        self.members = [
            self._joined(item) if member is None else member for member, item in zip(members, settings, strict=True)
        ]
        for member, item in zip(self.members, settings, strict=True):
            member.client.settings = item
        for index, wanted in enumerate(enabled):
            if wanted != self.failover.is_enabled(index):
                self.failover.enable(index, wanted)
        self._changed()

    def use(self, strategy: Strategy) -> None:
        """Switch to another strategy from now on. With QUOTA, the times of all pools count from now."""
        if (strategy is Strategy.QUOTA) != (self.quotas is not None):
            self.quotas = Quotas(self._clock()) if strategy is Strategy.QUOTA else None
            log.info("strategy", strategy=strategy.value)
            self._changed()

    def _joined(self, settings: PoolSettings) -> GroupMember:
        return self._new_member(settings, self._identities.take(settings))

    def _retire(self, member: GroupMember) -> None:
        """Remove a pool; its client runs until its open shares have results."""
        self._identities.leave(member.key)
        if self.quotas is not None:
            self.quotas.forget(member)
        member.removed = True
        if member.is_to_start:
            member.is_to_start, member.scope = False, None
        elif member.scope is not None:
            self.removed.append(member)

    def _shall_be_used(self, settings: PoolSettings) -> bool:
        before = next((item for item in self.members if _is_same(item.settings, settings)), None)
        if before is not None and before.settings.enabled == settings.enabled:
            return self.failover.is_enabled(self.index(before))
        return settings.enabled

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self.members):
            raise ValueError(f"pool: expected a position from 0 to {len(self.members) - 1}, got {index}")


def _check_for_twin(settings: PoolSettings, others: Sequence[PoolSettings]) -> None:
    if any(_is_twin(settings, other) for other in others):
        raise ValueError(f"pool: expected each pool once, got {settings.url} for worker {settings.worker_name!r} twice")


def _is_twin(one: PoolSettings, other: PoolSettings) -> bool:
    return (one.url, one.worker_name) == (other.url, other.worker_name)


def _is_same(one: PoolSettings, other: PoolSettings) -> bool:
    """Return whether both are the same pool to the user, even if their settings differ."""
    return one.name == other.name if one.name or other.name else _is_twin(one, other)


def _is_same_connection(one: PoolSettings, other: PoolSettings) -> bool:
    return replace(one, name=other.name, quota=other.quota, enabled=other.enabled) == other
