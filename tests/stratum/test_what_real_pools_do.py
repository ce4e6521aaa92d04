"""What real pools do beyond the protocol (docs/reference/stratum.md)."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import MAX_TARGET, target_from_difficulty
from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import (
    ClientConnection,
    ClientState,
    WorkerState,
)
from stratum_miner.stratum.errors import ErrorReason, LocalProtocolError, RemoteProtocolError
from stratum_miner.stratum.extensions import MinimumDifficulty
from tests.stratum.pool_lines import (
    GRANT,
    MASK,
    REQUESTS,
    SHARE,
    call,
    difficulty_of,
    feed,
    jobs,
    line,
    notify,
    notify_params,
    sent,
    subscribe_reply,
    subscribed,
)


def test_jobs_between_subscribe_and_authorize_replies() -> None:
    connection = ClientConnection("test/1")
    ids = connection.subscribe(), connection.authorize("u", "")
    happened = feed(
        connection, subscribe_reply(ids[0]), call("mining.set_difficulty", 4), notify(), line(id=ids[1], result=True)
    )
    assert [type(event) for event in happened] == [
        events.Subscribed, events.ShareTargetChanged, events.JobAnnounced, events.WorkerAuthorized,
    ]  # fmt: skip


def test_ids_of_requests_are_positive_integers() -> None:
    connection = subscribed(mask=MASK)
    for send in REQUESTS.values():
        if send is not REQUESTS[messages.Subscribe]:
            connection.workers["user.w1"] = WorkerState.AUTHORIZED
            send(connection)
    identifiers = [message["id"] for message in sent(connection)]
    assert len(identifiers) == len(set(identifiers)) == len(REQUESTS) - 1
    assert all(type(identifier) is int and identifier > 0 for identifier in identifiers)


@pytest.mark.parametrize("rolling", [True, False])
def test_jobs_say_whether_six_params_are_due(rolling: bool) -> None:
    connection = subscribed(mask=MASK if rolling else 0)
    [job] = jobs(feed(connection, notify()))
    assert job.version_rolling is rolling


@pytest.mark.parametrize(
    "reply",
    [
        {"result": None, "error": [-3, "Method not found", None]},
        {"result": False, "error": [20, "Not supported.", None]},
        {"result": None, "error": [20, "Not supported.", None]},
        {"result": True, "error": None},
    ],
)
def test_extranonce_subscribe_may_be_refused(reply: dict[str, Any]) -> None:
    connection = subscribed()
    request = messages.ExtranonceSubscribe()
    [event] = feed(connection, line(id=connection.request(request), **reply))
    assert isinstance(event, events.RequestAnswered)
    assert event.request is request
    assert connection.state is ClientState.SUBSCRIBED


def test_clean_jobs_and_prevhash_are_handed_on_as_they_came() -> None:
    connection = subscribed()
    seen = jobs(feed(connection, notify("a"), notify("Qb"), notify("c", clean=False, prevhash="22" * 32)))
    assert [(job.notify.clean_jobs, job.notify.job_id) for job in seen] == [(True, "a"), (True, "Qb"), (False, "c")]
    assert seen[0].notify.previous_hash == seen[1].notify.previous_hash != seen[2].notify.previous_hash


@pytest.mark.parametrize("bad", [b'{"id":1,"result":{,"minimum-difficulty":false},"error":null}\n'])
def test_invalid_json_as_the_first_reply_is_skipped(bad: bytes) -> None:
    connection = ClientConnection("test/1")
    connection.configure(MinimumDifficulty(1.0))
    request_id = connection.subscribe()
    assert [type(event) for event in feed(connection, bad, subscribe_reply(request_id))] == [
        events.BadLine,
        events.Subscribed,
    ]


def test_mask_right_after_configure_reply() -> None:
    connection = ClientConnection("test/1", version_mask=MASK)
    configured, changed = feed(
        connection, line(id=connection.configure(), result=GRANT), call("mining.set_version_mask", "00006000")
    )
    assert isinstance(configured, events.Configured)
    assert configured.version_mask == MASK
    assert changed == events.VersionMaskChanged(0x6000)


def test_mask_right_before_configure_reply() -> None:
    connection = ClientConnection("test/1", version_mask=MASK)
    ignored, configured = feed(
        connection, call("mining.set_version_mask", "00006000"), line(id=connection.configure(), result=GRANT)
    )
    assert isinstance(ignored, events.Ignored)
    assert isinstance(configured, events.Configured)
    assert configured.version_mask == MASK


@pytest.mark.parametrize("count", [2, "2", "00000002", "1fffe000", None])
def test_min_bit_count_in_the_result_is_of_no_interest(count: Any) -> None:
    connection = ClientConnection("test/1", version_mask=MASK)
    result = GRANT | {"version-rolling.min-bit-count": count}
    [event] = feed(connection, line(id=connection.configure(), result=result))
    assert isinstance(event, events.Configured)
    assert event.version_mask == MASK


@pytest.mark.parametrize("extranonce1", ["aa" * width for width in (5, 6, 7, 8, 9, 20)])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 8, 16])
def test_extranonces_of_any_width(extranonce1: str, size: int) -> None:
    [job] = jobs(feed(subscribed(extranonce1=extranonce1, size=size), notify()))
    assert (job.extranonce1.hex(), job.extranonce2_size) == (extranonce1, size)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 8, 16])
def test_set_extranonce_without_subscription(size: int) -> None:
    [job] = jobs(feed(subscribed(), call("mining.set_extranonce", "aa" * 9, size), notify()))
    assert (job.extranonce1, job.extranonce2_size) == (b"\xaa" * 9, size)


def test_same_job_id_with_a_new_extranonce_or_difficulty_is_announced_again() -> None:
    connection = subscribed()
    happened = feed(
        connection,
        call("mining.set_difficulty", 1), notify("7"),
        call("mining.set_extranonce", "bb", 3), notify("7"),
        call("mining.set_difficulty", 2), notify("7"), notify("7"),
    )  # fmt: skip
    assert [(job.notify.job_id, job.extranonce1.hex(), difficulty_of(job)) for job in jobs(happened)] == [
        ("7", "f1ad9a67", 1.0), ("7", "bb", 1.0), ("7", "bb", 2.0), ("7", "bb", 2.0),
    ]  # fmt: skip


GARBAGE = b'{"id":1,"resu{"id":null,"method":"mining.notify"}\n'


def test_garbage_is_skipped_and_counted_and_ends_the_connection_when_it_goes_on() -> None:
    connection = subscribed()
    assert [type(event) for event in feed(connection, GARBAGE * 9)] == [events.BadLine] * 9
    feed(connection, notify())
    feed(connection, GARBAGE * 9)
    with pytest.raises(RemoteProtocolError, match="10 unusable lines in a row"):
        feed(connection, GARBAGE)
    assert connection.state is ClientState.CLOSED


def test_json_rpc_2_without_error_key_and_float_difficulty() -> None:
    connection = ClientConnection("test/1")
    reply = {"jsonrpc": "2.0", "id": connection.subscribe(), "result": [[], "aabb", 4]}
    happened = feed(connection, line(**reply), call("mining.set_difficulty", 1024.0, jsonrpc="2.0"))
    assert [type(event) for event in happened] == [events.Subscribed, events.ShareTargetChanged]


def test_lines_beyond_ckpools_limit_are_never_sent() -> None:
    connection = ClientConnection("x" * 1000)
    with pytest.raises(LocalProtocolError, match="at most 1000 bytes"):
        connection.subscribe()
    assert connection.state is ClientState.NEW
    connection = subscribed()
    with pytest.raises(LocalProtocolError, match="shorten the worker name") as caught:
        connection.authorize("u", "hunter2" * 200)
    assert "hunter2" not in str(caught.value)
    assert connection.data_to_send() == b""
    assert "u" not in connection.workers


def test_a_plain_text_line_is_shown() -> None:
    connection = subscribed()
    [event] = feed(connection, b"Invalid JSON, disconnecting\n")
    assert isinstance(event, events.BadLine)
    assert "Invalid JSON, disconnecting" in event.reason
    with pytest.raises(RemoteProtocolError, match=r"first line is not Stratum: .*-ERR unknown command"):
        feed(ClientConnection("test/1"), b"-ERR unknown command\r\n")


@pytest.mark.parametrize("own", [0x00006000, 0x1FFFE000, 0xFFFFFFFF])
def test_the_pools_mask_is_cut_to_ours(own: int) -> None:
    connection = ClientConnection("test/1", version_mask=own)
    [configured] = feed(connection, line(id=connection.configure(), result=GRANT))
    assert isinstance(configured, events.Configured)
    assert configured.version_mask == MASK & own
    feed(connection, subscribe_reply(connection.subscribe()), notify())
    changed, job = feed(connection, call("mining.set_version_mask", "ffffffff"))
    assert changed == events.VersionMaskChanged(own)
    assert isinstance(job, events.JobAnnounced)
    assert job.version_mask == own


def test_a_grant_that_we_did_not_ask_for_is_none() -> None:
    connection = ClientConnection("test/1")
    feed(connection, line(id=connection.configure(MinimumDifficulty(1.0)), result=GRANT))
    happened = feed(
        connection, subscribe_reply(connection.subscribe()), call("mining.set_version_mask", "1fffe000"), notify()
    )
    assert [type(event) for event in happened] == [events.Subscribed, events.Ignored, events.JobAnnounced]
    assert [(job.version_rolling, job.version_mask) for job in jobs(happened)] == [(False, 0)]


@pytest.mark.parametrize("result", ["params not an array", None, True, [], [[], "zz", 4], [[], "aa", 33]])
def test_error_text_in_the_subscribe_result(result: Any) -> None:
    connection = ClientConnection("test/1")
    with pytest.raises(RemoteProtocolError, match=r"mining\.subscribe"):
        feed(connection, line(id=connection.subscribe(), result=result, error=None))


@pytest.mark.parametrize(("method", "answer"), [("mining.ping", "pong"), ("client.get_version", "test/1")])
def test_the_pools_ids_may_collide_with_ours(method: str, answer: str) -> None:
    connection = subscribed()
    request_id = connection.submit(SHARE)
    connection.data_to_send()
    assert feed(connection, call(method, id=request_id)) == []
    assert sent(connection) == [{"id": request_id, "result": answer, "error": None}]
    assert feed(connection, line(id=request_id, result=True)) == [events.SubmitAnswered(request_id, SHARE, None)]


@pytest.mark.parametrize("difficulty", [0.001, 42, 1000000])
def test_first_job_before_its_difficulty(difficulty: float) -> None:
    connection = subscribed()
    happened = feed(connection, notify(), call("mining.set_difficulty", difficulty), call("mining.set_difficulty", 7))
    assert [(difficulty_of(job), job.amended) for job in jobs(happened)] == [(1.0, False), (difficulty, True)]


def test_the_password_is_always_sent() -> None:
    connection = ClientConnection("test/1")
    connection.subscribe()
    connection.authorize("u", "")
    assert sent(connection)[1]["params"] == ["u", ""]


def test_no_empty_line_is_ever_sent() -> None:
    connection = subscribed()
    feed(connection, b"\n\r\n  \n", call("mining.ping", id=1), call("client.get_version", id=2))
    data = connection.data_to_send()
    assert data.count(b"\n") == 2
    assert all(data.splitlines())


def test_replies_out_of_order_and_after_the_next_notify() -> None:
    connection = subscribed()
    ids = [connection.submit(messages.Submit("user.w1", "j1", bytes(4), 0, nonce)) for nonce in range(3)]
    happened = feed(
        connection,
        notify("j2"),
        line(id=ids[2], result=True),
        line(id=ids[0], result=None, error=[21, "x"]),
        line(id=ids[1], result=True),
    )
    fates = [(event.id, event.submit.nonce, event.accepted) for event in happened[1:]]  # type: ignore[union-attr]
    assert fates == [(ids[2], 2, True), (ids[0], 0, False), (ids[1], 1, True)]


def test_unpadded_hex() -> None:
    params = notify_params()
    params[5:8] = ["4", "1d00ffff", "6b042070"]
    [job] = jobs(feed(subscribed(), call("mining.notify", *params)))
    assert job.notify.version == 4


def test_mask_under_the_wrong_name() -> None:
    connection = subscribed(mask=MASK)
    assert feed(connection, call("mining.set_version", "00006000")) == [events.VersionMaskChanged(0x6000)]


@pytest.mark.parametrize("difficulty", [16383.75, 1e-9, 1e18, 0.1, 1.5])
def test_fractional_difficulties(difficulty: float) -> None:
    assert feed(subscribed(), call("mining.set_difficulty", difficulty)) == [
        events.ShareTargetChanged(target_from_difficulty(difficulty))
    ]


def test_segwit_coinbase_is_named() -> None:
    params = notify_params()
    params[2] = "02000000000101" + "00" * 32
    [event] = feed(subscribed(), call("mining.notify", *params))
    assert isinstance(event, events.BadLine)
    assert "without witness" in event.reason


def test_job_version_with_bits_inside_the_mask() -> None:
    connection = subscribed(mask=MASK)
    [job] = jobs(feed(connection, notify(version="20006000")))
    assert (job.notify.version, job.version_mask) == (0x20006000, MASK)


def test_reconnect_in_every_form() -> None:
    connection = subscribed()
    forms: list[list[Any]] = [[], ["h"], ["h", 3334], ["h", "3334", 0], ["", 3334, 900]]
    assert feed(connection, *(call("client.reconnect", *form) for form in forms)) == [
        events.ReconnectRequested(None, None, 0.0), events.ReconnectRequested("h", None, 0.0),
        events.ReconnectRequested("h", 3334, 0.0), events.ReconnectRequested("h", 3334, 0.0),
        events.ReconnectRequested(None, 3334, 300.0),
    ]  # fmt: skip


def test_difficulty_belongs_to_the_job() -> None:
    connection = subscribed()
    happened = feed(connection, call("mining.set_difficulty", 8), notify("a"), call("mining.set_difficulty", 2))
    assert [difficulty_of(job) for job in jobs(happened)] == [8.0]
    assert [difficulty_of(job) for job in jobs(feed(connection, notify("b")))] == [2.0]


def test_unquoted_keys_lose_the_line_only() -> None:
    connection = subscribed()
    happened = feed(connection, b"{ id: null, result: [], error: true }\n", notify())
    assert [type(event) for event in happened] == [events.BadLine, events.JobAnnounced]


def test_partial_lines_wait_for_their_end() -> None:
    connection = subscribed()
    data = notify()
    assert feed(connection, data[:50]) == []
    assert [type(event) for event in feed(connection, data[50:])] == [events.JobAnnounced]


def test_null_subscriptions_and_set_target() -> None:
    connection = ClientConnection("test/1")
    feed(connection, line(id=connection.subscribe(), result=[None, "aabb", 4]))
    assert connection.session_id is None
    target = "00000000ffff" + "00" * 26
    [changed, job] = feed(connection, call("mining.set_target", target), notify())
    assert changed == events.ShareTargetChanged(int(target, 16))
    assert isinstance(job, events.JobAnnounced)
    assert job.share_target == int(target, 16)


@given(st.integers(1, MAX_TARGET))
def test_a_target_reaches_the_job_as_the_pool_said_it(target: int) -> None:
    [_, job] = feed(subscribed(), call("mining.set_target", f"{target:064x}"), notify())
    assert isinstance(job, events.JobAnnounced)
    assert job.share_target == target


def test_code_24_for_a_duplicate_leaves_the_worker_logged_in() -> None:
    connection = subscribed()
    [event] = feed(connection, line(id=connection.submit(SHARE), result=None, error=[24, "Duplicate share", None]))
    assert isinstance(event, events.SubmitAnswered)
    assert event.error is not None
    assert event.error.reason is ErrorReason.DUPLICATE
    connection.submit(SHARE)


def test_tracebacks_are_kept_raw_and_shown_short() -> None:
    connection = subscribed()
    error = [-2, "Job 'x' not found\n" + "Traceback\n" * 200, "Traceback\n" * 200]
    [event] = feed(connection, line(id=connection.submit(SHARE), result=None, error=error))
    assert isinstance(event, events.SubmitAnswered)
    assert event.error is not None
    assert event.error.reason is ErrorReason.JOB_NOT_FOUND
    assert event.error.raw == error
    assert len(event.error.message) <= 201
    assert event.error.message.isprintable()


@pytest.mark.parametrize("value", [0, -1, 0.0, None, "0", "nan"])
@pytest.mark.parametrize("first", [True, False])
def test_difficulty_zero_is_ignored_even_as_the_first_line(value: Any, first: bool) -> None:
    connection = ClientConnection("test/1") if first else subscribed()
    assert [type(event) for event in feed(connection, call("mining.set_difficulty", value))] == [events.BadLine]


@pytest.mark.parametrize(
    ("data", "hint"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP reply"), (b"\x15\x03\x01\x00\x02\x02", "TLS alert")],
)
def test_a_foreign_protocol_is_named_at_once(data: bytes, hint: str) -> None:
    connection = ClientConnection("test/1")
    with pytest.raises(RemoteProtocolError, match=hint):
        feed(connection, data)
    assert connection.next_event() is None


def test_an_overlong_line_ends_the_connection_and_frees_its_memory() -> None:
    connection = ClientConnection("test/1", max_line=1000)
    with pytest.raises(RemoteProtocolError, match="expected at most 1000 bytes"):
        feed(connection, b"x" * 1001)
    assert connection.state is ClientState.CLOSED
    connection.receive_data(b"x" * 10_000)
    assert connection._decoder.pending == b""


def nested(depth: int) -> Iterator[bytes]:
    for key in ("id", "params", "result", "error", "x"):
        yield b'{"method":"m","%s":%s}\n' % (key.encode(), b"[" * depth + b"]" * depth)


@pytest.mark.parametrize("depth", [40, 500, *range(900, 1001), 5000])
def test_deep_nesting_is_a_bad_line(depth: int) -> None:
    for data in nested(depth):
        assert [type(event) for event in feed(subscribed(), data)] == [events.BadLine]
