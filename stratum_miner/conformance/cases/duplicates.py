"""ERR: shares that come again, as they were or in another spelling, in another session, under another job."""

from collections.abc import Mapping
from typing import Any

from stratum_miner.bitcoin.target import hash_value
from stratum_miner.conformance.case import MUST, WORK, Topic
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.outcome import CheckOutcome, Skip, UnexpectedDisconnect, failed, passed, skipped
from stratum_miner.conformance.probe import RENEWAL, FoundShare, Probe
from stratum_miner.conformance.steps import expect_rejected
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.job import Job

check = Topic("shares")

DUPLICATE, STALE, LOW = ErrorReason.DUPLICATE, ErrorReason.JOB_NOT_FOUND, ErrorReason.LOW_DIFFICULTY
RARE = 0.01
"""The chance of a hash to be a share or a block, below which a share of two jobs is not to be expected."""


async def _submit_again(
    probe: Probe, connection: ProbeConnection, found: FoundShare, params: list[Any], what: str
) -> CheckOutcome:
    """A share that was accepted before comes again. When it made a block, its job may be stale by now."""
    try:
        answer = await probe.submit(connection, params)
    except UnexpectedDisconnect as reason:
        return failed(f"{what}: {reason}")
    if answer.accepted:
        return failed(f"{what}: accepted again")
    if answer.reason is STALE and (found.is_block or await probe.made_stale(connection, found.job, answer)):
        return passed(f"{what}: {answer}; the block ended its job")
    allowed = (DUPLICATE,) if what == "the same share" else ()
    return expect_rejected(answer, what, *allowed)


async def _accepted(probe: Probe, connection: ProbeConnection) -> FoundShare:
    """A share that the pool took. Skip when it takes none."""
    found, answer = await probe.find_and_submit(connection)
    if not answer.accepted:
        raise Skip(f"a valid share is refused: {answer}")
    return found


async def _submit_all_again(
    probe: Probe, connection: ProbeConnection, found: FoundShare, spelled: Mapping[str, list[Any]]
) -> CheckOutcome:
    """The same for each of several spellings, up to the first that the pool accepts."""
    replies = []
    for name, params in spelled.items():
        outcome = await _submit_again(probe, connection, found, params, name)
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-01",
    "A share counts once.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="22 (duplicate) for the same share again; 21 when it made a block",
)
async def duplicate(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await _accepted(probe, connection)
    return await _submit_again(probe, connection, found, found.params, "the same share")


@check(
    "ERR-02",
    "Another spelling of a share is the same share.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="a refusal for upper case, 0x and blanks",
)
async def respelled_duplicate(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await _accepted(probe, connection)
    upper = [*found.params[:2], *(value.upper() for value in found.params[2:])]
    spelled = {
        "upper case": upper,
        "0x": found.with_param(4, "0x" + found.params[4]),
        "a leading blank": found.with_param(4, " " + found.params[4]),
        "a trailing blank": found.with_param(2, found.params[2] + " "),
    }
    spelled = {name: params for name, params in spelled.items() if params != found.params}
    return await _submit_all_again(probe, connection, found, spelled)


@check(
    "ERR-03",
    "A share padded or cut is the same share.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="20 or 22, or another refusal, for extranonce2 and nonce with 00 appended and with their end cut",
)
async def padded_duplicate(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await _accepted(probe, connection)
    extranonce2, nonce = found.params[2], found.params[4]
    spelled = {
        "extranonce2 + 00": found.with_param(2, extranonce2 + "00"),
        "extranonce2 cut": found.with_param(2, extranonce2[:-2]),
        "nonce + 00": found.with_param(4, nonce + "00"),
        "nonce cut": found.with_param(4, nonce[:-1]),
    }
    return await _submit_all_again(probe, connection, found, spelled)


@check(
    "ERR-04",
    "Version bits of zero, added or left out, make no new share.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="a refusal for the share with its sixth parameter 00000000 removed, or with one added",
)
async def version_bits_duplicate(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await _accepted(probe, connection)
    with_bits = len(found.params) == 6
    params = found.params[:5] if with_bits else [*found.params, "00000000"]
    if with_bits and found.params[5] != "00000000":
        return skipped(f"the job's version has bits of the mask: {found.params[5]}")
    return await _submit_again(
        probe, connection, found, params, "without version bits" if with_bits else "with 00000000 added"
    )


@check(
    "ERR-05",
    "A share is judged with the extranonce1 of its own session.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="the same values from a second session: 23 or 21, never true, never 22",
)
async def foreign_session(probe: Probe) -> CheckOutcome:
    first, second = await probe.session(), await probe.session()
    if first.extranonce1 == second.extranonce1:
        return failed("both sessions have the same extranonce1")
    same = next((job for job in reversed(second.jobs) if job.job_id == first.job.job_id), None)

    def worthless(found: FoundShare) -> bool:
        if same is None:
            return True
        header = same.header(found.extranonce2, found.ntime, found.nonce, found.version)
        return hash_value(header.digest()) > same.search_target

    async def make(job: Job) -> FoundShare:
        return await probe.find(first, job, fits=worthless)

    found, answer = await probe.find_and_submit(first, make)
    if not answer.accepted:
        return skipped(f"a valid share is refused: {answer}")
    return expect_rejected(await probe.submit(second, found.params), "from a second session", LOW, STALE)


@check(
    "ERR-06",
    "A share does not count again under another job.",
    level=MUST,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="the same values under the next job: computed anew and refused, not as a duplicate",
)
async def under_another_job(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    chance = connection.job.search_target / 2.0**256  # of a share to be one of the next job, too
    count = 1 if chance < RARE else 8 if chance < 0.6 else 30
    shares = [await _accepted(probe, connection) for _ in range(count)]
    first = shares[-1].job
    if not await connection.wait_until(lambda: connection.job.job_id != first.job_id, RENEWAL):
        return skipped(f"no other job in {RENEWAL:g} s")
    job = connection.job
    for found in shares:
        again = job.header(found.extranonce2, found.ntime, found.nonce, found.version)
        if again.digest() == found.digest:
            return skipped("both jobs have the same content")
        if hash_value(again.digest()) > job.search_target:
            answer = await probe.submit(connection, found.with_param(1, job.job_id))
            if answer.reason is DUPLICATE:
                return failed(f"under job {job.job_id!r}: {answer}")
            return expect_rejected(answer, f"under job {job.job_id!r}")
    return skipped("by chance every share is one of the next job, too")
