"""Functions that several checks use. Some act on a connection, others decide on a verdict."""

from collections.abc import Sequence

from stratum_miner.bitcoin.target import MAX_TARGET, target_from_difficulty
from stratum_miner.conformance.connection import PATIENCE, ProbeConnection
from stratum_miner.conformance.messages import Answer
from stratum_miner.conformance.outcome import CheckOutcome, Skip, failed, passed
from stratum_miner.conformance.probe import RENEWAL, FoundShare, Probe
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.job import Job
from stratum_miner.work.quantile import rank


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


def expect_rejected(answer: Answer, what: str, *allowed: ErrorReason) -> CheckOutcome:
    """Return the outcome PASSED if the pool rejected a faulty share for one of the reasons ``allowed``, otherwise
    FAILED. Without ``allowed``, any reason passes.

    ``what`` names the share in the outcome.
    """
    if not answer.refused or (allowed and answer.reason not in allowed):
        return failed(f"after {what}, the pool answered {answer}")
    return passed(f"after {what}, the pool answered {answer}")


def granted_mask(connection: ProbeConnection) -> int:
    """Return the version mask that the pool granted. Raises Skip if the pool granted none."""
    if not connection.job.version_mask:
        raise Skip("the pool does not grant version rolling")
    return connection.job.version_mask


def percentile_95(values: Sequence[float]) -> float:
    """Return the 95th percentile: the smallest of the ``values`` that at least 95 % of them do not exceed."""
    return sorted(values)[rank(0.95, len(values)) - 1]


async def change_difficulty(probe: Probe, connection: ProbeConnection, difficulty: float) -> bool:
    """Suggest ``difficulty`` to the pool. Return whether the pool then changed the share difficulty and sent a job with
    the changed difficulty."""
    before = connection.job.share_difficulty
    await connection.listen(1.1)  # stratum-miner's pool changes a difficulty at most once a second
    await connection.send_request("mining.suggest_difficulty", difficulty)
    if not await connection.wait_until(lambda: connection.difficulty != before, PATIENCE):
        return False
    return await connection.wait_until(lambda: connection.job.share_difficulty != before, RENEWAL)


async def wait_for_second_job(connection: ProbeConnection) -> None:
    """Wait for one more job. Checks call this after the first job with a new difficulty, because some pools still apply
    the old difficulty to the shares of that first job. Raises Skip if no job arrives within ``RENEWAL`` seconds."""
    known = len(connection.jobs)
    if not await connection.wait_until(lambda: len(connection.jobs) > known, RENEWAL):
        raise Skip(f"the pool sent no second job within {RENEWAL:g} s")


async def share_between(probe: Probe, connection: ProbeConnection, job: Job, other: float) -> FoundShare:
    """Return a share of the job. The difficulty of the share's hash is between the job's share difficulty and
    ``other``. If possible, the share is no block.

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
    return await probe.find(connection, job, above=above, at_most=at_most)
