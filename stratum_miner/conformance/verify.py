"""Runs checks and decides on their verdicts.

A verdict needs evidence:

* A reply, another line or a closed connection is evidence. A time-out alone is not. If a required reply does not
  arrive, a second connection is opened.

  * If the pool answers on the second connection, it runs and has ignored the request. A check of the level SHOULD then
    fails. A check of the level MUST never fails because of a time-out: its verdict is OBSERVED, with the time that the
    check waited.
  * If the pool does not answer on the second connection either, nothing is known, and the check is skipped.

* If a precondition of a check (a session, a job, a difficulty low enough to find shares) cannot be met, the check is
  skipped, with the reason.

Most checks run in parallel, with two exceptions. First, if every share of the pool is a block (as on a test chain), the
checks that find shares run one after another, because each new block makes the jobs of other checks stale. Second,
checks that would disturb other checks run alone, after all others.
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
"""Maximum number of checks that run in parallel, counting only checks that do not search for shares. The number is high
because such a check spends most of its time waiting for the pool."""
MAX_PARALLEL_WORKING = 6
"""Maximum number of checks that run in parallel, counting only checks that search for shares. About half of these
checks need little processor time, because they mainly wait for a second job."""
MAX_ACTUAL = 4000
"""Maximum number of characters in ``CheckOutcome.actual``."""
REACH_ATTEMPTS = 3
"""Number of attempts to connect before the pool counts as unreachable."""
_NOT_OWNED = "the check is intrusive and runs only on your own pool; if the pool is yours, add --i-own-this-pool"


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check."""

    case: Case
    outcome: CheckOutcome
    """The verdict and the evidence for it."""
    seconds: float
    """Duration of the check in seconds; 0 if the check was skipped without running."""
    transcript: tuple[str, ...] = field(default=(), repr=False)
    """The messages and events as lines of text. Each line contains the seconds since the start, ``#`` with the number
    of the connection, the direction (``>`` to the pool, ``<`` from the pool, ``-`` for an event), and the message or
    the description of the event."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of ``outcome``."""
        return self.outcome.verdict


@dataclass(frozen=True, slots=True)
class Tally:
    """Number of results for each verdict. The failed checks of the level MUST and of the level SHOULD are counted
    separately."""

    passed: int
    failed_must: int
    failed_should: int
    skipped: int
    observed: int

    @classmethod
    def of(cls, results: Sequence[Result]) -> "Tally":
        """Return the counts of the given results."""
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
    """Run the checks against a pool and return their results in the order of ``cases``.

    Call it in a trio event loop. Intrusive checks are skipped unless ``pool.owned`` is True, and checks that need the
    node are skipped if ``pool.chain`` is None. All checks together take two to six minutes.

    ``on_start`` is called when a check starts, and ``on_result`` when it has ended. Both must return without blocking.
    ``seed`` determines the random choices of the checks. [default: random]

    Raises Unreachable if no connection to the pool can be made at the start. An error in a check is not raised: each
    check gets a result, even after an internal error.
    """
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
    await _run_in_parallel(one, sorted((case for case in cases if case.disturbs), key=lambda case: case.is_last), 1)
    return [results[case.id] for case in cases]


async def unreachable_reason(pool: PoolUnderTest) -> str | None:
    """Try to connect to the pool. Return None if a connection can be made, otherwise a text that says why not.

    There are three attempts, one second apart. A single attempt can fail although the pool can be reached, because the
    pool's listen queue is full for a moment.
    """
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
    """Call ``one`` for each check, at most ``at_a_time`` at once. If ``at_a_time`` is 1, the checks run in the given
    order. Otherwise the checks with the longest time limits start first."""
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
    """Return whether every share of the pool's first job is also a block. Return True if the pool sends no job."""
    async with open_probe(pool, hasher, facts, 0) as probe:
        try:
            job = (await probe.session()).job
        except (Skip, UnexpectedDisconnect, Silent, Unreachable):
            return True
    # If only some shares are blocks, the result is False, because the checks can then look for shares that are not
    # blocks.
    return job.share_target <= job.network_target


