"""A miner that misbehaves on cue: each fault on a connection of its own, with real shares, and what came of it.

``raw_miner`` speaks the lines and finds the shares; this decides what to say and what to make of the answer.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Any

import trio

from stratum_miner.faults.raw_miner import USER_AGENT, Plan, accepted, connected, logged_in, words
from stratum_miner.faults.share_faults import SHARE_FAULTS, FaultNotPossible, ShareFault
from stratum_miner.faults.wire_faults import (
    SLOW_READ_BYTES,
    SLOW_READ_SECONDS,
    STORM_CONNECTIONS,
    WIRE_FAULTS,
    WireFault,
    forged_subscribe,
)
from stratum_miner.stratum import envelope
from stratum_miner.stratum.client_messages import Subscribe
from stratum_miner.stratum.errors import error_reply_from


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
    async with logged_in(plan) as wire:
        good = await wire.good_share()
        if fault.name == "duplicate":
            first = await wire.ask(good.submit)
            if not accepted(first):
                raise FaultNotPossible(f"duplicate: expected a good share to be accepted, the pool says {words(first)}")
            good = replace(good, taken=good.submit)
        elif fault.name == "stale":
            await wire.next_block(plan.new_block)
            good = replace(good, outdated=good.submit)
        answer = await wire.ask(fault.spoil(good, rng))
        verdict = _verdict(fault, answer)
        if answer is None or fault.name in ("stale", "duplicate"):
            return Outcome(fault.name, verdict, words(answer))
        again = await wire.ask(good.submit)
        return Outcome(fault.name, verdict, f"{words(answer)}; then a good share: {words(again)}")


def _verdict(fault: ShareFault, answer: "dict[str, Any] | None") -> Verdict:
    if answer is None:
        return Verdict.NO_ANSWER
    if "closed" in answer:
        return Verdict.CLOSED
    if accepted(answer):
        return Verdict.TOLERATED if fault.tolerable else Verdict.ACCEPTED
    reason = error_reply_from(answer.get("error"), answer.get("reject-reason")).reason
    return Verdict.REFUSED if reason in fault.expected else Verdict.REFUSED_OTHERWISE


# ---- pieces ---------------------------------------------------------------------------------------------------------


async def _bad_pieces(plan: Plan, fault: WireFault, rng: Random) -> Outcome:
    async with connected(plan, fault if fault.lawful else None, rng) as wire:
        await wire.log_in()
        good = await wire.good_share()
        wire.fault = fault
        answer = await wire.ask(good.submit)
    if answer is None:
        return Outcome(fault.name, Verdict.NO_ANSWER, words(answer))
    if "closed" in answer:
        return Outcome(fault.name, Verdict.HARMED if fault.lawful else Verdict.CLOSED, words(answer))
    served = accepted(answer)
    return Outcome(fault.name, Verdict.SERVED if served else Verdict.HARMED, f"a good share: {words(answer)}")


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
    async with logged_in(plan, listen=False) as wire:
        await trio.sleep(plan.hold)
        bystander = await _is_served(plan)
        closed = await wire.is_closed()
    text = f"{'closed it' if closed else 'kept it'} for {plan.hold:g} s; another miner meanwhile: {bystander}"
    return Outcome("half-open", _bystander(bystander, closed=closed), text)


async def _reconnect_storm(plan: Plan, _rng: Random) -> Outcome:
    seen: list[str] = []
    for _ in range(STORM_CONNECTIONS):
        async with connected(plan) as wire:
            answer = await wire.ask(Subscribe(USER_AGENT))
            if answer and isinstance(answer.get("result"), list) and len(answer["result"]) > 1:
                seen.append(str(answer["result"][1]))
    bystander = await _is_served(plan)
    text = f"{len(seen)} of {STORM_CONNECTIONS} subscribed, {len(set(seen))} extranonces; afterwards: {bystander}"
    verdict = Verdict.SERVED if bystander == _SERVED and len(seen) == STORM_CONNECTIONS else Verdict.CLOSED
    return Outcome("reconnect-storm", verdict if bystander == _SERVED else Verdict.HARMED, text)


async def _forged_resume(plan: Plan, rng: Random) -> Outcome:
    async with connected(plan) as victim:
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
    async with connected(plan) as wire:
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
    async with connected(plan) as wire:
        answer = await wire.ask(Subscribe(USER_AGENT))
    return _SERVED if _extranonce1(answer) is not None else words(answer)


def _bystander(text: str, *, closed: bool) -> Verdict:
    if text != _SERVED:
        return Verdict.HARMED
    return Verdict.CLOSED if closed else Verdict.SERVED


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
