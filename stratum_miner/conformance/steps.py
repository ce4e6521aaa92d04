"""Steps that several checks take, and what they judge alike."""

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
    """Whether each request has one reply; tells their order."""
    twice = [request for request in requests if len(connection.answers[request]) > 1]
    if twice:
        return failed(f"replied {len(connection.answers[twice[0]])} times to the request with id {twice[0]}")
    places = {id(line): index for index, line in enumerate(connection.lines)}
    order = sorted(requests, key=lambda request: places[id(connection.answers[request][0].line)])
    return passed("answered in order" if order == requests else f"answered in the order {order}")


def expect_accepted(answer: Answer, what: str) -> CheckOutcome:
    """Whether a good share was accepted."""
    return (passed if answer.accepted else failed)(f"{what}: {answer}")


def expect_rejected(answer: Answer, what: str, *allowed: ErrorReason) -> CheckOutcome:
    """Whether a bad share was refused, for one of the lawful reasons when any is named."""
    if not answer.refused or (allowed and answer.reason not in allowed):
        return failed(f"{what}: {answer}")
    return passed(f"{what}: {answer}")


def granted_mask(connection: ProbeConnection) -> int:
    """The granted mask. Skip without one."""
    if not connection.job.version_mask:
        raise Skip("version rolling is not granted")
    return connection.job.version_mask


def percentile_95(values: Sequence[float]) -> float:
    """The value that 95 % do not exceed."""
    return sorted(values)[rank(0.95, len(values)) - 1]


async def change_difficulty(probe: Probe, connection: ProbeConnection, difficulty: float) -> bool:
    """Suggest a difficulty; whether the pool told another one and a job under it."""
    before = connection.job.share_difficulty
    await connection.wait_until(lambda: False, 1.1)  # our own pool, for one, changes once a second
    await connection.send_request("mining.suggest_difficulty", difficulty)
    if not await connection.wait_until(lambda: connection.difficulty != before, PATIENCE):
        return False
    return await connection.wait_until(lambda: connection.job.share_difficulty != before, RENEWAL)


async def wait_for_second_job(connection: ProbeConnection) -> None:
    """Wait for a job after the newest: some pools let the old difficulty hold for one. Skip when none comes."""
    known = len(connection.jobs)
    if not await connection.wait_until(lambda: len(connection.jobs) > known, RENEWAL):
        raise Skip(f"no second job in {RENEWAL:g} s")


async def share_between(probe: Probe, connection: ProbeConnection, job: Job, other: float) -> FoundShare:
    """A share of the job between its own difficulty and another, no block where that can be."""
    targets = sorted((job.share_target, min(target_from_difficulty(other), MAX_TARGET)))
    if targets[0] == targets[1]:
        raise Skip("both difficulties have the same target")
    above, at_most = targets
    if above < job.network_target < at_most:
        above = job.network_target
    elif at_most <= job.network_target:
        raise Skip("on this chain every hash between both difficulties is a block")
    return await probe.find(connection, job, above=above, at_most=at_most)
