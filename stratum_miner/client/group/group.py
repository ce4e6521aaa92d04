"""Several pools behind the face of one: the miner submits here and hears from here, whichever pool is mined on.

Each pool has a client of its own, so nothing of one can reach another: a share goes to the client whose session issued
its job. ``failover`` decides; this moves. Leaving a pool loses nothing: its client stays until its shares are answered.
"""

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import structlog
import trio

from stratum_miner.client.dialing.dialer import Connector
from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.events import STOPPED, ClientListener, ConnectionState
from stratum_miner.client.group.failover import DEFAULT_POLICY, Condition, Failover, FailoverPolicy
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.group.quota import Quotas
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.pool_memory import Memories
from stratum_miner.client.pool_tally import PoolTally, Tallies
from stratum_miner.client.reconnecting import Destination, PoolClient
from stratum_miner.client.resume import Resumable
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.client.snapshot import ClientSnapshot
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import Fate, ShareResult

log = structlog.get_logger(__name__)

TICK_S = 1.0
DRAIN_S = 30.0
"""For the answers of a pool that was left; then its open shares are lost, with that reason."""
LINGER_S = 3.0
"""A pool that was left stays connected at least so long: what a device found just before may still be on its way."""
MAX_SESSIONS = 4096
"""Remembered, to know whose share it is; a job of an older one is long dead."""


class _Member:
    """One pool's client and what is known of it; listens to the client for the group."""

    def __init__(
        self,
        group: "PoolGroup",
        settings: PoolSettings,
        pool_id: int,
        tally: PoolTally,
        client_options: dict[str, object],
    ) -> None:
        self.id = pool_id
        """See ``PoolIdentities``."""
        self.client = PoolClient(settings, self, tally=tally, **client_options)  # type: ignore[arg-type]
        self.job: Job | None = None
        self.tally = tally
        self.scope: trio.CancelScope | None = None
        """Of the running client; None while it does not run."""
        self.is_to_start = False
        self.leaving_since: float | None = None
        self.removed = False
        self.refused = False
        """Whether it wanted none of our workers when it was last asked."""
        self._group = group

    def job_arrived(self, job: Job) -> None:
        self.job = job
        self._group.member_job(self, job)

    def work_lost(self, reason: str) -> None:
        self.job = None
        self._group.member_lost(self, reason)

    def share_settled(self, outcome: ShareResult) -> None:
        self._group.member_outcome(self, outcome)

    def state_changed(self, state: ConnectionState, detail: str) -> None:
        self._group.member_state(self, state, detail)

    def message_shown(self, text: str) -> None:
        self._group.listener.message_shown(text)


