"""Lines of a pool, and a client's connection that takes them."""

import json
from collections.abc import Callable
from typing import Any

from stratum_miner.bitcoin.target import difficulty_from_target
from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import (
    ClientConnection,
    ClientState,
    WorkerState,
)

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


GRANT = {"version-rolling": True, "version-rolling.mask": "1fffe000"}
