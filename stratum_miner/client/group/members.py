"""The pools of a group, their order, and the state machines that choose among them. This module is internal."""

from collections.abc import Callable, Sequence

from stratum_miner.client.group.failover import DEFAULT_POLICY, Condition, Failover, FailoverPolicy
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.group.member import GroupMember
from stratum_miner.client.group.quota import Quotas
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.work.job import PoolKey


class Members:
    """The pools of a group. When the user changes pools, ``PoolControl`` changes this list. ``PoolGroup`` then starts
    and stops the clients of the pools accordingly."""

    def __init__(
        self,
        settings: Sequence[PoolSettings],
        new_member: Callable[[PoolSettings, PoolKey], GroupMember],
        clock: Callable[[], float],
        *,
        identities: PoolIdentities,
        policy: FailoverPolicy = DEFAULT_POLICY,
        strategy: Strategy = Strategy.FAILOVER,
    ) -> None:
        self._new_member = new_member
        self._identities = identities
        self.clock = clock
        self.all = [self.join(item) for item in settings]
        """The pools, the best first."""
        self.removed: list[GroupMember] = []
        """Pools that were removed and may still have open shares."""
        self.active: GroupMember | None = None
        """The pool that the miner mines on; None if there is no such pool now."""
        self.failover = Failover(len(self.all), clock(), policy)
        for index, item in enumerate(settings):
            self.failover.enable(index, item.enabled)
        self.quotas: Quotas[GroupMember] | None = Quotas(clock()) if strategy is Strategy.QUOTA else None

    def index(self, member: GroupMember) -> int:
        """Return the position of a pool; 0 is the best."""
        return self.all.index(member)

    def name(self, member: GroupMember) -> str:
        """Return the label of a pool; see ``PoolIdentities``."""
        return self._identities.label(member.key, member.settings)

    def condition(self, member: GroupMember) -> Condition:
        """Return the condition of a pool."""
        return self.failover.health(self.index(member)).condition

    def statuses(self) -> tuple[PoolStatus, ...]:
        """Return the status of all pools, the best first."""
        now = self.clock()
        return tuple(
            member.status(
                self.name(member),
                self.failover.health(index),
                now,
                active=member is self.active,
                enabled=self.failover.is_enabled(index),
                work_share=None if self.quotas is None else self.quotas.share(member),
            )
            for index, member in enumerate(self.all)
        )

    def join(self, settings: PoolSettings) -> GroupMember:
        """Return a ``GroupMember`` for a new pool. The caller inserts it into ``all``."""
        return self._new_member(settings, self._identities.take(settings))

    def retire(self, member: GroupMember) -> None:
        """Record that a pool was removed from ``all``. Its client keeps running until its open shares have results."""
        self._identities.release(member.key)
        if self.quotas is not None:
            self.quotas.forget(member)
        member.removed = True
        if member.is_to_start:
            member.is_to_start, member.scope = False, None
        elif member.scope is not None:
            self.removed.append(member)
