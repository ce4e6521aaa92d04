"""A miner that misbehaves on cue: each fault on a connection of its own, with real shares, and what came of it.

It speaks raw lines, so that it can say what our client never would; the shares are searched by the C kernel.
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Any, TypeAlias

import trio

from stratum_miner.backends.cpu.choice import Choice, choose
from stratum_miner.backends.cpu.kernels import Search
from stratum_miner.bitcoin.target import expected_hashes
from stratum_miner.capture.lines import LineSplitter
from stratum_miner.capture.share_faults import SHARE_FAULTS, FaultNotPossible, GoodShare, ShareFault
from stratum_miner.capture.wire_faults import (
    SLOW_READ_BYTES,
    SLOW_READ_SECONDS,
    STORM_CONNECTIONS,
    WIRE_FAULTS,
    WireFault,
    forged_subscribe,
)
from stratum_miner.stratum import envelope
from stratum_miner.stratum.client_messages import Authorize, ClientMessage, Configure, Submit, Subscribe
from stratum_miner.stratum.errors import FieldError, error_reply_from
from stratum_miner.stratum.extensions.version_rolling import GENERAL_PURPOSE_MASK, VersionRolling
from stratum_miner.stratum.pool_messages import Notify, SetDifficulty
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.work.job import Job
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NONCE_SPACE

PATIENCE = 10.0
"""Seconds for any answer."""
MOST_SECONDS = 60.0
"""Of work for one share, on average."""
SLICE_SECONDS = 0.1
RECEIVE_SIZE = 64 << 10
USER_AGENT = "stratum_miner-misbehave/1"

Dial: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]


class Verdict(Enum):
    """What a pool made of a fault; the first three are as they should be."""

    REFUSED = "refused, as expected"
    SERVED = "served"
    CLOSED = "closed the connection"
    REFUSED_OTHERWISE = "refused for another reason"
    TOLERATED = "accepted; some pools do"
    ACCEPTED = "accepted"
    NO_ANSWER = "no answer"
    HARMED = "harmed"
    NOT_POSSIBLE = "not possible here"


GOOD = frozenset(
    {
        Verdict.REFUSED,
        Verdict.SERVED,
        Verdict.CLOSED,
        Verdict.REFUSED_OTHERWISE,
        Verdict.TOLERATED,
        Verdict.NOT_POSSIBLE,
    }
)
"""With these nothing that matters went wrong."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault and what came of it; ``answer`` is the pool's own, in words."""

    fault: str
    verdict: Verdict
    answer: str

    @property
    def is_good(self) -> bool:
        """Whether the pool held out."""
        return self.verdict in GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to misbehave. ``hold``: for how many seconds the slow and the half-open stay; ``new_block``: how long to wait
    for one, to have a share go stale.
    """

    dial: Dial
    worker_name: str
    password: str = "x"
    seed: int = 0
    hold: float = 10.0
    new_block: float = 30.0


async def misbehave(plan: Plan, name: str) -> Outcome:
    """Commit one fault. KeyError for an unknown name; whatever ``dial`` raises when the pool cannot be reached."""
    rng = Random(f"{plan.seed}/{name}")
    try:
        if name in SHARE_FAULTS:
            return await _bad_share(plan, SHARE_FAULTS[name], rng)
        fault = WIRE_FAULTS[name]
        if fault.pieces is not None:
            return await _bad_pieces(plan, fault, rng)
        return await _CONDUCT[name](plan, rng)
    except FaultNotPossible as error:
        return Outcome(name, Verdict.NOT_POSSIBLE, str(error))


# ---- shares ---------------------------------------------------------------------------------------------------------


async def _bad_share(plan: Plan, fault: ShareFault, rng: Random) -> Outcome:
    async with _logged_in(plan) as wire:
        good = await wire.good_share()
        if fault.name == "duplicate":
            first = await wire.ask(good.submit)
            if not _accepted(first):
                raise FaultNotPossible(
                    f"duplicate: expected a good share to be accepted, the pool says {_words(first)}"
                )
            good = replace(good, taken=good.submit)
        elif fault.name == "stale":
            await wire.next_block(plan.new_block)
            good = replace(good, outdated=good.submit)
        answer = await wire.ask(fault.spoil(good, rng))
        verdict = _verdict(fault, answer)
        if answer is None or fault.name in ("stale", "duplicate"):
            return Outcome(fault.name, verdict, _words(answer))
        again = await wire.ask(good.submit)
        return Outcome(fault.name, verdict, f"{_words(answer)}; then a good share: {_words(again)}")


def _verdict(fault: ShareFault, answer: "dict[str, Any] | None") -> Verdict:
    if answer is None:
        return Verdict.NO_ANSWER
    if "closed" in answer:
        return Verdict.CLOSED
    if _accepted(answer):
        return Verdict.TOLERATED if fault.tolerable else Verdict.ACCEPTED
    reason = error_reply_from(answer.get("error"), answer.get("reject-reason")).reason
    return Verdict.REFUSED if reason in fault.expected else Verdict.REFUSED_OTHERWISE


# ---- pieces ---------------------------------------------------------------------------------------------------------


async def _bad_pieces(plan: Plan, fault: WireFault, rng: Random) -> Outcome:
    async with _connected(plan, fault if fault.lawful else None, rng) as wire:
        await wire.log_in()
        good = await wire.good_share()
        wire.fault = fault
        answer = await wire.ask(good.submit)
    if answer is None:
        return Outcome(fault.name, Verdict.NO_ANSWER, _words(answer))
    if "closed" in answer:
        return Outcome(fault.name, Verdict.HARMED if fault.lawful else Verdict.CLOSED, _words(answer))
    served = _accepted(answer)
    return Outcome(fault.name, Verdict.SERVED if served else Verdict.HARMED, f"a good share: {_words(answer)}")


# ---- conduct --------------------------------------------------------------------------------------------------------


async def _slow_reader(plan: Plan, _rng: Random) -> Outcome:
    """Asks again and again, takes the answers byte by byte; meanwhile another one must be served."""
    stream = await plan.dial()
    asked = 0
    closed = False
    try:
        with trio.move_on_after(plan.hold):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_sip, stream)
                while not closed:
                    asked += 1
                    line = envelope.encode_request(asked, "mining.subscribe", [USER_AGENT])
                    try:
                        await stream.send_all(line * 100)
                    except (trio.BrokenResourceError, trio.ClosedResourceError):
                        closed = True
                nursery.cancel_scope.cancel()
        bystander = await _is_served(plan)
    finally:
        await trio.aclose_forcefully(stream)
    text = f"{'closed it' if closed else 'kept it'} after {asked * 100} requests; another miner meanwhile: {bystander}"
    return Outcome("slow-reader", _bystander(bystander, closed=closed), text)


async def _half_open(plan: Plan, _rng: Random) -> Outcome:
    async with _logged_in(plan, listen=False) as wire:
        await trio.sleep(plan.hold)
        bystander = await _is_served(plan)
        closed = await wire.is_closed()
    text = f"{'closed it' if closed else 'kept it'} for {plan.hold:g} s; another miner meanwhile: {bystander}"
    return Outcome("half-open", _bystander(bystander, closed=closed), text)


async def _reconnect_storm(plan: Plan, _rng: Random) -> Outcome:
    seen: list[str] = []
    for _ in range(STORM_CONNECTIONS):
        async with _connected(plan) as wire:
            answer = await wire.ask(Subscribe(USER_AGENT))
            if answer and isinstance(answer.get("result"), list) and len(answer["result"]) > 1:
                seen.append(str(answer["result"][1]))
    bystander = await _is_served(plan)
    text = f"{len(seen)} of {STORM_CONNECTIONS} subscribed, {len(set(seen))} extranonces; afterwards: {bystander}"
    verdict = Verdict.SERVED if bystander == _SERVED and len(seen) == STORM_CONNECTIONS else Verdict.CLOSED
    return Outcome("reconnect-storm", verdict if bystander == _SERVED else Verdict.HARMED, text)


async def _forged_resume(plan: Plan, rng: Random) -> Outcome:
    async with _connected(plan) as victim:
        mine = await victim.ask(Subscribe(USER_AGENT))
        theirs = _extranonce1(mine)
        session = _session_id(mine)
        forged = await _resumed(plan, forged_subscribe(USER_AGENT, rng))
        if session is None:
            return Outcome("forged-resume", Verdict.NOT_POSSIBLE, "the pool names no session that could be stolen")
        stolen = await _resumed(plan, forged_subscribe(USER_AGENT, rng, session))
    if theirs is not None and theirs in (_extranonce1(stolen), _extranonce1(forged)):
        return Outcome("forged-resume", Verdict.HARMED, f"a live session's extranonce {theirs} was given to another")
    return Outcome("forged-resume", Verdict.SERVED, "each got an extranonce of its own, or none")


async def _resumed(plan: Plan, subscribe: Subscribe) -> "dict[str, Any] | None":
    async with _connected(plan) as wire:
        return await wire.ask(subscribe)


_CONDUCT: dict[str, Callable[[Plan, Random], Awaitable[Outcome]]] = {
    "slow-reader": _slow_reader,
    "half-open": _half_open,
    "reconnect-storm": _reconnect_storm,
    "forged-resume": _forged_resume,
}
_SERVED = "served"


async def _sip(stream: trio.abc.Stream) -> None:
    while True:
        await trio.sleep(SLOW_READ_SECONDS)
        try:
            if not await stream.receive_some(SLOW_READ_BYTES):
                return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


async def _is_served(plan: Plan) -> str:
    async with _connected(plan) as wire:
        answer = await wire.ask(Subscribe(USER_AGENT))
    return _SERVED if _extranonce1(answer) is not None else _words(answer)


def _bystander(text: str, *, closed: bool) -> Verdict:
    if text != _SERVED:
        return Verdict.HARMED
    return Verdict.CLOSED if closed else Verdict.SERVED


# ---- the wire -------------------------------------------------------------------------------------------------------


class _Wire:
    """One connection in raw lines; replies by id, the newest job, and whether it is over."""

    def __init__(self, plan: Plan, stream: trio.abc.Stream, fault: WireFault | None, rng: Random) -> None:
        self.fault = fault
        self._plan = plan
        self._stream = stream
        self._rng = rng
        self._replies: dict[int, dict[str, Any]] = {}
        self._next_id = 0
        self._closed = False
        self._changed = trio.Event()
        self._extranonce1 = b""
        self._extranonce2_size = 0
        self._difficulty = 1.0
        self._mask: int | None = None
        self._job: Job | None = None
        self._searched: Job | None = None
        self._space = SearchSpace()
        self._listening = trio.CancelScope()

    async def listen(self) -> None:
        """Take what the pool says until it ends."""
        splitter = LineSplitter()
        with self._listening:
            while not self._closed:
                try:
                    data = await self._stream.receive_some(RECEIVE_SIZE)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    data = b""
                self._closed = not data
                for line in splitter.feed(bytes(data)):
                    self._take(line)
                self._changed.set()
                self._changed = trio.Event()

    async def log_in(self) -> None:
        """Configure, subscribe, authorize. FaultNotPossible when the pool will not have us."""
        granted = await self.ask(Configure((VersionRolling(GENERAL_PURPOSE_MASK),)), patience=5)
        match granted:
            case {"result": {"version-rolling": True, "version-rolling.mask": str(mask)}}:
                self._mask = int(mask, 16) & GENERAL_PURPOSE_MASK
        subscribed = await self.ask(Subscribe(USER_AGENT))
        try:
            result = SubscribeResult.from_result((subscribed or {}).get("result"))
        except FieldError as error:
            raise FaultNotPossible(f"expected to be subscribed: {error}") from None
        self._extranonce1, self._extranonce2_size = result.extranonce1, result.extranonce2_size
        authorized = await self.ask(Authorize(self._plan.worker_name, self._plan.password))
        if not _accepted(authorized):
            raise FaultNotPossible(f"expected to be authorized, the pool says {_words(authorized)}")

    async def ask(self, message: ClientMessage, patience: float = PATIENCE) -> dict[str, Any] | None:
        """Send a request, spoilt if so told; its reply, ``{"closed": True}``, or None when nothing comes."""
        self._next_id += 1
        number = self._next_id
        lines = [envelope.encode_request(number, message.method, message.to_params())]
        pieces = lines if self.fault is None or self.fault.pieces is None else self.fault.pieces(lines, self._rng)
        with trio.move_on_after(patience):
            try:
                for piece in pieces:
                    await self._stream.send_all(piece)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._closed = True
            await self._until(lambda: number in self._replies or self._closed)
        return self._replies.get(number) or ({"closed": True} if self._closed else None)

    async def good_share(self) -> GoodShare:
        """Find one for the job of the moment. FaultNotPossible when there is none or it takes too long."""
        with trio.move_on_after(self._plan.new_block):
            await self._until(lambda: self._job is not None or self._closed)
        if self._job is None:
            raise FaultNotPossible(f"expected a job within {self._plan.new_block:g} s, got none")
        return GoodShare(submit=await self._find(self._job, self._job.share_target), job=self._job)

    async def _find(self, job: Job, target: int) -> Submit:
        if job is not self._searched:
            self._searched = job
            self._space.set_job(job)
        return await _search(job, self._space, self._plan.worker_name, target)

    async def next_block(self, seconds: float) -> None:
        """Find a block, or wait for one, until there is a job of another. FaultNotPossible when none comes."""
        before = None if self._job is None else self._job.previous_hash
        if self._job is not None:
            with suppress(FaultNotPossible):  # on a chain as easy as this, why wait for somebody else
                await self.ask(await self._find(self._job, min(self._job.share_target, self._job.network_target)))
        with trio.move_on_after(seconds):
            await self._until(lambda: self._closed or (self._job is not None and self._job.previous_hash != before))
        if self._closed or self._job is None or self._job.previous_hash == before:
            raise FaultNotPossible(f"stale: expected a new block within {seconds:g} s, none was found")

    def stop_listening(self) -> None:
        """Read no more."""
        self._listening.cancel()

    async def is_closed(self) -> bool:
        """Whether the pool has ended it, after what it said before."""
        with trio.move_on_after(1):
            while True:
                try:
                    if not await self._stream.receive_some(RECEIVE_SIZE):
                        return True
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return True
        return False

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    def _take(self, line: bytes) -> None:
        try:
            message = envelope.decode(line.rstrip(b"\r\n"))
            if isinstance(message, envelope.Reply):
                if isinstance(message.id, int):
                    reply = {"result": message.result, "error": message.error, "reject-reason": message.reject_reason}
                    self._replies[message.id] = reply
            elif message.method == Notify.method and isinstance(message.params, list):
                self._job = self._job_of(Notify.from_params(message.params))
            elif message.method == SetDifficulty.method and isinstance(message.params, list):
                self._difficulty = SetDifficulty.from_params(message.params).difficulty
        except (FieldError, ValueError):
            pass  # the pool's own faults are another tool's affair

    def _job_of(self, notify: Notify) -> Job:
        return Job(
            session=1,
            job_id=notify.job_id,
            previous_hash=notify.previous_hash,
            coinbase_prefix=notify.coinbase_prefix,
            coinbase_suffix=notify.coinbase_suffix,
            merkle_branch=notify.merkle_branch,
            version=notify.version,
            nbits=notify.nbits,
            ntime=notify.ntime,
            clean_jobs=notify.clean_jobs,
            extranonce1=self._extranonce1,
            extranonce2_size=self._extranonce2_size,
            share_difficulty=self._difficulty,
            version_mask=self._mask or 0,
            version_rolling=self._mask is not None,
            received_at=time.monotonic(),
        )


async def _search(job: Job, space: SearchSpace, worker_name: str, target: int) -> Submit:
    choice: Choice = await trio.to_thread.run_sync(choose)
    seconds = float(expected_hashes(target)) / choice.hash_rate
    if seconds > MOST_SECONDS:
        raise FaultNotPossible(f"expected {MOST_SECONDS:g} s of work at most, this takes {seconds:,.0f} s")
    step = max(1, int(choice.hash_rate * SLICE_SECONDS))
    while (unit := space.next_unit(time.monotonic())) is not None:
        search = Search(choice.kernel, capacity=1)
        search.load(unit.header, target)
        position = 0
        while position < NONCE_SPACE:
            result = await trio.to_thread.run_sync(search.run, position, min(step, NONCE_SPACE - position))
            position += result.done
            if result.hits:
                bits = unit.version & job.version_mask if job.version_rolling else None
                return Submit(worker_name, job.job_id, unit.extranonce2, unit.ntime, result.hits[0].nonce, bits)
    raise FaultNotPossible("expected work for a share, the job has none")


@asynccontextmanager
async def _connected(plan: Plan, fault: WireFault | None = None, rng: Random | None = None) -> AsyncIterator[_Wire]:
    stream = await plan.dial()
    wire = _Wire(plan, stream, fault, rng or Random(plan.seed))
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.listen)
        try:
            yield wire
        except Exception as error:
            failure = error
        nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(stream)
    if failure is not None:
        raise failure


@asynccontextmanager
async def _logged_in(plan: Plan, *, listen: bool = True) -> AsyncIterator[_Wire]:
    async with _connected(plan) as wire:
        await wire.log_in()
        if not listen:
            wire.stop_listening()
        yield wire


# ---- words ----------------------------------------------------------------------------------------------------------


def _accepted(answer: "dict[str, Any] | None") -> bool:
    return answer is not None and answer.get("result") is True and not answer.get("error")


def _words(answer: "dict[str, Any] | None") -> str:
    if answer is None:
        return "nothing"
    if "closed" in answer:
        return "closed"
    if answer.get("error") or answer.get("reject-reason"):
        return str(error_reply_from(answer.get("error"), answer.get("reject-reason")))
    return "accepted" if answer.get("result") is True else json.dumps(answer.get("result"))[:80]


def _extranonce1(answer: "dict[str, Any] | None") -> str | None:
    match answer:
        case {"result": [_, str(extranonce1), *_]}:
            return extranonce1
        case _:
            return None


def _session_id(answer: "dict[str, Any] | None") -> str | None:
    match answer:
        case {"result": [list(subscriptions), *_]}:
            pairs = [each for each in subscriptions if isinstance(each, list) and len(each) > 1]
            return next((str(each[1]) for each in pairs if each[0] == "mining.notify"), None)
        case _:
            return None
