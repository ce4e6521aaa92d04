"""A new extension is one file and one line in the table: the test requests, parses and answers a made-up one."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from stratum_miner.stratum import events, extensions, fields
from stratum_miner.stratum.client_connection import ClientConnection
from stratum_miner.stratum.client_messages import Configure
from stratum_miner.stratum.server_connection import ServerConnection
from tests.downstream.sans_io_pool import SansIoPool


@dataclass(frozen=True, slots=True)
class Color:
    """A request for the made-up extension."""

    name: ClassVar[str] = "color"
    depth: int

    def to_params(self) -> dict[str, Any]:
        return {"color.depth": self.depth}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "Color":
        return cls(fields.integer(params.get("color.depth"), "color.depth", 1, 64))


class ColorGrant:
    """A grant of the made-up extension."""

    def to_result(self) -> dict[str, Any]:
        return {"color": True, "color.depth": 8}


@pytest.fixture(autouse=True)
def line_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extensions.EXTENSIONS, Color.name, Color)


def asked(*wanted: extensions.Extension) -> tuple[ClientConnection, ServerConnection, events.RequestReceived]:
    client, server = ClientConnection("miner"), ServerConnection()
    client.configure(*wanted)
    server.receive_data(client.data_to_send())
    event = server.next_event()
    assert isinstance(event, events.RequestReceived)
    return client, server, event


def answer(client: ClientConnection, server: ServerConnection) -> events.Configured:
    client.receive_data(server.data_to_send())
    event = client.next_event()
    assert isinstance(event, events.Configured)
    return event


@pytest.mark.parametrize(
    ("verdict", "told"), [(True, True), (False, False), ("no colors", "no colors"), (ColorGrant(), True)]
)
def test_it_is_asked_for_parsed_and_answered(verdict: extensions.ExtensionAnswer, told: bool | str) -> None:
    client, server, event = asked(Color(8), extensions.Info(hw_id="h"))
    assert isinstance(event.message, Configure)
    assert event.message.extensions == (Color(8), extensions.Info(hw_id="h"))
    server.accept_configure(event.id, event.message, {"color": verdict, "info": True})
    configured = answer(client, server)
    assert configured.result is not None
    assert configured.result.verdicts == {"color": told, "info": True}


def test_what_is_wrong_with_it_is_named() -> None:
    parsed = Configure.from_params([["color"], {"color.depth": 65}])
    [(name, reason)] = parsed.refused
    assert (name, reason.startswith("color.depth: expected")) == ("color", True)


def test_a_server_that_has_not_heard_of_it_says_no() -> None:
    client, server, event = asked(Color(8))
    assert isinstance(event.message, Configure)
    server.accept_configure(event.id, event.message, {})
    configured = answer(client, server)
    assert configured.result is not None
    assert configured.result.verdicts == {"color": False}


def test_our_pool_gives_jobs_to_who_asks_for_it() -> None:
    connection = SansIoPool().connect()
    connection.say(connection.miner.request("mining.configure", ["color", "info"], {"color.depth": 8}))
    assert connection.miner.reply()["result"] == {"color": False, "info": True}
    connection.say(connection.miner.login())
    assert connection.miner.jobs
