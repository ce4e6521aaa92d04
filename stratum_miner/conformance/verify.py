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

* If a check fails and the pool ended or refused a connection meanwhile, another check may be the cause, for example
  because a process of the pool crashed and was started again. The check is then repeated alone, and is a failure only
  if it fails again.

* If the pool dies, the run stops. Checks that were running have no verdict.

Most checks run in parallel, intrusive ones after all others, with two exceptions. First, if every share of the pool is
a block (as on a test chain), the checks that find shares run one after another, because each new block makes the jobs
of other checks stale. Second, checks that would disturb other checks run alone, at the end.
"""

import random
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from stratum_miner.conformance.pool_death import PoolDeath, Trace, death_of, no_session
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
    sent: tuple[bytes, ...] = field(default=(), repr=False)
    """What the check sent on each of its connections, in the order in which they were opened, with *** instead of the
    password. Empty if that does not suffice to repeat the check, or if it was too much to be kept."""
    session_bound: bool = False
    """Whether ``sent`` contains job ids or session ids that the pool gave to the check."""
    known_deviation: str = ""
    """If the check failed and the user has listed it as a known deviation: the reason that the user gave."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of ``outcome``."""
        return self.outcome.verdict


@dataclass(frozen=True, slots=True)
class Tally:
    """Number of results for each verdict. The failed checks of the level MUST, those of the level SHOULD and known
    deviations are counted separately."""

    passed: int
    failed_must: int
    failed_should: int
    known: int
    skipped: int
    observed: int

    @classmethod
    def of(cls, results: Sequence[Result]) -> "Tally":
        """Return the counts of the given results."""
        counted = [(each.verdict, each.case.level) for each in results if not each.known_deviation]
        verdicts = [verdict for verdict, _ in counted]
        must = counted.count((Verdict.FAILED, Level.MUST))
        return cls(
            passed=verdicts.count(Verdict.PASSED),
            failed_must=must,
            failed_should=verdicts.count(Verdict.FAILED) - must,
            known=len(results) - len(counted),
            skipped=verdicts.count(Verdict.SKIPPED),
            observed=verdicts.count(Verdict.OBSERVED),
        )


async def verify(
    pool: PoolUnderTest,
    cases: Sequence[Case],
    hasher: Hasher,
    *,
    on_start: Callable[[Case], None] = lambda case: None,
    on_result: Callable[[Result], None] = lambda result: None,
    on_death: Callable[[PoolDeath], None] = lambda death: None,
    seed: int | None = None,
) -> list[Result]:
    """Run the checks against a pool and return their results in the order of ``cases``.

    Call it in a trio event loop. Intrusive checks are skipped unless ``pool.owned`` is True, and checks that need the
    node are skipped if ``pool.chain`` is None. All checks together take two to seven minutes.

    ``on_start`` is called when a check starts or is repeated, and ``on_result`` when its result is final. If the pool
    dies, ``on_death`` is called, and the checks without a result get the verdict SKIPPED. None of these functions may
    block. ``seed`` determines the random choices of the checks. [default: random]

    Raises Unreachable if no connection to the pool can be made at the start. An error in a check is not raised: each
    check gets a result, even after an internal error.
    """
    await _reach(pool)
    rng = random.Random(seed)
    run = _Run(pool, hasher, {case.id: rng.randrange(1 << 63) for case in cases}, on_start, on_result)
    try:
        with run.scope:
            await run.all(cases)
    finally:
        run.report_unconfirmed()
    if run.death is not None:
        on_death(run.death)
        run.skip_the_rest(cases)
    return [run.results[case.id] for case in cases]


