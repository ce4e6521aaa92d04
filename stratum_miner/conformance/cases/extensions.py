"""The checks EXT-01 to EXT-16: the extensions of BIP 310, suggested difficulties, and other requests of miners."""

import json
from collections.abc import Callable
from typing import Any

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.conformance.case import INFO, INTRUSIVE, MUST, SHOULD, WORK, Topic
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
from stratum_miner.conformance.steps import change_difficulty, share_above, share_below, wait_for_second_job
from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError

check = Topic("extensions")

WIDEST_MASK = 0x1FFFFFE0
"""All version bits that a pool may grant: 1fffe000 (BIP 320), and bits 5 to 12, which the draft of BIP 323 adds."""


async def _configure(connection: ProbeConnection, extensions: Any, parameters: Any) -> Answer | None:
    """Send mining.configure and return the reply. Return None if the pool sends none, as pools without extensions may
    do.

    Raises UnexpectedDisconnect if the pool closes the connection.
    """
    request = await connection.send_request("mining.configure", extensions, parameters)
    answer = await connection.reply_or_none(request, SILENCE)
    if answer is None and connection.closed:
        raise UnexpectedDisconnect(f"no reply to mining.configure: {connection.ending}")
    return answer


def _grant(answer: Answer | None) -> int | str:
    """Return the version mask that a reply to mining.configure grants, or 0 if it grants none. If the reply is
    malformed, return a text that says what is wrong."""
    if answer is None or answer.refused:
        return 0
    if not isinstance(answer.result, dict):
        return f"after mining.configure, the pool answered {answer}, expected an object"
    if answer.result.get("version-rolling") is not True:
        return 0
    mask = answer.result.get("version-rolling.mask")
    try:
        return fields.strict_number(mask, "version-rolling.mask")
    except FieldError as error:
        return f"the pool answered mining.configure with a wrong mask: {error}"


async def _ask_version_rolling(probe: Probe, mask: str) -> Answer | None:
    connection = await probe.connect()
    parameters = {"version-rolling.mask": mask, "version-rolling.min-bit-count": 2}
    return await _configure(connection, ["version-rolling"], parameters)


def _within(answer: Answer | None, asked: int) -> CheckOutcome:
    granted = _grant(answer)
    if isinstance(granted, str):
        return failed(granted)
    if granted & ~asked:
        return failed(f"the pool granted the version mask {granted:08x}, which has bits outside {asked:08x}")
    if granted:
        return passed(f"the pool granted the version mask {granted:08x}")
    return passed(f"the pool granted no version bits: it answered {answer}" if answer else "the pool sent no reply")


@check(
    "EXT-01",
    "The pool must grant only version bits that miners may change.",
    hurts="A miner that uses such bits finds blocks that the network rejects.",
    level=MUST,
    expected="for the mask ffffffff: true and a mask within 1fffe000 (or 1fffffe0), or false, an error, or no reply",
)
async def version_rolling(probe: Probe) -> CheckOutcome:
    return _within(await _ask_version_rolling(probe, "ffffffff"), WIDEST_MASK)


@check(
    "EXT-02",
    "The pool should grant only version bits that the miner asked for (BIP 310).",
    hurts="A miner that trusts the reply changes bits that it did not want to change. No share is lost by it.",
    level=SHOULD,
    expected="for the mask 000fe000: a mask within it, or false, an error, or no reply",
)
async def narrow_mask(probe: Probe) -> CheckOutcome:
    return _within(await _ask_version_rolling(probe, "000fe000"), 0x000FE000)


@check(
    "EXT-03",
    "The pool should grant no version bits if the miner asks for none.",
    hurts="A miner that switched version rolling off takes it for switched on.",
    level=SHOULD,
    expected="for the mask 00000000: this mask, or false, an error, or no reply",
)
async def empty_mask(probe: Probe) -> CheckOutcome:
    return _within(await _ask_version_rolling(probe, "00000000"), 0)


