"""One pool of a group: its client, and what the group knows of it."""

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
    """One pool of a group. It passes the events of its client to ``take``."""

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
        """See ``PoolIdentities``."""
        self.tally = tally
        self.client = PoolClient(settings, partial(take, self), options, key=key, tally=tally)
        self.job: Job | None = None
        self.scope: trio.CancelScope | None = None
        """The scope of the running client; None while it does not run."""
        self.is_to_start = False
        self.leaving_since: float | None = None
        self.removed = False
        self.refused = False
        """Whether it wanted none of our workers when it was last asked."""

    @property
    def settings(self) -> PoolSettings:
        """What the user decided about the pool."""
        return self.client.settings

    def status(
        self, name: str, health: HealthSnapshot, now: float, *, active: bool, enabled: bool, work_share: float | None
    ) -> PoolStatus:
        """What there is to see; ``work_share`` where pools are mined on in turns."""
        tally = self.tally
        return PoolStatus(
            key=self.key,
            name=name,
            active=active,
            enabled=enabled,
            condition=health.condition,
            reason=health.reason,
            since=now - health.since,
            accepted=tally.fates[ShareOutcome.ACCEPTED],
            rejected=tally.fates[ShareOutcome.REJECTED],
            stale=tally.fates[ShareOutcome.STALE],
            lost=tally.fates[ShareOutcome.LOST],
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