class _Run:
    """One call of ``verify``. It knows which checks have begun, and notices when the pool has died."""

    def __init__(
        self,
        pool: PoolUnderTest,
        hasher: Hasher,
        seeds: Mapping[str, int],
        on_start: Callable[[Case], None],
        on_result: Callable[[Result], None],
    ) -> None:
        self.results: dict[str, Result] = {}
        """The final results by the ids of the checks."""
        self.scope = trio.CancelScope()
        """Contains all that runs. It is cancelled when the pool has died."""
        self.death: PoolDeath | None = None
        self._pool = pool
        self._hasher = hasher
        self._seeds = seeds
        self._on_start = on_start
        self._on_result = on_result
        self._facts = Facts()
        self._started = trio.current_time()
        self._running: dict[str, Probe] = {}
        self._ended: list[Trace] = []
        self._unconfirmed: list[Result] = []
        """Failures during which the pool ended or refused a connection. Each such check is repeated."""
        self._asking = trio.Lock()
        self._questions = self._answered = 0
        """How often a check has asked whether the pool is alive, and how many of these questions have been answered. An
        attempt to get a session answers all questions that were asked before it."""

    async def all(self, cases: Sequence[Case]) -> None:
        """Run the checks: first those that send only what ordinary miners send, then the intrusive ones, and last those
        that disturb others. If the pool dies of an intrusive check, the other verdicts are then known."""
        together = [case for case in cases if not case.disturbs]
        working = [case for case in together if Kind.WORK in case.kinds]
        one_by_one = bool(working) and await _shares_are_blocks(self._pool, self._hasher, self._facts)
        for intrusive in (False, True):
            group = [case for case in together if (Kind.INTRUSIVE in case.kinds) is intrusive]
            quiet = [case for case in group if Kind.WORK not in case.kinds]
            working = [case for case in group if Kind.WORK in case.kinds]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_run_in_parallel, self._one, working, 1 if one_by_one else MAX_PARALLEL_WORKING)
                nursery.start_soon(_run_in_parallel, self._one, quiet, MAX_PARALLEL)
            await self._repeat_unconfirmed()
        for case in sorted((case for case in cases if case.disturbs), key=lambda case: case.is_last):
            await self._one(case)
            await self._repeat_unconfirmed()
        await self._ensure_alive()

    def report_unconfirmed(self) -> None:
        """Report the failures that could not be repeated, because the pool has died or the caller cancelled the run.
        The pool was alive after each of them."""
        for result in self._unconfirmed:
            self._report(result)

    def skip_the_rest(self, cases: Sequence[Case]) -> None:
        """Give each check without a final result the verdict SKIPPED, because the pool has died."""
        assert self.death is not None
        for case in cases:
            if case.id in self.results:
                continue
            probe = self._running.get(case.id)
            if probe is None or not probe.connections:
                self._report(Result(case, skipped("the pool died before this check could run"), 0.0))
                continue
            suspected = case.id in self.death.after
            why = "the pool died while this check ran" + ", perhaps because of its last request" * suspected
            self._report(result_of(case, skipped(why), probe))

    async def _one(self, case: Case) -> None:
        result, corpse = await self._attempt(case)
        if corpse and result.verdict is Verdict.FAILED:
            self._unconfirmed.append(result)
        else:
            self._report(result)

    async def _repeat_unconfirmed(self) -> None:
        """Repeat the checks of ``_unconfirmed`` one after another. The pool may have ended a connection for a reason
        that another check gave, such as a crash of one of its processes, so such a failure must show twice."""
        while self._unconfirmed:
            first = self._unconfirmed[0]
            second, _ = await self._attempt(first.case)
            del self._unconfirmed[0]
            self._report(second if second.verdict is Verdict.FAILED else _contradicted(first, second))

    async def _attempt(self, case: Case) -> tuple[Result, bool]:
        """Run a check, and if it may have seen the pool die, make sure that the pool is alive. Return the result, and
        whether the pool ended or refused a connection of the check."""
        self._on_start(case)

        def register(probe: Probe) -> None:
            self._running[case.id] = probe

        result = await run_case(self._pool, case, self._hasher, self._facts, self._seeds[case.id], on_probe=register)
        if case.id not in self._running:  # the check was skipped at once
            return result, False
        trace = Trace.of(case.id, self._running[case.id], trio.current_time())
        if trace.corpse or result.verdict is Verdict.FAILED:
            await self._ensure_alive()
        del self._running[case.id]
        self._ended.append(trace)
        return result, trace.corpse

    def _report(self, result: Result) -> None:
        self.results[result.case.id] = result
        self._on_result(result)

    async def _ensure_alive(self) -> None:
        """Return if the pool is alive. Otherwise set ``death`` and cancel the run."""
        self._questions += 1
        mine = self._questions
        async with self._asking:
            if self._answered >= mine:
                return
            asked = self._questions
            traces = [*self._ended, *(Trace.of(each, probe) for each, probe in self._running.items())]
            problem = await no_session(self._pool, self._hasher, served=any(each.served for each in traces))
            if problem is None:
                self._answered = asked
                return
        running = [Trace.of(each, probe) for each, probe in self._running.items()]
        if not problem.hangs and any(each.connected for each in running):
            self._answered = asked
            return
        traces = [*self._ended, *running]
        self.death = death_of(problem, traces, self._started)
        self.scope.cancel()
        await trio.lowlevel.checkpoint()


