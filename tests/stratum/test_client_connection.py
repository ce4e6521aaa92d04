"""The client's side of a connection: states, settings of the next job, and replies of real pools."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import MAX_TARGET, difficulty_from_target, target_from_difficulty
from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import (
    PERMITTED,
    TRANSITIONS,
    ClientConnection,
    ClientState,
    WorkerState,
)
from stratum_miner.stratum.errors import ErrorReason, ErrorReply, LocalProtocolError, RemoteProtocolError
from stratum_miner.stratum.extensions import MinimumDifficulty
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.stratum_job import submit_of
from stratum_miner.work.share import Share, verify
from stratum_miner.work.unit import NonceFound, WorkUnit
from tests.work.jobs import make_job

MASK = 0x1FFFE000
PREVHASH = "0a8ce26f72b3f1b646a2a6c14ff763ae65831e939c085ae10019d66800000000"
SHARE = messages.Submit("user.w1", "j1", bytes(4), 0x6B042070, 0x925B0800)


def notify_params(job_id: str = "j1", *, clean: Any = True, prevhash: str = PREVHASH, version: str = "20000000") -> Any:
    return [job_id, prevhash, "0100000001", "ffffffff", [], version, "207fffff", "6b042070", clean]


def line(**message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def call(method: str, *params: Any, **more: Any) -> bytes:
    return line(**({"id": None} | more), method=method, params=list(params))


def notify(job_id: str = "j1", **changes: Any) -> bytes:
    return call("mining.notify", *notify_params(job_id, **changes))


def subscribe_reply(request_id: int, extranonce1: str = "f1ad9a67", size: Any = 4) -> bytes:
    return line(id=request_id, result=[[["mining.notify", "ae68"]], extranonce1, size], error=None)


def drain(connection: ClientConnection) -> list[events.ClientConnectionEvent]:
    return list(iter(connection.next_event, None))


def feed(connection: ClientConnection, *data: bytes) -> list[events.ClientConnectionEvent]:
    connection.receive_data(b"".join(data))
    return drain(connection)


def sent(connection: ClientConnection) -> list[Any]:
    return [json.loads(item) for item in connection.data_to_send().splitlines()]


def difficulty_of(job: events.JobAnnounced) -> float:
    return difficulty_from_target(job.share_target)


def jobs(happened: list[events.ClientConnectionEvent]) -> list[events.JobAnnounced]:
    return [event for event in happened if isinstance(event, events.JobAnnounced)]


def subscribed(*, mask: int = 0, extranonce1: str = "f1ad9a67", size: Any = 4) -> ClientConnection:
    """Return a session whose worker user.w1 is authorized. Ids from 10 on are free."""
    connection = ClientConnection("test/1", version_mask=mask)
    if mask:
        granted = {"version-rolling": True, "version-rolling.mask": f"{MASK:08x}"}
        feed(connection, line(id=connection.configure(), result=granted, error=None))
    feed(connection, subscribe_reply(connection.subscribe(), extranonce1, size))
    feed(connection, line(id=connection.authorize("user.w1", "pw"), result=True, error=None))
    connection.data_to_send()
    return connection


# ---- states and requests -----------------------------------------------------------------------------------------


def in_state(state: ClientState) -> ClientConnection:
    connection = ClientConnection("test/1")
    if state is not ClientState.NEW:
        request_id = connection.subscribe()
        if state is ClientState.SUBSCRIBED:
            feed(connection, subscribe_reply(request_id))
        elif state is ClientState.CLOSED:
            connection.receive_eof()
    assert connection.state is state
    connection.workers["user.w1"] = WorkerState.AUTHORIZED
    return connection


REQUESTS: dict[type[Any], Callable[[ClientConnection], int]] = {
    messages.Configure: lambda connection: connection.configure(),
    messages.Subscribe: lambda connection: connection.subscribe(),
    messages.Authorize: lambda connection: connection.authorize("user.w1", "pw"),
    messages.Submit: lambda connection: connection.submit(SHARE),
    messages.ExtranonceSubscribe: lambda connection: connection.request(messages.ExtranonceSubscribe()),
    messages.SuggestDifficulty: lambda connection: connection.request(messages.SuggestDifficulty(1)),
    messages.SuggestTarget: lambda connection: connection.request(messages.SuggestTarget(1)),
    messages.GetTransactions: lambda connection: connection.request(messages.GetTransactions("j1")),
    messages.ClientPing: lambda connection: connection.request(messages.ClientPing()),
}


@pytest.mark.parametrize("state", ClientState)
@pytest.mark.parametrize("kind", PERMITTED, ids=lambda kind: kind.__name__)
def test_each_request_is_permitted_in_its_states_only(kind: type[Any], state: ClientState) -> None:
    connection = in_state(state)
    connection.data_to_send()
    if state in PERMITTED[kind]:
        request_id = REQUESTS[kind](connection)
        assert [(item["id"], item["method"]) for item in sent(connection)] == [(request_id, kind.method)]
        assert isinstance(connection.outstanding[request_id], kind)
    else:
        with pytest.raises(LocalProtocolError, match=f"{kind.method}: expected state [A-Z or]+, got {state.name}"):
            REQUESTS[kind](connection)
        assert connection.data_to_send() == b""


def test_the_state_table_is_complete_and_closed_is_final() -> None:
    assert set(TRANSITIONS) == set(ClientState)
    assert set(TRANSITIONS[ClientState.CLOSED].values()) == {ClientState.CLOSED}
    assert set(REQUESTS) == set(PERMITTED)


def test_a_message_that_only_old_clients_send_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError, match=r"mining\.multi_version: this request is only read"):
        ClientConnection("test/1").request(messages.MultiVersion())  # type: ignore[arg-type]


def test_the_handshake_on_the_wire() -> None:
    connection = ClientConnection("stratum_miner/1", version_mask=MASK)
    ids = connection.configure(MinimumDifficulty(2.0)), connection.subscribe("ae68"), connection.authorize("u", "")
    assert ids == (1, 2, 3)
    assert sent(connection) == [
        {
            "id": 1,
            "method": "mining.configure",
            "params": [
                ["version-rolling", "minimum-difficulty"],
                {
                    "version-rolling.mask": "1fffe000",
                    "version-rolling.min-bit-count": 2,
                    "minimum-difficulty.value": 2.0,
                },
            ],
        },
        {"id": 2, "method": "mining.subscribe", "params": ["stratum_miner/1", "ae68"]},
        {"id": 3, "method": "mining.authorize", "params": ["u", ""]},
    ]
    assert connection.data_to_send() == b""


def test_shares_need_an_authorized_worker() -> None:
    connection = subscribed()
    with pytest.raises(LocalProtocolError, match="expected an authorized worker, got 'other'"):
        connection.submit(messages.Submit("other", "j1", b"", 0, 0))
    refused = connection.authorize("other", "pw")
    assert feed(connection, line(id=refused, result=False, error=None)) == [
        events.AuthorizeRefused(refused, "other", connection_error(ErrorReason.NO_REASON))
    ]
    with pytest.raises(LocalProtocolError, match="expected an authorized worker"):
        connection.submit(messages.Submit("other", "j1", b"", 0, 0))


def connection_error(reason: ErrorReason) -> Any:
    class Matches:
        def __eq__(self, other: object) -> bool:
            return getattr(other, "reason", None) is reason

        __hash__ = None  # type: ignore[assignment]

    return Matches()


@pytest.mark.parametrize("field", ["ntime", "nonce", "version_bits"])
@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_numbers_that_do_not_fit_are_our_own_mistake(field: str, value: int) -> None:
    numbers = {"ntime": 0, "nonce": 0, "version_bits": 0} | {field: value}
    with pytest.raises(LocalProtocolError, match=f"{field}: expected a 32-bit number"):
        subscribed().submit(messages.Submit("user.w1", "j1", b"", **numbers))


def test_outstanding_requests_are_bounded() -> None:
    connection = subscribed()
    for _ in range(4096):
        connection.submit(SHARE)
    with pytest.raises(LocalProtocolError, match="expected fewer than 4096 requests without a reply"):
        connection.submit(SHARE)
    oldest = next(iter(connection.outstanding))
    feed(connection, line(id=oldest, result=True, error=None))
    connection.submit(SHARE)


def test_a_second_reply_to_a_request_is_unpaired() -> None:
    connection = subscribed()
    request_id = connection.submit(SHARE)
    feed(connection, line(id=request_id, result=True, error=None))
    assert feed(connection, line(id=request_id, result=True, error=None)) == [
        events.UnpairedReply(request_id, True, None)
    ]


@pytest.mark.parametrize(
    "identifier", [None, 0, 99, "auth", "", True, 1.5, 1e300, [], {}, 10**30, -1, "٣", "9" * 40, [[[1]]]]
)
def test_replies_to_ids_that_are_not_ours(identifier: Any) -> None:
    connection = subscribed()
    connection.submit(SHARE)
    assert feed(connection, line(id=identifier, result=True)) == [events.UnpairedReply(identifier, True, None)]
    assert len(connection.outstanding) == 1


@pytest.mark.parametrize("echo", [int, str, float])
def test_our_id_echoed_in_another_type_is_ours(echo: Callable[[int], Any]) -> None:
    connection = subscribed()
    request_id = connection.submit(SHARE)
    assert feed(connection, line(id=echo(request_id), result=True)) == [events.SubmitAnswered(request_id, SHARE, None)]


def test_replying_twice_counts_once() -> None:
    connection = subscribed()
    request_id = connection.submit(SHARE)
    answer = line(id=request_id, result=True, error=None)
    assert [type(event) for event in feed(connection, answer, answer)] == [events.SubmitAnswered, events.UnpairedReply]


def test_a_refused_subscribe_ends_the_connection() -> None:
    connection = ClientConnection("test/1")
    request_id = connection.subscribe()
    with pytest.raises(RemoteProtocolError, match=r"refused mining\.subscribe: 20: no"):
        feed(connection, line(id=request_id, result=None, error=[20, "no", None]))
    assert connection.state is ClientState.CLOSED
    assert feed(connection, notify()) == []


def test_the_session_id_is_kept_for_a_resume() -> None:
    connection = subscribed()
    assert connection.session_id == "ae68"


@pytest.mark.parametrize(
    ("result", "error"),
    [(True, None), (True, False), (True, ""), (True, []), (True, 0)],
)
def test_a_share_is_accepted_by_true_without_an_error(result: Any, error: Any) -> None:
    connection = subscribed()
    [event] = feed(connection, line(id=connection.submit(SHARE), result=result, error=error))
    assert isinstance(event, events.SubmitAnswered)
    assert event.accepted


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"result": None, "error": [22, "duplicate share", None]}, ErrorReason.DUPLICATE),
        ({"result": None, "error": [22, "duplicate share"]}, ErrorReason.DUPLICATE),
        ({"result": False, "error": [22, "Duplicate", None]}, ErrorReason.DUPLICATE),
        ({"result": False, "error": "Stale"}, ErrorReason.JOB_NOT_FOUND),
        ({"result": False, "error": None, "reject-reason": "Stale"}, ErrorReason.JOB_NOT_FOUND),
        ({"result": None, "error": {"code": 23, "message": "..."}}, ErrorReason.LOW_DIFFICULTY),
        ({"result": False, "error": None}, ErrorReason.NO_REASON),
        ({"result": None, "error": None}, ErrorReason.NO_REASON),
        ({}, ErrorReason.NO_REASON),
        ({"error": "-3:method not found"}, ErrorReason.UNKNOWN_METHOD),
        ({"result": "params not an array", "error": None}, ErrorReason.OTHER),
        ({"result": [], "error": True}, ErrorReason.NO_REASON),
        ({"result": True, "error": [21, "Stale", None]}, ErrorReason.JOB_NOT_FOUND),
        ({"result": "true"}, ErrorReason.OTHER),
        ({"result": 1}, ErrorReason.NO_REASON),
        ({"result": {"status": "OK"}}, ErrorReason.NO_REASON),
    ],
)
def test_every_form_of_a_rejection(reply: dict[str, Any], reason: ErrorReason) -> None:
    connection = subscribed()
    [event] = feed(connection, line(id=connection.submit(SHARE), **reply))
    assert isinstance(event, events.SubmitAnswered)
    assert not event.accepted
    assert event.error is not None
    assert event.error.reason is reason


def test_other_requests_are_answered_with_what_came() -> None:
    connection = subscribed()
    request = messages.GetTransactions("j1")
    request_id = connection.request(request)
    [event] = feed(connection, line(id=request_id, result=["00"], error=None))
    assert event == events.RequestAnswered(request_id, request, ["00"], None)


# ---- settings are staged (docs/reference/stratum.md#when-a-setting-takes-effect) -------------------------------------


def test_a_job_carries_what_was_in_force_when_it_came() -> None:
    connection = subscribed()
    first, second = jobs(
        feed(
            connection,
            call("mining.set_difficulty", 2),
            notify("j1"),
            call("mining.set_difficulty", 4),
            call("mining.set_extranonce", "aabbcc", 3),
            notify("j2"),
        )
    )
    assert (difficulty_of(first), first.extranonce1.hex(), first.extranonce2_size) == (2.0, "f1ad9a67", 4)
    assert (difficulty_of(second), second.extranonce1.hex(), second.extranonce2_size) == (4.0, "aabbcc", 3)
    assert not first.amended
    assert not second.amended


def test_a_mask_change_amends_the_job_and_nothing_else() -> None:
    """A staged difficulty or extranonce must not leak into the job that is already running."""
    connection = subscribed(mask=MASK)
    feed(connection, call("mining.set_difficulty", 2), notify("j1"))
    happened = feed(
        connection,
        call("mining.set_difficulty", 1),
        call("mining.set_extranonce", "aabbcc", 3),
        call("mining.set_version_mask", "00006000"),
    )
    [amended] = jobs(happened)
    assert amended.amended
    assert (amended.version_mask, difficulty_of(amended)) == (0x6000, 2.0)
    assert (amended.extranonce1.hex(), amended.extranonce2_size) == ("f1ad9a67", 4)
    [after] = jobs(feed(connection, notify("j2")))
    assert (after.version_mask, difficulty_of(after), after.extranonce1.hex()) == (0x6000, 1.0, "aabbcc")


def test_a_job_held_for_the_subscribe_reply_keeps_its_difficulty() -> None:
    connection = ClientConnection("test/1")
    request_id = connection.subscribe()
    assert jobs(feed(connection, call("mining.set_difficulty", 2), notify(), call("mining.set_difficulty", 8))) == []
    [job] = jobs(feed(connection, subscribe_reply(request_id)))
    assert (difficulty_of(job), job.amended) == (2.0, False)


def test_a_held_job_takes_the_first_difficulty_that_comes_after_it() -> None:
    connection = ClientConnection("test/1")
    request_id = connection.subscribe()
    assert jobs(feed(connection, notify(), call("mining.set_difficulty", 8))) == []
    [job] = jobs(feed(connection, subscribe_reply(request_id)))
    assert (difficulty_of(job), job.amended) == (8.0, False)


def test_set_extranonce_keeps_what_it_does_not_name() -> None:
    connection = subscribed()
    assert feed(connection, call("mining.set_extranonce", "aa")) == [events.ExtranonceChanged(b"\xaa", 4)]
    assert feed(connection, call("mining.set_extranonce", None, 8)) == [events.ExtranonceChanged(b"\xaa", 8)]
    assert feed(connection, call("mining.set_extranonce")) == [events.ExtranonceChanged(b"\xaa", 8)]


def test_settings_without_a_session_are_ignored_aloud() -> None:
    connection = ClientConnection("test/1")
    assert [type(event) for event in feed(connection, call("mining.set_extranonce", "aa", 4))] == [events.Ignored]


def test_a_second_configure_may_take_version_rolling_back() -> None:
    connection = subscribed(mask=MASK)
    feed(connection, notify())
    [configured, job] = feed(connection, line(id=connection.configure(), result={"version-rolling": False}))
    assert isinstance(configured, events.Configured)
    assert configured.version_mask == 0
    assert isinstance(job, events.JobAnnounced)
    assert (job.version_rolling, job.version_mask, job.amended) == (False, 0, True)


def test_a_later_configure_for_something_else_leaves_version_rolling_alone() -> None:
    connection = subscribed(mask=MASK)
    connection.version_mask, mask = 0, connection.version_mask  # asks for the other extension only
    request_id = connection.configure(MinimumDifficulty(1.0))
    connection.version_mask = mask
    feed(connection, line(id=request_id, result={"minimum-difficulty": True}))
    [job] = jobs(feed(connection, notify()))
    assert (job.version_rolling, job.version_mask) == (True, MASK)


def test_a_grant_after_the_first_job_amends_it() -> None:
    connection = ClientConnection("test/1", version_mask=MASK)
    configure = connection.configure()
    happened = feed(connection, subscribe_reply(connection.subscribe()), call("mining.set_difficulty", 1), notify())
    assert [job.version_rolling for job in jobs(happened)] == [False]
    granted = {"version-rolling": True, "version-rolling.mask": "00006000"}
    [job] = jobs(feed(connection, line(id=configure, result=granted)))
    assert (job.version_rolling, job.version_mask, job.amended) == (True, 0x6000, True)


def test_rolling_may_be_granted_with_an_empty_mask() -> None:
    """The sixth parameter is then still sent (docs/reference/stratum.md#merging-version-bits)."""
    connection = ClientConnection("test/1", version_mask=MASK)
    granted = {"version-rolling": True, "version-rolling.mask": "00000000"}
    feed(connection, line(id=connection.configure(), result=granted), subscribe_reply(connection.subscribe()))
    [job] = jobs(feed(connection, notify()))
    assert (job.version_rolling, job.version_mask) == (True, 0)


@pytest.mark.parametrize(
    "reply",
    [
        {"error": [-3, "Method not found", None]},
        {"result": None},
        {"result": {"version-rolling": True}},
        {"result": {"version-rolling": "not supported"}},
        {"result": {}},
    ],
)
def test_configure_that_grants_nothing(reply: dict[str, Any]) -> None:
    connection = ClientConnection("test/1", version_mask=MASK)
    [event] = feed(connection, line(id=connection.configure(), **reply))
    assert isinstance(event, events.Configured)
    assert event.version_mask == 0


# ---- the pool's requests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "result"),
    [("client.get_version", "test/1"), ("mining.ping", "pong"), ("client.show_message", True)],
)
@pytest.mark.parametrize("identifier", [0, 42, "auth", 10**30, [1, {"a": None}]])
def test_the_pools_requests_are_answered_under_their_own_id(method: str, result: Any, identifier: Any) -> None:
    connection = subscribed()
    feed(connection, call(method, "text", id=identifier))
    assert sent(connection) == [{"id": identifier, "result": result, "error": None}]
    feed(connection, call(method, "text"))
    assert connection.data_to_send() == b""


