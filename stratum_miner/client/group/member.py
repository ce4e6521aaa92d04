"""One pool of a group: its client and its state in the group."""

from collections.abc import Callable
from functools import partial

import trio

from stratum_miner.client.events import ClientEvent
from stratum_miner.client.group.failover import HealthSnapshot
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.options import ClientOptions
from stratum_miner.client.pool_tally import PoolTally
from stratum_miner.client.reconnecting import PoolClient
from stratum_miner.client.settings import PoolSettings
from stratum_miner.work.job import Job, PoolKey
from stratum_miner.work.share_result import ShareOutcome


class GroupMember:
    """One pool of a group. For each event of the pool's client, the ``GroupMember`` calls ``take(member, event)`` with
    itself as ``member``."""

    def __init__(
        self,
        settings: PoolSettings,
        options: ClientOptions,
        take: Callable[["GroupMember", ClientEvent], None],
        *,
        key: PoolKey,
        tally: PoolTally,
    ) -> None:
        self.key = key
        """The key of the pool; see ``PoolIdentities``."""
        self.tally = tally
        self.client = PoolClient(settings, partial(take, self), options, key=key, tally=tally)
        self.job: Job | None = None
        self.scope: trio.CancelScope | None = None
        """The cancel scope of the running client; None if it does not run."""
        self.is_to_start = False
        self.leaving_since: float | None = None
        self.removed = False
        self.refused = False
        """Whether the pool refused all worker names on its last connection."""

    @property
    def settings(self) -> PoolSettings:
        """The settings of the pool."""
        return self.client.settings

    def status(
        self, name: str, health: HealthSnapshot, now: float, *, active: bool, enabled: bool, work_share: float | None
    ) -> PoolStatus:
        """Return a frozen view of this pool. ``name``: the label of the pool. ``work_share``: the pool's fraction of
        the mining time; None with Strategy.FAILOVER."""
        tally = self.tally
        return PoolStatus(
            key=self.key,
            name=name,
            active=active,
            enabled=enabled,
            condition=health.condition,
            reason=health.reason,
            since=now - health.since,
            accepted=tally.outcomes[ShareOutcome.ACCEPTED],
            rejected=tally.outcomes[ShareOutcome.REJECTED],
            stale=tally.outcomes[ShareOutcome.STALE],
            lost=tally.outcomes[ShareOutcome.LOST],
            reasons=tuple(tally.reasons.most_common()),
            difficulties=tally.difficulties.by_outcome(),
            work_units=tally.units,
            best_share=tally.best_share,
            last_accepted_at=None if tally.last_accepted is None else tally.last_accepted[0],
            last_accepted_difficulty=0.0 if tally.last_accepted is None else tally.last_accepted[1],
            latency_p50=tally.answers.quantile(0.5),
            latency_p99=tally.answers.quantile(0.99),
            answers=tally.answers.counts,
            switch_p50=tally.switches.quantile(0.5),
            switch_p99=tally.switches.quantile(0.99),
            switches=tally.switches.counts,
            quota=None if work_share is None else self.settings.quota,
            work_share=work_share,
            client=self.client.snapshot(),
        )
