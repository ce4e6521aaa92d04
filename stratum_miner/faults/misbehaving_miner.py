"""Tests how a pool reacts when a miner does something wrong (commits a fault), such as sending a share twice.

This module decides what the miner sends, and judges the pool's answers. ``raw_miner`` does the sending, and finds the
valid shares that the faults change.
"""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import trio

from stratum_miner.faults.conduct import CONDUCT, Conduct
from stratum_miner.faults.outcome import FaultOutcome, FaultVerdict
from stratum_miner.faults.raw_miner import RawMinerPlan, is_accepted, open_logged_in_miner, open_raw_miner, reply_text
from stratum_miner.faults.share_faults import SHARE_FAULTS, FaultNotPossible, ShareFault
from stratum_miner.faults.wire_faults import WIRE_FAULTS, WireFault
from stratum_miner.stratum.errors import error_reply_from

MINER_FAULTS: Mapping[str, ShareFault | WireFault | Conduct] = {**SHARE_FAULTS, **WIRE_FAULTS, **CONDUCT}
"""All faults that a misbehaving miner can commit, by name."""


async def misbehave(plan: RawMinerPlan, name: str) -> FaultOutcome:
    """Commit the fault with this name, and return the outcome. If the fault cannot be committed on this pool, the
    verdict is NOT_POSSIBLE.

    Raises KeyError if the name is unknown, and the error of ``RawMinerPlan.dial`` if the pool cannot be reached.
    """
    rng = Random(f"{plan.seed}/{name}")
    try:
        match MINER_FAULTS[name]:
            case ShareFault() as fault:
                return await _bad_share(plan, fault, rng)
            case WireFault() as fault:
                return await _bad_pieces(plan, fault, rng)
            case Conduct(commit=commit):
                return await commit(plan, rng)
    except FaultNotPossible as error:
        return FaultOutcome(name, FaultVerdict.NOT_POSSIBLE, str(error))


async def _bad_share(plan: RawMinerPlan, fault: ShareFault, rng: Random) -> FaultOutcome:
    async with open_logged_in_miner(plan) as miner:
        good = await miner.good_share()
        if fault.name == "duplicate":
            first = await miner.ask(good.submit)
            if not is_accepted(first):
                raise FaultNotPossible(f"duplicate: expected the pool to accept a good share, got {reply_text(first)}")
            good = replace(good, taken=good.submit)
        elif fault.name == "stale":
            await miner.next_block(plan.new_block)
            good = replace(good, outdated=good.submit)
        elif fault.name == "below-target":
            good = replace(good, near=await miner.near_miss())
        answer = await miner.ask(await trio.to_thread.run_sync(fault.spoil, good, rng))
        verdict = _verdict(fault, answer)
        if answer is None or fault.name in ("stale", "duplicate"):
            return FaultOutcome(fault.name, verdict, reply_text(answer))
        again = await miner.ask(good.submit)
        return FaultOutcome(fault.name, verdict, f"{reply_text(answer)}; then a good share: {reply_text(again)}")


def _verdict(fault: ShareFault, answer: "dict[str, Any] | None") -> FaultVerdict:
    if answer is None:
        return FaultVerdict.NO_ANSWER
    if "closed" in answer:
        return FaultVerdict.CLOSED
    if is_accepted(answer):
        return FaultVerdict.TOLERATED if fault.tolerable else FaultVerdict.ACCEPTED
    reason = error_reply_from(answer.get("error"), answer.get("reject-reason")).reason
    return FaultVerdict.REFUSED if reason in fault.expected else FaultVerdict.REFUSED_OTHERWISE


async def _bad_pieces(plan: RawMinerPlan, fault: WireFault, rng: Random) -> FaultOutcome:
    async with open_raw_miner(plan, fault if fault.valid_lines else None, rng) as miner:
        await miner.log_in()
        good = await miner.good_share()
        miner.fault = fault
        answer = await miner.ask(good.submit)
    if answer is None:
        return FaultOutcome(fault.name, FaultVerdict.NO_ANSWER, reply_text(answer))
    if "closed" in answer:
        verdict = FaultVerdict.HARMED if fault.valid_lines else FaultVerdict.CLOSED
        return FaultOutcome(fault.name, verdict, reply_text(answer))
    served = is_accepted(answer)
    return FaultOutcome(
        fault.name, FaultVerdict.SERVED if served else FaultVerdict.HARMED, f"a good share: {reply_text(answer)}"
    )
