"""Which requests a client may send in which state, and how replies are paired with them."""

from collections.abc import Callable
from typing import Any

import pytest

from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import (
    PERMITTED,
    TRANSITIONS,
    ClientConnection,
    ClientState,
)
from stratum_miner.stratum.errors import ErrorReason, LocalProtocolError, RemoteProtocolError
from stratum_miner.stratum.extensions import MinimumDifficulty
from tests.stratum.pool_lines import MASK, REQUESTS, SHARE, feed, in_state, line, notify, sent, subscribed


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
