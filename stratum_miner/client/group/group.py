"""``PoolGroup``: several pools that the miner uses like one ``PoolClient``.

Each pool has a client of its own, and a share goes to the client of the pool that its job came from. The module
``members`` holds the pools, the modules ``failover`` and ``quota`` decide which pool to mine on, and this module starts
and stops the clients. When the miner switches to another pool, the client of the previous pool keeps running until the
open shares of that pool have results, but not longer than ``DRAIN_S``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

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
from stratum_miner.client.group.control import PoolControl
from stratum_miner.client.group.failover import DEFAULT_POLICY, Condition, FailoverPolicy
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.group.member import GroupMember
from stratum_miner.client.group.members import Members
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
"""Seconds after which the group decides again which pools to use, if no event makes it decide earlier."""
DRAIN_S = 30.0
"""Maximum number of seconds for which a pool stays connected after the miner has switched to another pool. Shares that
then still have no reply are lost."""
LINGER_S = 3.0
"""Minimum number of seconds for which a pool stays connected after the miner has switched to another pool, because a
device may report a nonce that it found just before the switch."""


class PoolGroup:
    """Uses several pools like one ``PoolClient``; ``run`` it once. ``control`` changes the pools, also while it runs.

    ``settings``: the pools, the best first.
    ``on_event``: called with each event of the pool that the miner mines on, and with the results and messages of all
    pools.
    ``options``: clock, random numbers and the like, which all clients share; None: the defaults.
    ``policy``: when failover switches to another pool. None: the default policy with the ``failback`` of ``options``.
    ``strategy``: how to use several pools.
    ``identities``, ``tallies``: the keys and labels of the pools, and the counts of each pool. Several groups of one
    miner or proxy can use the same two objects. None: this group makes its own.
    ``may_give_up``: called when all pools have refused the worker names. If it returns True, ``run`` raises
    WorkerRefused.

    Raises ValueError if there is no pool.
    """

    def __init__(
        self,
        settings: Sequence[PoolSettings],
        on_event: ClientListener,
        options: ClientOptions | None = None,
        *,
        policy: FailoverPolicy | None = None,
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
        self._members = Members(
            settings,
            self._new_member,
            self._clock,
            identities=self._identities,
            policy=policy or replace(DEFAULT_POLICY, failback=self._options.failback),
            strategy=strategy,
        )
        self.control = PoolControl(self._members, self._act)
        """Changes the pools, also while the group runs."""

    async def run(self) -> None:
        """Keep the needed pools connected until cancelled.

        Raises WorkerRefused if all pools refuse the worker name from the start and ``may_give_up`` allows it.
        Raises PoolUnreachable if ``ClientOptions.retry`` is False and a pool cannot be reached, or disconnects.
        """
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    self._apply()
                    self._changed = trio.Event()
                    for member in self._members.all:
                        if member.is_to_start:
                            member.is_to_start = False
                            nursery.start_soon(self._keep, member)
                    with trio.move_on_after(TICK_S):
                        await self._changed.wait()
        finally:
            self._is_over = True

    # ---- for the miner ------------------------------------------------------------------------------------------

    def submit(self, share: Share) -> None:
        """Submit a share to the pool that its job came from. Its result comes as a ``ShareAnswered``."""
        owner = self._owner(share.job.origin)
        if owner is not None:
            owner.client.submit(share)
        else:
            self._on_event(ShareAnswered(ShareResult(share, ShareOutcome.LOST, "its session is over")))

    def destination(self, share: Share) -> Destination:
        """Return the pool, worker name and session id of a share, for the share journal."""
        owner = self._owner(share.job.origin) or self._shown
        return owner.client.destination(share)

    def adopt(self, pool: str, resumable: Resumable, shares: Sequence[Share]) -> bool:
        """Take over shares of an earlier run for the pool whose URL is ``pool``; see ``PoolClient.adopt``. Call it
        before ``run``.

        Returns False if the group has no pool with this URL.
        """
        for member in self._members.all:
            if str(member.settings.url) == pool:
                member.client.adopt(resumable, shares)
                return True
        return False

    def note_hash_rate(self, hash_rate: float) -> None:
        """Record the measured hash rate in H/s; see ``PoolClient.note_hash_rate``."""
        for member in self._members.all:
            member.client.note_hash_rate(hash_rate)

    def count_work(self, switches: Sequence[tuple[PoolKey, float]], units: Mapping[PoolKey, int]) -> None:
        """Count the work on the jobs of each pool.

        ``switches``: one pair for each new job: the key of its pool, and the seconds from the arrival of the job until
        a backend first took work of it. ``units``: for each pool, the number of work units that backends took from its
        jobs since the last call.
        """
        for key, seconds in switches:
            self._tallies[key].switches.add(seconds)
        for key, count in units.items():
            self._tallies[key].units += count

    async def wait_all_answered(self) -> None:
        """Wait until no share is open at any connected pool."""
        for member in (*self._members.all, *self._members.removed):
            await member.client.wait_all_answered()

    async def wait_for_room(self) -> None:
        """Wait until the active pool has fewer than 1,000 open shares; see ``PoolClient.wait_for_room``."""
        if self._members.active is not None:
            await self._members.active.client.wait_for_room()

    @property
    def all_refused(self) -> bool:
        """Whether all enabled pools refused the worker names, and no pool of the group ever accepted one."""
        return not self._was_accepted and all(
            member.refused or not self._members.failover.is_enabled(index)
            for index, member in enumerate(self._members.all)
        )

    def snapshot(self) -> ClientSnapshot:
        """Return the snapshot of the active pool's client. While no pool is active, return the snapshot of the best
        pool's client."""
        return self._shown.client.snapshot()

    def _owner(self, origin: Origin) -> GroupMember | None:
        """Return the pool of this group that has the key in ``origin``, or None if there is none.

        If a pool was removed and added again, two members of the group have its key. Then return the member that also
        has the session in ``origin``, if there is such a member.
        """
        found = None
        for member in (*self._members.all, *self._members.removed):
            if member.key == origin.pool:
                if member.client.origin.session == origin.session:
                    return member
                found = found or member  # same key as in ``origin``, but another session
        return found

    @property
    def _shown(self) -> GroupMember:
        return self._members.active or self._members.all[0]

    # ---- events of the clients ----------------------------------------------------------------------------------

    def _take(self, member: GroupMember, event: ClientEvent) -> None:
        """Handle an event of a pool's client. Report a job or a result first and update failover afterwards, so that
        the update does not delay the report."""
        match event:
            case JobArrived(job):
                self._take_job(member, job, event)
            case WorkLost(reason=reason):
                self._take_loss(member, reason, event)
            case ShareAnswered(result):
                self._on_event(event)
                self._note_result(member, result)
            case StateChanged(_, state, detail):
                self._take_state(member, state, detail, event)
            case _:
                self._on_event(event)

    def _take_job(self, member: GroupMember, job: Job, event: ClientEvent) -> None:
        member.job = job
        members = self._members
        is_the_only_one = len(members.all) == 1 and members.quotas is None and member.leaving_since is None
        if members.active is None and is_the_only_one:
            members.active = member  # there is only this pool, so do not wait for failover to choose one
        if member is members.active:
            self._on_event(event)
        if not member.removed:  # it may have been removed long ago, or by ``on_event`` just now
            members.failover.job(members.index(member), self._clock(), _content(job))
            self._apply()

    def _take_loss(self, member: GroupMember, reason: str, event: ClientEvent) -> None:
        member.job = None
        if reason == STOPPED and member.leaving_since is None:
            if member is self._members.active:
                self._on_event(event)
            return  # the whole group stops: keep the pool's condition for the summary at the end
        if member.removed:
            return
        if member.leaving_since is None:
            self._members.failover.lost(self._members.index(member), self._clock(), reason)
        else:
            self._members.failover.left(self._members.index(member), self._clock())
        self._act()

    def _note_result(self, member: GroupMember, result: ShareResult) -> None:
        """Tell failover about an accepted or rejected share, because failover counts the rejections in a row. Skip a
        rejection that may have the same cause as an earlier rejection (``ShareResult.same_event``), and the rejection
        of a weak block, whose hash meets the network target but not the share target
        (``ShareResult.refused_as_weak``)."""
        if member.removed or result.same_event:
            return
        members = self._members
        if result.outcome is ShareOutcome.ACCEPTED:
            members.failover.share_accepted(members.index(member))
        elif result.outcome is ShareOutcome.REJECTED and not result.refused_as_weak:
            members.failover.share_refused(members.index(member), self._clock(), result.reason)

    def _take_state(self, member: GroupMember, state: ConnectionState, detail: str, event: ClientEvent) -> None:
        if state is ConnectionState.MINING:
            member.refused, self._was_accepted = False, True
        if member.removed:
            return
        members = self._members
        if state is ConnectionState.CONNECTING:
            members.failover.trying(members.index(member), self._clock())
        elif state is ConnectionState.WAITING and members.condition(member) is Condition.TRYING:
            members.failover.lost(members.index(member), self._clock(), detail)
            self._changed.set()
        if member is members.active or members.active is None:
            self._on_event(event)

    # ---- switching pools ----------------------------------------------------------------------------------------

    def _act(self) -> None:
        self._apply()
        self._changed.set()

    def _apply(self) -> None:
        """Ask failover or quotas which pools to use, and carry out the decision: switch the pool, start and stop
        clients."""
        members = self._members
        chosen, wanted = self._decide()
        if chosen is not members.active:
            self._switch(chosen)
        for index, member in enumerate(members.all):
            if index in wanted:
                member.leaving_since = None
                self._start(member)
            elif member.scope is not None:
                self._leave(member)
        members.removed = [member for member in members.removed if member.scope is not None]
        for member in members.removed:
            self._leave(member)

    def _decide(self) -> tuple[GroupMember | None, frozenset[int]]:
        now, members = self._clock(), self._members
        decision = members.failover.decide(now)
        if members.quotas is None:
            return None if decision.active is None else members.all[decision.active], decision.wanted
        up = {member: member.settings.quota for member in (members.all[i] for i in members.failover.up())}
        return members.quotas.choose(up, now), members.failover.connectable(now)

    def _switch(self, chosen: GroupMember | None) -> None:
        members = self._members
        before, members.active = members.active, chosen
        why = self._why(before)
        several = len(members.all) > 1  # for a single pool, the events of its connection say enough
        if chosen is None:
            if several:
                log.warning("no_pool", reason=why)
            self._on_event(WorkLost(self._origin_of(before), why or "no pool is up"))
            return
        if several:
            log.info("pool_chosen", pool=members.name(chosen), **({"reason": why} if why else {}))
        if chosen.job is not None:
            self._on_event(JobArrived(chosen.job))

    def _origin_of(self, member: GroupMember | None) -> Origin:
        return (member or self._shown).client.origin

    def _why(self, before: GroupMember | None) -> str:
        members = self._members
        if before is None:
            return ""
        if before.removed:
            return f"{members.name(before)} was removed or changed"
        if not members.failover.is_enabled(members.index(before)):
            return f"{members.name(before)} was disabled"
        health = members.failover.health(members.index(before))
        if health.condition is Condition.UP:
            return "a better pool is up again" if members.quotas is None else "its time slice has ended"
        return f"{members.name(before)} is {health.condition.value}: {health.reason}"

    def _start(self, member: GroupMember) -> None:
        """Let ``run`` start the client of a pool. Do nothing if the client is running or ``run`` has ended."""
        if member.scope is None and not self._is_over:
            member.scope = trio.CancelScope()
            member.client.note_stop_reason("")
            member.is_to_start = True

    def _leave(self, member: GroupMember) -> None:
        """Stop the client of a pool that is not needed any more, but not at once. The first call only records the time.
        A later call stops the client if LINGER_S seconds have passed and no share is open, or if DRAIN_S seconds have
        passed."""
        assert member.scope is not None
        now = self._clock()
        if member.leaving_since is None:
            member.leaving_since = now
        gone = now - member.leaving_since
        if gone >= DRAIN_S or (gone >= LINGER_S and member.client.unanswered == 0):
            member.client.note_stop_reason(f"the miner left this pool, which did not answer within {DRAIN_S:g} s")
            member.scope.cancel()

    async def _keep(self, member: GroupMember) -> None:
        assert member.scope is not None
        try:
            with member.scope:
                await member.client.run()
        except WorkerRefused as error:
            if not member.removed:
                member.refused = True
                self._members.failover.refused(self._members.index(member), self._clock(), str(error))
                log.warning("worker_refused", pool=self._members.name(member), reason=str(error))
                if self.all_refused and self._may_give_up():
                    raise
        # If an exception leaves this method, ``scope`` stays set, so that the client is not started again.
        member.scope = None
        self._changed.set()

    def _new_member(self, settings: PoolSettings, key: PoolKey) -> GroupMember:
        return GroupMember(
            settings, self._options, self._take, key=key, tally=self._tallies.setdefault(key, PoolTally())
        )


def _content(job: Job) -> object:
    """Return a value that is equal for two jobs of equal content. A pool may send the same job repeatedly under new
    ids."""
    return (job.content_hash(), job.ntime)