def test_an_unknown_request_is_refused_and_an_unknown_notification_ignored() -> None:
    connection = subscribed()
    assert [type(event) for event in feed(connection, call("client.dance", id=80))] == [events.Ignored]
    assert sent(connection) == [{"id": 80, "result": None, "error": [-3, "Method not found", None]}]
    assert [type(event) for event in feed(connection, call("client.dance"))] == [events.Ignored]
    assert connection.data_to_send() == b""


def test_messages_to_the_user_and_reconnects_are_events() -> None:
    connection = subscribed()
    assert feed(connection, call("client.show_message", "\x07ring"), call("client.reconnect", "h", "1", 0)) == [
        events.MessageReceived("�ring"),
        events.ReconnectRequested("h", 1, 0.0),
    ]


def test_a_bad_wait_is_told_and_the_reconnect_is_an_event_all_the_same() -> None:
    told, event = feed(subscribed(), call("client.reconnect", "h", 3334, -1))
    assert told == events.BadLine("client.reconnect wait: expected a number of seconds, 0 or more, got -1")
    assert event == events.ReconnectRequested("h", 3334, 0.0)


# ---- captured jobs -----------------------------------------------------------------------------------------------


def test_a_captured_job_becomes_the_captured_share(vector: dict[str, Any]) -> None:
    """Notify line in, job, header, hash, submit line out: every byte as it was captured."""
    extranonce2 = bytes.fromhex(vector["extranonce2"])
    rolling = vector["version_bits"] is not None
    connection = subscribed(mask=MASK if rolling else 0, extranonce1=vector["extranonce1"], size=len(extranonce2))
    [announced] = jobs(feed(connection, call("mining.notify", *vector["notify_params"])))
    note = announced.notify
    job = make_job(
        session=1, job_id=note.job_id, previous_hash=note.previous_hash, prefix=note.coinbase_prefix,
        suffix=note.coinbase_suffix, branch=note.merkle_branch, version=note.version, nbits=note.nbits,
        ntime=note.ntime, clean_jobs=note.clean_jobs, extranonce1=announced.extranonce1,
        extranonce2_size=announced.extranonce2_size, share_target=target_from_difficulty(1e-9),
        version_mask=announced.version_mask, version_rolling=announced.version_rolling,
    )  # fmt: skip
    ntime, nonce, bits = int(vector["ntime"], 16), int(vector["nonce"], 16), int(vector["version_bits"] or "0", 16)
    header = job.header(extranonce2, ntime, 0, job.version).to_bytes()
    unit = WorkUnit(
        job=job, extranonce2=extranonce2, ntime=ntime, version=job.version, header=header, target=job.search_target,
        version_mask=bits,
    )  # fmt: skip
    share = verify(NonceFound(unit, nonce, job.version | bits))
    assert isinstance(share, Share)
    assert share.header.hex() == vector["expect"]["header"]
    assert share.digest[::-1].hex() == vector["expect"]["hash"]
    assert share.is_block == vector["expect"]["meets_network_target"]
    connection.submit(submit_of(share, "user.w1"))
    [message] = sent(connection)
    captured = [vector["extranonce2"], vector["ntime"], vector["nonce"]]
    assert message["params"] == [
        "user.w1", vector["notify_params"][0], *captured, *([vector["version_bits"]] if rolling else []),
    ]  # fmt: skip


