"""HS: subscribe, authorize, resume, and the first job."""

import re

import trio

from stratum_miner.conformance.case import INFO, MUST, SHOULD, Topic
from stratum_miner.conformance.connection import SILENCE, ProbeConnection
from stratum_miner.conformance.messages import Answer
from stratum_miner.conformance.outcome import CheckOutcome, UnexpectedDisconnect, failed, observed, passed, skipped
from stratum_miner.conformance.probe import AGENT, FIRST_JOB_PATIENCE, Probe
from stratum_miner.conformance.steps import replied_once
from stratum_miner.stratum.errors import ErrorReason

check = Topic("handshake")

PARALLEL, SEQUENTIAL = 16, 16
"""Sessions whose extranonce1 are compared."""
IDLE_LEAST, IDLE_MOST = 10.0, 120.0
"""Seconds in which a connection that says nothing should be closed."""


@check(
    "HS-01",
    "mining.subscribe is answered with subscriptions, extranonce1 and the size of extranonce2.",
    level=MUST,
    expected="an array of three or more: anything, 1 to 16 bytes in hex, an integer from 2 to 16",
)
async def subscribe_shape(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    answer = await connection.call("mining.subscribe", AGENT)
    match answer.result:
        case [_, str(extranonce1), int(size), *_] if (
            re.fullmatch(r"(?:[0-9a-fA-F]{2}){1,16}", extranonce1) and not isinstance(size, bool) and 2 <= size <= 16
        ):
            return passed(f"extranonce1 {extranonce1}, extranonce2 of {size} bytes")
    return failed(str(answer))


@check(
    "HS-02",
    "mining.subscribe takes no parameters, and nulls in the places of the optional ones.",
    level=SHOULD,
    expected='success with [], [agent, null] and [agent, null, "host", null]',
)
async def subscribe_variants(probe: Probe) -> CheckOutcome:
    for params in ([], [AGENT, None], [AGENT, None, "host", None]):
        connection = await probe.connect()
        answer = await connection.call("mining.subscribe", *params)
        if not answer.is_subscription:
            return failed(f"{params}: {answer}")
    return passed("all three succeed")


@check("HS-03", "There is room in extranonce2 for a proxy.", level=SHOULD, expected="extranonce2 of 4 bytes or more")
async def extranonce2_size(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    return (passed if connection.extranonce2_size >= 4 else failed)(f"{connection.extranonce2_size} bytes")


@check(
    "HS-04",
    "Every session has an extranonce1 of its own.",
    level=MUST,
    expected=f"{PARALLEL} parallel and {SEQUENTIAL} sequential sessions: all different",
)
async def unique_extranonce1(probe: Probe) -> CheckOutcome:
    values: list[bytes | None] = []

    async def one() -> None:
        values.append((await probe.subscribed()).extranonce1)

    async with trio.open_nursery() as nursery:
        for _ in range(PARALLEL):
            nursery.start_soon(one)
    for _ in range(SEQUENTIAL):
        connection = await probe.subscribed()
        values.append(connection.extranonce1)
        await connection.aclose()
    if None in values:
        return skipped("a reply to mining.subscribe makes no sense")
    repeated = {value for value in values if value is not None and values.count(value) > 1}
    if repeated:
        return failed(f"given out more than once: {', '.join(value.hex() for value in repeated)}")
    return passed(f"{len(values)} different ones")


@check("HS-05", "A good worker is authorized.", level=MUST, expected="true")
async def authorize(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    answer = await connection.call("mining.authorize", probe.pool.worker, probe.pool.password)
    return (passed if answer.accepted else failed)(f"{answer} after {answer.waited:.3f} s")


@check(
    "HS-06",
    "mining.authorize with a name alone is answered.",
    level=SHOULD,
    expected="true, or an error; no close, no silence",
)
async def authorize_without_password(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    answer = await connection.call("mining.authorize", probe.pool.worker)
    return passed(str(answer)) if answer.accepted or answer.refused else failed(str(answer))


@check(
    "HS-07",
    "A worker name that is no address is answered.",
    level=INFO,
    expected="recorded: false, an error, or true where any name will do",
)
async def bad_name(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    return observed(str(await connection.call("mining.authorize", "this is no address!", "x")))


@check(
    "HS-08",
    "mining.authorize before mining.subscribe is answered.",
    level=INFO,
    expected="recorded: true or an error, and no close",
)
async def authorize_first(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    return observed(str(await connection.call("mining.authorize", probe.pool.worker, probe.pool.password)))


@check(
    "HS-09",
    "The difficulty is told before the first job.",
    level=MUST,
    seconds=120,
    expected="mining.set_difficulty precedes the first mining.notify",
)
async def difficulty_first(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    if not await connection.wait_until(lambda: connection.notifies, FIRST_JOB_PATIENCE):
        return skipped(f"no job in {FIRST_JOB_PATIENCE:g} s")
    methods = [line.method for line in connection.lines if line.method in ("mining.set_difficulty", "mining.notify")]
    if methods[0] == "mining.set_difficulty":
        return passed(f"difficulty {connection.difficulties[0][1]}, then the job")
    return failed("the job came first")


@check(
    "HS-10",
    "The first job comes soon after the handshake.",
    level=MUST,
    seconds=120,
    expected="mining.notify within 10 s of the reply to mining.authorize; later is recorded, a close is a failure",
)
async def first_job(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    authorized = connection.lines[-1].seconds
    await connection.wait_until(lambda: connection.notifies, FIRST_JOB_PATIENCE)
    if connection.notifies:
        waited = max(0.0, connection.notifies[0].line.seconds - authorized)
        return (passed if waited <= 10 else observed)(f"after {waited:.1f} s")
    if connection.closed:
        return failed(f"no job: {connection.ending}")
    return observed(f"inconclusive: none in {FIRST_JOB_PATIENCE:g} s")


@check("HS-11", "The first job is to be started at once.", level=SHOULD, seconds=120, expected="clean_jobs is true")
async def first_job_is_clean(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    return (passed if connection.notifies[0].clean else failed)(
        f"clean_jobs {str(connection.notifies[0].clean).lower()}"
    )


@check(
    "HS-12",
    "A second mining.subscribe does not take away the extranonce1 of running jobs.",
    level=MUST,
    seconds=120,
    expected="the same extranonce1, an error, or silence",
)
async def second_subscribe(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    before = connection.extranonce1
    request = await connection.send_request("mining.subscribe", AGENT)
    answer = await connection.reply_or_none(request, SILENCE)
    if answer is None:
        return failed(connection.ending) if connection.closed else passed(f"silence for {SILENCE:g} s")
    if answer.refused:
        return passed(str(answer))
    if connection.extranonce1 == before:
        return passed("the same extranonce1")
    return failed(f"extranonce1 changed: {answer}")


@check(
    "HS-13",
    "A second worker on a connection is answered.",
    level=INFO,
    expected="recorded: true, an error, or silence",
)
async def second_worker(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    request = await connection.send_request("mining.authorize", f"{probe.pool.worker}2", probe.pool.password)
    answer = await connection.reply_or_none(request, SILENCE)
    return observed(str(answer) if answer else connection.ending or f"silence for {SILENCE:g} s")


@check(
    "HS-14",
    "A share of a worker that was not authorized earns nothing.",
    level=MUST,
    expected="24 (unauthorized), 21, or a close; never true",
)
async def unauthorized_submit(probe: Probe) -> CheckOutcome:
    connection = await probe.subscribed()
    connection.worker = probe.pool.worker
    await connection.wait_until(
        lambda: connection.jobs, 1.0
    )  # where jobs come before authorize, it can be a job's share
    job_id = connection.job.job_id if connection.jobs else "1"
    return await _refused_or_closed(connection, job_id, {ErrorReason.UNAUTHORIZED, ErrorReason.JOB_NOT_FOUND})


async def _refused_or_closed(connection: ProbeConnection, job_id: str, allowed: set[ErrorReason]) -> CheckOutcome:
    ntime = f"{connection.job.ntime:08x}" if connection.jobs else "68000000"
    try:
        answer = await connection.call(
            "mining.submit", connection.worker, job_id, "00" * (connection.extranonce2_size or 4), ntime, "00000000"
        )
    except UnexpectedDisconnect as reason:
        return passed(str(reason))
    if answer.reason in allowed:
        return passed(str(answer))
    return failed(str(answer))


@check(
    "HS-15",
    "A share before mining.subscribe is refused.",
    level=SHOULD,
    expected="25 (not subscribed), 24 where the worker could not be authorized either, or a close",
)
async def unsubscribed_submit(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    connection.worker = probe.pool.worker
    allowed = {ErrorReason.NOT_SUBSCRIBED}
    try:
        authorized = await connection.reply_or_none(
            await connection.send_request("mining.authorize", connection.worker, probe.pool.password), SILENCE
        )
    except UnexpectedDisconnect as reason:
        return passed(str(reason))
    if connection.closed:
        return passed(connection.ending)
    if authorized is None or not authorized.accepted:
        allowed.add(ErrorReason.UNAUTHORIZED)
    return await _refused_or_closed(connection, "1", allowed)


@check(
    "HS-16",
    "A connection that says nothing is closed.",
    level=SHOULD,
    seconds=IDLE_MOST + 60,
    expected=f"within {IDLE_LEAST:g} to {IDLE_MOST:g} s",
)
async def idle_connection(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    started = trio.current_time()
    closed = await connection.wait_closed(IDLE_MOST + 10)
    waited = trio.current_time() - started
    if not closed:
        return failed(f"still open after {waited:.0f} s")
    return (passed if waited >= IDLE_LEAST - 1 else failed)(f"{connection.ending} after {waited:.1f} s")


@check(
    "HS-17",
    "A session can be resumed.",
    level=INFO,
    expected="recorded: the same extranonce1 for the session id of mining.notify, or a fresh one",
)
async def resume(probe: Probe) -> CheckOutcome:
    first = await probe.subscribed()
    if first.session_id is None:
        return observed("there is no session id to resume with")
    await first.aclose()
    second = await probe.subscribed(AGENT, first.session_id)
    return observed("the same extranonce1" if second.extranonce1 == first.extranonce1 else "a fresh extranonce1")


@check(
    "HS-18",
    "An unknown session id opens a fresh session.",
    level=MUST,
    expected="a normal reply with an extranonce1",
)
async def resume_garbage(probe: Probe) -> CheckOutcome:
    connection = await probe.connect()
    answer = await connection.call("mining.subscribe", AGENT, "no session of yours")
    return (passed if answer.is_subscription and connection.extranonce1 is not None else failed)(str(answer))


@check(
    "HS-19",
    "A session that lives cannot be taken over.",
    level=MUST,
    expected="resuming it from a second connection gives another extranonce1, or an error",
)
async def resume_of_a_live_session(probe: Probe) -> CheckOutcome:
    first = await probe.session(job=False)
    if first.session_id is None:
        return skipped("there is no session id to resume with")
    second = await probe.connect()
    try:
        answer = await second.call("mining.subscribe", AGENT, first.session_id)
    except UnexpectedDisconnect as reason:
        return passed(str(reason))
    if answer.is_subscription and second.extranonce1 == first.extranonce1 and not first.closed:
        return failed(f"both have extranonce1 {answer.result[1]}")
    return passed(f"another one: {answer}")


@check(
    "HS-20",
    "configure, subscribe and authorize may be sent without waiting.",
    level=MUST,
    expected="all three are answered, once; ESP-Miner sends them so",
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
        return failed(f"subscribe: {subscription}; authorize: {authorization}")
    await connection.wait_for_reply(ids[0])
    return replied_once(connection, ids)


@check(
    "HS-21",
    "Long and unusual worker names are answered.",
    level=INFO,
    expected="recorded: true or an error for 191 and 300 characters, other scripts, dots and underscores",
)
async def unusual_names(probe: Probe) -> CheckOutcome:
    name = probe.pool.worker
    names = {
        "191 characters": (name + "." + "w" * 191)[:191],
        "300 characters": (name + "." + "w" * 300)[:300],
        "not ASCII": f"{name}.Bergmann-\u9271\u5c71",
        "dots and underscores": f"{name}.a_b.c",
    }
    replies = []
    for kind, each in names.items():
        connection = await probe.subscribed()
        request = await connection.send_request("mining.authorize", each, probe.pool.password)
        answer: Answer | None = await connection.reply_or_none(request, SILENCE)
        replies.append(f"{kind}: {answer or connection.ending or 'silence'}")
    return observed("; ".join(replies))
