"""What a pool asks of a client, and what the events of a connection say."""

from typing import Any

import pytest

from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import (
    ClientConnection,
)
from stratum_miner.stratum.errors import ErrorReason, ErrorReply
from stratum_miner.stratum.results import SubscribeResult
from tests.stratum.pool_lines import MASK, call, feed, line, sent, subscribe_reply, subscribed

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
