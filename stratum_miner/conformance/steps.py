"""Functions that several checks use. Some act on a connection, others decide on a verdict."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from stratum_miner.bitcoin.target import MAX_TARGET, target_from_difficulty
from stratum_miner.conformance.coinbase import body_of
from stratum_miner.conformance.connection import PATIENCE, ProbeConnection
from stratum_miner.conformance.messages import Answer
from stratum_miner.conformance.outcome import CheckOutcome, Skip, failed, passed, skipped
from stratum_miner.conformance.probe import FIRST_JOB_PATIENCE, RENEWAL, FoundShare, Probe
from stratum_miner.work.job import Job
from stratum_miner.work.quantile import rank

LAG = 0.1
"""If the operating system delayed this process for more than this number of seconds (``measured_lag``), a check does
not blame the pool for being slow, because a busy computer may be the cause."""


def replied_once(connection: ProbeConnection, requests: list[int | str]) -> CheckOutcome:
    """Return the outcome PASSED if the pool sent exactly one reply to each request, and FAILED if it sent several
    replies to any request. The outcome PASSED also says in which order the replies came.

    Call this only when each request has a reply.
    """
    twice = [request for request in requests if len(connection.answers[request]) > 1]
    if twice:
        count = len(connection.answers[twice[0]])
        return failed(f"the pool sent {count} replies to the request with id {twice[0]}, expected one")
    positions = {id(line): index for index, line in enumerate(connection.lines)}
    order = sorted(requests, key=lambda request: positions[id(connection.answers[request][0].line)])
    shown = "in the order of the requests" if order == requests else f"in the order of ids {order}"
    return passed(f"the pool answered each of {len(requests)} requests once, {shown}")


def expect_accepted(answer: Answer, what: str) -> CheckOutcome:
    """Return the outcome PASSED if the pool accepted a valid share, otherwise FAILED. ``what`` names the share in the
    outcome, such as "a share of job '1'"."""
    return (passed if answer.accepted else failed)(f"after {what}, the pool answered {answer}")


def expect_rejected(answer: Answer, what: str) -> CheckOutcome:
    """Return the outcome PASSED if the pool rejected a faulty share, with whatever code, otherwise FAILED. ``what``
    names the share in the outcome."""
    return (passed if answer.refused else failed)(f"after {what}, the pool answered {answer}")


def granted_mask(connection: ProbeConnection) -> int:
    """Return the version mask that the pool granted. Raises Skip if the pool granted none."""
    if not connection.job.version_mask:
        raise Skip("the pool does not grant version rolling")
    return connection.job.version_mask


@asynccontextmanager
async def measured_lag() -> AsyncIterator[list[float]]:
    """While the body of the ``async with`` statement runs, let a task of this process sleep for short times, and
    measure by how many seconds the task wakes up too late. The yielded list contains all these delays."""
    late = [0.0]

    async def watch() -> None:
        while True:
            due = trio.current_time() + 0.05
            await trio.sleep_until(due)
            late.append(trio.current_time() - due)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        yield late
        nursery.cancel_scope.cancel()


def is_quick(quick: bool, lag: Sequence[float], actual: str) -> CheckOutcome:
    """Return the outcome PASSED if the pool was quick, otherwise FAILED. But if this process was delayed by more than
    ``LAG``, a slow pool proves nothing: return the outcome SKIPPED. ``lag`` comes from ``measured_lag``."""
    if not quick and max(lag) > LAG:
        return skipped(
            f"{actual}; but this process was delayed by {max(lag):.2f} s itself, so this says nothing about the pool"
        )
    return (passed if quick else failed)(actual)


def percentile_95(values: Sequence[float]) -> float:
    """Return the 95th percentile: the smallest of the ``values`` that at least 95 % of them do not exceed."""
    return sorted(values)[rank(0.95, len(values)) - 1]


async def have_same_work(first: ProbeConnection, second: ProbeConnection) -> bool | None:
    """Return whether two sessions got the same coinb1, extranonce1 and coinb2 in jobs on the same block. Their miners
    then compute the same hashes.

    If the first jobs differ, wait for further ones, because the pool may have changed its coinbase between the two.
    Return None if the two sessions got no jobs on the same block.
    """

    def pairs() -> list[tuple[Job, Job]]:
        return [(a, b) for a in first.jobs for b in second.jobs if a.previous_hash == b.previous_hash]

    def is_same() -> bool:
        return any(_coinbase_of(a) == _coinbase_of(b) for a, b in pairs())

    await second.wait_until(lambda: second.jobs, FIRST_JOB_PATIENCE)
    if not first.closed and not is_same():
        known = len(first.jobs), len(second.jobs)
        await first.wait_until(lambda: len(first.jobs) > known[0], RENEWAL)
        await second.wait_until(lambda: len(second.jobs) > known[1], RENEWAL)
    return is_same() if pairs() else None


def _coinbase_of(job: Job) -> tuple[bytes, bytes, bytes]:
    body = body_of(job)
    return body.prefix, body.extranonce1, body.suffix


async def repeats_work_of_ended(probe: Probe) -> bool | None:
    """Open a session, end it, and open another. Return whether both got the same coinb1, extranonce1 and coinb2, so
    that a miner that connects again may repeat its own work. Return None if they got no jobs on the same block."""
    first = await probe.session(mask=None)
    await first.aclose()
    second = await probe.session(mask=None)
    return await have_same_work(first, second)


def job_of_settled_difficulty(connection: ProbeConnection) -> Job | None:
    """Return the newest job if its share target is beyond doubt, otherwise None.

    Pools may judge the first job after a new difficulty by the earlier one. The share target is therefore beyond doubt
    if the pool has set one difficulty only, or has sent two jobs after the last change.
    """
    values = [value for _, value in connection.difficulties]
    changed = next((index for index in range(len(values) - 1, 0, -1) if values[index] != values[index - 1]), 0)
    positions = {id(line): index for index, line in enumerate(connection.lines)}
    since = positions.get(id(connection.difficulties[changed][0]), 0) if changed else 0
    later = [each for each in connection.notifies if each.job and positions.get(id(each.line), 0) >= since]
    return later[-1].job if len(later) >= (2 if changed else 1) else None


async def change_difficulty(probe: Probe, connection: ProbeConnection, difficulty: float) -> bool:
    """Suggest ``difficulty`` to the pool. Return whether the pool then raised or lowered the share difficulty, as
    suggested, and sent a job with the changed difficulty."""
    before = connection.job.share_difficulty

    def is_as_suggested(now: float | None) -> bool:
        return now is not None and (now > before if difficulty > before else now < before)

    await connection.listen(1.1)  # stratum-miner's pool changes a difficulty at most once a second
    await connection.send_request("mining.suggest_difficulty", difficulty)
    if not await connection.wait_until(lambda: is_as_suggested(connection.difficulty), PATIENCE):
        return False
    return await connection.wait_until(lambda: is_as_suggested(connection.job.share_difficulty), RENEWAL)


async def wait_for_second_job(connection: ProbeConnection) -> None:
    """Wait for one more job. Checks call this after the first job with a new difficulty, because some pools still apply
    the old difficulty to the shares of that first job. Raises Skip if no job arrives within ``RENEWAL`` seconds."""
    known = len(connection.jobs)
    if not await connection.wait_until(lambda: len(connection.jobs) > known, RENEWAL):
        raise Skip(f"the pool sent no second job within {RENEWAL:g} s")


async def share_above(probe: Probe, connection: ProbeConnection, job: Job, before: float) -> FoundShare:
    """Return a share as ``share_between`` does, for a job whose difficulty has risen from ``before``. Raises Skip if
    the pool has lowered the difficulty again meanwhile."""
    if job.share_difficulty <= before:
        raise Skip("the pool lowered the difficulty again before the share was found")
    return await share_between(probe, connection, job, before)


async def share_below(probe: Probe, connection: ProbeConnection, job: Job, before: float) -> FoundShare:
    """Return a share as ``share_between`` does, for a job whose difficulty has fallen from ``before``. Raises Skip if
    the pool has raised the difficulty again meanwhile."""
    if job.share_difficulty >= before:
        raise Skip("the pool raised the difficulty again before the share was found")
    return await share_between(probe, connection, job, before)


async def share_between(probe: Probe, connection: ProbeConnection, job: Job, other: float) -> FoundShare:
    """Return a share of the job. Its hash is between the targets of two difficulties, the job's share difficulty and
    ``other``: in the highest quarter, so that a target that is somewhat too wide makes no difference. If possible, the
    share is no block.

    Raises Skip if such a share cannot exist.
    """
    targets = sorted((job.share_target, min(target_from_difficulty(other), MAX_TARGET)))
    if targets[0] == targets[1]:
        raise Skip("both difficulties have the same share target")
    above, at_most = targets
    if above < job.network_target < at_most:
        above = job.network_target
    elif at_most <= job.network_target:
        raise Skip("on this block chain every hash between both difficulties is a block")
    above = max(above, at_most - (at_most - targets[0]) // 4)
    return await probe.find(connection, job, above=above, at_most=at_most)
