"""One simulated miner as a state machine: it takes the bytes that the pool sent and returns the bytes to send.

A simulated miner has no socket and no clock. What all miners have in common is in one ``RunState``, so a miner needs
only a few hundred bytes: the settings of its session, a reference to the shared job, and the time at which its next
share is due. A miner answers the pool's requests and applies the pool's settings as a real miner does: a new difficulty
or extranonce from the next job on, a new version mask at once.
"""

import re
from dataclasses import replace
from enum import IntEnum
from typing import NamedTuple

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK, BlockHeader
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
from stratum_miner.loadtest.share_search import CHEAP_HASHES, INLINE_HASHES, MAX_STOCK, FoundPoint, hashes_of, submit_of
from stratum_miner.stratum import pool_messages
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.envelope import Call, Reply, decode, encode_reply, encode_request
from stratum_miner.stratum.errors import FieldError, RemoteProtocolError, error_reply_from
from stratum_miner.stratum.results import ConfigureResult, SubscribeResult
from stratum_miner.work.job import Job

MAX_LINE = 128 << 10
"""Maximum size of a line in bytes. A real miner accepts much longer lines. The limit is low here because this process
has thousands of miners."""
MOST_OWED = 32
"""Maximum number of duplicates that wait for a share to repeat. More could wait only if nearly all shares are to be
duplicates."""
_ACCEPTED = re.compile(
    rb'\{"(?:id": ?(\d{1,9}), ?"result": ?true, ?"error": ?null|'
    rb'result": ?true, ?"error": ?null, ?"id": ?(\d{1,9}))\}\r?'
)
"""Matches the reply true in the two forms in which nearly all pools write it. Most lines of a load test are such
replies, and the match takes a fraction of the time of parsing JSON."""
DEFAULT_DIFFICULTY = 1.0
"""Difficulty until the pool sets one."""


class State(IntEnum):
    """The states of a simulated miner, in the order in which its connection passes through them."""

    AWAY = 0
    CONNECTING = 1
    SUBSCRIBING = 2
    AUTHORIZING = 3
    AUTHORIZED = 4
    """Authorized, but without a job so far."""
    MINING = 5
    SLOW = 6
    """Authorized as a slow reader, which reads only one byte per second and submits no shares."""


class _OpenShare(NamedTuple):
    """A share without an answer yet. ``due`` and ``sent`` are times on the loop's clock in seconds."""

    due: float
    sent: float
    kind: str
    """Name of the fault of a faulty share; empty for a valid one."""
    repeatable: tuple[bytes, Submit] | None
    """Previous block hash and parameters of the share, kept so that the share can be submitted again as a duplicate;
    None for a faulty share, or if the plan has no duplicates."""


class _Stock(NamedTuple):
    """Shares of one job that were found together. ``points`` are those that were not submitted yet, and ``size`` is the
    number of shares that the search was for."""

    work: MinerJob
    extranonce2: bytes
    size: int
    points: list[FoundPoint]


