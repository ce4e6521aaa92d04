"""Several pools behind the interface of one: the miner submits here and hears from here, whichever pool it mines on.

Each pool has a client of its own, so nothing of one can reach another: a share goes to the client whose session issued
its job. ``arrangement`` holds the pools, ``failover`` decides, this moves. Leaving a pool loses nothing: its client
stays until its shares are answered.
"""

from collections.abc import Callable, Mapping, Sequence

import structlog
import trio

from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.events import (
    STOPPED,
    ClientEvent,
    ClientListener,
    ConnectionState,
    JobArrived,
    ShareAnswered,
    StateChanged,
    WorkLost,
)
from stratum_miner.client.group.arrangement import Arrangement
from stratum_miner.client.group.failover import DEFAULT_POLICY, Condition, FailoverPolicy
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.group.member import GroupMember
from stratum_miner.client.options import ClientOptions
from stratum_miner.client.pool_tally import PoolTally, Tallies
from stratum_miner.client.reconnecting import Destination
from stratum_miner.client.resume import Resumable
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.client.snapshot import ClientSnapshot
from stratum_miner.work.job import Job, Origin, PoolKey
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import ShareOutcome, ShareResult

log = structlog.get_logger(__name__)

TICK_S = 1.0
DRAIN_S = 30.0
"""Seconds to wait for the answers of a pool that was left; then its open shares are lost."""
LINGER_S = 3.0
"""A pool that was left stays connected at least so long: what a device found just before may still be on its way."""