class PoolGroup:
    """Has what the miner needs of a ``PoolClient``; run it once."""

    def __init__(
        self,
        settings: Sequence[PoolSettings],
        listener: ClientListener,
        *,
        policy: FailoverPolicy = DEFAULT_POLICY,
        strategy: Strategy = Strategy.FAILOVER,
        retry: bool = True,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        connect: Connector | None = None,
        wrap_connector: Callable[[Connector], Connector] | None = None,
        session_numbers: Iterator[int] | None = None,
        memories: Memories | None = None,
        identities: PoolIdentities | None = None,
        tallies: Tallies | None = None,
        may_give_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self.listener = listener
        self._clock = clock
        self._may_give_up = may_give_up
        numbers = session_numbers or itertools.count(1)
        self._options: dict[str, object] = {
            "retry": retry,
            "clock": clock,
            "rng": rng,
            "connect": connect,
            "wrap_connector": wrap_connector,
            "session_numbers": numbers,
            "memories": {} if memories is None else memories,
        }
        self._identities = PoolIdentities() if identities is None else identities
        self._tallies: Tallies = {} if tallies is None else tallies
        self._members = [self._member(item) for item in settings]
        self._removed: list[_Member] = []
        """Until their shares are answered."""
        self._failover = Failover(len(self._members), clock(), policy)
        for index, item in enumerate(settings):
            self._failover.enable(index, item.enabled)
        self._quotas: Quotas[_Member] | None = Quotas(clock()) if strategy is Strategy.QUOTA else None
        self._active: _Member | None = None
        self._owners: dict[int, _Member] = {}
        self._was_accepted = self._is_over = False
        self._changed = trio.Event()

    async def run(self) -> None:
        """Keep the pools that are wanted connected, for ever.

        Raises WorkerRefused when all pools refuse the worker from the start and ``may_give_up`` allows it, and
        PoolUnreachable when told not to retry.
        """
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    self._apply()
                    self._changed = trio.Event()
                    for member in self._members:
                        if member.is_to_start:
                            member.is_to_start = False
                            nursery.start_soon(self._keep, member)
                    with trio.move_on_after(TICK_S):
                        await self._changed.wait()
        finally:
            self._is_over = True

    # ---- what the miner uses ------------------------------------------------------------------------------------

    def submit(self, share: Share) -> None:
        """Hand a share to the pool whose session issued its job."""
        owner = self._owners.get(share.job.origin.session)
        if owner is None:
            self.listener.share_settled(ShareResult(share, Fate.LOST, "its session is over"))
        else:
            owner.client.submit(share)

    def destination(self, share: Share) -> Destination:
        """Where a share goes; for a journal."""
        owner = self._owners.get(share.job.origin.session) or self._active or self._members[0]
        return owner.client.destination(share)

    def adopt(self, pool: str, resumable: Resumable, shares: Sequence[Share]) -> bool:
        """Before ``run``: shares of a session that this pool is to resume; see ``PoolClient``. False: no such pool."""
        for member in self._members:
            if str(member.client.settings.url) == pool:
                member.client.adopt(resumable, shares)
                return True
        return False

    def hash_rate_known(self, hash_rate: float) -> None:
        """The measured H/s, for suggestions of a difficulty."""
        for member in self._members:
            member.client.hash_rate_known(hash_rate)

    def job_switched(self, session: int, seconds: float) -> None:
        """So long after a job of this session came, work of it was taken; for its pool's statistics."""
        owner = self._owners.get(session)
        if owner is not None:
            owner.tally.switches.add(seconds)

    def units_taken(self, session: int, count: int) -> None:
        """Count units of work that were made of the jobs of this session for the pool that issued them."""
        owner = self._owners.get(session)
        if owner is not None:
            owner.tally.units += count

    async def all_answered(self) -> None:
        """Wait until no share is open at any pool."""
        for member in (*self._members, *self._removed):
            await member.client.all_answered()

    async def wait_for_room(self) -> None:
        """Wait while the active pool leaves very many shares unanswered."""
        if self._active is not None:
            await self._active.client.wait_for_room()

    def source(self, share: Share) -> tuple[int, str] | None:
        """Id and label of the pool whose job a share solves; None for a session that nobody remembers."""
        owner = self._owners.get(share.job.origin.session)
        return None if owner is None else (owner.id, self._name(owner))

    @property
    def mined_on(self) -> int | None:
        """The id of the pool mined on; None while none is."""
        return None if self._active is None else self._active.id

    @property
    def all_refused(self) -> bool:
        """Whether every pool that may be used wanted none of our workers from the start."""
        return not self._was_accepted and all(
            member.refused or not self._failover.is_enabled(index) for index, member in enumerate(self._members)
        )

    def snapshot(self) -> ClientSnapshot:
        """Of the active pool; of the best one while none is."""
        return (self._active or self._members[0]).client.snapshot()

    def pools(self) -> tuple[PoolStatus, ...]:
        """All pools, the best first."""
        return tuple(self._status(member) for member in self._members)

    # ---- live control (PoolControl) -----------------------------------------------------------------------------

    def enable(self, index: int, enabled: bool) -> None:
        """Use or leave a pool from now on; leaving the active one switches at once."""
        self._check(index)
        self._failover.enable(index, enabled)
        log.info("pool_enabled" if enabled else "pool_disabled", pool=self._name(self._members[index]))
        self._act()

    def add(self, settings: PoolSettings, index: int | None = None) -> int:
        """A pool more, the worst unless a place is given; its id. ValueError for one that is there already."""
        place = len(self._members) if index is None else index
        if not 0 <= place <= len(self._members):
            raise ValueError(f"pool: expected a place from 0 to {len(self._members)}, got {place}")
        if any(_is_twin(settings, item) for item in self.settings()):
            raise ValueError(f"pool: {settings.url} is there already for worker {settings.worker_name!r}")
        self._members.insert(place, self._member(settings))
        self._failover.insert(place, self._clock())
        self._failover.enable(place, settings.enabled)
        log.info("pool_added", pool=self._name(self._members[place]), place=place)
        self._act()
        return self._members[place].id

    def remove(self, index: int) -> None:
        """A pool less; its open shares are still answered. ValueError for the last one."""
        self._check(index)
        self._failover.remove(index)
        member = self._members.pop(index)
        self._identities.leave(member.id)
        self._retire(member)
        log.info("pool_removed", pool=self._name(member))
        self._act()

    def move(self, index: int, to: int) -> None:
        """Give a pool another priority; the first is the best."""
        self._check(index)
        self._check(to)
        self._failover.move(index, to)
        self._members.insert(to, self._members.pop(index))
        log.info("pool_moved", pool=self._name(self._members[to]), place=to)
        self._act()

    def set_quota(self, index: int, quota: int) -> None:
        """Give a pool another part of the time from now on; ValueError for one below 0."""
        self._check(index)
        if quota < 0:
            raise ValueError(f"quota: expected a number from 0, got {quota}")
        client = self._members[index].client
        client.settings = replace(client.settings, quota=quota)
        log.info("pool_quota", pool=self._name(self._members[index]), quota=quota)
        self._act()

    def change(self, index: int, settings: PoolSettings) -> None:
        """Give a pool other settings in its place; see ``arrange``."""
        self._check(index)
        known = self.settings()
        wanted = settings.enabled if settings.enabled != known[index].enabled else self._failover.is_enabled(index)
        self.arrange([*known[:index], settings, *known[index + 1 :]])
        self._failover.enable(index, wanted)
        log.info("pool_changed", pool=self._name(self._members[index]))

    def arrange(self, settings: Sequence[PoolSettings]) -> None:
        """Make these the pools, in this order. Where no more than name, quota and use differ a pool keeps its
        connection; the others are connected to anew. One that was switched off or on by hand stays so until its
        settings say else. What is left still answers its open shares. ValueError for none, or for the same pool and
        worker twice.
        """
        left, members, places = list(self._members), list[_Member | None](), list[int | None]()
        for index, item in enumerate(settings):
            if any(_is_twin(item, other) for other in settings[:index]):
                raise ValueError(f"pool: {item.url} is there already for worker {item.worker_name!r}")
            kept = next((member for member in left if _same_connection(member.client.settings, item)), None)
            places.append(None if kept is None else self._members.index(kept))
            if kept is not None:
                left.remove(kept)
            members.append(kept)
        enabled = [self._shall_be_used(item) for item in settings]
        self._failover.arrange(places, self._clock())
        for member in left:
            self._identities.leave(member.id)
        self._members = [
            self._member(item) if member is None else member for member, item in zip(members, settings, strict=True)
        ]
        for member, item in zip(self._members, settings, strict=True):
            member.client.settings = item
        for index, wanted in enumerate(enabled):
            if wanted != self._failover.is_enabled(index):
                self._failover.enable(index, wanted)
        for member in left:
            self._retire(member)
        self._act()

    def settings(self) -> tuple[PoolSettings, ...]:
        """Of all pools, the best first."""
        return tuple(member.client.settings for member in self._members)

    def _shall_be_used(self, settings: PoolSettings) -> bool:
        before = next((item for item in self._members if _is_same(item.client.settings, settings)), None)
        if before is not None and before.client.settings.enabled == settings.enabled:
            return self._failover.is_enabled(self._index(before))
        return settings.enabled

    def use(self, strategy: Strategy) -> None:
        """Use the pools in another way from now on; what the quotas came to starts over."""
        if (strategy is Strategy.QUOTA) != (self._quotas is not None):
            self._quotas = Quotas(self._clock()) if strategy is Strategy.QUOTA else None
            log.info("strategy", strategy=strategy.value)
            self._act()

    def _retire(self, member: _Member) -> None:
        """It is no pool of ours any more; its open shares are still answered."""
        if self._quotas is not None:
            self._quotas.forget(member)
        member.removed = True
        if member.is_to_start:
            member.is_to_start, member.scope = False, None
        elif member.scope is not None:
            self._removed.append(member)

    def switch(self, index: int) -> None:
        """See ``PoolControl``; the pool mined on goes on until this one is up."""
        self._check(index)
        if self._quotas is not None:
            raise ValueError("pool: pools are mined on in turns by their quotas: change those, or switch some off")
        self._failover.trust(index)
        if not self._failover.is_enabled(index):
            self.enable(index, True)
        self.move(index, 0)

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self._members):
            raise ValueError(f"pool: expected a place from 0 to {len(self._members) - 1}, got {index}")

    def _act(self) -> None:
        self._apply()
        self._changed.set()

    # ---- what members tell --------------------------------------------------------------------------------------

    def member_job(self, member: _Member, job: Job) -> None:
        """A valid job of any pool; the active one's goes straight to the miner."""
        self._own(job.origin.session, member)
        if member.removed:
            return
        self._failover.job(self._index(member), self._clock(), _content(job))
        before = self._active
        self._apply()
        if member is self._active and member is before:
            self.listener.job_arrived(job)

    def member_lost(self, member: _Member, reason: str) -> None:
        """A connection ended."""
        if reason == STOPPED and member.leaving_since is None:
            if member is self._active:
                self.listener.work_lost(reason)
            return  # everything ends; what the pools were like stays to be seen
        if member.removed:
            return
        if member.leaving_since is None:
            self._failover.lost(self._index(member), self._clock(), reason)
        else:
            self._failover.left(self._index(member), self._clock())
        self._apply()
        self._changed.set()

    def member_outcome(self, member: _Member, outcome: ShareResult) -> None:
        """A share met its fate."""
        judged = outcome.fate in (Fate.ACCEPTED, Fate.REJECTED) and not outcome.same_event and not member.removed
        judged = judged and not outcome.refused_as_weak
        if judged:
            self._failover.share(
                self._index(member), self._clock(), accepted=outcome.fate is Fate.ACCEPTED, reason=outcome.reason
            )
        self.listener.share_settled(outcome)
        if judged and self._condition(member) is Condition.PENALIZED:
            self._changed.set()

    def member_state(self, member: _Member, state: ConnectionState, detail: str) -> None:
        """A connection went on to another state."""
        if state is ConnectionState.MINING:
            member.refused, self._was_accepted = False, True
        if member.removed:
            return
        if state is ConnectionState.CONNECTING:
            self._failover.trying(self._index(member), self._clock())
        elif (
            state is ConnectionState.WAITING
            and self._failover.health(self._index(member)).condition is Condition.TRYING
        ):
            self._failover.lost(self._index(member), self._clock(), detail)
            self._changed.set()
        if member is self._active or self._active is None:
            self.listener.state_changed(state, detail)

    # ---- moving -------------------------------------------------------------------------------------------------

    def _apply(self) -> None:
        """Do what the state machine decides: switch, start and stop clients."""
        chosen, wanted = self._decide()
        if chosen is not self._active:
            self._switch(chosen)
        for index, member in enumerate(self._members):
            if index in wanted:
                member.leaving_since = None
                self._start(member)
            elif member.scope is not None:
                self._leave(member)
        self._removed = [member for member in self._removed if member.scope is not None]
        for member in self._removed:
            self._leave(member)

    def _decide(self) -> tuple[_Member | None, frozenset[int]]:
        now = self._clock()
        decision = self._failover.decide(now)
        if self._quotas is None:
            return None if decision.active is None else self._members[decision.active], decision.wanted
        up = {member: member.client.settings.quota for member in (self._members[i] for i in self._failover.up())}
        return self._quotas.choose(up, now), self._failover.connectable(now)

    def _switch(self, chosen: _Member | None) -> None:
        before, self._active = self._active, chosen
        why = self._why(before)
        several = len(self._members) > 1  # of a single one the connection's own events say it all
        if chosen is None:
            if several:
                log.warning("no_pool", reason=why)
            self.listener.work_lost(why or "no pool is up")
            return
        if several:
            log.info("pool_chosen", pool=self._name(chosen), **({"reason": why} if why else {}))
        if chosen.job is not None:
            self.listener.job_arrived(chosen.job)

    def _why(self, before: _Member | None) -> str:
        if before is None:
            return ""
        if before.removed:
            return f"{self._name(before)} was removed or changed"
        if not self._failover.is_enabled(self._index(before)):
            return f"{self._name(before)} was disabled"
        health = self._failover.health(self._index(before))
        if health.condition is Condition.UP:
            return "a better pool is up again" if self._quotas is None else "its turn is over"
        return f"{self._name(before)} is {health.condition.value}: {health.reason}"

    def _start(self, member: _Member) -> None:
        """``run`` starts it; nobody does any more when that is over."""
        if member.scope is None and not self._is_over:
            member.scope = trio.CancelScope()
            member.client.leave("")
            member.is_to_start = True
            self._changed.set()

    def _leave(self, member: _Member) -> None:
        """End a client that is not wanted any more, its open shares answered or given up."""
        assert member.scope is not None
        now = self._clock()
        if member.leaving_since is None:
            member.leaving_since = now
        gone = now - member.leaving_since
        if gone >= DRAIN_S or (gone >= LINGER_S and member.client.snapshot().unanswered == 0):
            member.client.leave(f"the miner left this pool, which did not answer within {DRAIN_S:g} s")
            member.scope.cancel()

    async def _keep(self, member: _Member) -> None:
        assert member.scope is not None
        try:
            with member.scope:
                await member.client.run()
        except WorkerRefused as error:
            if not member.removed:
                member.refused = True
                self._failover.refused(self._index(member), self._clock(), str(error))
                log.warning("worker_refused", pool=self._name(member), reason=str(error))
                if self.all_refused and self._may_give_up():
                    raise
        member.scope = None  # not when everything ends by an error: nothing is to be started any more
        self._changed.set()

    def _own(self, session: int, member: _Member) -> None:
        if self._owners.get(session) is not member:
            self._owners[session] = member
            if len(self._owners) > MAX_SESSIONS:
                del self._owners[next(iter(self._owners))]

    def _status(self, member: _Member) -> PoolStatus:
        health, tally = self._failover.health(self._index(member)), member.tally
        return PoolStatus(
            id=member.id,
            name=self._name(member),
            active=member is self._active,
            enabled=self._failover.is_enabled(self._index(member)),
            condition=health.condition,
            reason=health.reason,
            since=self._clock() - health.since,
            accepted=tally.fates[Fate.ACCEPTED],
            rejected=tally.fates[Fate.REJECTED],
            stale=tally.fates[Fate.STALE],
            lost=tally.fates[Fate.LOST],
            reasons=tuple(tally.reasons.most_common()),
            difficulties=tally.difficulties.by_fate(),
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
            quota=None if self._quotas is None else member.client.settings.quota,
            work_share=None if self._quotas is None else self._quotas.share(member),
            client=member.client.snapshot(),
        )

    def _condition(self, member: _Member) -> Condition:
        return self._failover.health(self._index(member)).condition

    def _index(self, member: _Member) -> int:
        return self._members.index(member)

    def _name(self, member: _Member) -> str:
        return self._identities.label(member.id, member.client.settings)

    def _member(self, settings: PoolSettings) -> _Member:
        pool_id = self._identities.take(settings)
        options = self._options | {"key": self._identities.key(pool_id)}
        return _Member(self, settings, pool_id, self._tallies.setdefault(pool_id, PoolTally()), options)


def _content(job: Job) -> object:
    """What makes a job another one: a pool may send the same under new ids for ever."""
    return (job.content_hash(), job.ntime)


def _is_twin(one: PoolSettings, other: PoolSettings) -> bool:
    """Two connections that do the same."""
    return (one.url, one.worker_name) == (other.url, other.worker_name)


def _is_same(one: PoolSettings, other: PoolSettings) -> bool:
    """For the user the same pool, whatever its settings."""
    return one.name == other.name if one.name or other.name else _is_twin(one, other)


def _same_connection(one: PoolSettings, other: PoolSettings) -> bool:
    return replace(one, name=other.name, quota=other.quota, enabled=other.enabled) == other