# ---- what four real pools answer to three requests in one packet (docs/reference/stratum.md#how-real-pools-answer) ---

GRANT = {"version-rolling": True, "version-rolling.mask": "1fffe000"}
BOTH = [["mining.set_difficulty", "b4b6"], ["mining.notify", "ae68"]]
REAL_POOLS: dict[str, list[bytes]] = {
    "A-foundation-stratum": [
        line(id=1, result=GRANT, error=None),
        line(id=2, result=[BOTH, "77ffffff", 4], error=None),
        call("mining.set_difficulty", 0.0005),
        notify("1"),
        line(id=3, result=True, error=None),
        line(id=4, result=True, error=None),
        line(id=5, result=None, error=[22, "duplicate share"]),
        line(id=6, result=None, error=[23, "low difficulty share of 2.55e-10", None]),
    ],
    "B-ckpool": [
        line(result=GRANT, error=None, id=1),
        line(result=[[["mining.notify", "6b0421d8"]], "d821046b", 8], error=None, id=2),
        b'{"params": [5.0000000000000002e-5], "id": null, "method": "mining.set_difficulty"}\n',
        notify("6b0421d800000001"),
        notify("6b0421d800000002", clean=False),
        line(result=True, error=None, id=3),
        line(result=True, error=None, id=4),
        line(result=False, error=[22, "Duplicate", None], id=5),
        line(result=False, error="Stale", id=6),
    ],
    "C-nomp": [
        line(id=2, result=[BOTH, "77ffffff", 4], error=None),
        call("mining.set_difficulty", 0.001),
        notify("1", clean=False),
        line(id=3, result=True, error=None),
        line(id=4, result=True, error=None),
        line(id=5, result=None, error=[21, "job not found"]),
        line(id=None, result=[], error=True),
        line(id=6, result=None, error=[24, "unauthorized worker"]),
    ],
    "D-public-pool": [
        line(id=1, error=None, result=GRANT),
        line(id=2, error=None, result=[[["mining.notify", "4f2a9c01"]], "4f2a9c01", 4]),
        line(id=3, error=None, result=True),
        call("mining.set_difficulty", 0.00005),
        notify("1", version="4"),
        line(id=5, result=None, error=[23, "Difficulty too low", ""]),
        notify("2", clean=False, prevhash="11" * 32),
        line(id=4, error=None, result=True),
        line(id=6, result=None, error=[20, "Mining Submit validation error", "['user','1']"]),
    ],
}
EXPECTED: dict[str, tuple[list[type[Any]], list[bool]]] = {
    "A-foundation-stratum": (
        [events.Configured, events.Subscribed, events.ShareTargetChanged, events.JobAnnounced, events.WorkerAuthorized,
         events.SubmitAnswered, events.SubmitAnswered, events.SubmitAnswered],
        [True, False, False],
    ),
    "B-ckpool": (
        [events.Configured, events.Subscribed, events.ShareTargetChanged, events.JobAnnounced, events.JobAnnounced,
         events.WorkerAuthorized, events.SubmitAnswered, events.SubmitAnswered, events.SubmitAnswered],
        [True, False, False],
    ),
    "C-nomp": (
        [events.Subscribed, events.ShareTargetChanged, events.JobAnnounced, events.WorkerAuthorized,
         events.SubmitAnswered, events.SubmitAnswered, events.UnpairedReply, events.SubmitAnswered],
        [True, False, False],
    ),
    "D-public-pool": (
        [events.Configured, events.Subscribed, events.WorkerAuthorized, events.ShareTargetChanged, events.JobAnnounced,
         events.SubmitAnswered, events.JobAnnounced, events.SubmitAnswered, events.SubmitAnswered],
        [False, True, False],
    ),
}  # fmt: skip


