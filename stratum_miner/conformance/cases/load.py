"""The checks LD-01 to LD-17: floods, many connections and broken clients, and whether the pool still serves other
clients.

These checks are intrusive and run only on the user's own pool.
"""

import json
import random
import socket
from contextlib import suppress

import trio

from stratum_miner.conformance.blocks import extend
from stratum_miner.conformance.case import CHAIN, INFO, INTRUSIVE, MUST, SHOULD, WORK, Topic
from stratum_miner.conformance.connection import SILENCE, ProbeConnection
from stratum_miner.conformance.messages import Answer
from stratum_miner.conformance.outcome import (
    CheckOutcome,
    Silent,
    Skip,
    UnexpectedDisconnect,
    failed,
    observed,
    passed,
    skipped,
)
from stratum_miner.conformance.pool_under_test import Unreachable
from stratum_miner.conformance.probe import AGENT, NO_JOB, RENEWAL, FoundShare, Probe
from stratum_miner.conformance.steps import is_quick, measured_lag, percentile_95, repeats_work_of_ended
from stratum_miner.network import files

check = Topic("load")

MANY = 100
"""Number of connections in the check LD-01, which measures the duration of their handshakes."""
IDLE = 1000
"""Number of idle connections that a check opens. If this process may not open so many files, the check opens fewer."""
FAN_OUT = 200
"""Number of sessions in the check LD-10, which all wait for the same new job."""
SPREAD = 0.5
"""Maximum number of seconds that the check LD-10 allows between the arrival of a new job at the first session and its
arrival at the last session."""
SLOW_BYTES = 12
"""Number of bytes that the simulated slow client sends, one per second."""
UNREAD = 24 << 20
"""Number of bytes of replies that a check causes the pool to send, but does not read. They are too many to fit into the
socket buffers of both computers together, so the pool has to keep some of them in its own memory or close the
connection."""
FLOOD_SECONDS, FLOOD_RATE = 5, 1000
"""Duration of a flood in seconds, and the number of requests per second."""
LATENCY = 0.5
"""Seconds within which the pool should answer the requests of another session during the flood."""
BAD_SHARES = 200
RECONNECTS, RECONNECT_INTERVAL = 100, 0.1
"""Number of connections that one client makes in a row, and the seconds from the start of one connection to the start
of the next."""
STORM = 50
"""Number of blocks that the check LD-11 makes in a row."""
KEPT_FILES = 100
"""Number of open files that this process needs besides the connections of a check."""