async def _reach(pool: PoolUnderTest) -> None:
    try:
        stream = await pool.dial()
    except (OSError, ExceptionGroup, trio.TooSlowError) as error:
        raise Unreachable(f"{pool.name}: {reason_of(error)}") from None
    await trio.aclose_forcefully(stream)


async def run_case(pool: PoolUnderTest, case: Case, hasher: Hasher, facts: Facts, seed: int = 0) -> Result:
    """Run one check and return its result. After an internal error of the check, the verdict is SKIPPED."""
    started = trio.current_time()
    if Kind.INTRUSIVE in case.kinds and not pool.owned:
        return Result(case, skipped(_NOT_OWNED), 0.0)
    if Kind.CHAIN in case.kinds and pool.chain is None:
        return Result(case, skipped("the check needs the pool's node; name it with --node"), 0.0)
    async with open_probe(pool, hasher, facts, seed) as probe:
        outcome = await _outcome(case, probe)
        facts.note_lines(case.id, probe.connections)
    # The text may quote the pool, which may have sent control characters.
    outcome = CheckOutcome(outcome.verdict, sanitize(outcome.actual, MAX_ACTUAL))
    return Result(case, outcome, trio.current_time() - started, tuple(probe.transcript.lines()))


async def _outcome(case: Case, probe: Probe) -> CheckOutcome:
    limit = case.seconds + (probe.pool.work_seconds if Kind.WORK in case.kinds else 0.0)
    try:
        with trio.move_on_after(limit):
            return await case.run(probe)
    except Exception as error:  # an internal error of one check must not end the run
        return await _outcome_of_exception(case, probe, _leaf(error))
    return skipped(f"the check did not end within {limit:g} s")


async def _outcome_of_exception(case: Case, probe: Probe, reason: BaseException) -> CheckOutcome:
    """Return the outcome of a check that raised ``reason``."""
    match reason:
        case Skip():
            return skipped(str(reason))
        case UnexpectedDisconnect():
            return observed(str(reason)) if case.level is Level.INFO else failed(str(reason))
        case Silent():
            return await _silence(case, probe, str(reason))
        case Unreachable():
            return skipped(f"no connection can be made: {reason}")
        case ChainError():
            return skipped(f"the node sent no usable answer: {reason}")
        case _:
            frame = traceback.extract_tb(reason.__traceback__)[-1]
            where = f"{Path(frame.filename).name}:{frame.lineno}"
            return skipped(
                f"internal error of the check: {type(reason).__name__} in {where}: {reason}. Please report it as a bug"
            )


def _leaf(error: BaseException) -> BaseException:
    """Return ``error``, or the first exception inside it if it is an exception group. The nursery of a probe raises
    such groups, which may be nested."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _silence(case: Case, probe: Probe, actual: str) -> CheckOutcome:
    answered = await _new_connection_seconds(probe)
    if answered is None:
        return skipped(f"{actual}, and it did not answer a new connection either, so nothing is known")
    stray = next((each.stray_reply for each in probe.connections if each.stray_reply is not None), None)
    if stray is not None:
        return skipped(f"{actual}, but sent a reply with an id of no request: {stray}. FRM-07 judges the ids")
    actual = f"{actual}, but it answered a new connection in {answered:.3f} s"
    if case.level is Level.SHOULD:
        return failed(actual)
    return observed(f"inconclusive: {actual}" if case.level is Level.MUST else actual)


async def _new_connection_seconds(probe: Probe) -> float | None:
    """Return the seconds until the pool answers mining.subscribe on a new connection, or None if it does not answer."""
    try:
        connection = await probe.connect()
        return (await connection.call("mining.subscribe", AGENT)).waited
    except (Silent, UnexpectedDisconnect, Unreachable):
        return None
