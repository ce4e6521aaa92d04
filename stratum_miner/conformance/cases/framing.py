"""FRM: lines, JSON, ids, and what does not belong on the wire."""

import re
from typing import Any

import trio

from stratum_miner.conformance.case import INFO, INTRUSIVE, MUST, SHOULD, Topic
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
"""Bytes of a line without end: more than the socket buffers of both sides hold (Linux: 6 + 4 MiB at most)."""
_INTERNALS = re.compile(rb"Traceback|Exception|\bat .+:\d+|File \"|\.(?:py|js|go|rs|c|cs|php):\d+|stack", re.I)
_CLIENT_HELLO = bytes.fromhex(
    "16030100a5010000a10303000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f000020cca8cca9c02fc030"
    "c02bc02cc013c009c014c00a009c009d002f0035c012000a0100005800000013001100000e6578616d706c652e756c666865696d0005"
    "00050100000000000a000a0008001d001700180019000b00020100000d0012001004010403050105030601060302010203ff01000100"
    "00120000"
)
"""A TLS 1.2 ClientHello, as bfgminer opens with on any port."""


def _subscription(answer: Answer, how: str) -> CheckOutcome:
    return passed(f"{how}: answered") if answer.is_subscription else failed(f"{how}: answered with {answer}")


def _request(identifier: Any = 1, **others: Any) -> dict[str, Any]:
    return {"id": identifier, "method": "mining.subscribe", "params": [AGENT]} | others


