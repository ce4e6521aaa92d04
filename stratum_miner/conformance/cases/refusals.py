"""ERR: shares that have to be refused. Each has one fault and is otherwise a valid new share, unless it says so."""

import time
from dataclasses import replace
from typing import Any

from stratum_miner.conformance.blocks import extend
from stratum_miner.conformance.case import CHAIN, INFO, MUST, SHOULD, WORK, Topic
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


@check(
    "ERR-07",
    "A share of an unknown job is refused, and harms nobody.",
    level=MUST,
    seconds=120,
    expected="21 for a random id, 21 or 20 for an empty one and one of 600 characters; the session goes on",
)
async def unknown_job(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = _well_formed_share(probe, connection)
    replies = []
    for name, job_id in (("random", "f00dfeed"), ("empty", ""), ("600 characters", "7" * 600)):
        answer = await probe.submit(connection, found.with_param(1, job_id))
        allowed = (STALE,) if name == "random" else (STALE, ErrorReason.OTHER)
        outcome = expect_rejected(answer, name, *allowed)
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    await probe.reply_seconds(connection)
    return passed("; ".join(replies))


def _well_formed_share(probe: Probe, connection: ProbeConnection) -> FoundShare:
    """Parameters in form; whether the hash is worth anything does not matter."""
    try:
        return probe.low_difficulty_share(connection)
    except Skip:
        return probe.unchecked_share(connection)


@check(
    "ERR-08",
    "A share of the block before is refused.",
    level=MUST,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="21 after the new block was announced",
)
async def stale_share(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    job = connection.job
    found = await probe.find(connection, job)
    await extend(probe, connection)
    if not await connection.wait_until(lambda: connection.is_stale(job), BLOCK_PATIENCE):
        return skipped("the new block was not announced")
    return expect_rejected(await probe.submit(connection, found.params), "after the new block", STALE)


@check(
    "ERR-09",
    "A hash above the target is no share.",
    level=MUST,
    seconds=120,
    expected="23 (low difficulty)",
)
async def low_difficulty(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for _ in range(3):
        found = probe.low_difficulty_share(connection)
        answer = await probe.submit(connection, found.params)
        if not await probe.made_stale(connection, found.job, answer):
            return expect_rejected(answer, f"a hash {found.value / found.job.share_target:.3g} times the target", LOW)
    return skipped("the chain moved on before a share could be judged")


@check(
    "ERR-10",
    "Under an increased difficulty, a share of the job before.",
    level=INFO,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="recorded: true (a period of grace) or 23",
)
async def grace(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    old = connection.job
    if (
        not await change_difficulty(probe, connection, old.share_difficulty * 4)
        or connection.job.share_difficulty < old.share_difficulty
    ):
        return skipped("suggestions do not raise the difficulty")
    if connection.is_stale(old):
        return skipped("the old job is void")
    found = await share_between(probe, connection, old, connection.job.share_difficulty)
    return observed(
        f"raised to {connection.job.share_difficulty:g}, old job: {await probe.submit(connection, found.params)}"
    )


@check(
    "ERR-11",
    "From the second job after an increase on, the old difficulty is not enough.",
    level=MUST,
    kinds=(WORK,),
    seconds=4 * RENEWAL,
    expected="23 for a share between both difficulties",
)
async def after_an_increase(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    before = connection.job.share_difficulty
    if not await change_difficulty(probe, connection, before * 4) or connection.job.share_difficulty < before:
        return skipped("suggestions do not raise the difficulty")
    await wait_for_second_job(connection)

    async def make(job: Job) -> FoundShare:
        return await share_between(probe, connection, job, before)

    found, answer = await probe.find_and_submit(connection, make)
    return expect_rejected(answer, f"raised from {before:g} to {found.job.share_difficulty:g}", LOW)


@check(
    "ERR-12",
    "After a decrease, the new difficulty is enough.",
    level=MUST,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="true for a share between both difficulties on a new job",
)
async def after_a_decrease(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    before = connection.job.share_difficulty
    if not await change_difficulty(probe, connection, before / 4) or connection.job.share_difficulty > before:
        return skipped("suggestions do not lower the difficulty")

    async def make(job: Job) -> FoundShare:
        return await share_between(probe, connection, job, before)

    found, answer = await probe.find_and_submit(connection, make)
    return expect_accepted(answer, f"lowered from {before:g} to {found.job.share_difficulty:g}")


async def _with_ntime(probe: Probe, connection: ProbeConnection, ahead: int, *, of_now: bool = False) -> Answer:
    async def make(job: Job) -> FoundShare:
        return await probe.find(connection, job, ntime=(int(time.time()) if of_now else job.ntime) + ahead)

    return (await probe.find_and_submit(connection, make))[1]


@check(
    "ERR-13",
    "An ntime before the job's is refused.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected="a refusal for the job's ntime - 1",
)
async def earlier_ntime(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    return expect_rejected(await _with_ntime(probe, connection, -1), "ntime - 1")


@check(
    "ERR-14",
    "An ntime more than two hours ahead is refused: as a block it would be invalid.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="a refusal for our clock + 7,261 s; + 7,001 s is recorded",
)
async def far_ntime(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    far = await _with_ntime(probe, connection, 7261, of_now=True)
    outcome = expect_rejected(far, "+7,261 s")
    if outcome.is_failure:
        return outcome
    return passed(f"{outcome.actual}; +7,001 s: {await _with_ntime(probe, connection, 7001, of_now=True)}")


async def _malformed(probe: Probe, index: int, values: dict[str, Any]) -> CheckOutcome:
    """Each value in place of a parameter of a share: refused, and the session goes on."""
    connection = await probe.session()
    replies = []
    for name, value in values.items():
        answer = await probe.submit(connection, _well_formed_share(probe, connection).with_param(index, value))
        outcome = expect_rejected(answer, name)
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    await probe.reply_seconds(connection)
    return passed("; ".join(replies))


@check(
    "ERR-15",
    "A malformed ntime is refused.",
    level=MUST,
    seconds=120,
    expected="20, or another refusal, for 6 and 10 digits, other letters, a number; the session goes on",
)
async def malformed_ntime(probe: Probe) -> CheckOutcome:
    values = {"6 digits": "123456", "10 digits": "1234567890", "other letters": "nothex!!", "a number": 1700000000}
    return await _malformed(probe, 3, values)


@check(
    "ERR-16",
    "A malformed nonce is refused.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="20, or another refusal, for other letters, 7 digits, and 10 digits of a valid share",
)
async def malformed_nonce(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await probe.find(connection)
    replies = []
    nonce = found.params[4]
    for name, value in (("7 digits", nonce[:7]), ("other letters", "nothex!!"), ("10 digits", nonce + "00")):
        outcome = expect_rejected(await probe.submit(connection, found.with_param(4, value)), name)
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-17",
    "A malformed extranonce2 is refused, and the job stays good.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="20, or another refusal, for a byte more, a byte less, none, half a byte, other letters; then true for a "
    "valid share of the same job",
)
async def malformed_extranonce2(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for _ in range(5):
        job = connection.job
        found = await probe.find(connection, job)
        text = found.params[2]
        replies = []
        values = {"a byte more": text + "00", "a byte less": text[:-2], "none": "", "half a byte": text[:-1]}
        values["other letters"] = "zz" * job.extranonce2_size
        for name, value in values.items():
            outcome = expect_rejected(await probe.submit(connection, found.with_param(2, value)), name)
            if outcome.is_failure:
                return outcome
            replies.append(outcome.actual)
        answer = await probe.submit(connection, found.params)
        if not await probe.made_stale(connection, job, answer):
            replies.append(f"then the valid share: {answer}")
            return (passed if answer.accepted else failed)("; ".join(replies))
    return skipped("the chain moved on before a share could be judged")


@check(
    "ERR-18",
    "Version bits outside the mask are refused (BIP 310).",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="a refusal for a share with bit 0, and with bit 28, where these are not granted",
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
        outcome = expect_rejected(answer, f"bit {bit:08x}")
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-19",
    "Version bits that were never negotiated.",
    level=INFO,
    kinds=(WORK,),
    seconds=120,
    expected="recorded: refused, ignored, or used",
)
async def bits_without_negotiation(probe: Probe) -> CheckOutcome:
    connection = await probe.session(mask=None)
    ignored = await probe.find(connection)
    first = await probe.submit(connection, [*ignored.params, "00002000"])
    if first.accepted:
        return observed("ignored: a share of the plain version with bits 00002000 is accepted")
    used = await probe.find(connection, bits=connection.job.version | 0x2000)
    second = await probe.submit(connection, [*used.params[:5], "00002000"])
    return observed(f"a share of the plain version with bits 00002000: {first}; a share of the rolled one: {second}")


@check(
    "ERR-20",
    "Version bits left out after they were negotiated.",
    level=INFO,
    kinds=(WORK,),
    seconds=120,
    expected="recorded: taken as 0, or refused",
)
async def bits_missing(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    granted_mask(connection)
    found = await probe.find(connection, bits=0)
    return observed(str(await probe.submit(connection, found.params[:5])))


@check(
    "ERR-21",
    "Malformed version bits are refused.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected="a refusal for other letters, a number, an array",
)
async def malformed_bits(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    granted_mask(connection)
    replies = []
    for name, value in (("other letters", "zzzzzzzz"), ("a number", 8192), ("an array", ["00002000"])):
        found = await probe.find(connection, bits=0)
        outcome = expect_rejected(await probe.submit(connection, found.with_param(5, value)), name)
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-22",
    "A share under a name that was not authorized here.",
    level=INFO,
    kinds=(WORK,),
    seconds=120,
    expected="recorded: 24 or 20, or accepted",
)
async def other_worker(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found = await probe.find(connection)
    return observed(str(await probe.submit(connection, found.with_param(0, f"{connection.worker}.stranger"))))


@check(
    "ERR-23",
    "A submit with the wrong number of parameters is refused.",
    level=MUST,
    seconds=120,
    expected="20, or another refusal, for 4 parameters and for arrays; the session goes on; 7 is recorded",
)
async def wrong_count(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    params = _well_formed_share(probe, connection).params
    four = expect_rejected(await probe.submit(connection, params[:4]), "4 parameters")
    if four.is_failure:
        return four
    nested = expect_rejected(await probe.submit(connection, [[each] for each in params]), "arrays")
    if nested.is_failure:
        return nested
    seven = await probe.submit(connection, [*params[:5], "00000000", "x"])
    await probe.reply_seconds(connection)
    return passed(f"{four.actual}; {nested.actual}; 7 parameters: {seven}")


@check(
    "ERR-24",
    "A refusal has the usual form.",
    level=SHOULD,
    seconds=120,
    expected="error is [integer, text, anything], the id is the same, result is null or false",
)
async def error_form(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    answer = await probe.submit(connection, _well_formed_share(probe, connection).with_param(1, "f00dfeed"))
    value = answer.line.value or {}
    match value.get("error"):
        case [int(code), str(), _] if not isinstance(code, bool) and value.get("result", 0) in (None, False):
            return passed(str(answer.line))
    return failed(str(answer.line))


@check(
    "ERR-25",
    "After a refusal the session goes on.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="true for a valid share after an unknown job, a malformed ntime and a bad nonce",
)
async def usable_after(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    bad = _well_formed_share(probe, connection)
    for params in (bad.with_param(1, "f00dfeed"), bad.with_param(3, "123456"), bad.with_param(4, "nothex!!")):
        answer = await probe.submit(connection, params)
        if answer.accepted:
            return skipped(f"a bad share was accepted: {params}")
    _, answer = await probe.find_and_submit(connection)
    return expect_accepted(answer, "a valid share after three refusals")