class SimulatedMiner:
    """One simulated miner. ``weight`` is its hash rate, in multiples of the mean hash rate of all miners.

    In all methods, ``now`` and ``due`` are times on the loop's clock in seconds, and ``overhead`` is the number of
    seconds that the load generator itself may have delayed the event.
    """

    # fmt: off
    __slots__ = (
        "accepted_share", "asked_at", "assignment", "breaks_at", "buffer", "close_reason", "connect_due",
        "difficulty", "difficulty_known", "due", "extranonce1", "extranonce2_count", "extranonce2_size",
        "failed_attempts", "found_share", "hash_rate", "is_late", "mask", "next_id", "notify", "number", "open",
        "owed_duplicates", "rate", "reads_slowly", "refused", "rolling", "run_state", "sent_early", "session_id",
        "stale_job", "state", "stock", "wants_rolling", "weight", "worker_name",
    )
    # fmt: on

    def __init__(self, run_state: "RunState[SimulatedMiner]", number: int, weight: float) -> None:
        plan = run_state.plan
        self.run_state = run_state
        self.number = number
        self.weight = weight
        self.worker_name = plan.worker_name_of(number)
        self.reads_slowly = _is_among(number, plan.slow_readers)
        self.wants_rolling = _is_among(number, plan.version_rolling)
        self.session_id: str | None = None
        self.hash_rate = 0.0
        """Hash rate in H/s; 0 until the first job. If the plan gives no hash rate, the miner computes its own from the
        share rate of the plan and the difficulty of the first job."""
        self.failed_attempts = 0
        """Number of attempts to reconnect since the pool last authorized this miner. It determines the pause before the
        next attempt."""
        self.connect_due = 0.0
        """Time at which the current connection was due to be opened."""
        self.breaks_at = 0.0
        """Time at which the generator closes this connection, if the plan limits the lifetime of connections
        (churn)."""
        self.refused = False
        """Whether the pool refused mining.subscribe or mining.authorize. Such a miner does not reconnect."""
        self.extranonce2_count = 0
        """The most recently used extranonce2, as an integer."""
        self.sent_early = False
        """Whether a valid share was sent before it was due, together with its duplicate."""
        self.owed_duplicates = 0
        """Number of duplicates that were due, and wait for the next valid share to repeat."""
        self._reset()

    def _reset(self) -> None:
        self.state = State.AWAY
        self.buffer = b""
        self.asked_at = 0.0
        """Time at which the last request of the handshake was sent."""
        self.difficulty = DEFAULT_DIFFICULTY
        self.difficulty_known = False
        self.extranonce1: bytes | None = None
        self.extranonce2_size = 0
        self.mask = 0
        self.rolling = False
        self.notify: pool_messages.Notify | None = None
        self.assignment: MinerJob | None = None
        self.stale_job: MinerJob | None = None
        """The last job that the miner got before the newest block. Stale shares are made from this job. None if there
        is no such job yet, or if the plan has no stale shares."""
        self.accepted_share: tuple[bytes, Submit] | None = None
        """Previous block hash and parameters of the last accepted share. Duplicates are made from this share. None if
        no share was accepted yet, or if the plan has no duplicates."""
        self.found_share: tuple[MinerJob, bytes, FoundPoint] | None = None
        """A share that was found early, and waits until it is due to be sent."""
        self.stock: _Stock | None = None
        """Shares that a search found in addition to the one that was due; None if there was no such search yet."""
        self.is_late = False
        """Whether a share is due that has not been found yet."""
        self.due: float | None = None
        """Time at which the next share is due; None if no more share is due. For a slow reader, it is the time of its
        next read."""
        self.rate = 0.0
        """Average number of shares per second that this miner finds at the share target of the job, without the factor
        by which the load profile multiplies the hash rate."""
        self.open: dict[int, _OpenShare] = {}
        """Shares without an answer, by request id."""
        self.next_id = FIRST_SUBMIT_ID
        self.close_reason = ""
        """Why the generator must close this connection; empty if it may stay open."""

    # ---- connection -----------------------------------------------------------------------------------------------

    def connected(self, now: float, overhead: float) -> bytes:
        """Record that the connection was made, and return the first lines to send."""
        self.run_state.metrics.phases["connect"].add(now - self.connect_due, overhead)
        self.run_state.metrics.connections += 1
        self.state = State.SUBSCRIBING
        self.asked_at = now
        resumed = self.session_id if self.run_state.plan.reconnect == "resume" else None
        return hello(rolling=self.wants_rolling, session_id=resumed)

    def closed(self, reason: str) -> None:
        """Record that the connection has ended, and count ``reason``."""
        metrics = self.run_state.metrics
        metrics.endings[f"slow reader: {reason}" if self.state is State.SLOW else reason] += 1
        metrics.lost += self.open_valid_shares
        self.run_state.open_shares -= len(self.open)
        if self.state is State.MINING:
            self.run_state.leave(self.hash_rate)
        self._reset()

    @property
    def open_valid_shares(self) -> int:
        """Number of valid shares without an answer."""
        return sum(not share.kind for share in self.open.values())

    # ---- input ----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float, overhead: float) -> bytes:
        """Process received bytes and return the bytes to send.

        Raises RemoteProtocolError if the bytes are not Stratum messages, or a line is too long.
        """
        if self.buffer:
            data = self.buffer + data
        *lines, self.buffer = data.split(b"\n")
        if len(self.buffer) > MAX_LINE:
            raise RemoteProtocolError(f"expected a line of at most {MAX_LINE} bytes, got a longer one")
        to_send = b""
        known = self.run_state.notify_cache.get
        for line in lines:
            notify = known(line)
            if (accepted := _ACCEPTED.fullmatch(line)) is not None:
                reply = Reply(int(accepted[1] or accepted[2]), True, None, None)
                to_send += self._receive_reply(reply, now, overhead)
            elif notify is not None:
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
                self.run_state.notify_cache.put(line, notify)
                self._take_notify(notify, now, overhead)
            case pool_messages.SetDifficulty(difficulty):
                self.difficulty = difficulty
                # ckpool sends the first job before the first difficulty. This difficulty then applies to the first job,
                # too.
                if not self.difficulty_known and self.assignment is not None:
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
            self._resolve(share, reply, now, overhead)
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
        self.run_state.metrics.phases["subscribe"].add(now - self.asked_at, overhead)
        self.extranonce1, self.extranonce2_size = result.extranonce1, result.extranonce2_size
        self.session_id = result.session_id
        self.state = State.AUTHORIZING
        self.asked_at = now
        return authorize(self.worker_name, self.run_state.plan.password)

    def _authorized(self, reply: Reply, now: float, overhead: float) -> None:
        if reply.result is not True or reply.error:
            self.refused = True
            self.close_reason = f"authorize refused: {error_reply_from(reply.error).reason.value}"
            return
        self.run_state.metrics.phases["authorize"].add(now - self.asked_at, overhead)
        self.failed_attempts = 0
        self.state = State.SLOW if self.reads_slowly else State.AUTHORIZED
        if self.notify is not None:
            self._begin(now, overhead)

    # ---- jobs -----------------------------------------------------------------------------------------------------

    def _take_notify(self, notify: pool_messages.Notify, now: float, overhead: float) -> None:
        work = self.assignment
        if self.state is State.MINING and work is not None and work.notify.previous_hash != notify.previous_hash:
            self.run_state.metrics.note_block(notify, now, overhead)
            if self.run_state.keeps_stale:
                self.stale_job = work
        self.notify = notify
        if self.state is State.AUTHORIZED:
            self._begin(now, overhead)
        elif self.state is State.MINING:
            self._assign(now)

    def _begin(self, now: float, overhead: float) -> None:
        """Begin to mine after the handshake, as soon as there is a job. A slow reader does not mine."""
        if self.state is State.SLOW:
            return
        self.run_state.metrics.phases["first_job"].add(now - self.connect_due, overhead)
        self.state = State.MINING
        self._assign(now)
        self.run_state.join(self.hash_rate)

    def _assign(self, now: float) -> None:
        """Mine the newest job with the current difficulty, extranonce and version mask."""
        assert self.notify is not None, "a mining miner has a job"
        assert self.extranonce1 is not None, "a mining miner has an extranonce1"
        difficulty, before = self.difficulty, self.assignment
        target = before.target if before is not None and before.difficulty == difficulty else target_of(difficulty)
        work = MinerJob(
            self.notify, self.extranonce1, self.extranonce2_size, difficulty, target, self.mask, self.rolling
        )
        self._mine(work, now)

    def _mine(self, work: MinerJob, now: float) -> None:
        """Mine this job from now on. Its share target determines how often shares are due."""
        before, self.assignment = self.assignment, work
        if before is None or before.target != work.target:
            self._pace(now, work.target)
        elif self.due is not None and before.notify.previous_hash != work.notify.previous_hash:
            self.found_share = None
            # The search thread searches in advance for shares that take long to find. Its search for this miner used
            # the previous job, and a new block has made that job stale: let the thread start again with the new job
            if hashes_of(work.target) > INLINE_HASHES:
                self.run_state.schedule(self, self.due)

    def _pace(self, now: float, target: int) -> None:
        hashes = hashes_of(target)
        if not self.hash_rate:
            self.hash_rate = self.weight * self.run_state.hash_rate_of_miner(hashes)
        self.rate = self.hash_rate / hashes
        self.is_late = False
        self.plan_next(now)

    def plan_next(self, after: float) -> None:
        """Draw the time at which the next share is due, later than ``after``, and schedule the share."""
        self.due = self.run_state.next_due(after, self.rate)
        if self.due is not None:
            self.run_state.schedule(self, self.due)

    # ---- shares ---------------------------------------------------------------------------------------------------

    def due_share(self, now: float) -> bytes:
        """Return the line that submits the share that is due, and schedule the next share.

        Return no bytes if there is no share to submit. Either the search has found none, or the search thread, which
        searches for shares that take long to find, is not ready yet. In the second case, the next share is not
        scheduled yet.
        """
        assert self.due is not None, "the generator asks for a share only when one is due"
        assert self.assignment is not None, "only a mining miner has a due share"
        work, due = self.assignment, self.due
        if hashes_of(work.target) <= INLINE_HASHES:
            found = self.find(work)
        else:
            found, self.found_share = self.found_share, None
            if found is not None and found[0].notify.previous_hash != work.notify.previous_hash:
                found = None
            if found is None:
                self.run_state.metrics.late += not self.is_late
                self.is_late = True
                return b""
        self.is_late = False
        self.plan_next(due)
        if found is None:
            self.run_state.metrics.errors["no share in an extranonce2"] += 1
            return b""
        return self._submit(found, due, now)

    def find(self, work: MinerJob) -> tuple[MinerJob, bytes, FoundPoint] | None:
        """Search for a share of the job with a new extranonce2. Return None if no share is found."""
        kept, self.stock = self.stock, None
        if kept is not None and kept.work is work and kept.points:
            self.stock = kept
            return work, kept.extranonce2, kept.points.pop()
        extranonce2 = self.next_extranonce2(work)
        # A miner that needed all shares of the last search on the same job will probably need more of them. One search
        # for several shares then saves most of the processor time of a share
        hashes = hashes_of(work.target)
        wanted = 4 * kept.size if kept is not None and kept.work is work else int(CHEAP_HASHES / hashes)
        wanted = max(1, min(wanted, MAX_STOCK, int(INLINE_HASHES / hashes)))
        points = self.run_state.search.find_several(work, extranonce2, wanted)
        if not points:
            return None
        self.stock = _Stock(work, extranonce2, wanted, points)
        return work, extranonce2, points.pop()

    def next_extranonce2(self, work: MinerJob) -> bytes:
        """Return the next extranonce2 of this miner: the previous one plus 1, or 0 after the highest value. A value is
        repeated only after all other values of the same size were returned."""
        self.extranonce2_count += 1
        size = work.extranonce2_size
        return (self.extranonce2_count & ((1 << 8 * size) - 1)).to_bytes(size, "big")

    def _submit(self, share: tuple[MinerJob, bytes, FoundPoint], due: float, now: float) -> bytes:
        work, extranonce2, found = share
        submit = submit_of(self.worker_name, work, extranonce2, found)
        if not self.run_state.bad:
            return self._line(work, submit, "", due, now)
        kind = self._draw_kind()
        if kind == "duplicate":
            return self._duplicates(work, submit, due, now)
        submit, kind = self._made_faulty(submit, work, kind)
        if not kind and self.sent_early:
            self.sent_early = False
            return b""
        return self._line(work, submit, kind, due, now)

    def _line(self, work: MinerJob, submit: Submit, kind: str, due: float, now: float) -> bytes:
        """Return the line that submits a share. ``kind`` is the name of its fault; empty if it has none."""
        metrics = self.run_state.metrics
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

    def _draw_kind(self) -> str:
        """Draw the name of the fault of the next share; empty if it has none."""
        drawn = self.run_state.rng.random()
        for kind, fraction in self.run_state.bad:
            drawn -= fraction
            if drawn < 0:
                return kind
        return ""

    def _duplicates(self, work: MinerJob, submit: Submit, due: float, now: float) -> bytes:
        """Return the line of a duplicate, which takes the place of the share ``submit``.

        If the pool has not accepted a share on the present block yet, there is nothing to repeat. This is the usual
        case where every share is a block, because an accepted share then ends its block. ``submit`` and its duplicate
        are then sent together. Since that is one share more than was due, the next valid share that is due is not
        sent.
        """
        first = b""
        if self.accepted_share is not None and self.accepted_share[0] == work.notify.previous_hash:
            submit = self.accepted_share[1]
        elif self.sent_early and self.owed_duplicates < MOST_OWED:
            self.owed_duplicates += 1
            return b""
        else:
            self.sent_early = True
            first = self._line(work, submit, "", due, now)
        copies, self.owed_duplicates = 1 + self.owed_duplicates, 0
        return first + b"".join(self._line(work, submit, "duplicate", due, now) for _ in range(copies))

    def _made_faulty(self, submit: Submit, work: MinerJob, kind: str) -> tuple[Submit, str]:
        """Return the share with the fault ``kind``, and the name of the fault. If the fault is not possible, return the
        share without a fault, and record why."""
        if not kind:
            return submit, ""
        try:
            return share_fault(kind).spoil(self._fault_input(submit, work, kind), self.run_state.rng), kind
        except FaultNotPossible as error:
            count = self.run_state.metrics.bad.setdefault(kind, BadCount())
            count.not_possible += 1
            count.reason = str(error).removeprefix(f"{kind}: ")
            return submit, ""

    def _fault_input(self, submit: Submit, work: MinerJob, kind: str) -> GoodShare:
        job: Job = work.job()
        outdated = None
        if kind == "stale" and self.stale_job is not None:
            extranonce2 = self.next_extranonce2(self.stale_job)
            point = self.run_state.search.find(self.stale_job, extranonce2)
            if point is not None:
                outdated = submit_of(self.worker_name, self.stale_job, extranonce2, point)

        def search(header: BlockHeader) -> int | None:
            # the event loop must not search for long: where a share takes long, the nonce stays, and the hash is wrong
            if hashes_of(work.target) > INLINE_HASHES:
                return submit.nonce
            return self.run_state.search.nonce(header.to_bytes(), work.target)

        return GoodShare(submit=submit, job=job, outdated=outdated, search=search)

    def _resolve(self, share: _OpenShare, reply: Reply, now: float, overhead: float) -> None:
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
            if share.repeatable is not None:
                self.accepted_share = share.repeatable
        else:
            row.refused += 1
            metrics.refused[error_reply_from(reply.error, reply.reject_reason).reason.value] += 1


def _is_among(number: int, fraction: float) -> bool:
    """Return whether miner ``number`` belongs to the given fraction of all miners.

    The numbers of the miners that belong to the fraction are evenly spaced.
    """
    return int((number + 1) * fraction + 1e-9) > int(number * fraction + 1e-9)
