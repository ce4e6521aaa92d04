"""Any line of a pool causes an event, a reply or an error. tests/fuzz tests further properties of any line."""

import random

import pytest

from stratum_miner.stratum.client_connection import ClientConnection, ClientState
from stratum_miner.stratum.errors import RemoteProtocolError
from tests.fuzz.judge import corpus
from tests.fuzz.mutation import mutate

LINES = dict(corpus("pool_lines"))["pieces"][1:].splitlines()
"""One line of each kind that a pool sends, after the byte that selects the fuzz target."""
SILENT = {"mining.ping", "client.get_version"}
"""Requests of a pool that the client answers without an event."""


@pytest.mark.parametrize("seed", range(300))
def test_every_line_leaves_an_event_an_answer_or_an_error(seed: int) -> None:
    rng = random.Random(seed)
    connection = ClientConnection("fuzz/1", version_mask=0x1FFFE000)
    connection.configure()
    connection.subscribe()
    connection.authorize("user.w1", "pw")
    connection.data_to_send()
    for whole in LINES:
        line = mutate(whole, rng).replace(b"\n", b"") if rng.random() < 0.7 else whole
        connection.receive_data(line + b"\n")
        try:
            happened = list(iter(connection.next_event, None))
        except RemoteProtocolError:
            return
        held = b"mining.notify" in line and connection.state is ClientState.SUBSCRIBING
        silent = held or not line.strip() or any(method.encode() in line for method in SILENT)
        assert happened or silent or connection.data_to_send(), line
