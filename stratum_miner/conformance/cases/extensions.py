"""EXT: BIP 310 extensions, suggestions, and what miners ask besides."""

from collections.abc import Callable
from typing import Any

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.conformance.case import INFO, MUST, SHOULD, WORK, Topic
from stratum_miner.conformance.connection import SILENCE, ProbeConnection
from stratum_miner.conformance.messages import Answer, is_positive, is_sane
from stratum_miner.conformance.outcome import (
    CheckOutcome,
    Silent,
    UnexpectedDisconnect,
    failed,
    observed,
    passed,
    skipped,
)
from stratum_miner.conformance.probe import AGENT, RENEWAL, Probe
from stratum_miner.conformance.steps import change_difficulty, share_between, wait_for_second_job
from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import ErrorReason, FieldError

check = Topic("extensions")

WIDEST_MASK = 0x1FFFFFE0
"""BIP 320's 1fffe000 and the draft of BIP 323, which adds the bits down to 5."""


async def _configure(connection: ProbeConnection, extensions: Any, parameters: Any) -> Answer | None:
    """The reply, or None for silence, which is lawful for a pool without extensions. HungUp when it closes."""
    request = await connection.send_request("mining.configure", extensions, parameters)
    answer = await connection.reply_or_none(request, SILENCE)
    if answer is None and connection.closed:
        raise UnexpectedDisconnect(f"it closed the connection at mining.configure ({connection.ending})")
    return answer


def _grant(answer: Answer | None) -> int | str:
    """The granted mask, 0 when there is none; a text when the reply is malformed."""
    if answer is None or answer.refused:
        return 0
    if not isinstance(answer.result, dict):
        return f"no object: {answer}"
    if answer.result.get("version-rolling") is not True:
        return 0
    mask = answer.result.get("version-rolling.mask")
    try:
        return fields.strict_number(mask, "version-rolling.mask")
    except FieldError as error:
        return str(error)


async def _ask_version_rolling(probe: Probe, mask: str) -> Answer | None:
    connection = await probe.connect()
    parameters = {"version-rolling.mask": mask, "version-rolling.min-bit-count": 2}
    return await _configure(connection, ["version-rolling"], parameters)


def _within(answer: Answer | None, asked: int) -> CheckOutcome:
    granted = _grant(answer)
    if isinstance(granted, str):
        return failed(granted)
    if granted & ~asked:
        return failed(f"granted {granted:08x}, which has bits outside {asked:08x}")
    return passed(f"granted {granted:08x}" if granted else str(answer) if answer else "silence: nothing is granted")


@check(
    "EXT-01",
    "Version rolling is granted with bits that may be rolled.",
    level=MUST,
    expected="for mask ffffffff: true and 8 hex digits within 1fffe000 (or 1fffffe0), or false, an error, or silence",
)
async def version_rolling(probe: Probe) -> CheckOutcome:
    return _within(await _ask_version_rolling(probe, "ffffffff"), WIDEST_MASK)


@check(
    "EXT-02",
    "The granted mask lies within the one asked for (BIP 310).",
    level=MUST,
    expected="for mask 000fe000: a mask within it, or false, an error, or silence",
)
async def narrow_mask(probe: Probe) -> CheckOutcome:
    return _within(await _ask_version_rolling(probe, "000fe000"), 0x000FE000)


@check("EXT-03", "An empty mask grants nothing.", level=SHOULD, expected="mask 00000000, or false, an error, silence")
async def empty_mask(probe: Probe) -> CheckOutcome:
    return _within(await _ask_version_rolling(probe, "00000000"), 0)


