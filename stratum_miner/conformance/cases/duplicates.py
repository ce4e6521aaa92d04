"""The checks ERR-01 to ERR-06, which submit an accepted share again: unchanged, in another notation, in another
session, or under another job id.
"""

from collections.abc import Mapping
from typing import Any

from stratum_miner.bitcoin.target import hash_value
from stratum_miner.conformance.case import INTRUSIVE, MUST, WORK, Topic
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.outcome import CheckOutcome, Skip, UnexpectedDisconnect, failed, passed, skipped
from stratum_miner.conformance.probe import RENEWAL, FoundShare, Probe, far_above
from stratum_miner.conformance.steps import expect_rejected, have_same_work
from stratum_miner.work.job import Job

check = Topic("shares")

RARE = 0.01
"""The check ERR-06 submits an accepted share again under the id of the next job, where the share has a different hash.
It can use only a share whose different hash is far above the share target. If the probability
of a lower hash is below ``RARE``, almost every share can be used, so the check prepares only one share. Otherwise it
prepares several."""


async def _submit_again(
    probe: Probe, connection: ProbeConnection, found: FoundShare, params: list[Any], what: str
) -> CheckOutcome:
    """Submit an accepted share again, with the parameters ``params``. The pool passes if it rejects the repeated share,
    for whatever reason.

    ``what`` names the repeated share in the outcome.
    """
    try:
        answer = await probe.submit(connection, params)
    except UnexpectedDisconnect as reason:
        return failed(f"after {what}, {reason}")
    if answer.accepted:
        return failed(f"the pool accepted a share and also {what}")
    return expect_rejected(answer, what)


async def _accepted(probe: Probe, connection: ProbeConnection) -> FoundShare:
    """Return a share that the pool has accepted. Raises Skip if the pool rejects a valid share."""
    found, answer = await probe.find_and_submit(connection)
    if not answer.accepted:
        raise Skip(f"after a valid share, the pool answered {answer}")
    return found


