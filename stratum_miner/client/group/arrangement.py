"""The pools of a group: which there are, in which order, and how they are changed while they are mined on."""

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
    """Whoever may change pools does it here: configuration, APIs, a terminal. ``changed`` is called then, to act on it.

    Places count from 0, the best first; ValueError for a place that is none, with the reason in one line.
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
        """Pools that were removed, until their shares are answered."""
        self.active: GroupMember | None = None
        """The pool that is mined on."""
        self.failover = Failover(len(self.members), clock(), policy)
        for index, item in enumerate(settings):
            self.failover.enable(index, item.enabled)
        self.quotas: Quotas[GroupMember] | None = Quotas(clock()) if strategy is Strategy.QUOTA else None

    # ---- what there is ------------------------------------------------------------------------------------------

    def pools(self) -> tuple[PoolStatus, ...]:
        """All pools, the best first."""
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
        """The settings of all pools, the best first."""
        return tuple(member.settings for member in self.members)

    def index(self, member: GroupMember) -> int:
        """The place of a pool, 0 the best."""
        return self.members.index(member)

    def name(self, member: GroupMember) -> str:
        """The label of a pool."""
        return self._identities.label(member.key, member.settings)

    def condition(self, member: GroupMember) -> Condition:
        """The condition of the pool."""
        return self.failover.health(self.index(member)).condition

    # ---- changes ------------------------------------------------------------------------------------------------

    def enable(self, index: int, enabled: bool) -> None:
        """Use or leave a pool from now on; leaving the active one switches at once."""
        self._check(index)
        self.failover.enable(index, enabled)
        log.info("pool_enabled" if enabled else "pool_disabled", pool=self.name(self.members[index]))
        self._changed()

    def switch(self, index: int) -> None:
        """Make a pool the best and mine on it as soon as it is up. ValueError where pools are mined on in turns."""
        self._check(index)
        if self.quotas is not None:
            raise ValueError("pool: pools are mined on in turns by their quotas: change those, or switch some off")
        self.failover.trust(index)
        if not self.failover.is_enabled(index):
            self.enable(index, True)
        self.move(index, 0)

    def add(self, settings: PoolSettings, index: int | None = None) -> PoolKey:
        """Add a pool, the worst unless a place is given. Returns its key. ValueError for one that is there already."""
        place = len(self.members) if index is None else index
        if not 0 <= place <= len(self.members):
            raise ValueError(f"pool: expected a place from 0 to {len(self.members)}, got {place}")
        _check_for_twin(settings, self.settings())
        self.members.insert(place, self._joined(settings))
        self.failover.insert(place, self._clock())
        self.failover.enable(place, settings.enabled)
        log.info("pool_added", pool=self.name(self.members[place]), place=place)
        self._changed()
        return self.members[place].key

    def remove(self, index: int) -> None:
        """Remove a pool; its open shares are still answered. ValueError for the last one."""
        self._check(index)
        self.failover.remove(index)
        member = self.members.pop(index)
        self._retire(member)
        log.info("pool_removed", pool=self.name(member))
        self._changed()

    def move(self, index: int, to: int) -> None:
        """Give a pool another priority; the first is the best."""
        self._check(index)
        self._check(to)
        self.failover.move(index, to)
        self.members.insert(to, self.members.pop(index))
        log.info("pool_moved", pool=self.name(self.members[to]), place=to)
        self._changed()

    def set_quota(self, index: int, quota: int) -> None:
        """Give a pool another part of the time from now on; ValueError for one below 0."""
        self._check(index)
        if quota < 0:
            raise ValueError(f"quota: expected a number from 0, got {quota}")
        client = self.members[index].client
        client.settings = replace(client.settings, quota=quota)
        log.info("pool_quota", pool=self.name(self.members[index]), quota=quota)
        self._changed()

    def change(self, index: int, settings: PoolSettings) -> None:
        """Give a pool other settings in its place; see ``arrange``."""
        self._check(index)
        known = self.settings()
        wanted = settings.enabled if settings.enabled != known[index].enabled else self.failover.is_enabled(index)
        self.arrange([*known[:index], settings, *known[index + 1 :]])
        self.failover.enable(index, wanted)
        log.info("pool_changed", pool=self.name(self.members[index]))

    def arrange(self, settings: Sequence[PoolSettings]) -> None:
        """Make these the pools, in this order. Where no more than name, quota and use differ a pool keeps its
        connection; the others are connected to anew. One that was switched off or on by hand stays so until its
        settings say else. What is left still answers its open shares. ValueError for none, or for the same pool and
        worker twice.
        """
        left, members, places = list(self.members), list[GroupMember | None](), list[int | None]()
        for index, item in enumerate(settings):
            _check_for_twin(item, settings[:index])
            kept = next((member for member in left if _is_same_connection(member.settings, item)), None)
            places.append(None if kept is None else self.index(kept))
            if kept is not None:
                left.remove(kept)
            members.append(kept)
        enabled = [self._shall_be_used(item) for item in settings]
        self.failover.arrange(places, self._clock())
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
        """Use the pools in another way from now on; what the quotas came to starts over."""
        if (strategy is Strategy.QUOTA) != (self.quotas is not None):
            self.quotas = Quotas(self._clock()) if strategy is Strategy.QUOTA else None
            log.info("strategy", strategy=strategy.value)
            self._changed()

    def _joined(self, settings: PoolSettings) -> GroupMember:
        return self._new_member(settings, self._identities.take(settings))

    def _retire(self, member: GroupMember) -> None:
        """It is no pool of ours any more; its open shares are still answered."""
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
            raise ValueError(f"pool: expected a place from 0 to {len(self.members) - 1}, got {index}")


def _check_for_twin(settings: PoolSettings, others: Sequence[PoolSettings]) -> None:
    """ValueError when two connections would do the same."""
    if any(_is_twin(settings, other) for other in others):
        raise ValueError(f"pool: {settings.url} is there already for worker {settings.worker_name!r}")


def _is_twin(one: PoolSettings, other: PoolSettings) -> bool:
    return (one.url, one.worker_name) == (other.url, other.worker_name)


def _is_same(one: PoolSettings, other: PoolSettings) -> bool:
    """Whether both are the same pool to the user, whatever its settings."""
    return one.name == other.name if one.name or other.name else _is_twin(one, other)


def _is_same_connection(one: PoolSettings, other: PoolSettings) -> bool:
    return replace(one, name=other.name, quota=other.quota, enabled=other.enabled) == other
