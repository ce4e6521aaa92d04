"""One simulated miner as a state machine: lines of the pool in, lines to the pool out; no socket, no clock.

Ten thousand of them share one ``RunState``, so one is a few hundred bytes: settings of its session, a reference to the
job that all share, and when its next share is due. It answers what a pool may ask, and learns what a pool may set, by
the same rules as a real miner: difficulty and extranonce count from the next job, a version mask at once.
"""

from dataclasses import replace
from enum import IntEnum
from typing import NamedTuple

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.faults.share_faults import FaultNotPossible, GoodShare, share_fault
from stratum_miner.loadtest.handshake import (
    AUTHORIZE_ID,
    CONFIGURE_ID,
    FIRST_SUBMIT_ID,
    SUBSCRIBE_ID,
    USER_AGENT,
    authorize,
    hello,
)
from stratum_miner.loadtest.jobs import MinerJob, target_of
from stratum_miner.loadtest.metrics import BadCount
from stratum_miner.loadtest.run_state import RunState
from stratum_miner.loadtest.share_search import INLINE_HASHES, FoundPoint, hashes_of, submit_of
from stratum_miner.stratum import pool_messages
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.envelope import Call, Reply, decode, encode_reply, encode_request
from stratum_miner.stratum.errors import FieldError, RemoteProtocolError, error_reply_from
from stratum_miner.stratum.results import ConfigureResult, SubscribeResult
from stratum_miner.work.job import Job

MAX_LINE = 128 << 10
"""Bytes; a tenth of what a single miner takes, for there are thousands."""
DEFAULT_DIFFICULTY = 1.0
"""Until the pool says otherwise."""


class State(IntEnum):
    """How far a miner is."""

    AWAY = 0
    CONNECTING = 1
    SUBSCRIBING = 2
    AUTHORIZING = 3
    AUTHORIZED = 4
    """Authorized, without a job."""
    MINING = 5
    SLOW = 6
    """Authorized, and from then on hardly reading."""


class _OpenShare(NamedTuple):
    """A share on its way."""

    due: float
    sent: float
    kind: str
    """The fault of a bad share; empty for a good one."""
    kept: tuple[bytes, Submit] | None
    """Previous hash and share, where a duplicate may be wanted."""