def _affordable(wanted: int) -> int:
    """Return how many connections the check should open: ``wanted``, or fewer if this process may not open so many
    files, but at least 10.

    Each connection counts as two open files, because in the tests of this project the pool runs in the same process.
    """
    allowed = files.allow(2 * wanted + KEPT_FILES)
    return wanted if allowed < 0 else max(10, min(wanted, (allowed - KEPT_FILES) // 2))


@check(
    "LD-01",
    "The pool should serve many miners that connect at the same time.",
    hurts="The miners of a farm get no session when they all return after a power cut or a restart of the pool.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=120,
    expected=f"{MANY} connections made at once are all subscribed and authorized, 99 % of them within 5 s",
)
async def many_connections(probe: Probe) -> CheckOutcome:
    times: list[float] = []
    errors: list[str] = []

    async def one() -> None:
        started = trio.current_time()
        try:
            await probe.session(job=False, mask=None)
        except (Skip, Unreachable) as reason:
            errors.append(str(reason))
        else:
            times.append(trio.current_time() - started)

    async with trio.open_nursery() as nursery:
        for _ in range(_affordable(MANY)):
            nursery.start_soon(one)
    if errors:
        return failed(f"{len(errors)} of {len(errors) + len(times)} connections got no session. The first: {errors[0]}")
    slow = sorted(times)[max(0, len(times) * 99 // 100 - 1)]
    return (passed if slow < 5 else failed)(
        f"{len(times)} connections made at once were subscribed and authorized, 99 % within {slow:.2f} s"
    )


@check(
    "LD-03",
    "The pool must serve other clients while many connections are idle.",
    hurts="All miners: anybody with many idle connections can shut them out.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=120,
    expected=f"with {IDLE:,} idle connections, the pool answers another session, and a new connection unless it "
    "refuses one; HS-16 checks the time-out of idle connections",
)
async def idle_connections(probe: Probe) -> CheckOutcome:
    other_session = await probe.session()
    count = _affordable(IDLE)
    for number in range(count):
        try:
            await probe.connect()
        except Unreachable as reason:
            problem = await _session_problem(probe, other_session)
            refusal = f"the pool refused a connection after {number} idle ones ({reason})"
            return failed(f"{refusal}, and {problem}") if problem else passed(refusal)
    problem = await probe.others_problem(other_session)
    if problem:
        return failed(f"with {count:,} idle connections, {problem}")
    return passed(f"with {count:,} idle connections, the pool answered another session and a new connection")


async def _session_problem(probe: Probe, connection: ProbeConnection) -> str:
    try:
        await probe.reply_seconds(connection)
    except (Silent, UnexpectedDisconnect) as error:
        return f"the pool no longer serves another session: {error}"
    return ""


@check(
    "LD-04",
    "The pool must serve other clients while one client sends one byte per second.",
    hurts="All miners: anybody with one slow connection can shut them out.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    expected="the pool answers another session and a new connection; it may serve the slow client or close its "
    "connection",
)
async def slow_writer(probe: Probe) -> CheckOutcome:
    other_session = await probe.session()
    connection = await probe.connect()
    _, line = connection.compose("mining.subscribe", AGENT)
    connection.note("-", "the check sends one byte per second")
    try:
        for byte in line[:SLOW_BYTES]:
            await connection.send(bytes([byte]), quiet=True)
            await connection.listen(1.0)
    except UnexpectedDisconnect:
        pass
    problem = await probe.others_problem(other_session)
    if problem:
        return failed(f"after {SLOW_BYTES} bytes in as many seconds, {problem}")
    slow_client = connection.ending or "the pool kept the slow connection open"
    return passed(f"the pool answered other clients; {slow_client}")


@check(
    "LD-05",
    "The pool must limit the memory for a client that does not read, and must serve other clients meanwhile.",
    hurts="All miners lose their connections when one client has filled the memory of the pool.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=180,
    expected=f"the pool closes the connection, or stops reading from it, within {UNREAD >> 20} MiB of unread replies; "
    "it answers other clients",
)
async def slow_reader(probe: Probe) -> CheckOutcome:
    other_session = await probe.session()
    request, size = await _repeatable_request(probe)
    stream = await probe.pool.dial()
    if isinstance(stream, trio.SocketStream):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    piece = request * 64
    handshake = [("mining.subscribe", [AGENT]), ("mining.authorize", [probe.pool.worker, probe.pool.password])]
    requested, closed, paused = 0, False, False
    try:
        for identifier, (method, params) in enumerate(handshake, 1):
            await stream.send_all(json.dumps({"id": identifier, "method": method, "params": params}).encode() + b"\n")
        while requested < UNREAD and not (closed or paused):
            with trio.move_on_after(15.0) as patience:
                await stream.send_all(piece)
            paused = patience.cancelled_caught
            requested += size * 64
            await trio.lowlevel.checkpoint()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        closed = True
    problem = await probe.others_problem(other_session)
    await trio.aclose_forcefully(stream)
    if problem:
        return failed(f"while a client did not read {requested:,} bytes of replies, {problem}")
    if closed or paused:
        reaction = "closed the connection" if closed else "stopped reading"
        return passed(
            f"the pool {reaction} after the client had requested {requested:,} bytes of replies and read none"
        )
    return failed(
        f"a client requested {requested:,} bytes of replies and read none, and the pool still reads its requests"
    )


async def _repeatable_request(probe: Probe) -> tuple[bytes, int]:
    """Return a request with a long id that the pool answers each time, as a line, and the size of the reply in bytes.

    Some pools answer mining.authorize only once on a connection, so there may be nothing to read after the first.
    Raises Skip if the pool answers none of the requests.
    """
    connection = await probe.session(job=False)
    share = [NO_JOB, "00" * connection.extranonce2_size, "00000000", "00000000"]
    for number, (method, params) in enumerate(
        (("mining.authorize", [probe.pool.worker, probe.pool.password]), ("mining.submit", [probe.pool.worker, *share]))
    ):
        identifier = f"{number}" * 600
        line = connection.compose_object(method, {"id": identifier, "method": method, "params": params})
        await connection.send(line)
        answer = await connection.reply_or_none(identifier, SILENCE)
        if answer is not None:
            return line, len(answer.line.data) + 1
    raise Skip("the pool answers neither a second mining.authorize nor a share with an id of 600 characters")


@check(
    "LD-07",
    "The pool should answer other clients quickly while one client sends a flood of valid requests.",
    hurts="All miners get their jobs and answers late while one client sends too much.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=90,
    expected=f"95 % of the replies to another session within {LATENCY * 1000:g} ms, during {FLOOD_RATE:,} requests per "
    f"second for {FLOOD_SECONDS} s; the pool may serve the flooding client, slow it down or close its connection",
)
async def request_flood(probe: Probe) -> CheckOutcome:
    other_session, flooder = await probe.session(), await probe.session()
    waited: list[float] = []
    async with measured_lag() as lag, trio.open_nursery() as nursery:
        nursery.start_soon(_flood, probe, flooder)
        for _ in range(2 * FLOOD_SECONDS):
            waited.append(await probe.reply_seconds(other_session))
            await trio.sleep(0.5)
        nursery.cancel_scope.cancel()
    slow = percentile_95(waited)
    flood = flooder.ending or f"the pool answered {len(flooder.answers)} of them"
    return is_quick(
        slow < LATENCY,
        lag,
        f"during {FLOOD_RATE:,} requests per second, the pool answered 95 % of the requests of another session within "
        f"{slow * 1000:.0f} ms; on the flooding connection, {flood}",
    )


async def _flood(probe: Probe, connection: ProbeConnection) -> None:
    connection.note("-", f"the check sends {FLOOD_RATE:,} requests per second")
    params = (connection.worker, probe.pool.password)
    due = trio.current_time()
    try:
        for _ in range(FLOOD_SECONDS * 10):
            lines = [connection.compose("mining.authorize", *params)[1] for _ in range(FLOOD_RATE // 10)]
            await connection.send(b"".join(lines), quiet=True)
            due += 0.1
            await trio.sleep_until(due)
    except UnexpectedDisconnect:
        pass


@check(
    "LD-08",
    "The pool should answer each share of a flood of faulty shares, or close the connection.",
    hurts="The operator: a faulty client keeps the pool busy, and does not learn that it is faulty.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=120,
    expected=f"an error for each of {BAD_SHARES} shares of an unknown job, or a closed connection, as by a ban",
)
async def bad_share_flood(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    size = "00" * connection.extranonce2_size
    requests = [
        connection.compose("mining.submit", connection.worker, NO_JOB, size, "00000000", f"{number:08x}")
        for number in range(BAD_SHARES)
    ]
    connection.note("-", f"the check sends {BAD_SHARES} shares of an unknown job")
    with suppress(UnexpectedDisconnect):
        await connection.send(b"".join(line for _, line in requests), quiet=True)
    await connection.wait_until(lambda: all(connection.answers.get(request) for request, _ in requests), 30.0)
    answered = [connection.answers[request][0] for request, _ in requests if connection.answers.get(request)]
    accepted = sum(answer.accepted for answer in answered)
    if accepted:
        return failed(f"the pool accepted {accepted} of {BAD_SHARES} shares of an unknown job")
    if len(answered) < BAD_SHARES and not connection.closed:
        raise Silent(f"the pool did not answer {BAD_SHARES - len(answered)} of {BAD_SHARES} faulty shares within 30 s")
    end = f", and then {connection.ending}" if connection.closed else ""
    return passed(f"the pool rejected {len(answered)} of {BAD_SHARES} shares of an unknown job{end}")


@check(
    "LD-09",
    "The pool should still serve clients after one client has connected again and again.",
    hurts="All miners: one client that reconnects in a loop uses up what the others need.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=300,
    expected=f"a reply to a new connection after {RECONNECTS} connections, ten per second, which the pool may refuse; "
    "no session with the coinb1, extranonce1 and coinb2 of another",
)
async def reconnect_loop(probe: Probe) -> CheckOutcome:
    values: list[bytes] = []
    not_served = 0
    due = trio.current_time()
    for _ in range(RECONNECTS):
        try:
            connection = await probe.connect()
            answer = await connection.call("mining.subscribe", AGENT, within=SILENCE)
            if answer.is_subscription and connection.extranonce1 is not None:
                values.append(connection.extranonce1)
            await connection.aclose()
        except (Unreachable, UnexpectedDisconnect, Silent):
            not_served += 1
        due += RECONNECT_INTERVAL
        await trio.sleep_until(due)
    problem = await probe.new_connection_problem()
    if problem:
        return failed(f"after {RECONNECTS} connections in a row, {problem}")
    again = len(values) - len(set(values))
    if again and await repeats_work_of_ended(probe):
        return failed(
            f"the pool gave {again} of {len(values)} sessions an extranonce1 again, and a new session the coinb1, "
            "extranonce1 and coinb2 of the session before it"
        )
    return passed(
        f"the pool gave {len(values)} connections in a row {len(set(values))} different extranonce1, and did not serve "
        f"{not_served} others"
    )


@check(
    "LD-10",
    "The pool should send a new job to all miners at about the same time.",
    hurts="The miners that get the job last lose shares at each new block.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=180,
    expected=f"all of {FAN_OUT} sessions receive the next mining.notify within {SPREAD * 1000:g} ms",
)
async def fan_out(probe: Probe) -> CheckOutcome:
    connections: list[ProbeConnection] = []

    async def one() -> None:
        connections.append(await probe.session(mask=None))

    async with trio.open_nursery() as nursery:
        for _ in range(_affordable(FAN_OUT)):
            nursery.start_soon(one)
    known = {connection: len(connection.notifies) for connection in connections}
    async with measured_lag() as lag:
        for connection in connections:
            await connection.wait_until(lambda: len(connection.notifies) > known[connection], RENEWAL)  # noqa: B023  awaited in this turn
    late = [connection for connection in connections if len(connection.notifies) == known[connection]]
    if late:
        return (
            skipped(f"the pool sent no new job within {RENEWAL:g} s")
            if len(late) == len(connections)
            else failed(f"{len(late)} of {len(connections)} sessions received no new job within {RENEWAL:g} s")
        )
    times = [connection.notifies[known[connection]].line.seconds for connection in connections]
    spread = max(times) - min(times)
    return is_quick(
        spread < SPREAD, lag, f"{len(connections)} sessions received a new job within {spread * 1000:.0f} ms"
    )


@check(
    "LD-11",
    "The pool must send a job on the newest block after many blocks in a row, and must reject shares of older jobs.",
    hurts="All miners work on an old block after several blocks in a short time, and their work is lost.",
    level=MUST,
    kinds=(INTRUSIVE, WORK, CHAIN),
    seconds=120,
    expected=f"after {STORM} blocks in a row, a last job on the node's tip, and an error for a share of the job before "
    "the blocks",
)
async def block_storm(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    old = connection.job
    share = await probe.find(connection, old)
    for _ in range(STORM):
        await extend(probe, connection)
    tip = await probe.chain.tip()
    if not await connection.wait_until(lambda: connection.job.previous_hash == tip.hash, 30.0):
        return observed(f"inconclusive: the pool sent no job on the node's tip within 30 s after {STORM} blocks")
    answer = await probe.submit(connection, share.params)
    if answer.accepted:
        return failed(f"the pool accepted a share of a job from before {STORM} blocks")
    await connection.wait_until(lambda: connection.job.previous_hash != tip.hash, 2.0)
    if connection.job.previous_hash != tip.hash and (await probe.chain.tip()).hash == tip.hash:
        return failed("after the job on the node's tip, the pool sent a job on an older block")
    return passed(
        f"the last job builds on the node's tip, {tip}; after a share of the old job, the pool answered {answer}"
    )


@check(
    "LD-13",
    "The pool must serve other clients after connections were reset in the middle of a line.",
    hurts="All miners: one client with a bad network can shut them out.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    expected="after resets inside a line, inside a TLS handshake and before replies, the pool answers another session "
    "and a new connection",
)
async def resets(probe: Probe) -> CheckOutcome:
    other_session = await probe.session()
    for data in (b'{"id": 1, "method": "mining.subs', b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"{}\n" * 10):
        for _ in range(5):
            connection = await probe.connect(probe.pool.dial_raw)
            try:
                await connection.send(data, quiet=True)
            except UnexpectedDisconnect:
                continue
            await connection.reset()
    problem = await probe.others_problem(other_session)
    if problem:
        return failed(f"after 15 reset connections, {problem}")
    return passed("after 15 reset connections, the pool answered another session and a new connection")


@check(
    "LD-14",
    "The pool must accept a share once only, also if it arrives several times at the same moment.",
    hurts="Honest miners: a miner is paid several times for the same work, at their cost.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="true for exactly one of ten copies of a share that are sent together",
)
async def duplicate_race(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for _ in range(5):
        job = connection.job
        found = await probe.find(connection, job)
        requests = [connection.compose("mining.submit", *found.params) for _ in range(10)]
        await connection.send(b"".join(line for _, line in requests))
        answers: list[Answer] = [await connection.wait_for_reply(request) for request, _ in requests]
        accepted = sum(answer.accepted for answer in answers)
        if accepted or not await probe.made_stale(connection, job, answers[0]):
            return (passed if accepted == 1 else failed)(
                f"the pool accepted {accepted} of 10 copies of a share that were sent together"
            )
    return skipped("each of 5 shares became stale because of a new block")


@check(
    "LD-15",
    "The pool must answer a share exactly once if a new block arrives at the same moment.",
    hurts="A miner does not learn what became of a share at a new block, or counts it twice.",
    level=MUST,
    kinds=(INTRUSIVE, WORK, CHAIN),
    seconds=120,
    expected="true or an error, exactly once, for each of ten shares",
)
async def share_meets_block(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    replies: list[str] = []
    for _ in range(10):
        job = connection.job
        found: FoundShare = await probe.find(connection, job)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(extend, probe, connection)
            request = await connection.send_request("mining.submit", *found.params)
        replies.append(str(await connection.wait_for_reply(request)))
        await connection.wait_until(lambda: connection.is_stale(job), 10.0)  # noqa: B023  awaited in this turn
        await connection.listen(0.2)
        if len(connection.answers[request]) != 1:
            return failed(f"the pool sent {len(connection.answers[request])} replies to one share")
    return passed(f"the pool answered each of 10 shares once, with {' or '.join(sorted(set(replies)))}")


@check(
    "LD-16",
    "The check records how the pool reacts to a header of the PROXY protocol.",
    hurts="The operator of a load balancer, which sends such a header, needs this.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: the pool closes the connection, ignores the header, or sends no reply",
)
async def proxy_header(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    request, line = connection.compose("mining.subscribe", AGENT)
    await connection.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 3333\r\n" + line)
    answer = await connection.reply_or_none(request, SILENCE)
    return observed(f"after a PROXY header and mining.subscribe, {connection.reaction(answer, SILENCE)}")


@check(
    "LD-17",
    "The pool should end the connection after a failed TLS handshake, and should serve other clients.",
    hurts="A user with an old TLS library waits for a time-out and does not learn the reason.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    expected="an alert or a closed connection for TLS 1.0 and for garbage; the pool answers other clients",
)
async def bad_handshakes(probe: Probe) -> CheckOutcome:
    if not probe.pool.tls or probe.pool.dial_raw is None:
        return skipped("the pool does not use TLS on this port")
    other_session = await probe.session()
    replies = []
    hellos = {"TLS 1.0": _client_hello_of_tls_1_0(), "garbage": b"\x16\x03\x01\x00\x40" + bytes(range(64))}
    for name, hello in hellos.items():
        connection = await probe.connect(probe.pool.dial_raw)
        with suppress(UnexpectedDisconnect):
            await connection.send(hello, quiet=True)
        answered = await connection.wait_until(lambda: connection.closed or connection.bytes_received, SILENCE)  # noqa: B023  awaited in this turn
        if not answered:
            return failed(
                f"after a ClientHello of {name}, the pool sent nothing within {SILENCE:g} s and kept the connection"
            )
        if not await connection.wait_closed(SILENCE):
            return failed(f"after a ClientHello of {name}, the pool answered and kept the connection")
        replies.append(f"after a ClientHello of {name}, {connection.ending}")
    problem = await probe.others_problem(other_session)
    return failed(f"after failed TLS handshakes, {problem}") if problem else passed("; ".join(replies))


def _client_hello_of_tls_1_0() -> bytes:
    """Return the bytes of a ClientHello that offers only TLS 1.0. They are written by hand, because OpenSSL no longer
    offers TLS 1.0 alone."""
    body = b"\x03\x01" + random.Random(0).randbytes(32) + b"\x00" + b"\x00\x04\x00\x2f\x00\x35" + b"\x01\x00"
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message