class Conversation:
    """A client that pipelines its handshake and submits three shares as soon as it is authorized."""

    def __init__(self) -> None:
        self.connection = ClientConnection("test/1", version_mask=MASK)
        self.connection.configure()
        self.connection.subscribe()
        self.connection.authorize("user.w1", "pw")
        self.events: list[events.ClientConnectionEvent] = []

    def receive(self, data: bytes) -> None:
        self.connection.receive_data(data)
        self.drain()

    def drain(self) -> None:
        while (event := self.connection.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, events.WorkerAuthorized) and self.connection.state is not ClientState.CLOSED:
                for nonce in range(3):
                    self.connection.submit(messages.Submit("user.w1", "1", bytes(4), 0, nonce, 0))


def whole(stream: bytes) -> list[events.ClientConnectionEvent]:
    conversation = Conversation()
    conversation.receive(stream)
    return conversation.events


@pytest.mark.parametrize("pool", REAL_POOLS)
def test_real_pools(pool: str) -> None:
    happened = whole(b"".join(REAL_POOLS[pool]))
    kinds, accepted = EXPECTED[pool]
    assert [type(event) for event in happened] == kinds
    assert [event.accepted for event in happened if isinstance(event, events.SubmitAnswered)] == accepted
    assert all(event.amended is False for event in jobs(happened))


