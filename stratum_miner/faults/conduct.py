"""Bad conduct of miners, by name: faults that concern a whole connection, or many connections.

To add a kind of conduct, add a function, and a row to the table ``CONDUCT``.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import trio

from stratum_miner.faults.outcome import FaultOutcome, FaultVerdict
from stratum_miner.faults.raw_miner import USER_AGENT, RawMinerPlan, open_logged_in_miner, open_raw_miner, reply_text
from stratum_miner.faults.share_faults import FaultNotPossible
from stratum_miner.faults.wire_faults import SLOW_READ_BYTES, SLOW_READ_SECONDS
from stratum_miner.stratum import envelope
from stratum_miner.stratum.client_messages import Subscribe

STORM_CONNECTIONS = 50
"""Number of connections of a reconnect storm. They are opened one after the other. On each, the miner subscribes and
then disconnects."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """One kind of bad conduct. ``commit`` is a function that behaves in this way towards a pool and returns the
    outcome. It raises the error of ``RawMinerPlan.dial`` if the pool cannot be reached."""

    name: str
    summary: str
    commit: Callable[[RawMinerPlan, Random], Awaitable[FaultOutcome]]


def forged_subscribe(user_agent: str, rng: Random, session_id: str | None = None) -> Subscribe:
    """Return a forged mining.subscribe: it asks to resume a session that does not belong to this miner.

    ``session_id`` is the id of a session that another connection uses now. If it is None, the request contains a random
    id, which looks like a session id but belongs to no session.
    """
    return Subscribe(user_agent, f"{rng.getrandbits(64):016x}" if session_id is None else session_id)


async def _slow_reader(plan: RawMinerPlan, _rng: Random) -> FaultOutcome:
    """Send requests without pause, but read only one byte per second. The pool passes the test if it still serves
    another miner after that."""
    stream = await plan.dial()
    asked = 0
    closed = False
    try:
        with trio.move_on_after(plan.hold):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_read_slowly, stream)
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
    ended = "closed the connection" if closed else "kept the connection"
    text = f"{ended} after {asked * 100:,} requests; another miner meanwhile: {bystander}"
    return FaultOutcome("slow-reader", _bystander(bystander, closed=closed), text)


async def _half_open(plan: RawMinerPlan, _rng: Random) -> FaultOutcome:
    async with open_logged_in_miner(plan, listen=False) as miner:
        await trio.sleep(plan.hold)
        bystander = await _is_served(plan)
        closed = await miner.is_closed()
    ended = "closed the connection within" if closed else "kept the connection for"
    text = f"{ended} {plan.hold:g} s; another miner meanwhile: {bystander}"
    return FaultOutcome("half-open", _bystander(bystander, closed=closed), text)


async def _reconnect_storm(plan: RawMinerPlan, _rng: Random) -> FaultOutcome:
    seen: list[str] = []
    for _ in range(STORM_CONNECTIONS):
        async with open_raw_miner(plan) as miner:
            answer = await miner.ask(Subscribe(USER_AGENT))
            if answer and isinstance(answer.get("result"), list) and len(answer["result"]) > 1:
                seen.append(str(answer["result"][1]))
    bystander = await _is_served(plan)
    subscribed = f"{len(seen)} of {STORM_CONNECTIONS} connections subscribed, with {len(set(seen))} extranonces"
    text = f"{subscribed}; another miner afterwards: {bystander}"
    if len(set(seen)) < len(seen):
        is_shared, shown = await _work_of_open_sessions(plan)
        text = f"{text}; {shown}"
        if is_shared:
            return FaultOutcome("reconnect-storm", FaultVerdict.HARMED, text)
    verdict = FaultVerdict.SERVED if bystander == _SERVED and len(seen) == STORM_CONNECTIONS else FaultVerdict.CLOSED
    return FaultOutcome("reconnect-storm", verdict if bystander == _SERVED else FaultVerdict.HARMED, text)


async def _work_of_open_sessions(plan: RawMinerPlan) -> tuple[bool, str]:
    """Open two sessions at the same time. Return whether both got the same coinb1, extranonce1 and coinb2 in jobs on
    the same block, and a text that says so. A pool that gives an extranonce1 again after the end of a session, or
    gives each session a coinbase of its own, harms nobody by it."""
    try:
        async with open_logged_in_miner(plan) as first, open_logged_in_miner(plan) as second:
            await first.wait_for_work(plan.new_block)
            await second.wait_for_work(plan.new_block)
            if first.work is None or second.work is None:
                return False, "two sessions got no jobs that could be compared"
            if first.work == second.work:
                return True, "two sessions that were open at the same time got the same coinb1, extranonce1 and coinb2"
    except FaultNotPossible as error:
        return False, f"no two sessions could be compared: {error}"
    return False, "two sessions that were open at the same time got different work"


async def _forged_resume(plan: RawMinerPlan, rng: Random) -> FaultOutcome:
    async with open_raw_miner(plan) as victim:
        mine = await victim.ask(Subscribe(USER_AGENT))
        theirs = _extranonce1(mine)
        session = _session_id(mine)
        forged = await _resumed(plan, forged_subscribe(USER_AGENT, rng))
        if session is None:
            return FaultOutcome(
                "forged-resume", FaultVerdict.NOT_POSSIBLE, "the pool sent no session id that could be stolen"
            )
        stolen = await _resumed(plan, forged_subscribe(USER_AGENT, rng, session))
    if theirs is not None and theirs in (_extranonce1(stolen), _extranonce1(forged)):
        return FaultOutcome(
            "forged-resume", FaultVerdict.HARMED, f"another miner got the extranonce1 {theirs} of a live session"
        )
    return FaultOutcome("forged-resume", FaultVerdict.SERVED, "each connection got its own extranonce1, or none")


async def _resumed(plan: RawMinerPlan, subscribe: Subscribe) -> "dict[str, Any] | None":
    async with open_raw_miner(plan) as miner:
        return await miner.ask(subscribe)


CONDUCT: Mapping[str, Conduct] = {
    conduct.name: conduct
    for conduct in (
        Conduct("slow-reader", "sends many requests, but reads only one byte of the replies per second", _slow_reader),
        Conduct("half-open", "logs in, then neither reads nor writes nor closes the connection", _half_open),
        Conduct(
            "reconnect-storm",
            f"opens {STORM_CONNECTIONS} connections in a row, and closes each after it has subscribed",
            _reconnect_storm,
        ),
        Conduct("forged-resume", "asks to resume sessions of other miners", _forged_resume),
    )
}
_SERVED = "served"


async def _read_slowly(stream: trio.abc.Stream) -> None:
    while True:
        await trio.sleep(SLOW_READ_SECONDS)
        try:
            if not await stream.receive_some(SLOW_READ_BYTES):
                return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


async def _is_served(plan: RawMinerPlan) -> str:
    async with open_raw_miner(plan) as miner:
        answer = await miner.ask(Subscribe(USER_AGENT))
    return _SERVED if _extranonce1(answer) is not None else reply_text(answer)


def _bystander(text: str, *, closed: bool) -> FaultVerdict:
    if text != _SERVED:
        return FaultVerdict.HARMED
    return FaultVerdict.CLOSED if closed else FaultVerdict.SERVED


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