async def _submit_all_again(
    probe: Probe, connection: ProbeConnection, found: FoundShare, spelled: Mapping[str, list[Any]]
) -> CheckOutcome:
    """Submit an accepted share again in several notations. The pool passes if it rejects the share in each notation.

    ``spelled`` maps the name of each notation to the parameters of mining.submit in this notation. The function stops
    at the first repeated share that the pool does not reject.
    """
    replies = []
    for name, params in spelled.items():
        outcome = await _submit_again(probe, connection, found, params, name)
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-01",
    "The pool must not accept a share twice.",
    hurts="Honest miners: a miner is paid several times for the same work, at their cost.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="an error for the same share again; ERR-28 checks its code",
)
async def duplicate(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await _accepted(probe, connection)
    return await _submit_again(probe, connection, found, found.params, "the repeated share")


@check(
    "ERR-02",
    "The pool must not accept a share again in another notation.",
    hurts="Honest miners: a miner is paid several times for the same work, at their cost.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error for the share in upper case, with 0x in front, with spaces, and with a z after nonce or ntime",
)
async def respelled_duplicate(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await _accepted(probe, connection)
    upper = [*found.params[:2], *(value.upper() for value in found.params[2:])]
    spelled = {
        "the repeated share in upper case": upper,
        "the repeated share with 0x in front of the nonce": found.with_param(4, "0x" + found.params[4]),
        "the repeated share with a space before the nonce": found.with_param(4, " " + found.params[4]),
        "the repeated share with a space after the extranonce2": found.with_param(2, found.params[2] + " "),
        "the repeated share with z after the nonce": found.with_param(4, found.params[4] + "z"),
        "the repeated share with z after the ntime": found.with_param(3, found.params[3] + "z"),
    }
    spelled = {name: params for name, params in spelled.items() if params != found.params}
    return await _submit_all_again(probe, connection, found, spelled)


@check(
    "ERR-03",
    "The pool must not accept a share again with digits added or cut off.",
    hurts="Honest miners: a miner is paid several times for the same work, at their cost.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error (20, 22 or another) for extranonce2 and nonce with 00 appended, and with the last digits cut "
    "off",
)
async def padded_duplicate(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await _accepted(probe, connection)
    extranonce2, nonce = found.params[2], found.params[4]
    spelled = {
        "the repeated share with 00 after the extranonce2": found.with_param(2, extranonce2 + "00"),
        "the repeated share with the last byte of the extranonce2 cut off": found.with_param(2, extranonce2[:-2]),
        "the repeated share with 00 after the nonce": found.with_param(4, nonce + "00"),
        "the repeated share with the last digit of the nonce cut off": found.with_param(4, nonce[:-1]),
    }
    return await _submit_all_again(probe, connection, found, spelled)


@check(
    "ERR-04",
    "The pool must not accept a share again with zero version bits added or left out.",
    hurts="Honest miners: a miner is paid several times for the same work, at their cost.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error for the share without its sixth parameter 00000000, or with such a parameter added",
)
async def version_bits_duplicate(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await _accepted(probe, connection)
    with_bits = len(found.params) == 6
    params = found.params[:5] if with_bits else [*found.params, "00000000"]
    if with_bits and found.params[5] != "00000000":
        return skipped(f"the version of the job has bits of the granted mask: {found.params[5]}")
    return await _submit_again(
        probe,
        connection,
        found,
        params,
        f"the repeated share {'without' if with_bits else 'with'} the version bits 00000000",
    )


@check(
    "ERR-05",
    "The pool must judge a share by the extranonce1 of the session that submits it.",
    hurts="Honest miners: shares of one miner are paid to another one, or twice.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="an error for the same share from a second session, in which its hash is another one",
)
async def foreign_session(probe: Probe) -> CheckOutcome:
    first, second = await probe.session(), await probe.session()
    if first.extranonce1 == second.extranonce1 and await have_same_work(first, second) is not False:
        return skipped("the pool gave two sessions the same work, which HS-04 judges")
    same = next((job for job in reversed(second.jobs) if job.job_id == first.job.job_id), None)

    def is_no_share_of_second(found: FoundShare) -> bool:
        if same is None:
            return True
        header = same.header(found.extranonce2, found.ntime, found.nonce, found.version)
        return hash_value(header.digest()) > far_above(same)

    async def make(job: Job) -> FoundShare:
        return await probe.find(first, job, fits=is_no_share_of_second)

    found, answer = await probe.find_and_submit(first, make)
    if not answer.accepted:
        return skipped(f"after a valid share, the pool answered {answer}")
    return expect_rejected(await probe.submit(second, found.params), "the same share from a second session")


@check(
    "ERR-06",
    "The pool must not accept a share again under another job id.",
    hurts="Honest miners: a miner is paid several times for the same work, at their cost.",
    level=MUST,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="an error for the same share under the id of the next job, because its hash is another one",
)
async def under_another_job(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    # Under the id of the next job, the share has a different hash. ``probability`` is the probability that this other
    # hash is not far above the share target.
    probability = far_above(connection.job) / 2.0**256
    count = 1 if probability < RARE else 8 if probability < 0.6 else 30
    shares = [await _accepted(probe, connection) for _ in range(count)]
    first = shares[-1].job
    if not await connection.wait_until(lambda: connection.job.job_id != first.job_id, RENEWAL):
        return skipped(f"the pool sent no other job within {RENEWAL:g} s")
    job = connection.job
    for found in shares:
        again = job.header(found.extranonce2, found.ntime, found.nonce, found.version)
        if again.digest() == found.digest:
            return skipped("both jobs have the same content")
        if hash_value(again.digest()) > far_above(job):
            answer = await probe.submit(connection, found.with_param(1, job.job_id))
            return expect_rejected(answer, f"a share under the id of another job, {job.job_id!r}")
    return skipped("every share happened to be a share of the next job, too")