class PoolGroup:
    """Has what the miner needs of a ``PoolClient``; run it once. ``control`` changes the pools, also while it runs."""

    def __init__(
        self,
        settings: Sequence[PoolSettings],
        on_event: ClientListener,
        options: ClientOptions | None = None,
        *,
        policy: FailoverPolicy = DEFAULT_POLICY,
        strategy: Strategy = Strategy.FAILOVER,
        identities: PoolIdentities | None = None,
        tallies: Tallies | None = None,
        may_give_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self._on_event = on_event
        self._options = ClientOptions() if options is None else options
        self._clock = self._options.clock
        self._may_give_up = may_give_up
        self._identities = PoolIdentities() if identities is None else identities
        self._tallies: Tallies = {} if tallies is None else tallies
        self._was_accepted = self._is_over = False
        self._changed = trio.Event()
        self.control = Arrangement(
            settings,
            self._new_member,
            self._act,
            self._clock,
            identities=self._identities,
            policy=policy,
            strategy=strategy,
        )

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
                    for member in self.control.members:
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
        owner = self._owner(share.job.origin)
        if owner is not None:
            owner.client.submit(share)
        else:
            self._on_event(ShareAnswered(ShareResult(share, ShareOutcome.LOST, "its session is over")))

    def destination(self, share: Share) -> Destination:
        """Where a share goes; for a journal."""
        owner = self._owner(share.job.origin) or self._shown
        return owner.client.destination(share)

    def adopt(self, pool: str, resumable: Resumable, shares: Sequence[Share]) -> bool:
        """Before ``run``: shares of a session that the pool with this URL is to resume. False: no such pool."""
        for member in self.control.members:
            if str(member.settings.url) == pool:
                member.client.adopt(resumable, shares)
                return True
        return False

    def hash_rate_known(self, hash_rate: float) -> None:
        """The measured H/s, for suggestions of a difficulty."""
        for member in self.control.members:
            member.client.hash_rate_known(hash_rate)

    def count_work(self, switches: Sequence[tuple[PoolKey, float]], units: Mapping[PoolKey, int]) -> None:
        """Count what was made of the jobs of each pool: the seconds from a job's arrival until work of it was taken,
        and units of work.
        """
        for key, seconds in switches:
            self._tallies[key].switches.add(seconds)
        for key, count in units.items():
            self._tallies[key].units += count

    async def all_answered(self) -> None:
        """Wait until no share is open at any pool."""
        for member in (*self.control.members, *self.control.removed):
            await member.client.all_answered()

    async def wait_for_room(self) -> None:
        """Wait while the active pool leaves very many shares unanswered."""
        if self.control.active is not None:
            await self.control.active.client.wait_for_room()

    @property
    def all_refused(self) -> bool:
        """Whether every pool that may be used wanted none of our workers from the start."""
        return not self._was_accepted and all(
            member.refused or not self.control.failover.is_enabled(index)
            for index, member in enumerate(self.control.members)
        )

    def snapshot(self) -> ClientSnapshot:
        """The snapshot of the active pool, or of the best one while none is active."""
        return self._shown.client.snapshot()

    def _owner(self, origin: Origin) -> GroupMember | None:
        """The pool whose session it is or was. None when the pool is none of ours."""
        found = None
        for member in (*self.control.members, *self.control.removed):
            if member.key == origin.pool:
                if member.client.origin.session == origin.session:
                    return member
                found = found or member  # the session is an older one of it
        return found

    @property
    def _shown(self) -> GroupMember:
        return self.control.active or self.control.members[0]

    # ---- what the clients tell ----------------------------------------------------------------------------------

    def _take(self, member: GroupMember, event: ClientEvent) -> None:
        """The search hears of a job of the pool that is mined on first, failover afterwards; so with the answers."""
        match event:
            case JobArrived(job):
                self._take_job(member, job, event)
            case WorkLost(reason=reason):
                self._take_loss(member, reason, event)
            case ShareAnswered(result):
                self._on_event(event)
                self._judge(member, result)
            case StateChanged(_, state, detail):
                self._take_state(member, state, detail, event)
            case _:
                self._on_event(event)

    def _take_job(self, member: GroupMember, job: Job, event: ClientEvent) -> None:
        member.job = job
        if member.removed:
            return
        control = self.control
        is_the_only_one = len(control.members) == 1 and control.quotas is None and member.leaving_since is None
        if control.active is None and is_the_only_one:
            control.active = member  # what else would failover choose
        if member is control.active:
            self._on_event(event)
        if not member.removed:  # whoever heard of it may have changed the pools
            control.failover.job(control.index(member), self._clock(), _content(job))
            self._apply()

    def _take_loss(self, member: GroupMember, reason: str, event: ClientEvent) -> None:
        member.job = None
        if reason == STOPPED and member.leaving_since is None:
            if member is self.control.active:
                self._on_event(event)
            return  # everything ends; what the pools were like stays to be seen
        if member.removed:
            return
        if member.leaving_since is None:
            self.control.failover.lost(self.control.index(member), self._clock(), reason)
        else:
            self.control.failover.left(self.control.index(member), self._clock())
        self._act()

    def _judge(self, member: GroupMember, result: ShareResult) -> None:
        """A share that was accepted or refused says something of its pool, unless another share has said it before."""
        if member.removed or result.same_event:
            return
        control = self.control
        if result.outcome is ShareOutcome.ACCEPTED:
            control.failover.share_accepted(control.index(member))
        elif result.outcome is ShareOutcome.REJECTED and not result.refused_as_weak:
            control.failover.share_refused(control.index(member), self._clock(), result.reason)
            if control.condition(member) is Condition.PENALIZED:
                self._changed.set()

    def _take_state(self, member: GroupMember, state: ConnectionState, detail: str, event: ClientEvent) -> None:
        if state is ConnectionState.MINING:
            member.refused, self._was_accepted = False, True
        if member.removed:
            return
        control = self.control
        if state is ConnectionState.CONNECTING:
            control.failover.trying(control.index(member), self._clock())
        elif state is ConnectionState.WAITING and control.condition(member) is Condition.TRYING:
            control.failover.lost(control.index(member), self._clock(), detail)
            self._changed.set()
        if member is control.active or control.active is None:
            self._on_event(event)

    # ---- moving -------------------------------------------------------------------------------------------------

    def _act(self) -> None:
        self._apply()
        self._changed.set()

    def _apply(self) -> None:
        """Do what the state machine decides: switch, start and stop clients."""
        control = self.control
        chosen, wanted = self._decide()
        if chosen is not control.active:
            self._switch(chosen)
        for index, member in enumerate(control.members):
            if index in wanted:
                member.leaving_since = None
                self._start(member)
            elif member.scope is not None:
                self._leave(member)
        control.removed = [member for member in control.removed if member.scope is not None]
        for member in control.removed:
            self._leave(member)

    def _decide(self) -> tuple[GroupMember | None, frozenset[int]]:
        now, control = self._clock(), self.control
        decision = control.failover.decide(now)
        if control.quotas is None:
            return None if decision.active is None else control.members[decision.active], decision.wanted
        up = {member: member.settings.quota for member in (control.members[i] for i in control.failover.up())}
        return control.quotas.choose(up, now), control.failover.connectable(now)

    def _switch(self, chosen: GroupMember | None) -> None:
        control = self.control
        before, control.active = control.active, chosen
        why = self._why(before)
        several = len(control.members) > 1  # of a single one the connection's own events say it all
        if chosen is None:
            if several:
                log.warning("no_pool", reason=why)
            self._on_event(WorkLost(self._origin_of(before), why or "no pool is up"))
            return
        if several:
            log.info("pool_chosen", pool=control.name(chosen), **({"reason": why} if why else {}))
        if chosen.job is not None:
            self._on_event(JobArrived(chosen.job))

    def _origin_of(self, member: GroupMember | None) -> Origin:
        return (member or self._shown).client.origin

    def _why(self, before: GroupMember | None) -> str:
        control = self.control
        if before is None:
            return ""
        if before.removed:
            return f"{control.name(before)} was removed or changed"
        if not control.failover.is_enabled(control.index(before)):
            return f"{control.name(before)} was disabled"
        health = control.failover.health(control.index(before))
        if health.condition is Condition.UP:
            return "a better pool is up again" if control.quotas is None else "its turn is over"
        return f"{control.name(before)} is {health.condition.value}: {health.reason}"

    def _start(self, member: GroupMember) -> None:
        """Start a client as long as ``run`` lasts."""
        if member.scope is None and not self._is_over:
            member.scope = trio.CancelScope()
            member.client.leave("")
            member.is_to_start = True
            self._changed.set()

    def _leave(self, member: GroupMember) -> None:
        """End a client that is not wanted any more, its open shares answered or given up."""
        assert member.scope is not None
        now = self._clock()
        if member.leaving_since is None:
            member.leaving_since = now
        gone = now - member.leaving_since
        if gone >= DRAIN_S or (gone >= LINGER_S and member.client.unanswered == 0):
            member.client.leave(f"the miner left this pool, which did not answer within {DRAIN_S:g} s")
            member.scope.cancel()

    async def _keep(self, member: GroupMember) -> None:
        assert member.scope is not None
        try:
            with member.scope:
                await member.client.run()
        except WorkerRefused as error:
            if not member.removed:
                member.refused = True
                self.control.failover.refused(self.control.index(member), self._clock(), str(error))
                log.warning("worker_refused", pool=self.control.name(member), reason=str(error))
                if self.all_refused and self._may_give_up():
                    raise
        member.scope = None  # not when everything ends by an error: nothing is to be started any more
        self._changed.set()

    def _new_member(self, settings: PoolSettings, key: PoolKey) -> GroupMember:
        return GroupMember(
            settings, self._options, self._take, key=key, tally=self._tallies.setdefault(key, PoolTally())
        )


def _content(job: Job) -> object:
    """What makes a job another one: a pool may send the same under new ids for ever."""
    return (job.content_hash(), job.ntime)
