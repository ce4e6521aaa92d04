"""Runs checks and gives verdicts. Everything that turns an event into a verdict is here.

A verdict is only as strong as its evidence:

* A reply, a line or a closed connection is evidence; a wait that ran out is not. Where an answer is due and does not
  come, a second connection is opened: when that one is answered the silence is real, and a SHOULD fails by it. A MUST
  never fails by waiting: it is observed, with how long was waited. When the second connection is not answered either,
  nothing is known and the check is skipped.
* What a check presupposes (a session, a job, an affordable difficulty) and cannot reach makes it skipped, with why.

Checks that only watch run beside each other, and beside those that need work. These run one after another where
nearly every share is a block, whose announcement would void the others' jobs, and beside each other elsewhere. Checks
that others would feel run alone, at the end.
"""

import random
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import trio

from stratum_miner.conformance.case import Case, Kind, Level
from stratum_miner.conformance.outcome import (
    CheckOutcome,
    Silent,
    Skip,
    UnexpectedDisconnect,
    Verdict,
    failed,
    observed,
    skipped,
)
from stratum_miner.conformance.pool_under_test import ChainError, PoolUnderTest, Unreachable, reason_of
from stratum_miner.conformance.probe import AGENT, Facts, Probe, open_probe
from stratum_miner.conformance.share_search import Hasher
from stratum_miner.foreign_text import sanitize

MAX_PARALLEL = 12
"""Watching checks at a time: most of them wait."""
MAX_PARALLEL_WORKING = 6
"""Checks that need work at a time: half of them wait for a second job."""
MAX_ACTUAL = 4000
"""Characters kept of what was seen."""
REACH_ATTEMPTS = 3
RARE = 32
"""Shares to a block from which on blocks are no nuisance."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one check; ``transcript`` is for people, one line each."""

    case: Case
    outcome: CheckOutcome
    seconds: float
    transcript: tuple[str, ...] = field(default=(), repr=False)

    @property
    def verdict(self) -> Verdict:
        """Its verdict."""
        return self.outcome.verdict


@dataclass(frozen=True, slots=True)
class Tally:
    """Results by verdict, and what they mean together."""

    passed: int
    failed_must: int
    failed_should: int
    skipped: int
    observed: int

    @classmethod
    def of(cls, results: Sequence[Result]) -> "Tally":
        """Count."""
        verdicts = [(each.verdict, each.case.level) for each in results]
        count = [verdict for verdict, _ in verdicts].count
        must = verdicts.count((Verdict.FAILED, Level.MUST))
        return cls(
            count(Verdict.PASSED), must, count(Verdict.FAILED) - must, count(Verdict.SKIPPED), count(Verdict.OBSERVED)
        )


async def verify(
    pool: PoolUnderTest,
    cases: Sequence[Case],
    hasher: Hasher,
    *,
    on_start: Callable[[Case], None] = lambda case: None,
    on_result: Callable[[Result], None] = lambda result: None,
    seed: int | None = None,
) -> list[Result]:
    """Run the checks; results in the order of ``cases``. Unreachable when the pool takes no connection at all."""
    await _reach(pool)
    facts = Facts()
    results: dict[str, Result] = {}
    rng = random.Random(seed)
    seeds = {case.id: rng.randrange(1 << 63) for case in cases}

    async def one(case: Case) -> None:
        on_start(case)
        results[case.id] = await run_case(pool, case, hasher, facts, seeds[case.id])
        on_result(results[case.id])

    quiet = [case for case in cases if not case.disturbs and Kind.WORK not in case.kinds]
    working = [case for case in cases if not case.disturbs and Kind.WORK in case.kinds]
    at_a_time = 1 if working and await _shares_are_blocks(pool, hasher, facts) else MAX_PARALLEL_WORKING
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_run_in_parallel, one, working, at_a_time)
        nursery.start_soon(_run_in_parallel, one, quiet, MAX_PARALLEL)
    await _run_in_parallel(one, [case for case in cases if case.disturbs], 1)
    return [results[case.id] for case in cases]


async def unreachable_reason(pool: PoolUnderTest) -> str | None:
    """Why the pool takes no connection any more; None while it does. Three tries, for one may meet a full backlog."""
    for _ in range(REACH_ATTEMPTS):
        try:
            await _reach(pool)
        except Unreachable as error:
            reason = str(error)
            await trio.sleep(1)
        else:
            return None
    return reason