def _contradicted(first: Result, second: Result) -> Result:
    """Return the result of a check that failed, but not when it was repeated."""
    actual = (
        f"inconclusive: the check failed once: {first.outcome.actual}. The pool ended or refused a connection "
        f"meanwhile, so the check was repeated, with the verdict {second.verdict.value}: {second.outcome.actual}"
    )
    transcript = (*first.transcript, "          (the check is repeated)", *second.transcript)
    outcome = observed(sanitize(actual, MAX_ACTUAL))
    return replace(first, outcome=outcome, seconds=first.seconds + second.seconds, transcript=transcript)


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


async def run_case(
    pool: PoolUnderTest,
    case: Case,
    hasher: Hasher,
    facts: Facts,
    seed: int = 0,
    *,
    on_probe: Callable[[Probe], None] = lambda probe: None,
) -> Result:
    """Run one check and return its result. After an internal error of the check, the verdict is SKIPPED.

    ``on_probe`` is called with the probe of the check before the check runs.
    """
    if Kind.INTRUSIVE in case.kinds and not pool.owned:
        return Result(case, skipped(_NOT_OWNED, "--i-own-this-pool"), 0.0)
    if Kind.CHAIN in case.kinds and pool.chain is None:
        return Result(case, skipped("the check needs the pool's node; name it with --node", "--node"), 0.0)
    in_turn = Kind.INTRUSIVE in case.kinds and not case.disturbs
    async with open_probe(pool, hasher, facts, seed, in_turn=in_turn) as probe:
        on_probe(probe)
        outcome = await _outcome(case, probe)
        facts.note_lines(case.id, probe.connections)
    # The text may quote the pool, which may have sent control characters.
    outcome = replace(outcome, actual=sanitize(outcome.actual, MAX_ACTUAL))
    return result_of(case, outcome, probe)


def result_of(case: Case, outcome: CheckOutcome, probe: Probe) -> Result:
    """Return the result of a check, with the evidence of its probe."""
    seconds = trio.current_time() - probe.started
    # What the topic load tests shows only on many connections at once, and the last check judges those before it.
    reproducible = not {Kind.WORK, Kind.CHAIN} & set(case.kinds) and case.topic != "load" and not case.is_last
    return Result(
        case,
        outcome,
        seconds,
        tuple(probe.transcript.lines()),
        sent=probe.sent if reproducible else (),
        session_bound=reproducible and probe.sends_ids_of_the_pool,
    )


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
            return skipped(str(reason), reason.option)
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
        probe.in_doubt = True
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
        connection = await probe.connect(aside=True)
        return (await connection.call("mining.subscribe", AGENT)).waited
    except (Silent, UnexpectedDisconnect, Unreachable):
        return None
