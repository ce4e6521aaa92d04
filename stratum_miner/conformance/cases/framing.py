"""The checks FRM-01 to FRM-23: lines, JSON, request ids, and input that is not Stratum."""

import json
import re
from typing import Any

import trio

from stratum_miner.conformance.case import CASES, INFO, INTRUSIVE, MUST, SHOULD, Topic
from stratum_miner.conformance.connection import PATIENCE, SILENCE, ProbeConnection
from stratum_miner.conformance.messages import Answer
from stratum_miner.conformance.outcome import (
    CheckOutcome,
    Silent,
    UnexpectedDisconnect,
    failed,
    observed,
    passed,
    skipped,
)
from stratum_miner.conformance.probe import AGENT, NO_JOB, Probe
from stratum_miner.conformance.steps import replied_once

check = Topic("framing")

FLOOD = 16 << 20
"""Number of bytes that are sent as one line without a line end. This is more than the socket buffers of both computers
can hold together. On Linux, a receive buffer has at most 6 MiB, and a send buffer at most 4 MiB."""
_TRUNCATED = b'{"id": 1, "method": "mining.subscribe", "params": [\n'
_INTERNALS = re.compile(rb"Traceback|Exception|\bat .+:\d+|File \"|\.(?:py|js|go|rs|c|cs|php):\d+|stack", re.I)
_CLIENT_HELLO = bytes.fromhex(
    "16030100a5010000a10303000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f000020cca8cca9c02fc030c02bc02cc013c009c014c00a009c009d002f0035c012000a0100005800000013001100000e6578616d706c652e756c666865696d000500050100000000000a000a0008001d001700180019000b00020100000d0012001004010403050105030601060302010203ff0100010000120000"
)
"""A TLS 1.2 ClientHello, as bfgminer sends it on every new connection, even if the port does not use TLS."""


def _subscription(answer: Answer, how: str) -> CheckOutcome:
    if answer.is_subscription:
        return passed(f"the pool answered mining.subscribe {how} with a session")
    return failed(f"after mining.subscribe {how}, the pool answered {answer}, expected a session")


def _request(identifier: Any = 1, **others: Any) -> dict[str, Any]:
    return {"id": identifier, "method": "mining.subscribe", "params": [AGENT]} | others


@check(
    "FRM-01",
    "The pool must send one JSON object in UTF-8 on every line.",
    hurts="A miner cannot read the line: many miners close the connection and lose the time of a new handshake.",
    level=MUST,
    is_last=True,
    expected="every line is a JSON object, in the session of this check and in all checks of the run that are not "
    "intrusive",
)
async def every_line_is_an_object(probe: Probe) -> CheckOutcome:
    try:
        # Without other clients, public-pool sends the first job up to a minute late, so the check does not need a job.
        connection = await probe.session(job=False)
        await connection.wait_until(lambda: connection.notifies, SILENCE)
        await probe.reply_seconds(connection)
        unknown = await connection.send_request("mining.unknown_to_everyone")
        await connection.reply_or_none(unknown, SILENCE)
    finally:
        probe.facts.note_lines("FRM-01", probe.connections)
    return _no_other_lines(probe, intrusive=False)