@pytest.mark.parametrize("pool", REAL_POOLS)
def test_real_pools_byte_by_byte(pool: str) -> None:
    stream = b"".join(REAL_POOLS[pool])
    conversation = Conversation()
    for at in range(len(stream)):
        conversation.receive(stream[at : at + 1])
    assert conversation.events == whole(stream)


@pytest.mark.parametrize("pool", REAL_POOLS)
@given(data=st.data())
def test_real_pools_split_anywhere(pool: str, data: st.DataObject) -> None:
    stream = b"".join(REAL_POOLS[pool])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    conversation = Conversation()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        conversation.receive(stream[start:end])
    assert conversation.events == whole(stream)


@pytest.mark.parametrize("pool", REAL_POOLS)
def test_real_pools_that_hang_up_at_any_byte(pool: str) -> None:
    stream = b"".join(REAL_POOLS[pool])
    ends = [at + 1 for at, byte in enumerate(stream) if byte == ord("\n")]
    for position in range(len(stream) + 1):
        conversation = Conversation()
        conversation.receive(stream[:position])
        rest = conversation.connection.receive_eof()
        assert bool(rest) == (position not in {0, *ends})
        assert conversation.events == whole(stream)[: len(conversation.events)]
        assert len(conversation.events) == sum(end <= position for end in ends)
        assert conversation.connection.next_event() is None
        assert conversation.connection.state is ClientState.CLOSED