@check(
    "EXT-04",
    "An unknown extension does not spoil the known ones.",
    level=MUST,
    expected="false, a text or nothing for the unknown one; no error",
)
async def unknown_extension(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    parameters = {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2, "x-unknown.value": 1}
    answer = await _configure(connection, ["x-unknown", "version-rolling"], parameters)
    if answer is None:
        return skipped("mining.configure is not answered")
    alone = await _ask_version_rolling(probe, "1fffe000")
    if answer.refused and alone is not None and not alone.refused:
        return failed(f"with it everything is refused: {answer}")
    if isinstance(answer.result, dict) and answer.result.get("x-unknown") is True:
        return failed("it is granted")
    return passed(str(answer))


@check(
    "EXT-05",
    "What was not asked for is not granted.",
    level=SHOULD,
    expected="a reply to minimum-difficulty alone has no version-rolling, and the other way round",
)
async def nothing_unasked(probe: Probe) -> CheckOutcome:
    asked = {
        "minimum-difficulty": {"minimum-difficulty.value": 1e-12},
        "version-rolling": {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2},
    }
    for name, parameters in asked.items():
        answer = await _configure(await probe.connect(), [name], parameters)
        if answer is None:
            return skipped("mining.configure is not answered")
        if isinstance(answer.result, dict):
            unasked = [key for key in answer.result if key.partition(".")[0] != name]
            if unasked:
                return failed(f"asked for {name}, got {', '.join(unasked)} too")
    return passed("only what was asked for")


@check(
    "EXT-06",
    "A granted minimum difficulty is kept.",
    level=MUST,
    seconds=120,
    expected="when minimum-difficulty is true, no later mining.set_difficulty is below it",
)
async def minimum_difficulty(probe: Probe) -> CheckOutcome:
    usual = (await probe.session()).job
    wanted = _between(usual.share_difficulty, usual.network_difficulty)
    connection = await probe.connect()
    answer = await _configure(connection, ["minimum-difficulty"], {"minimum-difficulty.value": wanted})
    if answer is None or not isinstance(answer.result, dict) or answer.result.get("minimum-difficulty") is not True:
        return skipped(f"minimum-difficulty {wanted:g} is not granted: {answer or 'silence'}")
    await connection.call("mining.subscribe", AGENT)
    await connection.call("mining.authorize", probe.pool.worker, probe.pool.password)
    if not await connection.wait_until(lambda: connection.difficulties, RENEWAL):
        return skipped(f"no mining.set_difficulty in {RENEWAL:g} s")
    await connection.wait_until(lambda: connection.jobs, RENEWAL)
    below = [value for _, value in connection.difficulties if is_positive(value) and value < wanted * (1 - 1e-9)]
    return (
        failed(f"granted {wanted:g}, then set {below[0]}") if below else passed(f"set {connection.difficulties[0][1]}")
    )


def _between(share: float, network: float) -> float:
    """A difficulty above the usual one that a pool can grant: below the network's where there is room."""
    return min(2 * share, (share + network) / 2) if network > share else 2 * share


@check(
    "EXT-07",
    "mining.configure may come after mining.subscribe, and again.",
    level=SHOULD,
    expected="both are answered; the second mask lies within what the second asked for",
)
async def configure_again(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    first = await _configure(connection, ["version-rolling"], {"version-rolling.mask": "1fffe000"})
    if first is None:
        return skipped("mining.configure is not answered")
    second = await _configure(connection, ["version-rolling"], {"version-rolling.mask": "00ffe000"})
    if second is None:
        raise Silent(f"no reply to the second mining.configure in {SILENCE:g} s")
    return _within(second, 0x00FFE000)


@check(
    "EXT-08",
    "A malformed mining.configure grants nothing.",
    level=SHOULD,
    expected="for [], [[]] and wrong types: an error, an empty grant, silence or a close; others are served",
)
async def malformed_configure(probe: Probe) -> CheckOutcome:
    replies = []
    malformed: tuple[list[Any], ...] = ([], [[]], [[], []], ["version-rolling", "1fffe000"], [[1, None, {}], []])
    for params in malformed:
        connection = await probe.connect()
        try:
            answer = await connection.reply_or_none(await connection.send_request("mining.configure", *params), 2.0)
        except UnexpectedDisconnect:
            answer = None
        if answer is not None and isinstance(answer.result, dict) and True in answer.result.values():
            return failed(f"{params}: {answer}")
        replies.append(f"{params}: {answer or connection.ending or 'silence'}")
    down = await probe.new_connection_problem()
    return failed(down) if down else passed("; ".join(replies))


@check(
    "EXT-09",
    "mining.extranonce.subscribe does no harm.",
    level=SHOULD,
    expected="true, an error or silence; no close",
)
async def extranonce_subscribe(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    answer = await connection.reply_or_none(await connection.send_request("mining.extranonce.subscribe"), SILENCE)
    return (
        failed(connection.ending)
        if connection.closed
        else passed(str(answer) if answer else f"silence for {SILENCE:g} s")
    )


async def _suggestion(probe: Probe, method: str, value: Callable[[float], Any]) -> CheckOutcome:
    connection = await probe.session()
    before, known = connection.job.share_difficulty, len(connection.difficulties)
    wanted = value(before)
    request = await connection.send_request(method, wanted)
    await connection.wait_until(
        lambda: len(connection.difficulties) > known and connection.answers.get(request), SILENCE
    )
    reply = connection.answers[request][0] if connection.answers.get(request) else "no reply"
    changes = [shown for _, shown in connection.difficulties[known:]] or "none"
    return observed(f"{wanted} suggested at {before:g}: {reply}, set_difficulty {changes} {connection.ending}".strip())


@check(
    "EXT-10", "A suggested difficulty.", level=INFO, expected="recorded: set_difficulty within 5 s, a reply, silence"
)
async def suggest_difficulty(probe: Probe) -> CheckOutcome:
    return await _suggestion(probe, "mining.suggest_difficulty", lambda before: before * 2)


@check(
    "EXT-11",
    "No suggestion makes the difficulty absurd.",
    level=MUST,
    seconds=120,
    expected='after a string, -1, 0, 1e308 and "NaN" each: any mining.set_difficulty is above zero and below 1e16, '
    "others are served",
)
async def absurd_suggestions(probe: Probe) -> CheckOutcome:
    replies = []
    for value in ("0.001", -1, 0, 1e308, "NaN"):
        connection = await probe.session(job=False)
        try:
            request = await connection.send_request("mining.suggest_difficulty", value)
            answer = await connection.reply_or_none(request, 2.0)
        except UnexpectedDisconnect:
            answer = None
        absurd = [shown for _, shown in connection.difficulties if not is_sane(shown)]
        if absurd:
            return failed(f"after {value!r} it set {absurd[-1]!r}")
        replies.append(f"{value!r}: {answer or connection.ending or 'silence'}")
    down = await probe.new_connection_problem()
    return failed(down) if down else passed("; ".join(replies))


@check(
    "EXT-12",
    "After a suggestion the pool judges by the difficulty that it told.",
    level=MUST,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="a share between both difficulties is accepted after a decrease, and refused with 23 after an increase",
)
async def suggestion_is_told(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    before = connection.job.share_difficulty
    if await change_difficulty(probe, connection, before / 4):
        at = connection.job
        if at.share_difficulty < before:
            found, answer = await probe.find_and_submit(
                connection, lambda job: share_between(probe, connection, job, before)
            )
            return (passed if answer.accepted else failed)(f"{_lowered(before, found.job.share_difficulty)}: {answer}")
    if not await change_difficulty(probe, connection, before * 4):
        return skipped("suggestions change nothing")
    await wait_for_second_job(connection)
    found, answer = await probe.find_and_submit(connection, lambda job: share_between(probe, connection, job, before))
    right = answer.reason is ErrorReason.LOW_DIFFICULTY
    return (passed if right else failed)(f"raised from {before:g} to {found.job.share_difficulty:g}: {answer}")


def _lowered(before: float, now: float) -> str:
    return f"lowered from {before:g} to {now:g}"


@check("EXT-13", "A suggested target.", level=INFO, expected="recorded: set_difficulty within 5 s, a reply, silence")
async def suggest_target(probe: Probe) -> CheckOutcome:
    return await _suggestion(
        probe, "mining.suggest_target", lambda before: f"{target_from_difficulty(before * 2):064x}"
    )


@check(
    "EXT-14",
    "mining.get_transactions does no harm.",
    level=INFO,
    expected="recorded: a list, an error, or silence",
)
async def get_transactions(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    answer = await connection.reply_or_none(
        await connection.send_request("mining.get_transactions", connection.job.job_id), SILENCE
    )
    if answer is not None and isinstance(answer.result, list):
        return observed(f"a list of {len(answer.result)}")
    return observed(str(answer) if answer else connection.ending or f"silence for {SILENCE:g} s")


@check(
    "EXT-15",
    "A password d=N asks for difficulty N.",
    level=INFO,
    seconds=120,
    expected="recorded: the difficulty that is set",
)
async def password_difficulty(probe: Probe) -> CheckOutcome:
    usual = (await probe.session()).job
    wanted = _between(usual.share_difficulty, usual.network_difficulty)
    connection = await probe.session(password=f"d={wanted!r}")
    await connection.wait_until(lambda: connection.difficulty == wanted, SILENCE)
    return observed(f"d={wanted!r}: set_difficulty {[value for _, value in connection.difficulties]}")