async def _run_in_parallel(one: Callable[[Case], Awaitable[None]], cases: Sequence[Case], at_a_time: int) -> None:
    """Run them, so many at a time, the long ones first; one at a time in their order."""
    limit = trio.CapacityLimiter(at_a_time)
    ordered = cases if at_a_time == 1 else sorted(cases, key=lambda case: -case.seconds)
    async with trio.open_nursery() as nursery:
        for case in ordered:
            await limit.acquire_on_behalf_of(case.id)
            nursery.start_soon(_one_of, one, case, limit)


async def _one_of(one: Callable[[Case], Awaitable[None]], case: Case, limit: trio.CapacityLimiter) -> None:
    try:
        await one(case)
    finally:
        limit.release_on_behalf_of(case.id)


async def _shares_are_blocks(pool: PoolUnderTest, hasher: Hasher, facts: Facts) -> bool:
    """Whether a share is likely to be a block; so it is assumed when the pool tells no job."""
    async with open_probe(pool, hasher, facts, 0) as probe:
        try:
            job = (await probe.session()).job
        except (Skip, UnexpectedDisconnect, Silent, Unreachable):
            return True
    beside = job.share_target - job.network_target  # there are shares that are no blocks, and they are taken first
    return beside <= 0 and job.network_target * RARE > job.share_target


async def _reach(pool: PoolUnderTest) -> None:
    try:
        stream = await pool.dial()
    except (OSError, ExceptionGroup, trio.TooSlowError) as error:
        raise Unreachable(f"{pool.name}: {reason_of(error)}") from None
    await trio.aclose_forcefully(stream)


async def run_case(pool: PoolUnderTest, case: Case, hasher: Hasher, facts: Facts, seed: int = 0) -> Result:
    """One check, whatever happens in it; only a defect of the check itself raises."""
    started = trio.current_time()
    if Kind.INTRUSIVE in case.kinds and not pool.owned:
        return Result(case, skipped("intrusive: only with --i-own-this-pool"), 0.0)
    if Kind.CHAIN in case.kinds and pool.chain is None:
        return Result(case, skipped("needs the pool's node: --node"), 0.0)
    async with open_probe(pool, hasher, facts, seed) as probe:
        outcome = await _outcome(case, probe)
    outcome = CheckOutcome(outcome.verdict, sanitize(outcome.actual, MAX_ACTUAL))  # the pool's words are in it
    return Result(case, outcome, trio.current_time() - started, tuple(probe.transcript.lines()))


async def _outcome(case: Case, probe: Probe) -> CheckOutcome:
    limit = case.seconds + (probe.pool.work_seconds if Kind.WORK in case.kinds else 0.0)
    try:
        with trio.move_on_after(limit):
            return await case.run(probe)
    except Exception as error:  # whatever a strange pool brings to light in one check must not cost the others
        return await _outcome_of_exception(case, probe, _leaf(error))
    return skipped(f"not decided within {limit:g} s")


async def _outcome_of_exception(case: Case, probe: Probe, reason: BaseException) -> CheckOutcome:
    """What an exception says about the pool."""
    match reason:
        case Skip():
            return skipped(str(reason))
        case UnexpectedDisconnect():
            return observed(str(reason)) if case.level is Level.INFO else failed(str(reason))
        case Silent():
            return await _silence(case, probe, str(reason))
        case Unreachable():
            return skipped(f"no connection: {reason}")
        case ChainError():
            return skipped(f"the node: {reason}")
        case _:
            place = traceback.extract_tb(reason.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            return skipped(f"a defect of the check: {type(reason).__name__} in {where}: {reason}")


def _leaf(error: BaseException) -> BaseException:
    """The first exception that is no group: connections run in nurseries."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _silence(case: Case, probe: Probe, actual: str) -> CheckOutcome:
    answered = await _new_connection_seconds(probe)
    if answered is None:
        return skipped(f"{actual}, and none on a new connection either: nothing is known")
    actual = f"{actual}; a new connection was answered in {answered:.3f} s meanwhile"
    if case.level is Level.SHOULD:
        return failed(actual)
    return observed(f"inconclusive: {actual}" if case.level is Level.MUST else actual)


async def _new_connection_seconds(probe: Probe) -> float | None:
    """Seconds in which a new connection is answered; None when it is not."""
    try:
        connection = await probe.connect()
        return (await connection.call("mining.subscribe", AGENT)).waited
    except (Silent, UnexpectedDisconnect, Unreachable):
        return None