def test_complete_lines_before_the_end_of_the_stream_are_not_lost() -> None:
    connection = ClientConnection("test/1")
    request_id = connection.subscribe()
    connection.receive_data(subscribe_reply(request_id) + notify() + call("mining.ping", id=1) + b'{"id"')
    connection.data_to_send()
    assert connection.receive_eof() == '{"id"'
    connection.receive_data(notify())
    assert [type(event) for event in drain(connection)] == [events.Subscribed, events.JobAnnounced]
    assert connection.data_to_send() == b""
    assert connection.state is ClientState.CLOSED


# ---- what real pools do (docs/reference/stratum.md) ---------------------------------------------------------------


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


# ---- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("usable", [0, 50])
def test_a_hundred_more_unusable_lines_than_usable_ones_end_the_connection(usable: int) -> None:
    """Usable lines that came before the first unusable one give no credit."""
    connection = ClientConnection("test/1")
    good, bad = line(id=99, result=True), b"{ unusable\n"
    feed(connection, good * usable)
    for _ in range(11):
        feed(connection, bad * 9, good)  # 8 more
    feed(connection, bad * 9, good, bad * 3)
    with pytest.raises(RemoteProtocolError, match="100 more unusable lines than usable ones"):
        feed(connection, bad)


def test_ten_unusable_lines_end_a_connection_that_has_just_begun() -> None:
    connection = ClientConnection("test/1")
    assert len(feed(connection, b"{ unusable\n" * 9)) == 9
    with pytest.raises(RemoteProtocolError, match="10 unusable lines in a row"):
        feed(connection, b"{ unusable\n")


