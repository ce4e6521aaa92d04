"""The checks ERR-07 to ERR-25: shares that a pool must reject.

Each share has one fault and is otherwise a valid new share, unless the check says otherwise.
"""

import json
import time
from dataclasses import replace
from typing import Any

from stratum_miner.conformance.blocks import extend
from stratum_miner.conformance.case import CHAIN, INFO, INTRUSIVE, MUST, SHOULD, WORK, Topic
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.messages import Answer
from stratum_miner.conformance.outcome import CheckOutcome, Skip, failed, observed, passed, skipped
from stratum_miner.conformance.probe import RENEWAL, FoundShare, Probe
from stratum_miner.conformance.steps import (
    change_difficulty,
    expect_accepted,
    expect_rejected,
    granted_mask,
    share_between,
    wait_for_second_job,
)
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.job import Job

check = Topic("shares")

STALE, LOW = ErrorReason.JOB_NOT_FOUND, ErrorReason.LOW_DIFFICULTY
BLOCK_PATIENCE = 30.0
"""Seconds to wait until the pool announces a new block."""


@check(
    "ERR-07",
    "The pool must reject a share of an unknown job, and must keep the session open.",
    level=MUST,
    kinds=(INTRUSIVE,),
    seconds=120,
    expected="error 21 for an unknown id; error 21 or 20 for an empty id and for one of 600 characters; then a reply "
    "to the next share",
)
async def unknown_job(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = _well_formed_share(probe, connection)
    replies = []
    for name, job_id in (
        ("the unknown job id f00dfeed", "f00dfeed"),
        ("an empty job id", ""),
        ("a job id of 600 characters", "7" * 600),
    ):
        answer = await probe.submit(connection, found.with_param(1, job_id))
        allowed = (STALE,) if job_id == "f00dfeed" else (STALE, ErrorReason.OTHER)
        outcome = expect_rejected(answer, f"a share with {name}", *allowed)
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    await probe.reply_seconds(connection)
    return passed("; ".join(replies))


def _well_formed_share(probe: Probe, connection: ProbeConnection) -> FoundShare:
    """Return a well-formed share. Its hash need not meet any target."""
    try:
        return probe.low_difficulty_share(connection)
    except Skip:
        return probe.unchecked_share(connection)


@check(
    "ERR-08",
    "The pool must reject a share of a job on an earlier block.",
    level=MUST,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="error 21 after the pool announced the new block",
)
async def stale_share(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    job = connection.job
    found = await probe.find(connection, job)
    await extend(probe, connection)
    if not await connection.wait_until(lambda: connection.is_stale(job), BLOCK_PATIENCE):
        return skipped("the pool did not announce the new block")
    return expect_rejected(await probe.submit(connection, found.params), "a share of a job on an earlier block", STALE)


@check(
    "ERR-09",
    "The pool must reject a share with a hash above the share target.",
    level=MUST,
    seconds=120,
    expected="error 23 (low difficulty)",
)
async def low_difficulty(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for _ in range(3):
        found = probe.low_difficulty_share(connection)
        answer = await probe.submit(connection, found.params)
        if not await probe.made_stale(connection, found.job, answer):
            return expect_rejected(
                answer, f"a share with a hash of {found.value / found.job.share_target:.3g} times the share target", LOW
            )
    return skipped("each of 3 shares became stale because of a new block")


@check(
    "ERR-10",
    "The check records how the pool answers a share of an earlier, easier job after the difficulty has risen.",
    level=INFO,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="recorded: true, or error 23",
)
async def grace(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    old = connection.job
    if (
        not await change_difficulty(probe, connection, old.share_difficulty * 4)
        or connection.job.share_difficulty < old.share_difficulty
    ):
        return skipped("the pool does not raise the difficulty after mining.suggest_difficulty")
    if connection.is_stale(old):
        return skipped("the pool made the earlier job stale")
    found = await share_between(probe, connection, old, connection.job.share_difficulty)
    answer = await probe.submit(connection, found.params)
    return observed(
        f"the pool raised the difficulty from {old.share_difficulty:g} to {connection.job.share_difficulty:g} and "
        f"answered a share of the earlier job, between both: {answer}"
    )


@check(
    "ERR-11",
    "The pool must judge shares of the second job after a rise of the difficulty by the new difficulty.",
    level=MUST,
    kinds=(WORK,),
    seconds=4 * RENEWAL,
    expected="error 23 for a share with a difficulty between the old and the new one",
)
async def after_an_increase(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    before = connection.job.share_difficulty
    if not await change_difficulty(probe, connection, before * 4) or connection.job.share_difficulty < before:
        return skipped("the pool does not raise the difficulty after mining.suggest_difficulty")
    await wait_for_second_job(connection)

    async def make(job: Job) -> FoundShare:
        return await share_between(probe, connection, job, before)

    found, answer = await probe.find_and_submit(connection, make)
    return expect_rejected(
        answer, f"a share between the old difficulty {before:g} and the new one, {found.job.share_difficulty:g}", LOW
    )


@check(
    "ERR-12",
    "The pool must judge shares of the jobs after a fall of the difficulty by the new difficulty.",
    level=MUST,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="true for a share of a new job with a difficulty between the old and the new one",
)
async def after_a_decrease(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    before = connection.job.share_difficulty
    if not await change_difficulty(probe, connection, before / 4) or connection.job.share_difficulty > before:
        return skipped("the pool does not lower the difficulty after mining.suggest_difficulty")

    async def make(job: Job) -> FoundShare:
        return await share_between(probe, connection, job, before)

    found, answer = await probe.find_and_submit(connection, make)
    return expect_accepted(
        answer, f"a share between the old difficulty {before:g} and the new one, {found.job.share_difficulty:g}"
    )


async def _with_ntime(probe: Probe, connection: ProbeConnection, ahead: int, *, of_now: bool = False) -> Answer:
    async def make(job: Job) -> FoundShare:
        return await probe.find(connection, job, ntime=(int(time.time()) if of_now else job.ntime) + ahead)

    return (await probe.find_and_submit(connection, make))[1]


@check(
    "ERR-13",
    "The pool should reject a share with an ntime before that of the job.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected="an error for a share with the job's ntime - 1 s",
)
async def earlier_ntime(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    return expect_rejected(await _with_ntime(probe, connection, -1), "a share with the job's ntime - 1 s")


@check(
    "ERR-14",
    "The pool must reject a share with an ntime more than two hours ahead, because such a block would be invalid.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="an error for the clock of this computer + 7,261 s; the answer for + 7,001 s is recorded",
)
async def far_ntime(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    far = await _with_ntime(probe, connection, 7261, of_now=True)
    outcome = expect_rejected(far, "a share with an ntime 7,261 s ahead")
    if outcome.is_failure:
        return outcome
    near = await _with_ntime(probe, connection, 7001, of_now=True)
    return passed(f"{outcome.actual}; after a share with an ntime 7,001 s ahead, the pool answered {near}")


async def _malformed(probe: Probe, index: int, values: dict[str, Any]) -> CheckOutcome:
    """Submit several shares in which one parameter of mining.submit is malformed. The pool passes if it rejects all.

    ``index`` is the position of the parameter. ``values`` contains the malformed values. Its keys describe them in the
    outcome, after the words "a share with". After the malformed shares, a further request shows whether the pool still
    answers. Raises Silent or UnexpectedDisconnect if the pool does not answer one of the shares or this request.
    """
    connection = await probe.session()
    replies = []
    for name, value in values.items():
        answer = await probe.submit(connection, _well_formed_share(probe, connection).with_param(index, value))
        outcome = expect_rejected(answer, f"a share with {name}")
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    await probe.reply_seconds(connection)
    return passed("; ".join(replies))


@check(
    "ERR-15",
    "The pool must reject a share with a malformed ntime, and must keep the session open.",
    level=MUST,
    kinds=(INTRUSIVE,),
    seconds=120,
    expected="an error (20 or another) for 6 and for 10 digits, for letters that are not hex digits, and for a "
    "number; then a reply to the next share",
)
async def malformed_ntime(probe: Probe) -> CheckOutcome:
    values = {
        "an ntime of 6 digits": "123456",
        "an ntime of 10 digits": "1234567890",
        "an ntime that is not hex": "nothex!!",
        "a number as ntime": 1700000000,
    }
    return await _malformed(probe, 3, values)


@check(
    "ERR-16",
    "The pool must reject a share with a malformed nonce.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error (20 or another) for a valid share with its nonce cut to 7 digits, with letters that are not "
    "hex digits as nonce, and with 00 after its nonce",
)
async def malformed_nonce(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await probe.find(connection)
    replies = []
    nonce = found.params[4]
    for name, value in (
        ("a nonce of 7 digits", nonce[:7]),
        ("a nonce that is not hex", "nothex!!"),
        ("a nonce of 10 digits", nonce + "00"),
    ):
        outcome = expect_rejected(await probe.submit(connection, found.with_param(4, value)), f"a share with {name}")
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-17",
    "The pool must reject a share with a malformed extranonce2, and must still accept a valid share of the same job.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error (20 or another) for a byte more, a byte less, no byte, half a byte less, and letters that are "
    "not hex digits; then true for a valid share of the same job",
)
async def malformed_extranonce2(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for _ in range(5):
        job = connection.job
        found = await probe.find(connection, job)
        text = found.params[2]
        replies = []
        values = {
            "one byte too long": text + "00",
            "one byte too short": text[:-2],
            "empty": "",
            "half a byte too short": text[:-1],
            "not hex": "zz" * job.extranonce2_size,
        }
        for name, value in values.items():
            answer = await probe.submit(connection, found.with_param(2, value))
            outcome = expect_rejected(answer, f"a share with an extranonce2 that is {name}")
            if outcome.is_failure:
                return outcome
            replies.append(outcome.actual)
        answer = await probe.submit(connection, found.params)
        if not await probe.made_stale(connection, job, answer):
            replies.append(f"after the valid share, the pool answered {answer}")
            return (passed if answer.accepted else failed)("; ".join(replies))
    return skipped("each of 5 shares became stale because of a new block")


@check(
    "ERR-18",
    "The pool must reject a share with version bits outside the mask that it granted (BIP 310).",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="an error for a share with bit 0 and for one with bit 28, or with another bit if these are granted",
)
async def bits_outside(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    granted_mask(connection)
    replies = []
    for wanted in (1, 1 << 28):
        bit = wanted
        if bit & connection.job.version_mask:
            bit = next(1 << each for each in range(28, -1, -1) if not 1 << each & connection.job.version_mask)

        async def make(job: Job, bit: int = bit) -> FoundShare:
            found = await probe.find(connection, job, bits=bit)
            return replace(found, params=found.with_param(5, f"{bit:08x}"))

        _, answer = await probe.find_and_submit(connection, make)
        outcome = expect_rejected(answer, f"a share with the version bits {bit:08x}")
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-19",
    "The check records how the pool answers version bits without mining.configure.",
    level=INFO,
    kinds=(WORK,),
    seconds=120,
    expected="recorded: the pool rejects the share, ignores the bits, or uses them",
)
async def bits_without_negotiation(probe: Probe) -> CheckOutcome:
    connection = await probe.session(mask=None)
    ignored = await probe.find(connection)
    first = await probe.submit(connection, [*ignored.params, "00002000"])
    if first.accepted:
        return observed(
            "the pool ignores them: it accepted a share of the job's version with the version bits 00002000"
        )
    used = await probe.find(connection, bits=connection.job.version | 0x2000)
    second = await probe.submit(connection, [*used.params[:5], "00002000"])
    return observed(
        f"with the version bits 00002000, the pool answered a share of the job's version with {first}, and a share of "
        f"the changed version with {second}"
    )


@check(
    "ERR-20",
    "The check records how the pool answers a share without version bits after mining.configure.",
    level=INFO,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="recorded: the pool takes the bits as 0, or rejects the share",
)
async def bits_missing(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    granted_mask(connection)
    found = await probe.find(connection, bits=0)
    answer = await probe.submit(connection, found.params[:5])
    return observed(f"after a share of version bits 0 without the sixth parameter, the pool answered {answer}")


@check(
    "ERR-21",
    "The pool should reject a share with malformed version bits.",
    level=SHOULD,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error for letters that are not hex digits, for a number, and for an array",
)
async def malformed_bits(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    granted_mask(connection)
    replies = []
    for name, value in (
        ("version bits that are not hex", "zzzzzzzz"),
        ("a number as version bits", 8192),
        ("an array as version bits", ["00002000"]),
    ):
        found = await probe.find(connection, bits=0)
        outcome = expect_rejected(await probe.submit(connection, found.with_param(5, value)), f"a share with {name}")
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-22",
    "The check records how the pool answers a share of a worker name that was not authorized on the connection.",
    level=INFO,
    kinds=(WORK,),
    seconds=120,
    expected="recorded: error 24 or 20, or true",
)
async def other_worker(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await probe.find(connection)
    answer = await probe.submit(connection, found.with_param(0, f"{connection.worker}.stranger"))
    return observed(f"after a share of a worker name that was not authorized, the pool answered {answer}")


@check(
    "ERR-23",
    "The pool must reject a share with too few parameters or with arrays as parameters, and must keep the session "
    "open.",
    level=MUST,
    kinds=(INTRUSIVE,),
    seconds=120,
    expected="an error (20 or another) for 4 parameters and for arrays; then a reply to the next share; the answer "
    "for 7 parameters is recorded",
)
async def wrong_count(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    params = _well_formed_share(probe, connection).params
    four = expect_rejected(await probe.submit(connection, params[:4]), "a share with 4 parameters")
    if four.is_failure:
        return four
    nested = expect_rejected(
        await probe.submit(connection, [[each] for each in params]), "a share with arrays as parameters"
    )
    if nested.is_failure:
        return nested
    seven = await probe.submit(connection, [*params[:5], "00000000", "x"])
    await probe.reply_seconds(connection)
    return passed(f"{four.actual}; {nested.actual}; after a share with 7 parameters, the pool answered {seven}")


@check(
    "ERR-24",
    "The pool should send an error in the usual form.",
    level=SHOULD,
    seconds=120,
    expected="error is [integer, string, any value], and result is null or false",
)
async def error_form(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    answer = await probe.submit(connection, _well_formed_share(probe, connection).with_param(1, "f00dfeed"))
    value = answer.line.value or {}
    match value.get("error"):
        case [int(code), str(), _] if not isinstance(code, bool) and value.get("result", 0) in (None, False):
            return passed(f"after a share of an unknown job, the pool answered {answer.line}")
    return failed(f"after a share of an unknown job, the pool answered {answer.line}")


@check(
    "ERR-25",
    "The pool must accept a valid share after it has rejected faulty ones.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="true for a valid share after an unknown job id, a malformed ntime and a malformed nonce",
)
async def usable_after(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    bad = _well_formed_share(probe, connection)
    for params in (bad.with_param(1, "f00dfeed"), bad.with_param(3, "123456"), bad.with_param(4, "nothex!!")):
        answer = await probe.submit(connection, params)
        if answer.accepted:
            return skipped(f"the pool accepted a faulty share: {json.dumps(params)}")
    _, answer = await probe.find_and_submit(connection)
    return expect_accepted(answer, "a valid share after three faulty ones")