@check(
    "EXT-04",
    "The pool must still answer for the extensions that it knows if a request also names an unknown one.",
    hurts="A miner that asks for several extensions, as most ASICs do, loses version rolling, and with it hash rate.",
    level=MUST,
    expected="false, a text or nothing for the unknown extension; no error for the whole request",
)
async def unknown_extension(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    parameters = {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2, "x-unknown.value": 1}
    answer = await _configure(connection, ["x-unknown", "version-rolling"], parameters)
    if answer is None:
        return skipped("the pool does not answer mining.configure")
    alone = await _ask_version_rolling(probe, "1fffe000")
    if answer.refused and alone is not None and not alone.refused:
        return failed(
            f"after mining.configure for version-rolling and x-unknown, the pool answered {answer}, and for "
            f"version-rolling alone with {alone}"
        )
    if isinstance(answer.result, dict) and answer.result.get("x-unknown") is True:
        return failed(f"the pool granted the unknown extension x-unknown: {answer}")
    return passed(f"after mining.configure for version-rolling and x-unknown, the pool answered {answer}")


@check(
    "EXT-05",
    "The pool should grant no extension that the miner did not ask for.",
    hurts="A miner may use an extension for which it is not prepared.",
    level=SHOULD,
    expected="no version-rolling in the reply to minimum-difficulty alone, and the reverse",
)
async def nothing_unasked(probe: Probe) -> CheckOutcome:
    asked = {
        "minimum-difficulty": {"minimum-difficulty.value": 1e-12},
        "version-rolling": {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2},
    }
    for name, parameters in asked.items():
        answer = await _configure(await probe.connect(), [name], parameters)
        if answer is None:
            return skipped("the pool does not answer mining.configure")
        if isinstance(answer.result, dict):
            unasked = [key for key in answer.result if key.partition(".")[0] != name]
            if unasked:
                return failed(f"the check asked only for {name}, and the pool also answered {', '.join(unasked)}")
    return passed("the pool answered only the extension that the check asked for")


@check(
    "EXT-06",
    "The pool must not set a difficulty below the minimum difficulty that it granted.",
    hurts="A miner that cannot report shares below its minimum difficulty is paid for a part of its work only.",
    level=MUST,
    seconds=120,
    expected="if the pool grants minimum-difficulty, no mining.set_difficulty below it",
)
async def minimum_difficulty(probe: Probe) -> CheckOutcome:
    usual = (await probe.session()).job
    wanted = _between(usual.share_difficulty, usual.network_difficulty)
    connection = await probe.connect()
    answer = await _configure(connection, ["minimum-difficulty"], {"minimum-difficulty.value": wanted})
    if answer is None or not isinstance(answer.result, dict) or answer.result.get("minimum-difficulty") is not True:
        return skipped(f"the pool does not grant minimum-difficulty {wanted:g}: {connection.reaction(answer, SILENCE)}")
    await connection.call("mining.subscribe", AGENT)
    await connection.call("mining.authorize", probe.pool.worker, probe.pool.password)
    if not await connection.wait_until(lambda: connection.difficulties, RENEWAL):
        return skipped(f"the pool sent no mining.set_difficulty within {RENEWAL:g} s")
    await connection.wait_until(lambda: connection.jobs, RENEWAL)
    below = [value for _, value in connection.difficulties if is_positive(value) and value < wanted * (1 - 1e-9)]
    shown = below[0] if below else connection.difficulties[0][1]
    return (failed if below else passed)(
        f"the pool granted the minimum difficulty {wanted:g}, and then set the difficulty {shown}"
    )


def _between(share: float, network: float) -> float:
    """Return a difficulty that is above the difficulty ``share`` and, if possible, below the difficulty ``network``."""
    return min(2 * share, (share + network) / 2) if network > share else 2 * share


@check(
    "EXT-07",
    "The pool should answer mining.configure also after mining.subscribe, and more than once.",
    hurts="A proxy whose miners ask for different masks cannot pass on their wishes.",
    level=SHOULD,
    expected="a reply to both; a second mask within the mask that the second request asks for",
)
async def configure_again(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    first = await _configure(connection, ["version-rolling"], {"version-rolling.mask": "1fffe000"})
    if first is None:
        return skipped("the pool does not answer mining.configure")
    second = await _configure(connection, ["version-rolling"], {"version-rolling.mask": "00ffe000"})
    if second is None:
        raise Silent(f"the pool did not reply to a second mining.configure within {SILENCE:g} s")
    return _within(second, 0x00FFE000)


@check(
    "EXT-08",
    "The pool should grant nothing in reply to a malformed mining.configure.",
    hurts="A developer of a miner takes a malformed request for a good one.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="for [], [[]] and wrong types: an error, an empty grant, no reply or a closed connection; the pool "
    "serves new connections",
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
            return failed(f"after mining.configure with the params {json.dumps(params)}, the pool answered {answer}")
        replies.append(f"after {json.dumps(params)}, {connection.reaction(answer, 2.0)}")
    problem = await probe.new_connection_problem()
    return failed(f"after malformed mining.configure, {problem}") if problem else passed("; ".join(replies))


@check(
    "EXT-09",
    "The pool should not close the connection at mining.extranonce.subscribe.",
    hurts="A user of cpuminer-opt or of a marketplace that sends this request loses the connection.",
    level=SHOULD,
    expected="true, an error, or no reply; the connection stays open",
)
async def extranonce_subscribe(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    answer = await connection.reply_or_none(await connection.send_request("mining.extranonce.subscribe"), SILENCE)
    return (failed if connection.closed else passed)(
        f"after mining.extranonce.subscribe, {connection.ending or connection.reaction(answer, SILENCE)}"
    )


async def _suggestion(probe: Probe, method: str, value: Callable[[float], Any]) -> CheckOutcome:
    connection = await probe.session()
    before, known = connection.job.share_difficulty, len(connection.difficulties)
    wanted = value(before)
    request = await connection.send_request(method, wanted)
    await connection.wait_until(
        lambda: len(connection.difficulties) > known and connection.answers.get(request), SILENCE
    )
    answer = connection.answers[request][0] if connection.answers.get(request) else None
    changes = ", ".join(str(shown) for _, shown in connection.difficulties[known:])
    reaction = f"set the difficulty {changes}" if changes else "left the difficulty unchanged"
    return observed(
        f"after {method} with {wanted} at difficulty {before:g}, {connection.reaction(answer, SILENCE)}; it {reaction}"
    )


@check(
    "EXT-10",
    "The check records how the pool reacts to mining.suggest_difficulty.",
    hurts="A miner that is much faster or slower than the starting difficulty expects a better one.",
    level=INFO,
    expected="recorded: mining.set_difficulty within 5 s, a reply, or neither",
)
async def suggest_difficulty(probe: Probe) -> CheckOutcome:
    return await _suggestion(probe, "mining.suggest_difficulty", lambda before: before * 2)


@check(
    "EXT-11",
    "The pool should not set an absurd difficulty, whatever difficulty a miner suggests.",
    hurts="Only the miner that sent the suggestion: it finds no share any more, or too many.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    seconds=120,
    expected='for the suggestions "0.001", -1, 0, 1e308 and "NaN": any mining.set_difficulty is above 0 and below '
    "1e16; the pool serves new connections",
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
            return failed(
                f"after mining.suggest_difficulty with {json.dumps(value)}, the pool set the difficulty {absurd[-1]!r}"
            )
        replies.append(f"after mining.suggest_difficulty with {json.dumps(value)}, {connection.reaction(answer, 2.0)}")
    problem = await probe.new_connection_problem()
    return failed(f"after absurd suggestions, {problem}") if problem else passed("; ".join(replies))


@check(
    "EXT-12",
    "The pool must judge shares by the difficulty that it set after a suggestion.",
    hurts="A miner loses the shares that meet the difficulty that it was given, or the pool pays for work that was "
    "not done.",
    level=MUST,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="for a share with a difficulty between the old and the new one: true after a decrease, an error after an "
    "increase",
)
async def suggestion_is_told(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    before = connection.job.share_difficulty
    if await change_difficulty(probe, connection, before / 4):
        at = connection.job
        if at.share_difficulty < before:
            found, answer = await probe.find_and_submit(
                connection, lambda job: share_below(probe, connection, job, before)
            )
            changed = f"lowered the difficulty from {before:g} to {found.job.share_difficulty:g}"
            return (passed if answer.accepted else failed)(
                f"the pool {changed} and answered a share between both: {answer}"
            )
    if not await change_difficulty(probe, connection, before * 4):
        return skipped("the pool does not change the difficulty after mining.suggest_difficulty")
    await wait_for_second_job(connection)
    found, answer = await probe.find_and_submit(connection, lambda job: share_above(probe, connection, job, before))
    return (passed if answer.refused else failed)(
        f"the pool raised the difficulty from {before:g} to {found.job.share_difficulty:g} and answered a share "
        f"between both: {answer}"
    )


@check(
    "EXT-13",
    "The check records how the pool reacts to mining.suggest_target.",
    hurts="A miner that is much faster or slower than the starting difficulty expects a better target.",
    level=INFO,
    expected="recorded: mining.set_difficulty within 5 s, a reply, or neither",
)
async def suggest_target(probe: Probe) -> CheckOutcome:
    return await _suggestion(
        probe, "mining.suggest_target", lambda before: f"{target_from_difficulty(before * 2):064x}"
    )


@check(
    "EXT-14",
    "The check records how the pool answers mining.get_transactions.",
    hurts="A miner that wants to check which transactions its block contains needs the list.",
    level=INFO,
    expected="recorded: an array, an error, or no reply",
)
async def get_transactions(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    answer = await connection.reply_or_none(
        await connection.send_request("mining.get_transactions", connection.job.job_id), SILENCE
    )
    if answer is not None and isinstance(answer.result, list):
        return observed(f"the pool answered mining.get_transactions with an array of {len(answer.result)} elements")
    return observed(f"after mining.get_transactions, {connection.reaction(answer, SILENCE)}")


@check(
    "EXT-15",
    "The check records whether the pool takes the password d=N as a wish for difficulty N.",
    hurts="A user who wants a fixed difficulty can set it with the password, or not.",
    level=INFO,
    seconds=120,
    expected="recorded: the difficulties that the pool sets",
)
async def password_difficulty(probe: Probe) -> CheckOutcome:
    usual = (await probe.session()).job
    wanted = _between(usual.share_difficulty, usual.network_difficulty)
    connection = await probe.session(password=f"d={wanted!r}")
    await connection.wait_until(lambda: connection.difficulty == wanted, SILENCE)
    shown = ", ".join(str(value) for _, value in connection.difficulties) or "no difficulty"
    return observed(f"after mining.authorize with the password d={wanted!r}, the pool set {shown}")


@check(
    "EXT-16",
    "The check records whether the pool grants the version bits of BIP 323.",
    hurts="A fast ASIC runs out of version bits within a second if only those of BIP 320 are granted.",
    level=INFO,
    expected=f"recorded: the bits 5 to 12 in the mask granted for {WIDEST_MASK:08x}, or none of them",
)
async def bits_of_bip_323(probe: Probe) -> CheckOutcome:
    answer = await _ask_version_rolling(probe, f"{WIDEST_MASK:08x}")
    granted = _grant(answer)
    if isinstance(granted, str):
        return observed(granted)
    further = granted & WIDEST_MASK & ~GENERAL_PURPOSE_MASK
    which = f"the bits {further:08x}" if further else "none of the bits 5 to 12"
    return observed(f"for the mask {WIDEST_MASK:08x}, the pool granted the mask {granted:08x}, with {which} of BIP 323")
