"""The checks ERR-07 to ERR-33: shares that a pool must reject.

Each share has one fault and is otherwise a valid new share, unless the check says otherwise.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from stratum_miner.bitcoin.target import MAX_TARGET
from stratum_miner.conformance.blocks import extend
from stratum_miner.conformance.case import CHAIN, INFO, INTRUSIVE, MUST, SHOULD, WORK, Topic
from stratum_miner.conformance.coinbase import body_of
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.messages import Answer
from stratum_miner.conformance.outcome import (
    CheckOutcome,
    Skip,
    UnexpectedDisconnect,
    failed,
    observed,
    passed,
    skipped,
)
from stratum_miner.conformance.probe import MOST_HASHES, RENEWAL, TRIES, FoundShare, Probe
from stratum_miner.conformance.steps import (
    change_difficulty,
    expect_accepted,
    expect_rejected,
    granted_mask,
    job_of_settled_difficulty,
    share_above,
    share_below,
    share_between,
    wait_for_second_job,
)
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.work.job import Job

check = Topic("shares")

NEAR_HASHES = 2**28
"""Maximum number of hashes that the check ERR-27 computes on average for a hash very near the share target, which
takes some seconds. If more are necessary, the hash is not as near."""
STRANGER = "somebody.else"
"""A worker name that no check authorizes."""
BLOCK_PATIENCE = 30.0
"""Seconds to wait until the pool announces a new block."""


@check(
    "ERR-07",
    "The pool must reject a share of an unknown job, and must keep the session open.",
    hurts="Honest miners, if the share is paid; a miner that returns after a break, if the connection is closed.",
    level=MUST,
    kinds=(INTRUSIVE,),
    seconds=120,
    expected="an error for an unknown id, for an empty id and for one of 600 characters; then a reply to the next "
    "share; ERR-28 checks the code",
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
        outcome = expect_rejected(answer, f"a share with {name}")
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
    hurts="Honest miners: the pool pays for work that can no longer become a block.",
    level=MUST,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="an error after the pool announced the new block; ERR-29 checks its code",
)
async def stale_share(probe: Probe) -> CheckOutcome:
    return expect_rejected(await _stale_answer(probe), "a share of a job on an earlier block")


async def _stale_answer(probe: Probe) -> Answer:
    """Submit a valid share of a job after the pool has announced a block that makes the job stale."""
    connection = await probe.session()
    job = connection.job
    found = await probe.find(connection, job)
    await extend(probe, connection)
    if not await connection.wait_until(lambda: connection.is_stale(job), BLOCK_PATIENCE):
        raise Skip("the pool did not announce the new block")
    return await probe.submit(connection, found.params)


@check(
    "ERR-09",
    "The pool must reject a share with a hash above the share target.",
    hurts="Honest miners: the pool pays for work that was not done.",
    level=MUST,
    seconds=120,
    expected="an error for a hash far above the share target; ERR-28 checks its code",
)
async def low_difficulty(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for _ in range(3):
        found = probe.low_difficulty_share(connection)
        answer = await probe.submit(connection, found.params)
        if not await probe.made_stale(connection, found.job, answer):
            return expect_rejected(answer, f"a share with {_height_of(found)}")
    return skipped("each of 3 shares became stale because of a new block")


def _height_of(found: FoundShare) -> str:
    return f"a hash of {found.value / found.job.share_target:.4g} times the share target"


@check(
    "ERR-26",
    "The pool must reject a share with a hash of up to twice the share target.",
    hurts="Honest miners: the pool pays for work that was not done, at their cost.",
    level=MUST,
    kinds=(WORK,),
    seconds=2 * RENEWAL,
    expected="an error for a hash between 17/16 of the share target and twice this target",
)
async def target_too_wide(probe: Probe) -> CheckOutcome:
    return await _just_above(probe, Fraction(17, 16), Fraction(2))


@check(
    "ERR-27",
    "The pool must reject a share with a hash just above the share target.",
    hurts="Honest miners: the pool pays for work that was not done, at their cost.",
    level=MUST,
    kinds=(WORK,),
    seconds=2 * RENEWAL,
    expected="an error for a hash between 65/64 and 17/16 of the share target; some pools tolerate one percent",
)
async def target_slightly_too_wide(probe: Probe) -> CheckOutcome:
    # Near the lower limit, the check also finds a target that is too wide by little more than a 64th. It goes further
    # up only if the hashes would take too long.
    return await _just_above(probe, Fraction(65, 64), Fraction(49, 48), Fraction(17, 16))


async def _just_above(probe: Probe, lowest: Fraction, *highest: Fraction) -> CheckOutcome:
    """Submit a share that is valid except for its hash, which is above the share target. The pool passes if it rejects
    the share.

    The hash lies between the share target times ``lowest`` and the share target times the first of ``highest`` for
    which the search takes few enough hashes.

    The share is of a job whose share target is beyond doubt, and it is no block.
    """
    connection = await probe.session()
    for _ in range(TRIES):
        await connection.wait_until(lambda: job_of_settled_difficulty(connection), RENEWAL)
        job = job_of_settled_difficulty(connection)
        if job is None:
            return skipped(f"the pool sent no second job with its newest difficulty within {RENEWAL:g} s")
        known = len(connection.difficulties)
        above, at_most = _band(job, lowest, highest)
        found = await probe.find(connection, job, above=above, at_most=at_most)
        if connection.is_stale(job) or len(connection.difficulties) > known:
            continue
        answer = await probe.submit(connection, found.params)
        if len(connection.difficulties) == known and not await probe.made_stale(connection, job, answer):
            return expect_rejected(answer, f"a share with {_height_of(found)} at difficulty {job.share_difficulty:g}")
    return skipped(f"each of {TRIES} shares met a new block or a new difficulty")


def _band(job: Job, lowest: Fraction, highest: Sequence[Fraction]) -> tuple[int, int]:
    """Return the range of hashes for ``_just_above``. Raises Skip if there is none, or if such a hash takes more than
    ``MOST_HASHES``."""
    above = max(int(job.share_target * lowest), job.network_target)
    expected = 0.0
    for factor in highest:
        at_most = min(int(job.share_target * factor), MAX_TARGET)
        if at_most <= above:
            continue
        expected = 2**256 / (at_most - above)
        if expected <= (MOST_HASHES if factor == highest[-1] else NEAR_HASHES):
            return above, at_most
    if not expected:
        raise Skip("on this block chain, every hash that is just above the share target is a block")
    raise Skip(
        f"such a hash takes {expected:,.0f} hashes on average, and the check computes at most {MOST_HASHES:,}. Lower "
        "the pool's share difficulty"
    )


@check(
    "ERR-10",
    "The pool should judge a share of a job by the difficulty before this job, also after the difficulty has risen.",
    hurts="A miner loses the shares on which it works whenever its difficulty rises.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="true for a share of an earlier job with a difficulty between the old and the new one",
)
async def grace(probe: Probe) -> CheckOutcome:
    for _ in range(TRIES):
        connection = await probe.session()
        old = connection.job
        if (
            not await change_difficulty(probe, connection, old.share_difficulty * 4)
            or connection.job.share_difficulty < old.share_difficulty
        ):
            return skipped("the pool does not raise the difficulty after mining.suggest_difficulty")
        if connection.is_stale(old):
            continue
        raised = connection.job.share_difficulty
        found = await share_between(probe, connection, old, raised)
        answer = await probe.submit(connection, found.params)
        if not await probe.made_stale(connection, old, answer):
            return (passed if answer.accepted else failed)(
                f"the pool raised the difficulty from {old.share_difficulty:g} to {raised:g} "
                f"and answered a share of the earlier job, between both: {answer}"
            )
    return skipped(f"in each of {TRIES} sessions, the pool made the earlier job stale")


@check(
    "ERR-11",
    "The pool must judge shares of the second job after a rise of the difficulty by the new difficulty.",
    hurts="Honest miners: the pool pays the higher difficulty for easier work.",
    level=MUST,
    kinds=(WORK,),
    seconds=4 * RENEWAL,
    expected="an error for a share with a difficulty between the old and the new one",
)
async def after_an_increase(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    before = connection.job.share_difficulty
    if not await change_difficulty(probe, connection, before * 4) or connection.job.share_difficulty < before:
        return skipped("the pool does not raise the difficulty after mining.suggest_difficulty")
    await wait_for_second_job(connection)

    async def make(job: Job) -> FoundShare:
        return await share_above(probe, connection, job, before)

    found, answer = await probe.find_and_submit(connection, make)
    return expect_rejected(
        answer, f"a share between the old difficulty {before:g} and the new one, {found.job.share_difficulty:g}"
    )


@check(
    "ERR-12",
    "The pool must judge shares of the jobs after a fall of the difficulty by the new difficulty.",
    hurts="A miner is not paid for shares that meet the difficulty that it was given.",
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
        return await share_below(probe, connection, job, before)

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
    hurts="The pool: if the time is before the median of the last blocks, the block is rejected by the network.",
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
    hurts="Honest miners: the pool pays for work that can be no block, because nodes reject such a time.",
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


@check(
    "ERR-15",
    "The pool must reject a share with an ntime that is not a hex number.",
    hurts="Honest miners: the pool pays for work that can be no block, because its time is not the one in the share.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error (20 or another) or a closed connection for a share that is valid if the pool reads the letters "
    "as 0, and for one that is valid if it ignores them",
)
async def ntime_not_hex(probe: Probe) -> CheckOutcome:
    replies = []
    # strtoul() reads these letters as 0. parseInt() reads them as NaN, which passes range checks and becomes 0 in the
    # header. A pool that ignores them uses the time of the job.
    for reading, of_job in (("0", False), ("the time of the job", True)):
        connection = await probe.session()

        async def make(job: Job, of_job: bool = of_job) -> FoundShare:
            found = await probe.find(connection, job, ntime=job.ntime if of_job else 0)  # noqa: B023  awaited in this turn
            return replace(found, params=found.with_param(3, "nothex!!"))

        what = f"a share with the ntime 'nothex!!', which is valid if this means {reading}"
        try:
            _, answer = await probe.find_and_submit(connection, make)
        except UnexpectedDisconnect as reason:
            replies.append(f"after {what}, {reason}")
            continue
        outcome = expect_rejected(answer, what)
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-31",
    "The pool should reject a share with an ntime or an extranonce2 of a wrong length or type.",
    hurts="A developer of a miner does not learn that the parameter is malformed.",
    level=SHOULD,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error (20 or another) or a closed connection for an ntime of 6 and of 10 digits and for a number as "
    "ntime, and for an extranonce2 with a byte more; each share is valid in everything else",
)
async def wrong_lengths(probe: Probe) -> CheckOutcome:
    replies = []
    for name, index, edit in (
        ("an ntime of 6 digits", 3, lambda ntime: ntime[:6]),
        ("an ntime of 10 digits", 3, lambda ntime: ntime + "00"),
        ("a number as ntime", 3, lambda ntime: int(ntime, 16)),
        ("an extranonce2 with a byte more", 2, lambda extranonce2: extranonce2 + "00"),
    ):
        connection = await probe.session()

        async def make(job: Job, index: int = index, edit: Callable[[str], Any] = edit) -> FoundShare:
            found = await probe.find(connection, job)  # noqa: B023  awaited in this turn
            return replace(found, params=found.with_param(index, edit(found.params[index])))

        try:
            _, answer = await probe.find_and_submit(connection, make)
        except UnexpectedDisconnect as reason:
            replies.append(f"after a share with {name}, {reason}")
            continue
        outcome = expect_rejected(answer, f"a share with {name}")
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


@check(
    "ERR-16",
    "The pool should reject a share with a malformed nonce.",
    hurts="A developer of a miner does not learn that the nonce is malformed. No share counts twice by it (ERR-03).",
    level=SHOULD,
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
    "The pool must accept valid shares of a job also after a share of this job with a malformed extranonce2, and must "
    "not count a share twice.",
    hurts="A miner that shares its job with a faulty client, or sends one faulty share, loses all further shares of "
    "the job.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="true for a valid share after each share with a byte more, a byte less, no byte, half a byte less, and "
    "letters that are not hex digits; if the pool accepts a malformed share, an error for the same share without the "
    "fault. ERR-31 checks whether malformed shares are rejected",
)
async def malformed_extranonce2(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    replies = []
    for name, edit in (
        ("one byte too long", lambda text: text + "00"),
        ("one byte too short", lambda text: text[:-2]),
        ("empty", lambda text: ""),
        ("half a byte too short", lambda text: text[:-1]),
        ("not hex", lambda text: "zz" * (len(text) // 2)),
    ):
        outcome = await _valid_after_malformed(probe, connection, edit, f"a share with an extranonce2 that is {name}")
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))


async def _valid_after_malformed(
    probe: Probe, connection: ProbeConnection, edit: Callable[[str], str], malformed: str
) -> CheckOutcome:
    """Submit a share with a malformed extranonce2, and then a valid share of the same job. ``edit`` makes the
    extranonce2 malformed; ``malformed`` names this share in the outcome.

    Raises Skip if the pool closes the connection after the malformed share, or if new blocks make each job stale.
    """
    for _ in range(TRIES):
        job = connection.job
        found, other = await probe.find(connection, job), await probe.find(connection, job)
        try:
            first = await probe.submit(connection, found.with_param(2, edit(found.params[2])))
        except UnexpectedDisconnect as reason:
            raise Skip(f"after {malformed}, {reason}") from None
        if first.accepted and (await probe.submit(connection, found.params)).accepted:
            return failed(f"the pool accepted {malformed}, and then the same share without this fault")
        answer = await probe.submit(connection, other.params)
        if not await probe.made_stale(connection, job, answer):
            return (passed if answer.accepted else failed)(
                f"after {malformed}, the pool answered {first}, and after a valid share of the same job {answer}"
            )
    raise Skip(f"each of {TRIES} shares became stale because of a new block")


@check(
    "ERR-18",
    "The pool must reject a share with version bits that make a block invalid.",
    hurts="Honest miners: the pool pays for work that can be no block.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="an error for a share with bit 31, which makes the version negative; every node rejects such a block "
    "(BIP 65)",
)
async def negative_version(probe: Probe) -> CheckOutcome:
    return await _bits_outside(probe, 1 << 31)


@check(
    "ERR-32",
    "The pool should reject a share with version bits outside the mask that it granted (BIP 310).",
    hurts="The owner of the block: a miner can signal for a change of the rules that the pool did not choose.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected="an error for a share with bit 0 and for one with bit 28, or with another bit if these are granted",
)
async def bits_outside(probe: Probe) -> CheckOutcome:
    return await _bits_outside(probe, 1, 1 << 28)


async def _bits_outside(probe: Probe, *bits: int) -> CheckOutcome:
    connection = await probe.session(ambiguous_version=True)
    granted_mask(connection)
    replies = []
    for wanted in bits:
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
    hurts="A miner that rolls versions without asking, as behind some rental sites, loses all shares if they are "
    "rejected.",
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
    hurts="A miner that leaves out the version bits if they are 0 loses shares if the pool rejects them.",
    level=INFO,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="recorded: the pool takes the bits as 0, or rejects the share",
)
async def bits_missing(probe: Probe) -> CheckOutcome:
    connection = await probe.session(ambiguous_version=True)
    granted_mask(connection)
    found = await probe.find(connection, bits=0)
    answer = await probe.submit(connection, found.params[:5])
    return observed(f"after a share of version bits 0 without the sixth parameter, the pool answered {answer}")


@check(
    "ERR-21",
    "The pool should reject a share with malformed version bits.",
    hurts="A developer of a miner does not learn that the version bits are malformed.",
    level=SHOULD,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error for letters that are not hex digits, for a number, and for an array",
)
async def malformed_bits(probe: Probe) -> CheckOutcome:
    connection = await probe.session(ambiguous_version=True)
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
    "The pool should reject a share of a worker name that was not authorized on the connection.",
    hurts="A user whose worker name is mistyped in the shares: they are accepted, and perhaps paid to nobody.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected=f"an error (24 or another) or a closed connection for a valid share of the name {STRANGER!r}",
)
async def other_worker(probe: Probe) -> CheckOutcome:
    connection = await probe.session()

    async def make(job: Job) -> FoundShare:
        found = await probe.find(connection, job)
        return replace(found, params=found.with_param(0, STRANGER))

    try:
        _, answer = await probe.find_and_submit(connection, make)
    except UnexpectedDisconnect as reason:
        return passed(str(reason))
    return expect_rejected(answer, f"a valid share of the name {STRANGER!r}, which was not authorized")


@check(
    "ERR-23",
    "The pool should reject a share with too few parameters or with arrays as parameters, and should keep the session "
    "open.",
    hurts="A developer of a miner does not learn what is wrong with the share.",
    level=SHOULD,
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
    hurts="A user of a miner that reads the error as an array of three elements sees no reason, or loses the "
    "connection.",
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
    hurts="A miner that has sent some faulty shares loses all others.",
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


_CODES = {
    ErrorReason.JOB_NOT_FOUND: "error 21 for a share of an unknown job",
    ErrorReason.DUPLICATE: "error 22 for a duplicate share",
    ErrorReason.LOW_DIFFICULTY: "error 23 for a hash far above the share target",
}


@check(
    "ERR-28",
    "The pool should say with the usual codes why it rejects a share.",
    hurts="A user cannot see in the miner's statistics why shares are rejected.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected=f"{', '.join(_CODES.values())}; a text that says the same also counts",
)
async def codes(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found, accepted = await probe.find_and_submit(connection)
    if not accepted.accepted:
        return skipped(f"after a valid share, the pool answered {accepted}")
    faulty = {
        ErrorReason.DUPLICATE: found.params,
        ErrorReason.JOB_NOT_FOUND: (await probe.find(connection)).with_param(1, "f00dfeed"),
        ErrorReason.LOW_DIFFICULTY: probe.low_difficulty_share(connection).params,
    }
    wrong: list[str] = []
    right: list[str] = []
    for reason, params in faulty.items():
        answer = await probe.submit(connection, params)
        is_stale = reason is not ErrorReason.JOB_NOT_FOUND and await probe.made_stale(connection, found.job, answer)
        if answer.refused and not is_stale:
            known = right if answer.reason is reason else wrong
            known.append(f"{_CODES[reason]}: the pool answered {answer}")
    if wrong:
        return failed(f"expected {'; '.join(wrong)}")
    return passed("; ".join(right)) if right else skipped("the pool rejected none of the faulty shares")


@check(
    "ERR-29",
    "The pool should say with the code 21 that a share is stale.",
    hurts="A user takes stale shares for a fault of the miner.",
    level=SHOULD,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="error 21 for a share of a job on an earlier block; a text that says the same also counts",
)
async def code_of_stale(probe: Probe) -> CheckOutcome:
    answer = await _stale_answer(probe)
    if not answer.refused:
        return skipped(f"the pool did not reject a share of a job on an earlier block: it answered {answer}")
    return (passed if answer.reason is ErrorReason.JOB_NOT_FOUND else failed)(
        f"after a share of a job on an earlier block, the pool answered {answer}"
    )


@check(
    "ERR-30",
    "The pool should not take a share for a duplicate if it differs from an accepted share in its version bits.",
    hurts="A miner with version rolling loses a share, but only if both shares meet the target, which is rare.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected="for an accepted share with other version bits: any answer but error 22, because its hash is another one",
)
async def differs_in_version(probe: Probe) -> CheckOutcome:
    connection = await probe.session(ambiguous_version=True)
    mask = granted_mask(connection)
    found, accepted = await probe.find_and_submit(connection, lambda job: probe.find(connection, job, bits=0))
    if not accepted.accepted:
        return skipped(f"after a valid share, the pool answered {accepted}")
    bits = f"{mask & -mask:08x}"
    answer = await probe.submit(connection, found.with_param(5, bits))
    return (failed if answer.reason is ErrorReason.DUPLICATE else passed)(
        f"after an accepted share with the version bits {bits} instead of 00000000, the pool answered {answer}"
    )


@check(
    "ERR-33",
    "The pool must reject a share whose extranonce2 makes the coinbase invalid.",
    hurts="Honest miners: the pool pays for work that can be no block, because its coinbase is no valid transaction.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error or a closed connection for an extranonce2 with a byte less, with a byte more, and of letters "
    "that are not hex digits; each share is valid if the pool hashes exactly these bytes, or none for the letters",
)
async def extranonce2_of_another_size(probe: Probe) -> CheckOutcome:
    replies = []
    for name, change, text in (
        ("with a byte less", -1, None),
        ("with a byte more", 1, None),
        ("that is not hex, hashed as no bytes", None, "zz"),
    ):
        connection = await probe.session()

        async def make(job: Job, change: int | None = change, text: str | None = text) -> FoundShare:
            size = 0 if change is None else job.extranonce2_size + change
            # The hash of such a share is that of a coinbase whose script is longer or shorter than its length says.
            other = replace(job, body=replace(body_of(job), extranonce2_size=size))
            found = await probe.find(connection, other)  # noqa: B023  awaited in this turn
            shown = found.params[2] if text is None else text * job.extranonce2_size
            return replace(found, params=found.with_param(2, shown))

        what = f"a share with an extranonce2 {name}"
        try:
            _, answer = await probe.find_and_submit(connection, make)
        except UnexpectedDisconnect as reason:
            replies.append(f"after {what}, {reason}")
            continue
        outcome = expect_rejected(answer, what)
        if outcome.is_failure:
            return outcome
        replies.append(outcome.actual)
    return passed("; ".join(replies))