@check(
    "FRM-23",
    "The pool should send one JSON object on every line also to a client that sends what no miner sends.",
    hurts="A developer of a miner, or a user whose miner sends a malformed line, cannot read what is wrong with it.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    is_last=True,
    expected="every line is a JSON object, after a truncated line of this check and in all intrusive checks of the "
    "run; replies of HTTP and TLS to clients that use these protocols do not count",
)
async def every_line_to_others(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    await connection.send(_TRUNCATED)
    await _first_reaction(connection, 2.0)
    probe.facts.note_lines("FRM-23", probe.connections)
    return _no_other_lines(probe, intrusive=True)


def _no_other_lines(probe: Probe, *, intrusive: bool) -> CheckOutcome:
    """Judge the lines that the pool sent to the checks of the run which are intrusive, or to those which are not. A
    line that the pool sent to both is judged with the latter, so that FRM-01 and FRM-23 do not fail for one fault."""
    lines = probe.facts.not_json
    ordinary = {line.data for identifier, line in lines.items() if INTRUSIVE not in CASES[identifier].kinds}
    bad = [
        f"{line} (check {identifier}; it is {line.problem})"
        for identifier, line in lines.items()
        if (line.data not in ordinary) is intrusive
    ]
    if bad:
        one = "a line that is" if len(bad) == 1 else "lines that are"
        return failed(f"the pool sent {one} no JSON object: {'; '.join(bad)}")
    which = "intrusive checks" if intrusive else "checks that are not intrusive"
    return passed(f"all lines that the pool sent to the {which} of this run are JSON objects")


@check(
    "FRM-02",
    "The pool must accept a request that arrives in any number of TCP segments.",
    hurts="A miner on a slow or mobile network, whose requests arrive in pieces, gets no session.",
    level=MUST,
    expected="a session for mining.subscribe that is sent byte by byte",
)
async def byte_by_byte(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    request, line = connection.compose("mining.subscribe", AGENT, what="mining.subscribe sent byte by byte")
    connection.note(">", line)
    connection.note("-", "the check sends this line byte by byte")
    for byte in line:
        await connection.send(bytes([byte]), quiet=True)
        await trio.lowlevel.checkpoint()
    return _subscription(await connection.wait_for_reply(request), "sent byte by byte")


@check(
    "FRM-03",
    "The pool must answer each of several requests that arrive in one TCP segment.",
    hurts="A miner that sends a share before the last one is answered loses shares.",
    level=MUST,
    expected="one reply to each of three mining.submit; their order is recorded",
)
async def three_in_one_segment(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    # The three requests use the method mining.submit, because every pool answers it, at least with an error.
    share = (NO_JOB, "00" * connection.extranonce2_size, "00000000")
    requests = [connection.compose("mining.submit", connection.worker, *share, f"{nonce:08x}") for nonce in range(3)]
    await connection.send(b"".join(line for _, line in requests))
    for request, _ in requests:
        await connection.wait_for_reply(request)
    return replied_once(connection, [request for request, _ in requests])


@check(
    "FRM-04",
    "The pool should accept lines that end with CR LF.",
    hurts="A miner or a script that ends its lines with CR LF gets no session.",
    level=SHOULD,
    expected="a session for mining.subscribe that ends with CR LF",
)
async def carriage_return(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    request, line = connection.compose("mining.subscribe", AGENT, what="mining.subscribe ending with CR LF")
    await connection.send(line[:-1] + b"\r\n")
    return _subscription(await connection.wait_for_reply(request), "ending with CR LF")


@check(
    "FRM-05",
    "The pool should ignore empty lines.",
    hurts="A miner, a proxy or a script that sends an empty line to keep the connection alive loses it.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="a session for mining.subscribe after two empty lines, and a reply to a request after an empty line in "
    "the session; the reaction to lines of CR LF alone is recorded",
)
async def blank_lines(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    request, line = connection.compose("mining.subscribe", AGENT, what="mining.subscribe after two empty lines")
    connection.note("-", "the check sends two empty lines first")
    await connection.send(b"\n\n" + line)
    outcome = _subscription(await connection.wait_for_reply(request), "after two empty lines")
    if outcome.is_failure:
        return outcome
    session = await probe.session(job=False)
    await _send_blank(session, b"\n")
    try:
        await probe.reply_seconds(session)
    except UnexpectedDisconnect as reason:
        return failed(f"after an empty line in the session, {reason}")
    other = await probe.session(job=False)
    await _send_blank(other, b"\r\n")
    try:
        await probe.reply_seconds(other)
        recorded = "the pool answered the next request"
    except (Silent, UnexpectedDisconnect) as reason:
        recorded = str(reason)
    return passed(
        f"{outcome.actual}, and the next request after an empty line in the session; after a line of CR LF alone, "
        f"{recorded}"
    )


async def _send_blank(connection: ProbeConnection, line: bytes) -> None:
    """Send an empty line in a segment of its own, and wait a moment for the pool to read it."""
    connection.note("-", f"the check sends {line!r} alone")
    await connection.send(line)
    await connection.listen(0.3)


@check(
    "FRM-06",
    "The pool must accept any valid JSON: with spaces, with keys in any order and with unknown keys.",
    hurts="A miner whose JSON library orders the keys in another way, or adds some, gets no session.",
    level=MUST,
    kinds=(INTRUSIVE,),
    expected="a session for mining.subscribe with spaces inside and behind it, keys in another order, extra keys and "
    '"jsonrpc": "2.0"',
)
async def any_json(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    line = connection.compose_object(
        "mining.subscribe",
        {"jsonrpc": "2.0", "params": [AGENT], "extra": {"a": [1, None]}, "method": "mining.subscribe", "id": 1},
        "mining.subscribe in unusual but valid JSON",
    )
    await connection.send(b'{ "jsonrpc" : "2.0"' + line[17:-1] + b"  \n")
    return _subscription(await connection.wait_for_reply(1), "in unusual but valid JSON")


@check(
    "FRM-07",
    "The pool must return the id of a request in its reply, with the same value and JSON type.",
    hurts="A miner cannot tell which request was answered: it takes its shares for unanswered, and sends them again "
    "or disconnects.",
    level=MUST,
    expected="replies with the ids 0, 1 and 2147483647 to mining.subscribe with these ids, and a reply with its id to "
    "mining.submit",
)
async def integer_ids(probe: Probe) -> CheckOutcome:
    for identifier in (0, 1, 2**31 - 1):
        wrong = await _echo(probe, identifier)
        if wrong:
            return failed(f"the pool answered mining.subscribe with the id {identifier} {wrong}")
    session = await probe.session(job=False)
    known = len(session.lines)
    share = (NO_JOB, "00" * session.extranonce2_size, "00000000", "00000000")
    request = await session.send_request("mining.submit", session.worker, *share)

    def replies() -> list[Any]:
        return [line for line in session.lines[known:] if line.value is not None and line.method is None]

    await session.wait_until(lambda: session.answers.get(request) or replies(), PATIENCE)
    if not session.answers.get(request):
        if not replies():
            await session.wait_for_reply(request, 0)
        shown = json.dumps(replies()[0].value.get("id"))
        return failed(f"the pool answered mining.submit with the id {request} under the id {shown}")
    return passed("the pool returned the ids 0, 1 and 2147483647 of mining.subscribe, and the id of mining.submit")


async def _echo(probe: Probe, identifier: int | str) -> str:
    connection = await probe.connect()
    await connection.send(connection.compose_object("mining.subscribe", _request(identifier)))

    def reply() -> Any:
        return next((line for line in connection.lines if line.value is not None and line.method is None), None)

    await connection.wait_until(lambda: connection.answers or reply(), PATIENCE)
    if connection.answers.get(identifier):
        return ""
    if reply() is not None:
        return f"under the id {json.dumps(reply().value.get('id'))}"
    if connection.closed:
        return f"with no reply: {connection.ending}"
    raise Silent(f"the pool did not reply to mining.subscribe with id {identifier!r} within {PATIENCE:g} s")


@check(
    "FRM-08",
    "The pool should accept a string as an id.",
    hurts='A user of bfgminer gets no session, because bfgminer sends the id "auth".',
    level=SHOULD,
    expected='a reply with the id "auth" to a request with this id, which bfgminer sends',
)
async def string_ids(probe: Probe) -> CheckOutcome:
    wrong = await _echo(probe, "auth")
    if wrong:
        return failed(f'the pool answered mining.subscribe with id "auth" {wrong}')
    return passed('the pool returned the id "auth" unchanged')


@check(
    "FRM-09",
    "The check records how the pool answers a request with id null.",
    hurts="Nobody: a request with id null asks for no reply.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: a reply with id null, an error, no reply, or a closed connection",
)
async def null_id(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    await connection.send(connection.compose_object("mining.subscribe", _request(None)))
    return observed(f"after mining.subscribe with id null, {await _first_reaction(connection)}")


@check(
    "FRM-10",
    "The check records how the pool answers a request without id.",
    hurts="Nobody: a request without id asks for no reply.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: any reaction, and whether the pool still serves a new connection",
)
async def missing_id(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    message = _request()
    del message["id"]
    await connection.send(connection.compose_object("mining.subscribe", message))
    reaction = await _first_reaction(connection)
    problem = await probe.new_connection_problem()
    return observed(f"after mining.subscribe without id, {reaction}{'; then ' * bool(problem)}{problem}")


async def _first_reaction(connection: ProbeConnection, within: float = SILENCE) -> str:
    """Wait at most ``within`` seconds for a reply or the end of the connection. Return a clause that says which of the
    two came first, or that neither came."""

    def replies() -> list[Any]:
        return [line for line in connection.lines if line.method is None]

    await connection.wait_until(replies, within)
    if replies():
        await connection.wait_closed(0.2)
        closing = f", then {connection.ending}" if connection.closed else ""
        return f"the pool answered {replies()[0]}{closing}"
    return connection.reaction(None, within)


@check(
    "FRM-11",
    "The pool must serve other clients unchanged when one client sends broken JSON.",
    hurts="All miners of the pool lose their connections because of one client.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    expected="a closed connection, or an error with id null; the pool answers another session and a new connection",
)
async def truncated_json(probe: Probe) -> CheckOutcome:
    return await _others_are_served(probe, {"a truncated line": _TRUNCATED})


async def _others_are_served(probe: Probe, faults: dict[str, bytes]) -> CheckOutcome:
    other_session = await probe.session()
    reactions = []
    for name, data in faults.items():
        connection = await probe.connect()
        try:
            await connection.send(data)
            reactions.append(f"after {name}, {await _first_reaction(connection, 2.0)}")
        except UnexpectedDisconnect as reason:
            reactions.append(f"after {name}, {reason}")
        problem = await probe.others_problem(other_session)
        if problem:
            return failed(f"after {name}, {problem}")
    return passed(f"{'; '.join(reactions)}. The pool still answers other clients")


@check(
    "FRM-12",
    "The pool should refuse a request with bytes that are not UTF-8.",
    hurts="A user with a damaged name gets a session, and perhaps no payment, because the pool stored another name.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="an error or a closed connection; never a normal reply",
)
async def not_utf8(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    line = connection.compose_object("mining.subscribe", _request())
    await connection.send(line.replace(AGENT.encode(), b"agent \xff\xfe\x80"))
    answer = await connection.reply_or_none(1, SILENCE)
    if answer is None:
        return passed(f"after a user agent that is not UTF-8, {await _first_reaction(connection, 0.1)}")
    return (passed if answer.refused else failed)(f"after a user agent that is not UTF-8, the pool answered {answer}")


@check(
    "FRM-13",
    "The pool must accept a request of 1,000 bytes.",
    hurts="A miner with a long worker name and password cannot log in.",
    level=MUST,
    kinds=(INTRUSIVE,),
    expected="a session for mining.subscribe that is padded with spaces to 1,000 bytes",
)
async def thousand_bytes(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    line = connection.compose_object("mining.subscribe", _request(), "mining.subscribe of 1,000 bytes")
    await connection.send(line[:-2] + b" " * (1000 - len(line)) + line[-2:])
    return _subscription(await connection.wait_for_reply(1), "of 1,000 bytes")


@check(
    "FRM-14",
    "The check records whether the pool accepts a request of 4,000 bytes.",
    hurts="A miner with a very long password, as some pools use for settings, cannot log in.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: a reply, or a closed connection",
)
async def four_kilobytes(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    line = connection.compose_object("mining.subscribe", _request())
    await connection.send(line[:-2] + b" " * (4000 - len(line)) + line[-2:])
    return observed(f"after mining.subscribe of 4,000 bytes, {await _first_reaction(connection)}")


@check(
    "FRM-15",
    "The pool must limit the length of a line that does not end.",
    hurts="All miners of the pool lose their connections when one client has filled the memory of the pool.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=120,
    expected="the pool closes the connection, or stops reading, within 16 MiB of one line; it answers other clients",
)
async def endless_line(probe: Probe) -> CheckOutcome:
    other_session = await probe.session()
    connection = await probe.connect()
    sent, piece = 0, b"x" * (64 << 10)
    connection.note("-", "the check sends bytes without a line end")
    with trio.move_on_after(20.0) as patience:
        try:
            while sent < FLOOD:
                await connection.send(piece, quiet=True)
                sent += len(piece)
        except UnexpectedDisconnect:
            pass
    problem = await probe.others_problem(other_session)
    if problem:
        return failed(f"after {sent:,} bytes of a line that does not end, {problem}")
    if patience.cancelled_caught:
        return passed(f"the pool stopped reading after {sent:,} bytes of a line that does not end")
    if await connection.wait_closed(SILENCE):
        return passed(f"{connection.ending} after at most {sent:,} bytes of a line that does not end")
    return failed(f"the pool received {sent:,} bytes of a line that does not end, and kept the connection open")


@check(
    "FRM-16",
    "The pool must serve other clients unchanged when one client sends JSON that is not a request.",
    hurts="All miners of the pool lose their connections because of one client.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=90,
    expected="the pool ignores or refuses an array, a string, a number, null, 1,000 nested arrays and repeated keys, "
    "or closes the connection; it answers other clients",
)
async def other_json(probe: Probe) -> CheckOutcome:
    return await _others_are_served(
        probe,
        {
            "an array": b'[{"id": 1, "method": "mining.subscribe", "params": []}]\n',
            "a string": b'"mining.subscribe"\n',
            "a number": b"42\n",
            "null": b"null\n",
            "1,000 nested arrays": b'{"id": 1, "method": "mining.subscribe", "params": '
            + b"[" * 1000
            + b"]" * 1000
            + b"}\n",
            "repeated keys": b'{"id": 1, "id": 2, "method": "mining.subscribe", "method": "mining.x", "params": []}\n',
        },
    )


@check(
    "FRM-17",
    "The pool should close the connection when a client starts a TLS handshake on a plain-text port.",
    hurts="A user of bfgminer waits until the attempt with TLS times out before mining starts.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected=f"the pool closes the connection within {SILENCE:g} s; bfgminer tries TLS first, and hangs if the pool "
    "waits",
)
async def tls_on_a_plain_port(probe: Probe) -> CheckOutcome:
    if probe.pool.tls:
        return skipped("the pool uses TLS on this port")
    connection = await probe.connect()
    connection.note(">", "a TLS ClientHello")
    await connection.send(_CLIENT_HELLO, quiet=True)
    if await connection.wait_closed(SILENCE):
        return passed(f"after a TLS ClientHello, {connection.ending}")
    return failed(f"after a TLS ClientHello, the connection is still open after {SILENCE:g} s")


@check(
    "FRM-18",
    "The pool should refuse an HTTP request, and should not reveal internals such as a stack trace.",
    hurts="The operator: somebody who calls the port with a browser learns what the pool runs on.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="a closed connection or HTTP 4xx; no stack trace and no file paths",
)
async def http_request(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    await connection.send(b"GET / HTTP/1.1\r\nHost: pool\r\n\r\n")
    closed = await connection.wait_closed(SILENCE)
    received = b" ".join(line.data for line in connection.lines)
    if _INTERNALS.search(received):
        return failed(f"the pool answered an HTTP request with text that reveals internals: {connection.lines[0]}")
    if closed:
        return passed(f"after an HTTP request, {connection.ending}")
    if re.match(rb"HTTP/1\.[01] 4", received):
        return passed(f"the pool answered an HTTP request with {connection.lines[0]}")
    return failed(f"after an HTTP request, the connection is still open after {SILENCE:g} s, without a reply HTTP 4xx")


@check(
    "FRM-19",
    "The pool should refuse a request with a method that is missing or not a string.",
    hurts="A developer of a miner waits for a reply and does not learn what is wrong with the request.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="an error (-3, -1, -32600 or another), or a closed connection",
)
async def bad_method(probe: Probe) -> CheckOutcome:
    replies = []
    requests: dict[str, dict[str, Any]] = {
        "a request without method": {"id": 1, "params": []},
        "a request with method 5": {"id": 1, "method": 5, "params": []},
    }
    for name, message in requests.items():
        connection = await probe.connect()
        await connection.send(connection.compose_object(name, message))
        answer = await connection.reply_or_none(1, SILENCE)
        if answer is None and not connection.closed:
            raise Silent(f"the pool did not reply to {name} within {SILENCE:g} s")
        if answer is not None and not answer.refused:
            return failed(f"after {name}, the pool answered {answer}")
        replies.append(f"after {name}, {connection.reaction(answer, SILENCE)}")
    return passed("; ".join(replies))


@check(
    "FRM-20",
    "The pool should answer a request with an unknown method with an error.",
    hurts="A miner that asks for an optional method waits for a reply, and perhaps disconnects.",
    level=SHOULD,
    expected="an error: -3, 20, -32601 or another; without a reply, a miner would wait for it",
)
async def unknown_method(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    answer = await connection.call("mining.unknown_to_everyone", within=SILENCE)
    return (passed if answer.refused else failed)(f"after mining.unknown_to_everyone, the pool answered {answer}")


@check(
    "FRM-21",
    "The pool should answer params that are missing, null or an object with an error, and keep the connection open.",
    hurts="A developer of a miner waits for a reply and does not learn what is wrong with the request.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="an error for mining.authorize with such params, and then true for a valid mining.authorize",
)
async def bad_params(probe: Probe) -> CheckOutcome:
    replies = []
    for name, extra in (
        ("without params", {}),
        ("with params null", {"params": None}),
        ("with an object as params", {"params": {"user": "x"}}),
    ):
        connection = await probe.subscribed()
        await connection.send(
            connection.compose_object(
                "mining.authorize", {"id": 7, "method": "mining.authorize"} | extra, f"mining.authorize {name}"
            )
        )
        answer = await connection.wait_for_reply(7, SILENCE)
        if not answer.refused:
            return failed(f"after mining.authorize {name}, the pool answered {answer}, expected an error")
        valid = f"a valid mining.authorize after mining.authorize {name}"
        again = await connection.call("mining.authorize", probe.pool.worker, probe.pool.password, what=valid)
        if not again.accepted:
            return failed(
                f"after mining.authorize {name}, the pool answered {answer}, and after a valid mining.authorize {again}"
            )
        replies.append(f"after mining.authorize {name}, the pool answered {answer}")
    return passed("; ".join(replies))


@check(
    "FRM-22",
    "The pool must not reply to a reply.",
    hurts="A miner or proxy that also answers such a reply exchanges replies with the pool without end.",
    level=MUST,
    kinds=(INTRUSIVE,),
    expected="no line in reply to a reply with an unknown id, and to one with an error; a reply to the next request",
)
async def replies_to_replies(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    await connection.send(b'{"id": 987654, "result": "stratum", "error": null}\n')
    await connection.send(b'{"id": 987655, "result": null, "error": [38, "unknown method", null]}\n')
    await probe.reply_seconds(connection)
    await connection.listen(1.0)
    for line in connection.lines:
        if line.value is not None and line.method is None and line.value.get("id") in (987654, 987655):
            return failed(f"the pool replied to a reply that the check sent: {line}")
    return passed("the pool sent nothing in reply to two replies, and answered the request after them")