@pytest.mark.parametrize("empty", [b"\n", b" \r\n"])
def test_a_thousand_empty_lines_in_a_row_end_the_connection(empty: bytes) -> None:
    connection = ClientConnection("test/1")
    for _ in range(2):
        assert feed(connection, empty * 999) == []
        assert len(feed(connection, line(id=99, result=True))) == 1
    assert feed(connection, empty * 999) == []
    with pytest.raises(RemoteProtocolError, match="1000 empty lines in a row"):
        feed(connection, empty)


def test_a_line_of_a_mebibyte_is_the_longest() -> None:
    connection = ClientConnection("test/1")
    assert feed(connection, b" " * (1 << 20) + b"\n") == []
    with pytest.raises(RemoteProtocolError, match="expected at most 1048576 bytes, got 1048577"):
        feed(connection, b" " * ((1 << 20) + 1))


def test_a_line_of_1000_bytes_is_the_longest_that_is_sent() -> None:
    def authorize(connection: ClientConnection, size: int) -> int:
        rest = len(b'{"id":1,"method":"mining.authorize","params":["",""]}\n')
        return connection.authorize("u" * (size - rest), "")

    connection = in_state(ClientState.SUBSCRIBED)
    connection.next_id = 1
    connection.data_to_send()
    authorize(connection, 1000)
    assert connection.unsent == len(connection.data_to_send()) == 1000
    connection.next_id = 1
    with pytest.raises(LocalProtocolError, match="at most 1000 bytes"):
        authorize(connection, 1001)