@check(
    "FRM-01",
    "Every line from the pool is one JSON object in UTF-8.",
    level=MUST,
    expected="all lines of a session parse: replies, refusals, jobs",
)
async def every_line_is_an_object(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    await probe.reply_seconds(connection)
    unknown = await connection.send_request("mining.unknown_to_everyone")
    await connection.reply_or_none(unknown, SILENCE)
    for line in connection.lines:
        if line.value is None and line.data.strip():
            return failed(f"{line.problem}: {line}")
    return passed(f"{len(connection.lines)} lines")


@check(
    "FRM-02",
    "A request may arrive in any number of segments.",
    level=MUST,
    expected="mining.subscribe sent byte by byte gets its reply",
)
async def byte_by_byte(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    request, line = connection.compose("mining.subscribe", AGENT)
    connection.note(">", line)
    connection.note("-", "byte by byte")
    for byte in line:
        await connection.send(bytes([byte]), quiet=True)
        await trio.lowlevel.checkpoint()
    return _subscription(await connection.wait_for_reply(request), "byte by byte")


@check(
    "FRM-03",
    "Several requests may arrive in one segment.",
    level=MUST,
    expected="three submits, three replies, each id once; their order is recorded",
)
async def three_in_one_segment(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    share = (NO_JOB, "00" * connection.extranonce2_size, "00000000")  # every pool answers a submit, if with an error
    requests = [connection.compose("mining.submit", connection.worker, *share, f"{nonce:08x}") for nonce in range(3)]
    await connection.send(b"".join(line for _, line in requests))
    for request, _ in requests:
        await connection.wait_for_reply(request)
    return replied_once(connection, [request for request, _ in requests])


@check("FRM-04", "A line may end in CR LF.", level=SHOULD, expected="mining.subscribe gets its reply")
async def carriage_return(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    request, line = connection.compose("mining.subscribe", AGENT)
    await connection.send(line[:-1] + b"\r\n")
    return _subscription(await connection.wait_for_reply(request), "with CR LF")


@check(
    "FRM-05",
    "Empty lines are ignored.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="mining.subscribe after two empty lines gets its reply; after lines of a CR alone it is recorded",
)
async def blank_lines(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    request, line = connection.compose("mining.subscribe", AGENT)
    connection.note("-", "two empty lines first")
    await connection.send(b"\n\n" + line)
    outcome = _subscription(await connection.wait_for_reply(request), "after empty lines")
    if outcome.is_failure:
        return outcome
    other = await probe.connect()
    request, line = other.compose("mining.subscribe", AGENT)
    other.note("-", "two lines of a CR alone first")
    await other.send(b"\r\n\r\n" + line)
    answer = await other.reply_or_none(request, SILENCE)
    return passed(f"{outcome.actual}; after a CR alone: {'answered' if answer else other.ending or 'silence'}")


@check(
    "FRM-06",
    "JSON is read as JSON: blanks, key order and unknown keys do not matter.",
    level=MUST,
    expected='a reply to a request with blanks around it, keys in another order, extra keys and "jsonrpc": "2.0"',
)
async def any_json(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    line = connection.compose_object(
        "mining.subscribe",
        {"jsonrpc": "2.0", "params": [AGENT], "extra": {"a": [1, None]}, "method": "mining.subscribe", "id": 1},
    )
    await connection.send(b'  \t{ "jsonrpc" : "2.0"' + line[17:-1] + b"  \n")
    return _subscription(await connection.wait_for_reply(1), "unusual but valid JSON")


@check(
    "FRM-07",
    "The id of a reply is that of the request, in value and type.",
    level=MUST,
    expected="0, 1 and 2147483647 come back as these integers",
)
async def integer_ids(probe: Probe) -> CheckOutcome:
    for identifier in (0, 1, 2**31 - 1):
        wrong = await _echo(probe, identifier)
        if wrong:
            return failed(f"id {identifier} {wrong}")
    return passed("0, 1 and 2147483647 came back")


async def _echo(probe: Probe, identifier: int | str) -> str:
    connection = await probe.connect()
    await connection.send(connection.compose_object("mining.subscribe", _request(identifier)))

    def reply() -> Any:
        return next((line for line in connection.lines if line.value is not None and line.method is None), None)

    await connection.wait_until(lambda: connection.answers or reply(), PATIENCE)
    if connection.answers.get(identifier):
        return ""
    if reply() is not None:
        return f"came back as {reply().value.get('id')!r}"
    if connection.closed:
        return f"ended the connection ({connection.ending})"
    raise Silent(f"no reply to mining.subscribe with id {identifier!r} in {PATIENCE:g} s")


@check("FRM-08", "An id may be a string.", level=SHOULD, expected='"auth" comes back as "auth" (bfgminer sends it)')
async def string_ids(probe: Probe) -> CheckOutcome:
    wrong = await _echo(probe, "auth")
    return failed(f'id "auth" {wrong}') if wrong else passed('"auth" came back')


@check(
    "FRM-09",
    "A request with id null does no harm.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: a reply with id null, an error, silence or a close",
)
async def null_id(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    await connection.send(connection.compose_object("mining.subscribe", _request(None)))
    return observed(await _first_reaction(connection))


@check(
    "FRM-10",
    "A request without id does no harm.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: any reaction but a crash",
)
async def missing_id(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    message = _request()
    del message["id"]
    await connection.send(connection.compose_object("mining.subscribe", message))
    reaction = await _first_reaction(connection)
    down = await probe.new_connection_problem()
    return observed(f"{reaction}; {down}" if down else reaction)


async def _first_reaction(connection: ProbeConnection, within: float = SILENCE) -> str:
    """What the pool does next: its first reply, or how it closes, or silence."""

    def replies() -> list[Any]:
        return [line for line in connection.lines if line.method is None]

    await connection.wait_until(replies, within)
    if replies():
        await connection.wait_closed(0.2)
        closing = f", then {connection.ending}" if connection.closed else ""
        return f"{replies()[0]}{closing}"
    return connection.ending if connection.closed else f"silence for {within:g} s"


@check(
    "FRM-11",
    "Broken JSON from one client does not affect the others.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    expected="a close, or an error with id null; another session and new connections are served",
)
async def truncated_json(probe: Probe) -> CheckOutcome:
    return await _others_are_served(
        probe, {"a truncated line": b'{"id": 1, "method": "mining.subscribe", "params": [\n'}
    )


async def _others_are_served(probe: Probe, faults: dict[str, bytes]) -> CheckOutcome:
    other_session = await probe.session()
    reactions = []
    for name, data in faults.items():
        connection = await probe.connect()
        try:
            await connection.send(data)
            reactions.append(f"{name}: {await _first_reaction(connection, 2.0)}")
        except UnexpectedDisconnect as reason:
            reactions.append(f"{name}: {reason}")
        affected = await probe.others_problem(other_session)
        if affected:
            return failed(f"after {name}, {affected}")
    return passed("; ".join(reactions))


@check(
    "FRM-12",
    "Bytes that are not UTF-8 are refused.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="a close or an error; never a normal reply",
)
async def not_utf8(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    line = connection.compose_object("mining.subscribe", _request())
    await connection.send(line.replace(AGENT.encode(), b"agent \xff\xfe\x80"))
    answer = await connection.reply_or_none(1, SILENCE)
    if answer is None:
        return passed(await _first_reaction(connection, 0.1))
    return passed(str(answer)) if answer.refused else failed(f"a normal reply: {answer}")


@check(
    "FRM-13",
    "A request of 1,000 bytes is taken.",
    level=MUST,
    kinds=(INTRUSIVE,),
    expected="mining.subscribe padded with blanks to 1,000 bytes gets its reply",
)
async def thousand_bytes(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    line = connection.compose_object("mining.subscribe", _request())
    await connection.send(line[:-2] + b" " * (1000 - len(line)) + line[-2:])
    return _subscription(await connection.wait_for_reply(1), "1,000 bytes")


@check(
    "FRM-14",
    "A request of 4 kB is taken, or refused cleanly.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: a reply or a close",
)
async def four_kilobytes(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    line = connection.compose_object("mining.subscribe", _request())
    await connection.send(line[:-2] + b" " * (4000 - len(line)) + line[-2:])
    return observed(await _first_reaction(connection))


@check(
    "FRM-15",
    "A line that does not end is cut off.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=120,
    expected="the pool closes, or stops reading, before it holds 16 MiB of one line; others are served",
)
async def endless_line(probe: Probe) -> CheckOutcome:
    other_session = await probe.session()
    connection = await probe.connect()
    sent, piece = 0, b"x" * (64 << 10)
    connection.note("-", "bytes without a line end")
    with trio.move_on_after(20.0) as patience:
        try:
            while sent < FLOOD:
                await connection.send(piece, quiet=True)
                sent += len(piece)
        except UnexpectedDisconnect:
            pass
    affected = await probe.others_problem(other_session)
    if affected:
        return failed(affected)
    if patience.cancelled_caught:
        return passed(f"it stopped reading after {sent:,} bytes")
    if await connection.wait_closed(SILENCE):
        return passed(f"{connection.ending}, at most {sent:,} bytes after the start")
    return failed(f"it took {sent:,} bytes of one line and kept the connection")


@check(
    "FRM-16",
    "JSON that is no request does no harm.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=90,
    expected="an array, a string, a number, null, 1,000 levels and double keys are ignored, refused or answered by a "
    "close; others are served",
)
async def other_json(probe: Probe) -> CheckOutcome:
    return await _others_are_served(
        probe,
        {
            "an array": b'[{"id": 1, "method": "mining.subscribe", "params": []}]\n',
            "a string": b'"mining.subscribe"\n',
            "a number": b"42\n",
            "null": b"null\n",
            "1,000 levels": b'{"id": 1, "method": "mining.subscribe", "params": ' + b"[" * 1000 + b"]" * 1000 + b"}\n",
            "double keys": b'{"id": 1, "id": 2, "method": "mining.subscribe", "method": "mining.x", "params": []}\n',
        },
    )


@check(
    "FRM-17",
    "A TLS handshake on a plain port is answered by closing.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="a close at once; bfgminer tries TLS first and hangs where the pool waits",
)
async def tls_on_a_plain_port(probe: Probe) -> CheckOutcome:
    if probe.pool.tls:
        return skipped("the port speaks TLS")
    connection = await probe.connect()
    connection.note(">", "a TLS ClientHello")
    await connection.send(_CLIENT_HELLO, quiet=True)
    if await connection.wait_closed(SILENCE):
        return passed(connection.ending)
    return failed(f"still open after {SILENCE:g} s")


@check(
    "FRM-18",
    "An HTTP request is turned away without telling internals.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="a close, or HTTP 4xx; no stack trace, no paths",
)
async def http_request(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    await connection.send(b"GET / HTTP/1.1\r\nHost: pool\r\n\r\n")
    closed = await connection.wait_closed(SILENCE)
    received = b" ".join(line.data for line in connection.lines)
    if _INTERNALS.search(received):
        return failed(f"it tells internals: {connection.lines[0]}")
    if closed:
        return passed(connection.ending)
    if re.match(rb"HTTP/1\.[01] 4", received):
        return passed(str(connection.lines[0]))
    return failed(f"still open after {SILENCE:g} s, without HTTP 4xx")


@check(
    "FRM-19",
    "A request whose method is missing or no string is refused.",
    level=SHOULD,
    expected="an error (-3, -1, -32600 or another), or a close",
)
async def bad_method(probe: Probe) -> CheckOutcome:
    replies = []
    for name, message in (("missing", {"id": 1, "params": []}), ("5", {"id": 1, "method": 5, "params": []})):
        connection = await probe.connect()
        await connection.send(connection.compose_object(f"a request with method {name}", message))
        answer = await connection.reply_or_none(1, SILENCE)
        if answer is None and not connection.closed:
            raise Silent(f"no reply to a request with method {name} in {SILENCE:g} s")
        if answer is not None and not answer.refused:
            return failed(f"method {name}: {answer}")
        replies.append(f"method {name}: {connection.ending if answer is None else answer}")
    return passed("; ".join(replies))


@check(
    "FRM-20",
    "An unknown method with an id is answered.",
    level=SHOULD,
    expected="an error: -3, 20, -32601 or another; miners that ask would wait otherwise",
)
async def unknown_method(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    answer = await connection.call("mining.unknown_to_everyone", within=SILENCE)
    return passed(str(answer)) if answer.refused else failed(str(answer))


@check(
    "FRM-21",
    "Params that are missing, null or an object get an error and no close.",
    level=SHOULD,
    expected="mining.authorize with such params is refused, the connection goes on",
)
async def bad_params(probe: Probe) -> CheckOutcome:
    replies = []
    for name, extra in (("missing", {}), ("null", {"params": None}), ("an object", {"params": {"user": "x"}})):
        connection = await probe.subscribed()
        await connection.send(
            connection.compose_object("mining.authorize", {"id": 7, "method": "mining.authorize"} | extra)
        )
        answer = await connection.wait_for_reply(7, SILENCE)
        if not answer.refused:
            return failed(f"params {name}: {answer}")
        again = await connection.call("mining.authorize", probe.pool.worker, probe.pool.password)
        if not again.accepted:
            return failed(f"params {name}: {answer}; after it a proper mining.authorize got {again}")
        replies.append(f"params {name}: {answer}")
    return passed("; ".join(replies))


@check(
    "FRM-22",
    "The pool never replies to a reply.",
    level=MUST,
    expected="a response with an unknown id, and one with an error, get no line; the next request is answered",
)
async def replies_to_replies(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    await connection.send(b'{"id": 987654, "result": "stratum", "error": null}\n')
    await connection.send(b'{"id": 987655, "result": null, "error": [38, "unknown method", null]}\n')
    await probe.reply_seconds(connection)
    await connection.wait_until(lambda: False, 1.0)
    for line in connection.lines:
        if line.value is not None and line.method is None and line.value.get("id") in (987654, 987655):
            return failed(f"it replied: {line}")
    return passed("no line; a request after it was answered")