class SimulatedMiner:
    """See the module; ``weight`` is its hash rate in means."""

    # fmt: off
    __slots__ = (
        "asked", "assignment", "attempts", "breaks_at", "buffer", "close_reason", "connect_due", "count",
        "difficulty", "difficulty_known", "due", "extranonce1", "extranonce2_size", "hash_rate", "mask",
        "next_id", "notify", "number", "old", "open", "rate", "ready", "refused", "rolling", "run_state",
        "session_id", "slow", "state", "taken", "waiting", "wants_rolling", "weight", "worker_name",
    )
    # fmt: on

    def __init__(self, run_state: "RunState[SimulatedMiner]", number: int, weight: float) -> None:
        plan = run_state.plan
        self.run_state = run_state
        self.number = number
        self.weight = weight
        self.worker_name = plan.name_of(number)
        self.slow = _is_among(number, plan.slow_readers)
        self.wants_rolling = _is_among(number, plan.version_rolling)
        self.session_id: str | None = None
        self.hash_rate = 0.0
        """H/s; settled by the first job unless the plan names it."""
        self.attempts = 0
        """Failures to connect in a row."""
        self.connect_due = 0.0
        self.breaks_at = 0.0
        """When this connection's life is over, where the plan has it end."""
        self.refused = False
        """The pool does not want this miner: it does not come back."""
        self.count = 0
        """The latest extranonce2."""
        self._reset()

    def _reset(self) -> None:
        self.state = State.AWAY
        self.buffer = b""
        self.asked = 0.0
        """When the open request of the handshake was sent."""
        self.difficulty = DEFAULT_DIFFICULTY
        self.difficulty_known = False
        self.extranonce1: bytes | None = None
        self.extranonce2_size = 0
        self.mask = 0
        self.rolling = False
        self.notify: pool_messages.Notify | None = None
        self.assignment: MinerJob | None = None
        self.old: MinerJob | None = None
        """A job of the block before, where stale shares are wanted."""
        self.taken: tuple[bytes, Submit] | None = None
        """The latest accepted share and its previous hash, where duplicates are wanted."""
        self.ready: tuple[MinerJob, bytes, FoundPoint] | None = None
        """A share found ahead of time."""
        self.waiting = False
        """The share that is due is still being searched."""
        self.due: float | None = None
        self.rate = 0.0
        """Shares a second at the job's target, by the profile's factor 1."""
        self.open: dict[int, _OpenShare] = {}
        self.next_id = FIRST_SUBMIT_ID
        self.close_reason = ""
        """Why the connection is to be closed from our side."""

    # ---- connection -----------------------------------------------------------------------------------------------

    def connected(self, now: float, overhead: float) -> bytes:
        """The connection stands; what to send."""
        self.run_state.metrics.phases["connect"].add(now - self.connect_due, overhead)
        self.run_state.metrics.connections += 1
        self.state = State.SUBSCRIBING
        self.asked = now
        resumed = self.session_id if self.run_state.plan.reconnect == "resume" else None
        return hello(rolling=self.wants_rolling, session_id=resumed)

    def closed(self, reason: str) -> None:
        """The connection is gone."""
        metrics = self.run_state.metrics
        metrics.endings[f"slow reader: {reason}" if self.state is State.SLOW else reason] += 1
        metrics.lost += self.good_open
        self.run_state.open_shares -= len(self.open)
        if self.state is State.MINING:
            self.run_state.leave(self.hash_rate)
        self._reset()

    @property
    def good_open(self) -> int:
        """Good shares without an answer."""
        return sum(not share.kind for share in self.open.values())

    # ---- input ----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float, overhead: float) -> bytes:
        """Bytes of the pool, of whose age at most ``own`` seconds are the generator's; returns what to send.

        RemoteProtocolError when they are no Stratum.
        """
        if self.buffer:
            data = self.buffer + data
        *lines, self.buffer = data.split(b"\n")
        if len(self.buffer) > MAX_LINE:
            raise RemoteProtocolError(f"line too long: expected at most {MAX_LINE} bytes")
        to_send = b""
        known = self.run_state.book.known
        for line in lines:
            notify = known(line)
            if notify is not None:
                self._take_notify(notify, now, overhead)
            elif line.strip():
                to_send += self._receive_line(line, now, overhead)
        return to_send

    def _receive_line(self, line: bytes, now: float, overhead: float) -> bytes:
        try:
            message = decode(line)
            if isinstance(message, Reply):
                return self._receive_reply(message, now, overhead)
            return self._receive_call(message, line, now, overhead)
        except FieldError as error:
            raise RemoteProtocolError(str(error)) from None

    def _receive_call(self, call: Call, line: bytes, now: float, overhead: float) -> bytes:
        match pool_messages.parse(call.method, call.params):
            case pool_messages.Notify() as notify:
                self.run_state.book.note(line, notify)
                self._take_notify(notify, now, overhead)
            case pool_messages.SetDifficulty(difficulty):
                self.difficulty = difficulty
                if not self.difficulty_known and self.assignment is not None:  # a job before its difficulty (ckpool)
                    self._mine(replace(self.assignment, difficulty=difficulty, target=target_of(difficulty)), now)
                self.difficulty_known = True
            case pool_messages.SetExtranonce(extranonce1, size):
                self.extranonce1 = self.extranonce1 if extranonce1 is None else extranonce1
                self.extranonce2_size = self.extranonce2_size if size is None else size
            case pool_messages.SetVersionMask(mask) if self.rolling:
                self.mask = mask & GENERAL_PURPOSE_MASK
                if self.assignment is not None:
                    self._mine(replace(self.assignment, version_mask=self.mask), now)
            case pool_messages.Reconnect():
                self.close_reason = "client.reconnect"
            case pool_messages.GetVersion() if call.wants_reply:
                return encode_reply(call.id, USER_AGENT)
            case pool_messages.PoolPing() if call.wants_reply:
                return encode_reply(call.id, "pong")
            case pool_messages.ShowMessage() if call.wants_reply:
                return encode_reply(call.id, True)
        return b""

    def _receive_reply(self, reply: Reply, now: float, overhead: float) -> bytes:
        if not isinstance(reply.id, int):
            return b""
        share = self.open.pop(reply.id, None)
        if share is not None:
            self.run_state.open_shares -= 1
            self._answered(share, reply, now, overhead)
        elif reply.id == SUBSCRIBE_ID and self.state is State.SUBSCRIBING:
            return self._subscribed(reply, now, overhead)
        elif reply.id == AUTHORIZE_ID and self.state is State.AUTHORIZING:
            self._authorized(reply, now, overhead)
        elif reply.id == CONFIGURE_ID and isinstance(reply.result, dict):
            grant = ConfigureResult.from_result(reply.result).version_rolling
            self.rolling = grant is not None
            self.mask = 0 if grant is None else grant.mask & GENERAL_PURPOSE_MASK
        return b""

    # ---- handshake ------------------------------------------------------------------------------------------------

    def _subscribed(self, reply: Reply, now: float, overhead: float) -> bytes:
        if reply.error:
            self.refused = True
            self.close_reason = f"subscribe refused: {error_reply_from(reply.error).reason.value}"
            return b""
        result = SubscribeResult.from_result(reply.result)
        self.run_state.metrics.phases["subscribe"].add(now - self.asked, overhead)
        self.extranonce1, self.extranonce2_size = result.extranonce1, result.extranonce2_size
        self.session_id = result.session_id
        self.state = State.AUTHORIZING
        self.asked = now
        return authorize(self.worker_name, self.run_state.plan.password)

    def _authorized(self, reply: Reply, now: float, overhead: float) -> None:
        if reply.result is not True or reply.error:
            self.refused = True
            self.close_reason = f"authorize refused: {error_reply_from(reply.error).reason.value}"
            return
        self.run_state.metrics.phases["authorize"].add(now - self.asked, overhead)
        self.attempts = 0
        self.state = State.SLOW if self.slow else State.AUTHORIZED
        if self.notify is not None:
            self._begin(now, overhead)

    # ---- jobs -----------------------------------------------------------------------------------------------------

    def _take_notify(self, notify: pool_messages.Notify, now: float, overhead: float) -> None:
        if self.state is State.MINING:
            self.run_state.metrics.note_job(notify.job_id, notify.clean_jobs, now, overhead)
            work = self.assignment
            if self.run_state.keeps_stale and work is not None and work.notify.previous_hash != notify.previous_hash:
                self.old = work
        self.notify = notify
        if self.state is State.AUTHORIZED:
            self._begin(now, overhead)
        elif self.state is State.MINING:
            self._assign(now)

    def _begin(self, now: float, overhead: float) -> None:
        """The first job that can be mined."""
        if self.state is State.SLOW:
            return
        self.run_state.metrics.phases["first_job"].add(now - self.connect_due, overhead)
        self.state = State.MINING
        self._assign(now)
        self.run_state.join(self.hash_rate)

    def _assign(self, now: float) -> None:
        """Mine the newest job under the settings in force."""
        assert self.notify is not None, "a miner that mines has a job"
        assert self.extranonce1 is not None, "and a session"
        difficulty, before = self.difficulty, self.assignment
        target = before.target if before is not None and before.difficulty == difficulty else target_of(difficulty)
        work = MinerJob(
            self.notify, self.extranonce1, self.extranonce2_size, difficulty, target, self.mask, self.rolling
        )
        self._mine(work, now)

    def _mine(self, work: MinerJob, now: float) -> None:
        """From now on this; the shares are paced by its target."""
        before, self.assignment = self.assignment, work
        if before is None or before.target != work.target:
            self._pace(now, work.target)
        elif self.due is not None and before.notify.previous_hash != work.notify.previous_hash:
            self.ready = None
            if hashes_of(work.target) > INLINE_HASHES:  # what was found ahead of time is stale
                self.run_state.schedule(self, self.due)

    def _pace(self, now: float, target: int) -> None:
        plan, hashes = self.run_state.plan, hashes_of(target)
        if not self.hash_rate:
            self.hash_rate = self.weight * (plan.share_rate * hashes if plan.hash_rate is None else plan.hash_rate)
        self.rate = self.hash_rate / hashes
        self.waiting = False
        self.plan_next(now)

    def plan_next(self, after: float) -> None:
        """Decide when the next share is due."""
        self.due = self.run_state.next_due(after, self.rate)
        if self.due is not None:
            self.run_state.schedule(self, self.due)

    # ---- shares ---------------------------------------------------------------------------------------------------

    def share(self, now: float) -> bytes:
        """The share that is due, or nothing when it is not found yet; then the next one is planned."""
        assert self.due is not None, "a share is due when its time has come"
        assert self.assignment is not None, "in a miner that mines"
        work, due = self.assignment, self.due
        if hashes_of(work.target) <= INLINE_HASHES:
            found = self.find(work)
        else:
            found, self.ready = self.ready, None
            if found is not None and found[0].notify.previous_hash != work.notify.previous_hash:
                found = None
            if found is None:
                self.run_state.metrics.late += not self.waiting
                self.waiting = True
                return b""
        self.waiting = False
        self.plan_next(due)
        if found is None:
            self.run_state.metrics.errors["no share in an extranonce2"] += 1
            return b""
        return self._submit(found, due, now)

    def find(self, work: MinerJob) -> tuple[MinerJob, bytes, FoundPoint] | None:
        """Search one extranonce2 of a job."""
        extranonce2 = self.take_extranonce2(work)
        found = self.run_state.search.find(work, extranonce2)
        return None if found is None else (work, extranonce2, found)

    def take_extranonce2(self, work: MinerJob) -> bytes:
        """One that this miner has not used."""
        self.count += 1
        size = work.extranonce2_size
        return (self.count & ((1 << 8 * size) - 1)).to_bytes(size, "big")

    def _submit(self, share: tuple[MinerJob, bytes, FoundPoint], due: float, now: float) -> bytes:
        work, extranonce2, found = share
        submit, kind = submit_of(self.worker_name, work, extranonce2, found), ""
        metrics = self.run_state.metrics
        if self.run_state.bad:
            submit, kind = self._perhaps_spoiled(submit, work)
        if kind:
            metrics.bad.setdefault(kind, BadCount()).sent += 1
        else:
            metrics.sent += 1
            metrics.rows[-1].sent += 1
        request_id = self.next_id
        self.next_id += 1
        kept = (work.notify.previous_hash, submit) if self.run_state.keeps_accepted and not kind else None
        self.run_state.open_shares += 1
        self.open[request_id] = _OpenShare(due, now, kind, kept)
        return encode_request(request_id, Submit.method, submit.to_params())

    def _perhaps_spoiled(self, submit: Submit, work: MinerJob) -> tuple[Submit, str]:
        drawn = self.run_state.rng.random()
        for kind, share in self.run_state.bad:
            drawn -= share
            if drawn < 0:
                try:
                    return share_fault(kind).spoil(self._good(submit, work, kind), self.run_state.rng), kind
                except FaultNotPossible:
                    break  # a first share has no duplicate, a first block no stale one
        return submit, ""

    def _good(self, submit: Submit, work: MinerJob, kind: str) -> GoodShare:
        job: Job = work.job()
        taken = self.taken[1] if self.taken is not None and self.taken[0] == job.previous_hash else None
        outdated = None
        if kind == "stale" and self.old is not None and (found := self.find(self.old)) is not None:
            outdated = submit_of(self.worker_name, *found)
        return GoodShare(submit=submit, job=job, taken=taken, outdated=outdated)

    def _answered(self, share: _OpenShare, reply: Reply, now: float, overhead: float) -> None:
        metrics = self.run_state.metrics
        accepted = reply.result is True and not reply.error
        if share.kind:
            count = metrics.bad[share.kind]
            count.accepted += accepted
            count.refused += not accepted
            return
        metrics.note_submit(now - share.due, overhead + (share.sent - share.due))
        row = metrics.rows[-1]
        if accepted:
            metrics.accepted += 1
            row.accepted += 1
            if share.kept is not None:
                self.taken = share.kept
        else:
            row.refused += 1
            metrics.refused[error_reply_from(reply.error, reply.reject_reason).reason.value] += 1


def _is_among(number: int, share: float) -> bool:
    """Whether miner ``number`` is one of a share of all, evenly spread and exact."""
    return int((number + 1) * share + 1e-9) > int(number * share + 1e-9)
