"""The checks HS-01 to HS-22: mining.subscribe, mining.authorize, resumed sessions and the first job."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

import trio

from stratum_miner.conformance.case import INFO, INTRUSIVE, MUST, SHOULD, WORK, Topic
from stratum_miner.conformance.coinbase import body_of
from stratum_miner.conformance.connection import SILENCE, ProbeConnection
from stratum_miner.conformance.messages import Answer
from stratum_miner.conformance.outcome import CheckOutcome, UnexpectedDisconnect, failed, observed, passed, skipped
from stratum_miner.conformance.probe import AGENT, FIRST_JOB_PATIENCE, Probe
from stratum_miner.conformance.steps import expect_rejected, have_same_work, repeats_work_of_ended, replied_once

check = Topic("handshake")

PARALLEL, SEQUENTIAL = 16, 16
"""Number of sessions that are open at the same time (HS-04), and number of sessions that are opened one after another
(HS-22)."""
IDLE_LEAST, IDLE_MOST = 10.0, 120.0
"""Shortest and longest time, in seconds, after which a pool should close a connection on which nothing is sent."""


@check(
    "HS-01",
    "The pool must answer mining.subscribe with the subscriptions, the extranonce1 and the size of the extranonce2.",
    hurts="No miner can make shares, because it does not know its extranonce1 or the size of its extranonce2.",
    level=MUST,
    expected="an array of at least three elements: any value, 1 to 32 bytes in hex, and an integer from 2 to 16",
)
async def subscribe_shape(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    answer = await connection.call("mining.subscribe", AGENT)
    match answer.result:
        case [_, str(extranonce1), int(size), *_] if (
            re.fullmatch(r"(?:[0-9a-fA-F]{2}){1,32}", extranonce1) and not isinstance(size, bool) and 2 <= size <= 16
        ):
            return passed(
                f"the pool answered mining.subscribe with extranonce1 {extranonce1} and extranonce2 size {size}"
            )
    return failed(f"after mining.subscribe, the pool answered {answer}")


@check(
    "HS-02",
    "The pool should accept mining.subscribe without parameters, and with null for the optional ones.",
    hurts="A miner without a user agent, such as a minimal firmware, gets no session.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected='a session for the parameters [], [agent, null] and [agent, null, "host", null]',
)
async def subscribe_variants(probe: Probe) -> CheckOutcome:
    for params in ([], [AGENT, None], [AGENT, None, "host", None]):
        connection = await probe.connect()
        shown = json.dumps(params)
        answer = await connection.call(
            "mining.subscribe", *params, what=f"mining.subscribe with the parameters {shown}"
        )
        if not answer.is_subscription:
            return failed(f"after mining.subscribe with the parameters {shown}, the pool answered {answer}")
    return passed("the pool answered all three kinds of mining.subscribe with a session")


@check(
    "HS-03",
    "The pool should leave at least 4 bytes for the extranonce2, so that a proxy can divide them among its miners.",
    hurts="The users of a proxy: it cannot give each of its miners a part of the extranonce2.",
    level=SHOULD,
    expected="an extranonce2 size of at least 4",
)
async def extranonce2_size(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    size = connection.extranonce2_size
    return (passed if size >= 4 else failed)(f"the pool answered mining.subscribe with extranonce2 size {size}")


@check(
    "HS-04",
    "The pool must give sessions that are open at the same time different work.",
    hurts="Two miners compute the same hashes: the shares of one of them are rejected as duplicates, or the pool pays"
    " twice for the same work.",
    level=MUST,
    seconds=300,
    expected=f"no two of {PARALLEL} open sessions with the same coinb1, extranonce1 and coinb2",
)
async def unique_work(probe: Probe) -> CheckOutcome:
    connections: list[ProbeConnection] = []

    async def one() -> None:
        connections.append(await probe.subscribed())

    async with trio.open_nursery() as nursery:
        for _ in range(PARALLEL):
            nursery.start_soon(one)
    if any(connection.extranonce1 is None for connection in connections):
        return skipped("a reply to mining.subscribe contains no valid extranonce1")
    first, second = _with_one_extranonce1(connections)
    if first is None or second is None:
        return passed(f"the pool gave {PARALLEL} open sessions different extranonce1")
    assert first.extranonce1 is not None
    given = f"the pool gave two open sessions the extranonce1 {first.extranonce1.hex()}"
    await probe.authorize(first)
    await probe.authorize(second)
    match await have_same_work(first, second):
        case True:
            return failed(f"{given}, and the same coinb1 and coinb2")
        case False:
            return passed(f"{given}, but different coinbases")
        case _:
            return observed(f"inconclusive: {given}, and sent them no jobs on the same block")


def _with_one_extranonce1(
    connections: Sequence[ProbeConnection],
) -> tuple[ProbeConnection, ProbeConnection] | tuple[None, None]:
    for index, first in enumerate(connections):
        for second in connections[index + 1 :]:
            if first.extranonce1 == second.extranonce1:
                return first, second
    return None, None


@check(
    "HS-22",
    "The pool should not give a session the work of a session that has just ended.",
    hurts="A miner that reconnects may repeat its own work, and its shares are then rejected as duplicates.",
    level=SHOULD,
    disturbs=True,
    seconds=300,
    expected=f"no two of {SEQUENTIAL} sessions, opened one after another, with the same coinb1, extranonce1 and coinb2",
)
async def new_work_after_the_end(probe: Probe) -> CheckOutcome:
    values: list[bytes | None] = []
    for _ in range(SEQUENTIAL):
        connection = await probe.subscribed()
        values.append(connection.extranonce1)
        await connection.aclose()
    again = len(values) - len(set(values))
    if not again:
        return passed(f"the pool gave {SEQUENTIAL} sessions in a row different extranonce1")
    given = f"the pool gave {again} of {SEQUENTIAL} sessions in a row an extranonce1 again"
    match await repeats_work_of_ended(probe):
        case True:
            return failed(f"{given}, and a new session the coinb1, extranonce1 and coinb2 of the session before it")
        case False:
            return passed(f"{given}, but with another coinbase")
        case _:
            return observed(f"inconclusive: {given}, and sent them no jobs on the same block")


@check(
    "HS-05",
    "The pool must authorize the worker name of the run.",
    hurts="The user cannot mine at all.",
    level=MUST,
    expected="true",
)
async def authorize(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    answer = await connection.call("mining.authorize", probe.pool.worker, probe.pool.password)
    return (passed if answer.accepted else failed)(
        f"{answer.waited:.3f} s after mining.authorize, the pool answered {answer}"
    )


@check(
    "HS-06",
    "The pool should answer mining.authorize without a password.",
    hurts="A user without a password waits for the login, and the miner perhaps disconnects.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="true, or an error; the pool neither closes the connection nor stays silent",
)
async def authorize_without_password(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    answer = await connection.call("mining.authorize", probe.pool.worker, what="mining.authorize without a password")
    shown = f"after mining.authorize without a password, the pool answered {answer}"
    return (passed if answer.accepted or answer.refused else failed)(shown)


@check(
    "HS-07",
    "The check records how the pool answers a worker name that is not a payout address.",
    hurts="A user who mistypes the payout address learns it at the login, or loses all payments.",
    level=INFO,
    expected="recorded: false, an error, or true if the pool accepts any worker name",
)
async def bad_name(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    what = "mining.authorize for the worker name 'this is no address!'"
    answer = await connection.call("mining.authorize", "this is no address!", "x", what=what)
    return observed(f"after {what}, the pool answered {answer}")


@check(
    "HS-08",
    "The check records how the pool answers mining.authorize before mining.subscribe.",
    hurts="A miner that logs in before it subscribes, as some old ones do, may get no session.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: true, or an error",
)
async def authorize_first(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    what = "mining.authorize before mining.subscribe"
    answer = await connection.call("mining.authorize", probe.pool.worker, probe.pool.password, what=what)
    return observed(f"after {what}, the pool answered {answer}")


@check(
    "HS-09",
    "The pool must send the difficulty before the first job.",
    hurts="A miner works with difficulty 1 until the first difficulty comes: its shares are rejected, or it finds "
    "none.",
    level=MUST,
    seconds=120,
    expected="a mining.set_difficulty before the first mining.notify",
)
async def difficulty_first(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    if not await connection.wait_until(lambda: connection.notifies, FIRST_JOB_PATIENCE):
        return skipped(f"the pool sent no job within {FIRST_JOB_PATIENCE:g} s")
    methods = [line.method for line in connection.lines if line.method in ("mining.set_difficulty", "mining.notify")]
    if methods[0] == "mining.set_difficulty":
        return passed(f"the pool sent difficulty {connection.difficulties[0][1]} and then the first job")
    return failed("the pool sent the first mining.notify before any mining.set_difficulty")


@check(
    "HS-10",
    "The pool must send the first job soon after the handshake.",
    hurts="A miner has nothing to do after each connect, and its hash rate is lost.",
    level=MUST,
    seconds=120,
    expected="mining.notify within 10 s after the reply to mining.authorize; a later one is recorded; closing the "
    "connection is a failure",
)
async def first_job(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    authorized = connection.lines[-1].seconds
    await connection.wait_until(lambda: connection.notifies, FIRST_JOB_PATIENCE)
    if connection.notifies:
        waited = max(0.0, connection.notifies[0].line.seconds - authorized)
        return (passed if waited <= 10 else observed)(
            f"the pool sent the first job {waited:.1f} s after its reply to mining.authorize"
        )
    if connection.closed:
        return failed(f"the pool sent no job: {connection.ending}")
    return observed(f"inconclusive: the pool sent no job within {FIRST_JOB_PATIENCE:g} s")


@check(
    "HS-11",
    "The pool should set clean_jobs in the first job, so that miners start it at once.",
    hurts="A miner that reconnects goes on with the work of its last connection, whose shares are rejected.",
    level=SHOULD,
    seconds=120,
    expected="clean_jobs is true",
)
async def first_job_is_clean(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    return (passed if connection.notifies[0].clean else failed)(
        f"the pool sent the first job with clean_jobs {str(connection.notifies[0].clean).lower()}"
    )


@check(
    "HS-12",
    "The pool should not change the extranonce1 of running jobs at a second mining.subscribe.",
    hurts="A miner that subscribes again loses the shares of the jobs on which it still works. No known miner does so.",
    level=SHOULD,
    seconds=120,
    expected="the same extranonce1, an error, or no reply",
)
async def second_subscribe(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    before = connection.extranonce1
    request = await connection.send_request("mining.subscribe", AGENT)
    answer = await connection.reply_or_none(request, SILENCE)
    if answer is None:
        return (failed if connection.closed else passed)(
            f"after a second mining.subscribe, {connection.reaction(None, SILENCE)}"
        )
    if answer.refused:
        return passed(f"after a second mining.subscribe, the pool answered {answer}")
    if connection.extranonce1 == before:
        return passed("the pool answered a second mining.subscribe with the same extranonce1")
    return failed(f"the pool answered a second mining.subscribe with another extranonce1: {answer}")


@check(
    "HS-13",
    "The check records how the pool answers mining.authorize for a second worker on the same connection.",
    hurts="A proxy or a farm with one connection for several workers needs this.",
    level=INFO,
    expected="recorded: true, an error, or no reply",
)
async def second_worker(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    request = await connection.send_request("mining.authorize", f"{probe.pool.worker}2", probe.pool.password)
    answer = await connection.reply_or_none(request, SILENCE)
    return observed(f"after mining.authorize for a second worker, {connection.reaction(answer, SILENCE)}")


@check(
    "HS-14",
    "The pool must not accept a share if no worker was authorized on the connection.",
    hurts="The owner of an account or the operator: work counts for nobody, or for a name that the pool has not "
    "checked.",
    level=MUST,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="an error (24 or another) or a closed connection for a valid share; never true",
)
async def unauthorized_submit(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    connection.worker = probe.pool.worker
    if not await connection.wait_until(lambda: connection.jobs, 1.0):
        # The pool sends no job before mining.authorize. Many pools have one job for all sessions, so the check uses
        # the job of another session. With the extranonce1 of this session, it is what the pool would have sent here.
        other = (await probe.session(mask=None)).job
        body = body_of(other)
        assert connection.extranonce1 is not None
        own = replace(body, extranonce1=connection.extranonce1, extranonce2_size=connection.extranonce2_size)
        connection.jobs.append(replace(other, body=own))
    try:
        _, answer = await probe.find_and_submit(connection)
    except UnexpectedDisconnect as reason:
        return passed(str(reason))
    return expect_rejected(answer, "a valid share before mining.authorize")


@check(
    "HS-15",
    "The pool should reject a share before mining.subscribe.",
    hurts="A developer of a miner does not learn that the session is missing.",
    level=SHOULD,
    kinds=(INTRUSIVE,),
    expected="an error (25 or another) or a closed connection",
)
async def unsubscribed_submit(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    connection.worker = probe.pool.worker
    try:
        await connection.reply_or_none(
            await connection.send_request("mining.authorize", connection.worker, probe.pool.password), SILENCE
        )
        answer = await connection.call("mining.submit", connection.worker, "1", "00000000", "68000000", "00000000")
    except UnexpectedDisconnect as reason:
        return passed(str(reason))
    return expect_rejected(answer, "a share before mining.subscribe")


@check(
    "HS-16",
    "The pool should close a connection on which the client sends nothing.",
    hurts="The operator: connections that nobody uses fill the tables of the pool.",
    level=SHOULD,
    seconds=IDLE_MOST + 60,
    expected=f"the pool closes the connection after {IDLE_LEAST:g} to {IDLE_MOST:g} s",
)
async def idle_connection(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    started = trio.current_time()
    closed = await connection.wait_closed(IDLE_MOST + 10)
    waited = trio.current_time() - started
    if not closed:
        return failed(f"the check sent nothing, and the connection is still open after {waited:.0f} s")
    return (passed if waited >= IDLE_LEAST - 1 else failed)(
        f"the check sent nothing, and {connection.ending} after {waited:.1f} s"
    )


@check(
    "HS-17",
    "The check records what a session gets after a reconnect, and whether the pool resumes it.",
    hurts="A miner that loses its connection for a moment keeps or loses the shares on which it works.",
    level=INFO,
    seconds=180,
    expected="recorded: extranonce1, difficulty and job of the first session, and of another one that is opened after "
    "its end without and with its session id",
)
async def resume(probe: Probe) -> CheckOutcome:
    first = await probe.session(mask=None)
    await first.aclose()
    shown = [f"first {_what_it_got(first)}"]
    ways: dict[str, tuple[str, ...]] = {"without a session id": (AGENT,)}
    if first.session_id is not None:
        ways["with the session id"] = (AGENT, first.session_id)
    for name, subscribe in ways.items():
        again = await probe.session(mask=None, subscribe=subscribe)
        shown.append(f"then, {name}, {_what_it_got(again)}")
        await again.aclose()
    return observed(f"the pool gave {'; '.join(shown)}")


def _what_it_got(connection: ProbeConnection) -> str:
    assert connection.extranonce1 is not None
    clean = str(connection.notifies[0].clean).lower()
    return (
        f"extranonce1 {connection.extranonce1.hex()}, difficulty {connection.difficulty} and the job "
        f"{connection.jobs[0].job_id!r} with clean_jobs {clean}"
    )


@check(
    "HS-18",
    "The pool must open a new session for an unknown session id.",
    hurts="A miner that reconnects after a restart of the pool, with its old session id, gets no session.",
    level=MUST,
    expected="a normal reply to mining.subscribe, with an extranonce1",
)
async def resume_garbage(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    what = "mining.subscribe with an unknown session id"
    answer = await connection.call("mining.subscribe", AGENT, "no session of yours", what=what)
    return (passed if answer.is_subscription and connection.extranonce1 is not None else failed)(
        f"after {what}, the pool answered {answer}"
    )


@check(
    "HS-19",
    "The pool must not let a second connection take over the extranonce1 of a session that is still connected.",
    hurts="Two miners compute the same hashes; with a session id that leaked, anybody can cause this.",
    level=MUST,
    seconds=300,
    expected="another extranonce1, another coinbase, an error or a closed connection for a second connection that "
    "resumes the session",
)
async def resume_of_a_live_session(probe: Probe) -> CheckOutcome:
    first = await probe.session(job=False)
    if first.session_id is None:
        return skipped("the pool sent no session id for mining.notify, so no session can be resumed")
    second = await probe.connect()
    try:
        answer = await second.call("mining.subscribe", AGENT, first.session_id)
    except UnexpectedDisconnect as reason:
        return passed(str(reason))
    if answer.is_subscription and second.extranonce1 == first.extranonce1 and not first.closed:
        given = f"the pool gave both connections extranonce1 {answer.result[1]}, and kept both open"
        await probe.authorize(second)
        match await have_same_work(first, second):
            case True if not first.closed:
                return failed(f"{given}, with the same coinb1 and coinb2")
            case None:
                return observed(f"inconclusive: {given}, and sent them no jobs on the same block")
        return passed(f"{given}, but with different coinbases, or closed the first one later")
    return passed(f"when a second connection asked to resume the session, the pool answered {answer}")


@check(
    "HS-20",
    "The pool must answer mining.configure, mining.subscribe and mining.authorize that arrive together.",
    hurts="A user of ESP-Miner, such as a Bitaxe, gets no session, because it sends the three requests without "
    "waiting.",
    level=MUST,
    expected="one reply to each of the three requests; ESP-Miner sends them without waiting",
)
async def pipelined_handshake(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    requests = [
        connection.compose("mining.configure", ["version-rolling"], {"version-rolling.mask": "1fffe000"}),
        connection.compose("mining.subscribe", AGENT),
        connection.compose("mining.authorize", probe.pool.worker, probe.pool.password),
    ]
    await connection.send(b"".join(line for _, line in requests))
    ids = [request for request, _ in requests]
    subscription, authorization = [await connection.wait_for_reply(request) for request in ids[1:]]
    if not subscription.is_subscription or not authorization.accepted:
        return failed(
            f"the pool answered mining.subscribe with {subscription}, and mining.authorize, sent together with it, "
            f"with {authorization}"
        )
    await connection.wait_for_reply(ids[0])
    return replied_once(connection, ids)


@check(
    "HS-21",
    "The check records how the pool answers long and unusual worker names.",
    hurts="A user with a long or unusual worker name may not be able to log in.",
    level=INFO,
    kinds=(INTRUSIVE,),
    expected="recorded: true or an error for 191 and 300 characters, characters that are not ASCII, dots and "
    "underscores",
)
async def unusual_names(probe: Probe) -> CheckOutcome:
    name = probe.pool.worker
    names = {
        "191 characters": (name + "." + "w" * 191)[:191],
        "300 characters": (name + "." + "w" * 300)[:300],
        "characters that are not ASCII": f"{name}.Bergmann-\u9271\u5c71",
        "dots and underscores": f"{name}.a_b.c",
    }
    replies = []
    for kind, each in names.items():
        connection = await probe.subscribed()
        request = await connection.send_request("mining.authorize", each, probe.pool.password)
        answer: Answer | None = await connection.reply_or_none(request, SILENCE)
        replies.append(f"{kind}: {connection.reaction(answer, SILENCE)}")
    return observed("after mining.authorize for a worker name with " + "; ".join(replies))
