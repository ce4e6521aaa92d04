"""The pool's side of a connection: the messages of real miners, the order of a session, refusals."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.merkle import fold_branch
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum import events, pool_messages
from stratum_miner.stratum.errors import ErrorReason, LocalProtocolError, RemoteProtocolError
from stratum_miner.stratum.extensions import VersionRolling, VersionRollingGrant
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.stratum.server_connection import (
    TRANSITIONS,
    ServerConnection,
    ServerState,
    encode_announcement,
)

SESSION = SubscribeResult(bytes.fromhex("f1ad9a67"), 4, "ae6812eb")
SUBMIT = ["user.w1", "j1", "00000000", "6b042070", "925b0800"]


def line(**message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def request(identifier: Any, method: str, *params: Any) -> bytes:
    return line(id=identifier, method=method, params=list(params))


def drain(connection: ServerConnection) -> list[events.ServerConnectionEvent]:
    return list(iter(connection.next_event, None))


def feed(connection: ServerConnection, *data: bytes) -> list[events.ServerConnectionEvent]:
    connection.receive_data(b"".join(data))
    return drain(connection)


def sent(connection: ServerConnection) -> list[Any]:
    return [json.loads(item) for item in connection.data_to_send().splitlines()]


class Pool:
    """A pool that accepts everything: it answers each request at once."""

    def __init__(self) -> None:
        self.connection = ServerConnection()
        self.events: list[events.ServerConnectionEvent] = []

    def receive(self, data: bytes) -> None:
        self.connection.receive_data(data)
        while (event := self.connection.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, events.RequestReceived):
                self._answer(event.id, event.message)

    def _answer(self, identifier: Any, message: messages.AnyClientMessage) -> None:
        match message:
            case messages.Subscribe():
                self.connection.accept_subscribe(identifier, SESSION)
            case messages.Authorize(worker_name):
                self.connection.accept_authorize(identifier, worker_name)
            case messages.Configure():
                self.connection.accept_configure(identifier, message, {"version-rolling": VersionRollingGrant(0x6000)})
            case messages.GetTransactions():
                self.connection.reply(identifier, [])
            case messages.ExtranonceSubscribe() | messages.Submit():
                self.connection.reply(identifier, True)
            case _:
                self.connection.refuse(identifier, ErrorReason.UNKNOWN_METHOD, "Method not found")


def ready() -> ServerConnection:
    pool = Pool()
    pool.receive(request(1, "mining.subscribe", "ua") + request(2, "mining.authorize", "user.w1", "pw"))
    pool.connection.data_to_send()
    return pool.connection


# ---- what miners really send (docs/reference/stratum.md#what-miners-send-first) --------------------------------------

TRANSCRIPTS: dict[str, list[bytes]] = {
    "minerd-2.5.1": [
        b'{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}\n',
        b'{"id": 2, "method": "mining.authorize", "params": ["user.w1", "pw"]}\n',
        b'{"method": "mining.submit", "params": ["user.w1", "j1", "00000000", "6b042070", "925b0800"], "id":4}\n',
        b'{"method": "mining.submit", "params": ["user.w1", "j1", "00000000", "6b042070", "925b0801"], "id":4}\n',
    ],
    "cpuminer-opt-26.1": [
        b'{"id": 1, "method": "mining.subscribe", "params": ["cpuminer-opt-26.1-x64L"]}\n',
        b'{"id": 2, "method": "mining.authorize", "params": ["user.w1", "pw"]}\n',
        b'{"id": 3, "method": "mining.extranonce.subscribe", "params": []}\n',
        b'{"method": "mining.submit", "params": ["user.w1", "j1", "00000000", "6b042070", "925b0800"], "id":4}\n',
        b'{"id": 80, "result": false, "error": {"code": 38, "message": "unknown method"}}\n',
    ],
    "cgminer-4.11.1": [
        b'{"id": 0, "method": "mining.subscribe", "params": ["cgminer/4.11.1"]}\n',
        b'{"id": 1, "method": "mining.authorize", "params": ["user.w1", "pw"]}\n',
        b'{"id": 77, "result": "cgminer/4.11.1", "error": null}\n',
        b'{"id": 78, "result": "pong", "error": null}\n',
        b'{"id": 2, "method": "mining.subscribe", "params": ["cgminer/4.11.1", "ae6812eb"]}\n',
    ],
    "bfgminer-5.5": [
        b'{"id": 0, "method": "mining.subscribe", "params": ["bfgminer/5.5.0-unknown"]}\n',
        b'{"id": "xnsub", "method": "mining.extranonce.subscribe", "params": []}\n',
        b'{"id": "auth", "method": "mining.authorize", "params": ["user.w1", "pw"]}\n',
        b'{"params": ["j1"], "id": "txlistj1", "method": "mining.get_transactions"}\n',
    ],
}
USER = messages.Authorize("user.w1", "pw")
SHARE = messages.Submit("user.w1", "j1", bytes(4), 0x6B042070, 0x925B0800)
EXPECTED: dict[str, tuple[list[events.ServerConnectionEvent], list[Any]]] = {
    "minerd-2.5.1": (
        [
            events.RequestReceived(1, messages.Subscribe("cpuminer/2.5.1")),
            events.RequestReceived(2, USER),
            events.RequestReceived(4, SHARE),
            events.RequestReceived(4, messages.Submit("user.w1", "j1", bytes(4), 0x6B042070, 0x925B0801)),
        ],
        [1, 2, 4, 4],
    ),
    "cpuminer-opt-26.1": (
        [
            events.RequestReceived(1, messages.Subscribe("cpuminer-opt-26.1-x64L")),
            events.RequestReceived(2, USER),
            events.RequestReceived(3, messages.ExtranonceSubscribe()),
            events.RequestReceived(4, SHARE),
            events.ClientReplied("", False),
        ],
        [1, 2, 3, 4],
    ),
    "cgminer-4.11.1": (
        [
            events.RequestReceived(0, messages.Subscribe("cgminer/4.11.1")),
            events.RequestReceived(1, USER),
            events.ClientReplied("", "cgminer/4.11.1"),
            events.ClientReplied("", "pong"),
            events.RequestReceived(2, messages.Subscribe("cgminer/4.11.1", "ae6812eb")),
        ],
        [0, 1, 2],
    ),
    "bfgminer-5.5": (
        [
            events.RequestReceived(0, messages.Subscribe("bfgminer/5.5.0-unknown")),
            events.RequestReceived("xnsub", messages.ExtranonceSubscribe()),
            events.RequestReceived("auth", USER),
            events.RequestReceived("txlistj1", messages.GetTransactions("j1")),
        ],
        [0, "xnsub", "auth", "txlistj1"],
    ),
}


@pytest.mark.parametrize("miner", TRANSCRIPTS)
def test_real_miners(miner: str) -> None:
    pool = Pool()
    pool.receive(b"".join(TRANSCRIPTS[miner]))
    happened, answered = EXPECTED[miner]
    assert pool.events == happened
    replies = sent(pool.connection)
    assert [reply["id"] for reply in replies] == answered
    assert all(reply["error"] is None for reply in replies)
    assert replies[0]["result"] == [
        [["mining.set_difficulty", "ae6812eb"], ["mining.notify", "ae6812eb"]], "f1ad9a67", 4,
    ]  # fmt: skip


@pytest.mark.parametrize("miner", TRANSCRIPTS)
def test_real_miners_byte_by_byte(miner: str) -> None:
    pool = Pool()
    stream = b"".join(TRANSCRIPTS[miner])
    for at in range(len(stream)):
        pool.receive(stream[at : at + 1])
    assert pool.events == EXPECTED[miner][0]


@pytest.mark.parametrize("miner", TRANSCRIPTS)
@given(data=st.data())
def test_real_miners_split_anywhere(miner: str, data: st.DataObject) -> None:
    stream = b"".join(TRANSCRIPTS[miner]).replace(b"\n", b"\r\n")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pool = Pool()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        pool.receive(stream[start:end])
    assert pool.events == EXPECTED[miner][0]


@pytest.mark.parametrize("miner", TRANSCRIPTS)
def test_real_miners_that_hang_up_at_any_byte(miner: str) -> None:
    stream = b"".join(TRANSCRIPTS[miner])
    for position in range(len(stream) + 1):
        pool = Pool()
        pool.receive(stream[:position])
        pool.connection.receive_eof()
        assert pool.events == EXPECTED[miner][0][: stream[:position].count(b"\n")]
        assert pool.connection.next_event() is None
        assert pool.connection.state is ServerState.CLOSED


def test_requests_before_the_end_of_the_stream_are_not_lost_and_their_answers_go_nowhere() -> None:
    pool = Pool()
    pool.connection.receive_data(b"".join(TRANSCRIPTS["minerd-2.5.1"]))
    pool.connection.receive_eof()
    pool.receive(request(9, "mining.ping"))
    assert pool.events == EXPECTED["minerd-2.5.1"][0]
    assert pool.connection.data_to_send() == b""
    assert pool.connection.state is ServerState.CLOSED


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"\x16\x03\x01\x02\x00\x01", "TLS handshake"),  # bfgminer's first connection
        (b"GET / HTTP/1.1\r\n", "HTTP request"),
        (b"POST /", "HTTP request"),
    ],
)
def test_a_foreign_protocol_closes_at_once_without_a_word(data: bytes, hint: str) -> None:
    connection = ServerConnection()
    with pytest.raises(RemoteProtocolError, match=hint):
        feed(connection, data)
    assert connection.data_to_send() == b""
    assert connection.state is ServerState.CLOSED


# ---- captured jobs in the other direction ------------------------------------------------------------------------


def test_a_captured_job_goes_out_and_its_share_comes_back(vector: dict[str, Any]) -> None:
    """The notify is sent as it was captured, the submit is parsed, and its header and hash are computed again."""
    note = pool_messages.Notify.from_params(vector["notify_params"])
    connection = ready()
    connection.announce(note)
    assert sent(connection) == [{"id": None, "method": "mining.notify", "params": vector["notify_params"]}]
    bits = vector["version_bits"]
    params = [
        "user.w1",
        note.job_id,
        vector["extranonce2"],
        vector["ntime"],
        vector["nonce"],
        *([bits] if bits else []),
    ]
    [event] = feed(connection, request(4, "mining.submit", *params))
    assert isinstance(event, events.RequestReceived)
    share = event.message
    assert isinstance(share, messages.Submit)
    assert (share.version_bits is None) == (bits is None)
    extranonces = bytes.fromhex(vector["extranonce1"]) + share.extranonce2
    coinbase = note.coinbase_prefix + extranonces + note.coinbase_suffix
    mask = int(vector["version_mask"] or "0", 16)
    header = BlockHeader(
        version=note.version & ~mask | (share.version_bits or 0),
        previous_hash=note.previous_hash,
        merkle_root=fold_branch(sha256d(coinbase), note.merkle_branch),
        ntime=share.ntime,
        nbits=note.nbits,
        nonce=share.nonce,
    )
    assert header.to_bytes().hex() == vector["expect"]["header"]
    assert header.digest()[::-1].hex() == vector["expect"]["hash"]


# ---- the order of a session --------------------------------------------------------------------------------------


def refusal(connection: ServerConnection, data: bytes) -> tuple[Any, ErrorReason]:
    [event] = feed(connection, data)
    assert isinstance(event, events.RequestRefused)
    [reply] = sent(connection)
    assert reply["result"] is None
    assert reply["error"] == [event.error.code, event.error.message, None]
    return reply["id"], event.error.reason


def test_submit_first_of_all() -> None:
    assert refusal(ServerConnection(), request(4, "mining.submit", *SUBMIT)) == (4, ErrorReason.NOT_SUBSCRIBED)


def test_submit_authorized_but_not_subscribed() -> None:
    connection = ServerConnection()
    feed(connection, request(1, "mining.authorize", "user.w1", "pw"))
    connection.accept_authorize(1, "user.w1")
    connection.data_to_send()
    assert refusal(connection, request(4, "mining.submit", *SUBMIT)) == (4, ErrorReason.NOT_SUBSCRIBED)


def test_submit_under_another_name() -> None:
    submit = request("s", "mining.submit", "stranger", *SUBMIT[1:])
    assert refusal(ready(), submit) == ("s", ErrorReason.UNAUTHORIZED)


def test_a_refused_worker_may_not_submit() -> None:
    connection = ServerConnection()
    feed(connection, request(1, "mining.subscribe"), request(2, "mining.authorize", "user.w1", "pw"))
    connection.accept_subscribe(1, SESSION)
    reply = connection.refuse(2, ErrorReason.UNAUTHORIZED)
    assert (reply.code, reply.message) == (24, "unauthorized worker")
    connection.data_to_send()
    assert refusal(connection, request(4, "mining.submit", *SUBMIT)) == (4, ErrorReason.UNAUTHORIZED)


def test_workers_on_one_connection_are_bounded() -> None:
    pool = Pool()
    for number in range(64):
        pool.receive(request(number, "mining.authorize", f"w{number}", ""))
    pool.connection.data_to_send()
    assert refusal(pool.connection, request(99, "mining.authorize", "one more", "")) == (99, ErrorReason.OTHER)
    pool.receive(request(100, "mining.authorize", "w0", ""))
    assert isinstance(pool.events[-1], events.RequestReceived)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("mining.submit", SUBMIT[:4]),
        ("mining.submit", [*SUBMIT[:4], "xyz"]),
        ("mining.submit", {}),
        ("mining.authorize", []),
        ("mining.configure", []),
        ("mining.subscribe", "ua"),
        ("mining.suggest_difficulty", [0]),
    ],
)
def test_malformed_requests_are_refused_and_the_session_goes_on(method: str, params: Any) -> None:
    connection = ready()
    assert refusal(connection, line(id=5, method=method, params=params)) == (5, ErrorReason.OTHER)
    assert [type(event) for event in feed(connection, request(6, "mining.submit", *SUBMIT))] == [events.RequestReceived]


def test_an_endless_row_of_refusals_ends_the_connection() -> None:
    connection = ready()
    assert len(feed(connection, request(1, "mining.dance") * 1000)) == 1000
    with pytest.raises(RemoteProtocolError, match="more than 1000 requests refused in a row"):
        feed(connection, request(1, "mining.dance"))
    connection = ready()
    feed(connection, request(1, "mining.dance") * 1000, request(2, "mining.submit", *SUBMIT))
    assert len(feed(connection, request(1, "mining.dance"))) == 1


def test_the_state_table_is_complete_and_closed_is_final() -> None:
    assert set(TRANSITIONS) == set(ServerState)
    assert set(TRANSITIONS[ServerState.CLOSED].values()) == {ServerState.CLOSED}


@pytest.mark.parametrize("identifier", [0, 1, 2**31 - 1, "auth", "", 1.5, -1, 10**20, True, [], {"a": [None]}])
def test_ids_are_echoed_verbatim(identifier: Any) -> None:
    connection = ServerConnection()
    [event] = feed(connection, request(identifier, "mining.subscribe"))
    assert isinstance(event, events.RequestReceived)
    connection.accept_subscribe(event.id, SESSION)
    [reply] = sent(connection)
    assert reply["id"] == identifier
    assert type(reply["id"]) is type(identifier)


@pytest.mark.parametrize(
    ("data", "answers"),
    [
        (request(8, "mining.dance"), 1),
        (request(None, "mining.dance"), 0),
        (line(method="mining.hashes_done", params=[1]), 0),
        (request(None, "mining.subscribe", 7), 0),
        (line(method="mining.subscribe", params=[7]), 0),
        (line(method="mining.submit", params=SUBMIT[:4]), 0),
        (request(None, "mining.submit", "stranger", *SUBMIT[1:]), 0),
        (line(id=9, result=True, error=None), 0),
        (line(id=None, result=None, error=[20, "x", None]), 0),
        (line(), 0),
        (b"\n\r\n   \n", 0),
    ],
)
def test_nobody_is_answered_who_did_not_ask(data: bytes, answers: int) -> None:
    connection = ready()
    feed(connection, data)
    assert len(sent(connection)) == answers


@pytest.mark.parametrize("answer", ["reply", "refuse", "accept_subscribe", "accept_authorize", "accept_configure"])
def test_an_answer_that_nobody_waits_for_is_our_own_mistake(answer: str) -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "reply": (True,),
        "refuse": (ErrorReason.DUPLICATE,),
        "accept_subscribe": (SESSION,),
        "accept_authorize": ("user.w2",),
        "accept_configure": (messages.Configure(()), {}),
    }
    asked = {
        "accept_authorize": request(7, "mining.authorize", "user.w2", ""),
        "accept_configure": request(7, "mining.configure", [], {}),
    }
    connection = ServerConnection()
    feed(connection, request(6, "mining.ping"), asked.get(answer, request(7, "mining.subscribe")))
    for identifier in (8, "7", 7.0, True, None, [7], *([] if answer in ("reply", "refuse") else [6])):
        with pytest.raises(LocalProtocolError, match=r"expected the id of a [a-z.]+ that waits for an answer, got"):
            getattr(connection, answer)(identifier, *arguments[answer])
    assert not connection.workers
    assert connection.state is ServerState.NEW
    getattr(connection, answer)(7, *arguments[answer])
    workers, state = set(connection.workers), connection.state
    with pytest.raises(LocalProtocolError, match="got 7"):
        getattr(connection, answer)(7, *arguments[answer])
    assert len(sent(connection)) == 1
    assert (connection.workers, connection.state) == (workers, state)


def test_requests_of_two_kinds_may_have_one_id() -> None:
    connection = ServerConnection()
    feed(connection, request(1, "mining.subscribe"), request(1, "mining.authorize", "user.w1", ""))
    connection.accept_authorize(1, "user.w1")
    connection.accept_subscribe(1, SESSION)
    with pytest.raises(LocalProtocolError):
        connection.reply(1, True)
    assert [reply["result"] for reply in sent(connection)] == [True, SESSION.to_result()]


@pytest.mark.parametrize(
    "useless", [b"\n", b" \r\n", b"{}\n", b'{"id":7,"result":true}\n', b'{"id":"1","result":"pong"}\n']
)
def test_a_flood_of_lines_without_use_ends_the_connection_and_one_in_a_while_does_not(useless: bytes) -> None:
    connection = ready()
    for _ in range(3):
        feed(connection, useless * 1000)
    assert connection.state is ServerState.SUBSCRIBED
    with pytest.raises(RemoteProtocolError, match="empty lines or replies without a request"):
        feed(connection, useless * 1001)
    assert connection.state.name == "CLOSED"


def test_as_many_answers_go_out_as_requests_had_the_id() -> None:
    connection = ready()
    feed(connection, request(4, "mining.submit", *SUBMIT) * 3)
    for _ in range(3):
        connection.reply(4, True)
    with pytest.raises(LocalProtocolError):
        connection.reply(4, True)
    assert len(sent(connection)) == 3


def test_what_the_connection_refused_itself_is_answered() -> None:
    connection = ready()
    feed(connection, request(4, "mining.submit", *SUBMIT[:4]))
    with pytest.raises(LocalProtocolError):
        connection.refuse(4, ErrorReason.OTHER)


@pytest.mark.parametrize("data", [request(None, "mining.submit", *SUBMIT), line(method="mining.submit", params=SUBMIT)])
def test_a_share_without_an_id_comes_out_and_its_answer_goes_nowhere(data: bytes) -> None:
    connection = ready()
    assert feed(connection, data) == [events.RequestReceived(None, SHARE)]
    connection.reply(None, True)
    assert connection.data_to_send() == b""
    with pytest.raises(LocalProtocolError):
        connection.reply(None, True)


def test_a_long_id_is_refused_and_not_kept() -> None:
    connection = ready()
    assert refusal(connection, request("x" * 1024, "mining.submit", *SUBMIT)) == ("x" * 1024, ErrorReason.OTHER)
    assert len(feed(connection, request("x" * 1022, "mining.submit", *SUBMIT))) == 1


# ---- what real miners do (docs/reference/stratum.md) --------------------------------------------------------------


def test_null_and_further_subscribe_params() -> None:
    connection = ServerConnection()
    first, second = feed(
        connection,
        request(1, "mining.subscribe", "ua", None),
        request(2, "mining.subscribe", "ua", None, "host", None),
    )
    assert first == events.RequestReceived(1, messages.Subscribe("ua"))
    assert second == events.RequestReceived(2, messages.Subscribe("ua"))


def test_configure_is_granted_beside_unknown_and_unusable_extensions() -> None:
    connection = ServerConnection()
    asked = ["version-rolling", "x-new", "info", "minimum-difficulty", "version-rolling.mask"]
    params = {"version-rolling.mask": "ffffffff", "version-rolling.min-bit-count": "2", "info.hw-id": "h"}
    [event] = feed(connection, request(1, "mining.configure", asked, params))
    assert isinstance(event, events.RequestReceived)
    assert isinstance(event.message, messages.Configure)
    assert event.message.extensions[0] == VersionRolling(0xFFFFFFFF, 2)
    connection.accept_configure(
        event.id, event.message, {"version-rolling": VersionRollingGrant(0x1FFFE000), "info": True}
    )
    [reply] = sent(connection)
    assert reply["result"] == {
        "version-rolling": True,
        "version-rolling.mask": "1fffe000",
        "x-new": False,
        "info": True,
        "minimum-difficulty": "minimum-difficulty.value: expected a number of at least 0, got none",
    }


def test_requests_arrive_in_any_segments() -> None:
    connection = ServerConnection()
    data = request(1, "mining.subscribe") + request(2, "mining.authorize", "u", "")
    assert feed(connection, data[:10]) == []
    assert [event.id for event in feed(connection, data[10:]) if isinstance(event, events.RequestReceived)] == [1, 2]


def test_multi_version_does_no_harm() -> None:
    assert feed(ready(), request(7, "mining.multi_version", 1)) == [events.RequestReceived(7, messages.MultiVersion())]


def test_a_pong_shaped_like_a_request_answers_the_ping() -> None:
    connection = ready()
    connection.announce(pool_messages.PoolPing())
    [ping] = sent(connection)
    assert feed(connection, request(ping["id"], "pong")) == [events.ClientReplied("mining.ping", "pong")]
    assert feed(connection, request(ping["id"], "pong")) == [events.ClientReplied("", "pong")]
    assert connection.data_to_send() == b""


@pytest.mark.parametrize("nonce", ["925b080", "25b0800", "", "0"])
def test_an_unpadded_nonce_is_refused_with_its_reason(nonce: str) -> None:
    connection = ready()
    [event] = feed(connection, request(4, "mining.submit", *SUBMIT[:4], nonce))
    assert isinstance(event, events.RequestRefused)
    assert "nonce: expected 8 hex digits" in event.error.message


def test_one_id_for_every_submit() -> None:
    connection = ready()
    happened = feed(connection, request(4, "mining.submit", *SUBMIT) * 3)
    assert [event.id for event in happened if isinstance(event, events.RequestReceived)] == [4, 4, 4]


def test_pings_may_stay_unanswered() -> None:
    connection = ready()
    for _ in range(48):
        connection.announce(pool_messages.PoolPing())
    identifiers = [message["id"] for message in sent(connection)]
    assert len(set(identifiers)) == 48
    answers = feed(connection, *(line(id=identifier, result="pong") for identifier in identifiers))
    assert [event.method for event in answers if isinstance(event, events.ClientReplied)] == [""] * 32 + [
        "mining.ping"
    ] * 16


@pytest.mark.parametrize("identifier", [None, "1", 1.0, True, [], {}])
def test_replies_are_paired_by_integer_ids_only(identifier: Any) -> None:
    connection = ready()
    connection.announce(pool_messages.GetVersion())
    assert feed(connection, line(id=identifier, result="x")) == [events.ClientReplied("", "x")]


def test_suggest_difficulty_as_text() -> None:
    assert feed(ready(), request(5, "mining.suggest_difficulty", "0.500000")) == [
        events.RequestReceived(5, messages.SuggestDifficulty(0.5))
    ]


def test_internals_are_not_shown_to_strangers() -> None:
    connection = ServerConnection()
    with pytest.raises(RemoteProtocolError):
        feed(connection, b"OPTIONS / HTTP/1.1\r\n")
    assert connection.data_to_send() == b""


# ---- framing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"[]\n", b"null\n", b"1\n", b'"x"\n', b"{\n", b'{"method":"\xff"}\n', b'{"method":1,"id":1}\n', b"{} x\n",
     b'{"id":' + b"[" * 990 + b"]" * 990 + b',"method":"mining.ping"}\n'],
)  # fmt: skip
def test_lines_that_are_no_request_close_silently(data: bytes) -> None:
    connection = ready()
    with pytest.raises(RemoteProtocolError):
        feed(connection, data)
    assert connection.data_to_send() == b""
    assert feed(connection, request(1, "mining.ping")) == []


def test_what_was_answered_before_a_bad_line_still_goes_out() -> None:
    connection = ready()
    [event] = feed(connection, request(5, "mining.submit", *SUBMIT))
    assert isinstance(event, events.RequestReceived)
    connection.reply(event.id, True)
    with pytest.raises(RemoteProtocolError):
        feed(connection, b"junk\n")
    assert [message["id"] for message in sent(connection)] == [5]
    with pytest.raises(LocalProtocolError):
        connection.reply(6, True)
    assert connection.data_to_send() == b""


def test_lines_may_be_longer_once_authorized() -> None:
    connection = ServerConnection(max_line_unauthorized=200, max_line_authorized=400)
    feed(connection, request(1, "mining.authorize", "u", "pw"))
    connection.accept_authorize(1, "u")
    feed(connection, b" " * 400 + b"\n")
    with pytest.raises(RemoteProtocolError, match="expected at most 400 bytes"):
        feed(connection, b" " * 401)
    assert connection._decoder.pending == b""
    connection = ServerConnection(max_line_unauthorized=200, max_line_authorized=400)
    with pytest.raises(RemoteProtocolError, match="expected at most 200 bytes"):
        feed(connection, b" " * 201)


@pytest.mark.parametrize(
    "data",
    [
        b'{"id":1,"method":"mining.authorize","params":["u","hunter2"]\n',
        b'{"id":1,"method":"mining.authorize","params":{"user":"u","password":"hunter2"}}\n',
        b'{"id":1,"method":"mining.authorize","params":[7,"hunter2"]}\n',
        b'{"id":1,"method":"mining.authorize","params":["u","hunter2"]}\n',
    ],
)
def test_a_password_appears_in_no_event_and_no_error(data: bytes) -> None:
    connection = ServerConnection()
    try:
        shown = repr(feed(connection, data)) + repr(connection.data_to_send())
    except RemoteProtocolError as error:
        shown = repr(error)
    assert "hunter2" not in shown


def test_an_announcement_is_encoded_once_for_all() -> None:
    encoded = encode_announcement(pool_messages.SetDifficulty(1024.0))
    assert encoded == b'{"id":null,"method":"mining.set_difficulty","params":[1024]}\n'
    connection = ready()
    connection.announce_encoded(encoded)
    connection.announce(pool_messages.SetDifficulty(1024.0))
    assert connection.data_to_send() == encoded * 2


def test_an_encoded_announcement_is_bytes() -> None:
    connection = ready()
    line: Any = "{}\n"
    with pytest.raises(TypeError, match="line: expected bytes, got str; use encode_announcement"):
        connection.announce_encoded(line)
    assert connection.data_to_send() == b""


def test_text_that_is_no_unicode_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError, match=r"client\.show_message: expected text"):
        ready().announce(pool_messages.ShowMessage("\udcff"))


# ---- limits ------------------------------------------------------------------------------------------------------


def test_a_connection_that_has_just_begun_may_be_refused_as_often() -> None:
    connection = ServerConnection()
    assert len(feed(connection, request(1, "mining.dance") * 1000)) == 1000
    with pytest.raises(RemoteProtocolError, match="more than 1000 requests refused in a row"):
        feed(connection, request(1, "mining.dance"))


def test_lines_have_16_kib_before_a_worker_is_authorized_and_64_kib_after() -> None:
    connection = ServerConnection()
    feed(connection, b" " * 16384 + b"\n", request(1, "mining.authorize", "u", "pw"))
    with pytest.raises(RemoteProtocolError, match="expected at most 16384 bytes"):
        feed(ServerConnection(), b" " * 16385)
    connection.accept_authorize(1, "u")
    feed(connection, b" " * 65536 + b"\n")
    with pytest.raises(RemoteProtocolError, match="expected at most 65536 bytes"):
        feed(connection, b" " * 65537)


def test_only_the_first_line_is_looked_at_for_another_protocol() -> None:
    connection = ServerConnection()
    feed(connection, request(1, "mining.subscribe"))
    with pytest.raises(RemoteProtocolError, match="expected a line with one JSON object"):
        feed(connection, b"GET / HTTP/1.1\n")


def test_an_answered_request_leaves_nothing_behind() -> None:
    connection = ready()
    for number in range(100):
        feed(connection, request(number, "mining.submit", *SUBMIT))
        connection.reply(number, True)
    assert connection._unanswered == {}


def test_questions_are_numbered_from_1() -> None:
    connection = ready()
    for _ in range(3):
        connection.announce(pool_messages.PoolPing())
    assert [question["id"] for question in sent(connection)] == [1, 2, 3]


def test_an_unknown_method_is_shown_by_its_first_60_characters() -> None:
    [event] = feed(ready(), request(1, "x" * 61))
    assert isinstance(event, events.RequestRefused)
    assert event.method == "x" * 60 + "…"


def test_an_answer_without_a_request_is_named_by_60_characters_of_its_id() -> None:
    with pytest.raises(LocalProtocolError, match=f'got "{"x" * 59}…$'):
        ready().reply("x" * 60, True)