@pytest.mark.parametrize("method", ["mining.ping", "mining.dance"])
def test_a_reply_of_1000_bytes_is_the_longest_that_is_sent(method: str) -> None:
    connection = subscribed()
    feed(connection, call(method, id=""))
    rest = len(connection.data_to_send())
    feed(connection, call(method, id="x" * (1000 - rest)))
    assert len(connection.data_to_send()) == 1000
    happened = feed(connection, call(method, id="x" * (1001 - rest)))
    assert connection.data_to_send() == b""
    assert isinstance(happened[-1], events.BadLine)
    assert "the reply would have 1001 bytes" in happened[-1].reason


def test_after_the_largest_id_comes_1() -> None:
    connection = ClientConnection("test/1", first_id=2**31 - 2)
    pings = [connection.request(messages.ClientPing()) for _ in range(3)]
    assert pings == [2**31 - 2, 2**31 - 1, 1]
    assert ClientConnection("test/1").request(messages.ClientPing()) == 1


def test_an_id_of_ten_digits_may_come_back_as_text_and_a_longer_one_is_foreign() -> None:
    connection = ClientConnection("test/1", first_id=2**31 - 1)
    connection.request(messages.ClientPing())
    connection.request(messages.ClientPing())
    assert [type(event) for event in feed(connection, line(id="2147483647", result="pong"))] == [events.RequestAnswered]
    assert [type(event) for event in feed(connection, line(id="00000000001", result="pong"))] == [events.UnpairedReply]


def test_of_an_incomplete_line_120_characters_are_shown() -> None:
    connection = ClientConnection("test/1")
    feed(connection, b"x" * 121)
    assert connection.receive_eof() == "x" * 120 + "…"


def test_a_job_before_any_difficulty_has_difficulty_1() -> None:
    [job] = jobs(feed(subscribed(), notify()))
    assert difficulty_of(job) == 1


# ---- what events say ---------------------------------------------------------------------------------------------


def test_events_of_the_handshake_carry_their_ids() -> None:
    connection = ClientConnection("test/1", version_mask=MASK)
    configure, subscribe = connection.configure(), connection.subscribe()
    authorize, refused = connection.authorize("w", "pw"), connection.authorize("x", "pw")
    happened = feed(
        connection,
        line(id=configure, result=None, error=[20, "no", None]),
        subscribe_reply(subscribe),
        line(id=authorize, result=True),
        line(id=refused, result=None, error=[24, "unauthorized worker", None]),
    )
    error = ErrorReply(ErrorReason.OTHER, 20, "no", [20, "no", None])
    unauthorized = ErrorReply(ErrorReason.UNAUTHORIZED, 24, "unauthorized worker", [24, "unauthorized worker", None])
    assert happened == [
        events.Configured(configure, None, error, 0),
        events.Subscribed(subscribe, SubscribeResult(bytes.fromhex("f1ad9a67"), 4, "ae68")),
        events.WorkerAuthorized(authorize, "w"),
        events.AuthorizeRefused(refused, "x", unauthorized),
    ]


def test_an_unusable_grant_is_an_error_of_the_configure_request() -> None:
    connection = ClientConnection("test/1", version_mask=MASK)
    request_id = connection.configure()
    [event] = feed(connection, line(id=request_id, result={"version-rolling": True}))
    assert isinstance(event, events.Configured)
    assert (event.id, event.result, event.version_mask) == (request_id, None, 0)
    assert event.error is not None
    assert event.error.message.startswith("version-rolling.mask: expected a mask")


def test_what_is_ignored_is_named() -> None:
    mask = call("mining.set_version_mask", "1fffe000")
    happened = feed(ClientConnection("test/1"), mask, call("mining.set_extranonce", "aa", 4), call("x" * 61))
    assert happened == [
        events.Ignored("mining.set_version_mask, but the client asked for no version rolling"),
        events.Ignored("mining.set_extranonce before the reply to mining.subscribe"),
        events.Ignored(f"unknown method '{'x' * 60}…'"),
    ]
    asked = ClientConnection("test/1", version_mask=MASK)
    asked.configure()
    assert feed(asked, mask) == [events.Ignored("mining.set_version_mask before version rolling was granted")]
