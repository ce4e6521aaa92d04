"""LD: floods, storms and rudeness, each with the question whether others notice. For one's own pool only."""

import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

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
from stratum_miner.conformance.steps import percentile_95
from stratum_miner.network import files

check = Topic("load")

MANY = 100
"""Connections whose handshakes are timed."""
IDLE = 1000
"""Connections that say nothing; fewer where this process may not open so many files."""
FAN_OUT = 200
SPREAD = 0.5
SLOW_BYTES = 12
"""Bytes of the slow writer: as many seconds."""
UNREAD = 24 << 20
"""Bytes of replies that are asked for and not read: more than both sides' socket buffers hold."""
FLOOD_SECONDS, FLOOD_RATE = 5, 1000
LATENCY = 0.5
BAD_SHARES = 200
RECONNECTS, RECONNECT_INTERVAL = 100, 0.1
STORM = 50
KEPT_FILES = 100
"""Open files that are not for these connections; each of them may take two, where a pool of ours is in this process."""
LAG = 0.1
"""Seconds of our own lateness that make a spread meaningless."""


def _affordable(wanted: int) -> int:
    """How many of so many connections this process may open, leaving some for the rest."""
    allowed = files.allow(2 * wanted + KEPT_FILES)
    return wanted if allowed < 0 else max(10, min(wanted, (allowed - KEPT_FILES) // 2))


@check(
    "LD-01",
    "Many miners are served at a time.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=120,
    expected=f"{MANY} connections at once: all subscribed and authorized, 99 % within 5 s",
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
        return failed(f"{len(errors)} were not served: {errors[0]}")
    slow = sorted(times)[max(0, len(times) * 99 // 100 - 1)]
    return (passed if slow < 5 else failed)(f"{len(times)} served, 99 % within {slow:.2f} s")


@check(
    "LD-03",
    "Connections that say nothing take nobody's place.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=120,
    expected=f"with {IDLE} idle connections open, another session and newcomers are served (HS-16 has the time-out)",
)
async def idle_connections(probe: Probe) -> CheckOutcome:
    other_session = await probe.session()
    count = _affordable(IDLE)
    for number in range(count):
        try:
            await probe.connect()
        except Unreachable as reason:
            affected = await _session_problem(probe, other_session)
            return failed(affected) if affected else passed(f"refused after {number} connections ({reason})")
    affected = await probe.others_problem(other_session)
    return failed(f"with {count} idle connections, {affected}") if affected else passed(f"{count} idle connections")


async def _session_problem(probe: Probe, connection: ProbeConnection) -> str:
    try:
        await probe.reply_seconds(connection)
    except (Silent, UnexpectedDisconnect) as error:
        return f"another session is no longer served: {error}"
    return ""


@check(
    "LD-04",
    "A client that sends a byte a second holds up nobody.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    expected="others are served meanwhile; the slow one may be closed or served",
)
async def slow_writer(probe: Probe) -> CheckOutcome:
    other_session = await probe.session()
    connection = await probe.connect()
    _, line = connection.compose("mining.subscribe", AGENT)
    connection.note("-", "a byte a second")
    try:
        for byte in line[:SLOW_BYTES]:
            await connection.send(bytes([byte]), quiet=True)
            await connection.wait_until(lambda: False, 1.0)
    except UnexpectedDisconnect:
        pass
    affected = await probe.others_problem(other_session)
    return failed(affected) if affected else passed(f"others are served; it was {connection.ending or 'left open'}")


@check(
    "LD-05",
    "A client that does not read costs bounded memory and nobody's time.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=180,
    expected=f"it is dropped or no longer read from before {UNREAD >> 20} MiB of replies wait; others are served",
)
async def slow_reader(probe: Probe) -> CheckOutcome:
    other_session = await probe.session()
    stream = await probe.pool.dial()
    if isinstance(stream, trio.SocketStream):
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    request = {"id": "i" * 600, "method": "mining.authorize", "params": [probe.pool.worker, "x"]}
    piece = (json.dumps(request).encode() + b"\n") * 64
    subscribe = json.dumps({"id": 1, "method": "mining.subscribe", "params": [AGENT]}).encode() + b"\n"
    asked, dropped, paused = 0, False, False
    try:
        await stream.send_all(subscribe)
        while asked < UNREAD and not (dropped or paused):
            with trio.move_on_after(15.0) as patience:
                await stream.send_all(piece)
            paused = patience.cancelled_caught
            asked += 600 * 64
            await trio.lowlevel.checkpoint()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        dropped = True
    affected = await probe.others_problem(other_session)
    await trio.aclose_forcefully(stream)
    if affected:
        return failed(affected)
    if dropped or paused:
        return passed(f"{'dropped' if dropped else 'no longer read from'} at {asked:,} bytes of replies")
    return failed(f"{asked:,} bytes of replies were asked for, not read, and it is still served")


@check(
    "LD-07",
    "A flood of valid messages from one client does not slow the others.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=90,
    expected=f"{FLOOD_RATE} requests a second for {FLOOD_SECONDS} s: throttled, closed or served; 95 % of another "
    f"session's replies within {LATENCY * 1000:g} ms",
)
async def request_flood(probe: Probe) -> CheckOutcome:
    other_session, flooder = await probe.session(), await probe.session()
    waited: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_flood, probe, flooder)
        for _ in range(2 * FLOOD_SECONDS):
            waited.append(await probe.reply_seconds(other_session))
            await trio.sleep(0.5)
        nursery.cancel_scope.cancel()
    slow = percentile_95(waited)
    served = flooder.ending or f"{len(flooder.answers)} answered"
    return (passed if slow < LATENCY else failed)(f"95 % within {slow * 1000:.0f} ms; the flooder: {served}")


async def _flood(probe: Probe, connection: ProbeConnection) -> None:
    connection.note("-", f"{FLOOD_RATE} requests a second")
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
    "A flood of bad shares is answered or ended, not swallowed.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=120,
    expected=f"{BAD_SHARES} shares for an unknown job: each refused, or the connection closed, as a ban does",
)
async def bad_share_flood(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    size = "00" * connection.extranonce2_size
    requests = [
        connection.compose("mining.submit", connection.worker, NO_JOB, size, "00000000", f"{number:08x}")
        for number in range(BAD_SHARES)
    ]
    connection.note("-", f"{BAD_SHARES} shares for an unknown job")
    with suppress(UnexpectedDisconnect):
        await connection.send(b"".join(line for _, line in requests), quiet=True)
    await connection.wait_until(lambda: all(connection.answers.get(request) for request, _ in requests), 30.0)
    answered = [connection.answers[request][0] for request, _ in requests if connection.answers.get(request)]
    accepted = sum(answer.accepted for answer in answered)
    if accepted:
        return failed(f"{accepted} were accepted")
    if len(answered) < BAD_SHARES and not connection.closed:
        raise Silent(f"{BAD_SHARES - len(answered)} of {BAD_SHARES} bad shares were not answered in 30 s")
    return passed(f"{len(answered)} refused{', then ' + connection.ending if connection.closed else ''}")


@check(
    "LD-09",
    "Reconnecting in a loop uses nothing up.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=120,
    expected=f"{RECONNECTS} connections, ten a second: served or refused, never the same extranonce1 twice; a session "
    "afterwards works",
)
async def reconnect_loop(probe: Probe) -> CheckOutcome:
    values: list[bytes] = []
    turned_away = 0
    due = trio.current_time()
    for _ in range(RECONNECTS):
        try:
            connection = await probe.connect()
            answer = await connection.call("mining.subscribe", AGENT, within=SILENCE)
            if answer.is_subscription and connection.extranonce1 is not None:
                values.append(connection.extranonce1)
            await connection.aclose()
        except (Unreachable, UnexpectedDisconnect, Silent):
            turned_away += 1
        due += RECONNECT_INTERVAL
        await trio.sleep_until(due)
    if len(set(values)) < len(values):
        return failed(f"{len(values) - len(set(values))} extranonce1 were given out twice")
    down = await probe.new_connection_problem()
    if down:
        return failed(down)
    return passed(f"{len(values)} served with different extranonce1, {turned_away} turned away")


@check(
    "LD-10",
    "A job reaches all miners at about the same time.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    seconds=180,
    expected=f"{FAN_OUT} sessions get one mining.notify within {SPREAD * 1000:g} ms of one another",
)
async def fan_out(probe: Probe) -> CheckOutcome:
    connections: list[ProbeConnection] = []

    async def one() -> None:
        connections.append(await probe.session(mask=None))

    async with trio.open_nursery() as nursery:
        for _ in range(_affordable(FAN_OUT)):
            nursery.start_soon(one)
    known = {connection: len(connection.notifies) for connection in connections}
    async with _lag() as lag:
        for connection in connections:
            await connection.wait_until(lambda: len(connection.notifies) > known[connection], RENEWAL)  # noqa: B023  awaited at once
    late = [connection for connection in connections if len(connection.notifies) == known[connection]]
    if late:
        return (
            skipped(f"no new job in {RENEWAL:g} s")
            if len(late) == len(connections)
            else failed(f"{len(late)} got none")
        )
    times = [connection.notifies[known[connection]].line.seconds for connection in connections]
    spread = max(times) - min(times)
    if spread >= SPREAD and max(lag) > LAG:
        return skipped(f"we were {max(lag):.2f} s late ourselves: the spread of {spread:.2f} s means nothing")
    return (passed if spread < SPREAD else failed)(f"{len(connections)} sessions within {spread * 1000:.0f} ms")


@asynccontextmanager
async def _lag() -> AsyncIterator[list[float]]:
    """How late our own loop woke up while the block ran, in seconds."""
    late = [0.0]

    async def watch() -> None:
        while True:
            due = trio.current_time() + 0.05
            await trio.sleep_until(due)
            late.append(trio.current_time() - due)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        yield late
        nursery.cancel_scope.cancel()


@check(
    "LD-11",
    "A storm of blocks ends on the right one.",
    level=MUST,
    kinds=(INTRUSIVE, WORK, CHAIN),
    seconds=120,
    expected=f"after {STORM} blocks in a row the newest job builds on the tip, and a share of an old job is refused",
)
async def block_storm(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    old = connection.job
    share = await probe.find(connection, old)
    for _ in range(STORM):
        await extend(probe, connection)
    tip = await probe.chain.tip()
    if not await connection.wait_until(lambda: connection.job.previous_hash == tip.hash, 30.0):
        return observed("inconclusive: no job on the tip within 30 s")
    answer = await probe.submit(connection, share.params)
    if answer.accepted:
        return failed("a share of the job before the storm is accepted")
    await connection.wait_until(lambda: connection.job.previous_hash != tip.hash, 2.0)
    if connection.job.previous_hash != tip.hash and (await probe.chain.tip()).hash == tip.hash:
        return failed("after the job on the tip came one on an older block")
    return passed(f"the newest job builds on {tip}; the old job: {answer}")


@check(
    "LD-13",
    "A connection that is reset in the middle of a line does no harm.",
    level=MUST,
    kinds=(INTRUSIVE,),
    disturbs=True,
    expected="after resets in mid-line, in a TLS handshake and with replies on their way, others are served",
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
    affected = await probe.others_problem(other_session)
    return failed(affected) if affected else passed("15 resets; others are served")


@check(
    "LD-14",
    "The same share twice at the same moment counts once.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="of ten copies in one piece exactly one is accepted",
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
            return (passed if accepted == 1 else failed)(f"{accepted} of 10 accepted")
    return skipped("the chain moved on before a share could be judged")


@check(
    "LD-15",
    "A share that meets a new block gets one reply.",
    level=MUST,
    kinds=(INTRUSIVE, WORK, CHAIN),
    seconds=120,
    expected="true or a refusal, exactly once, ten times over",
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
        await connection.wait_until(lambda: connection.is_stale(job), 10.0)  # noqa: B023  awaited at once
        await connection.wait_until(lambda: False, 0.2)
        if len(connection.answers[request]) != 1:
            return failed(f"{len(connection.answers[request])} replies to one share")
    return passed(f"one reply each: {', '.join(sorted(set(replies)))}")


@check(
    "LD-16",
    "A PROXY header that nobody expects.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: a close, or ignored",
)
async def proxy_header(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    request, line = connection.compose("mining.subscribe", AGENT)
    await connection.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 3333\r\n" + line)
    answer = await connection.reply_or_none(request, SILENCE)
    return observed(str(answer) if answer else connection.ending or f"silence for {SILENCE:g} s")


@check(
    "LD-17",
    "A failed TLS handshake ends cleanly.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    disturbs=True,
    expected="TLS 1.0 and garbage are turned away by an alert or a close; another session is served",
)
async def bad_handshakes(probe: Probe) -> CheckOutcome:
    if not probe.pool.tls or probe.pool.dial_raw is None:
        return skipped("the port does not speak TLS")
    other_session = await probe.session()
    replies = []
    hellos = {"TLS 1.0": _client_hello_of_tls_1_0(), "garbage": b"\x16\x03\x01\x00\x40" + bytes(range(64))}
    for name, hello in hellos.items():
        connection = await probe.connect(probe.pool.dial_raw)
        with suppress(UnexpectedDisconnect):
            await connection.send(hello, quiet=True)
        answered = await connection.wait_until(lambda: connection.closed or connection.bytes_received, SILENCE)  # noqa: B023  awaited
        if not answered:
            return failed(f"{name}: silence for {SILENCE:g} s, still open")
        if not await connection.wait_closed(SILENCE):
            return failed(f"{name}: the connection stays open")
        replies.append(f"{name}: {connection.ending}")
    affected = await probe.others_problem(other_session)
    return failed(affected) if affected else passed("; ".join(replies))


def _client_hello_of_tls_1_0() -> bytes:
    """A ClientHello that offers nothing newer; written by hand, since OpenSSL no longer makes one."""
    body = b"\x03\x01" + random.Random(0).randbytes(32) + b"\x00" + b"\x00\x04\x00\x2f\x00\x35" + b"\x01\x00"
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message
