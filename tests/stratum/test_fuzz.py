"""Mutated conversations: whatever arrives, only RemoteProtocolError comes out, and memory stays bounded.

Runs for about a second per side from a fixed seed; STRATUM_FUZZ_SECONDS runs it as long as wanted from a fresh one.
"""

import json
import os
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import ClientConnection, ClientState
from stratum_miner.stratum.errors import ErrorReason, RemoteProtocolError
from stratum_miner.stratum.extensions import VersionRollingGrant
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.stratum.server_connection import ServerConnection, ServerState

ROUNDS = 4000
SECONDS = float(os.environ.get("STRATUM_FUZZ_SECONDS", "0"))
MAX_LINE = 20_000
NOTIFY = ["j1", "0a8ce26f" * 8, "0100000001", "ffffffff", ["00" * 32], "20000000", "207fffff", "6b042070", True]

FROM_POOL: list[Any] = [
    {"id": 1, "result": {"version-rolling": True, "version-rolling.mask": "1fffe000"}, "error": None},
    {"id": 2, "result": [[["mining.set_difficulty", "b4b6"], ["mining.notify", "ae68"]], "f1ad9a67", 4], "error": None},
    {"id": None, "method": "mining.set_difficulty", "params": [5.0000000000000002e-5]},
    {"id": None, "method": "mining.notify", "params": NOTIFY},
    {"id": 3, "result": True, "error": None},
    {"id": 4, "result": True, "error": None},
    {"id": 5, "result": None, "error": [22, "duplicate share", None]},
    {"id": 6, "result": False, "error": "Stale", "reject-reason": "Stale"},
    {"id": 7, "result": None, "error": {"code": 23, "message": "low difficulty", "data": None}},
    {"id": None, "method": "mining.set_extranonce", "params": ["aabbccdd", 3]},
    {"id": None, "method": "mining.set_version_mask", "params": ["00006000"]},
    {"id": 42, "method": "mining.ping", "params": []},
    {"id": "v", "method": "client.get_version", "params": []},
    {"id": 43, "method": "client.show_message", "params": ["hello"]},
    {"id": None, "method": "client.reconnect", "params": ["h", "3333", 0]},
    {"id": None, "method": "mining.set_target", "params": ["00000000ffff" + "00" * 26]},
    {"id": 9, "method": "client.unheard_of", "params": {}},
]
FROM_MINER: list[Any] = [
    {"id": 1, "method": "mining.configure", "params": [["version-rolling", "minimum-difficulty", "info", "x"],
     {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2, "minimum-difficulty.value": 1}]},
    {"id": 2, "method": "mining.subscribe", "params": ["ua/1", "ae68"]},
    {"id": "auth", "method": "mining.authorize", "params": ["user.w1", "pw"]},
    {"id": 3, "method": "mining.extranonce.subscribe", "params": []},
    {"id": 4, "method": "mining.suggest_difficulty", "params": ["0.5"]},
    {"id": 5, "method": "mining.suggest_target", "params": ["00" * 4 + "ff" * 28]},
    {"id": 4, "method": "mining.submit", "params": ["user.w1", "j1", "00000000", "6b042070", "925b0800"]},
    {"id": 4, "method": "mining.submit", "params": ["user.w1", "j1", "00000000", "6b042070", "925b0800", "00002000"]},
    {"id": "tx", "method": "mining.get_transactions", "params": ["j1"]},
    {"id": 6, "method": "mining.multi_version", "params": [1]},
    {"id": 7, "method": "mining.ping", "params": []},
    {"id": 8, "method": "pong", "params": []},
    {"id": 77, "result": "cgminer/4.11.1", "error": None},
    {"method": "mining.hashes_done", "params": [1, 2]},
]  # fmt: skip

HOSTILE: list[bytes] = [
    b"9" * 30, b"9" * 5000, b"-1", b"1e999", b"1e-400", b"0.1", b"NaN", b"null", b"true", b'""', b"[]", b"{}",
    b"[" * 20 + b"]" * 20, b"[" * 995 + b"]" * 995, b"[" * 3000, b'{"a":' * 1000, b'"\\ud800"', b'"\xff\xfe"', b"\x00",
    b'"\\u0000"', b"\r", b"\n", b"\n\n", b'"' + b"x" * 600 + b'"', b'"' + b"ab" * 4000 + b'"', b"\\", b'"',
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"1.0", b'"0x1"', b'"-1"', b'"1e5"', b"4294967296", b"18446744073709551616",
]  # fmt: skip


def mutate_value(rng: random.Random, value: Any) -> Any:
    """Replace one place in the JSON tree, or drop or double an item."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {name: item for name, item in value.items() if name != key}
        return value | {key: mutate_value(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        match rng.randrange(8):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return value[:at] + [value[at]] * rng.choice([2, 40]) + value[at + 1 :]
            case _:
                return [*value[:at], mutate_value(rng, value[at]), *value[at + 1 :]]
    others: list[Any] = [
        None,
        True,
        0,
        -1,
        1,
        2**64,
        10**40,
        0.5,
        1e300,
        "",
        "x",
        "0",
        "٣",
        "ff" * 40,
        [],
        {},
        [[]],
        "job" * 300,
    ]
    return rng.choice(others)


def mutate_bytes(rng: random.Random, line: bytes) -> bytes:
    at = rng.randrange(len(line) + 1)
    match rng.randrange(6):
        case 0:
            at = min(at, len(line) - 1)
            return line[:at] + bytes([line[at] ^ 1 << rng.randrange(8)]) + line[at + 1 :]
        case 1:
            return line[:at] + rng.choice(HOSTILE) + line[at:]
        case 2:
            return line[:at] + line[at + rng.randrange(1, 30) :]
        case 3:
            return line[:at]
        case 4:
            colon = line.find(b":", at)
            comma = line.find(b",", colon)
            return line if min(colon, comma) < 0 else line[: colon + 1] + rng.choice(HOSTILE) + line[comma:]
        case _:
            return line * 2


def mutated_stream(rng: random.Random, transcript: list[Any]) -> bytes:
    lines = []
    for message in transcript:
        chosen = message
        if rng.random() < 0.3:
            chosen = mutate_value(rng, message)
        line = json.dumps(chosen, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if rng.random() < 0.08:
            line = mutate_bytes(rng, line)
        lines += [line] * rng.choice([1, 1, 1, 1, 1, 1, 2, 0])
    if rng.random() < 0.2:
        rng.shuffle(lines)
    return b"".join(line + rng.choice([b"\n", b"\n", b"\n", b"\r\n", b"\n\n"]) for line in lines)


def segments(rng: random.Random, stream: bytes) -> list[bytes]:
    cuts = sorted(rng.randrange(len(stream) + 1) for _ in range(rng.choice([0, 1, 5, 20])))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def abuse_client(rng: random.Random) -> None:
    connection = ClientConnection("fuzz/1", version_mask=rng.choice([0, 0x1FFFE000]), max_line=MAX_LINE)
    connection.configure()
    connection.subscribe()
    connection.authorize("user.w1", "pw")
    connection.data_to_send()
    try:
        for segment in segments(rng, mutated_stream(rng, FROM_POOL)):
            act_as_client(connection, segment, rng)
    except RemoteProtocolError as error:
        check_end(error)
        assert connection.state is ClientState.CLOSED
        assert connection._decoder.buffered == 0
    connection.receive_eof()
    while connection.next_event() is not None:
        pass
    assert connection.state is ClientState.CLOSED


def act_as_client(connection: ClientConnection, segment: bytes, rng: random.Random) -> None:
    """Feed one segment and react to what it says."""
    before = connection._decoder.buffered
    connection.receive_data(segment)
    assert connection._decoder.buffered <= before + len(segment)
    while (event := connection.next_event()) is not None:
        assert isinstance(event, events.ClientEvent)
        if isinstance(event, events.BadLine | events.Ignored):
            text = event.reason if isinstance(event, events.BadLine) else event.what
            assert text.isprintable()
            assert len(text) < 1000
        if isinstance(event, events.WorkerAuthorized) and connection.state is ClientState.SUBSCRIBED:
            for nonce in range(rng.randrange(5)):
                connection.submit(messages.Submit("user.w1", "j1", bytes(4), 0, nonce))
    assert connection._decoder.buffered <= MAX_LINE
    connection.data_to_send()


def check_end(error: RemoteProtocolError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 1000


def abuse_server(rng: random.Random) -> None:
    connection = ServerConnection(max_line_unauthorized=MAX_LINE // 2, max_line_authorized=MAX_LINE)
    try:
        for segment in segments(rng, mutated_stream(rng, FROM_MINER)):
            connection.receive_data(segment)
            while (event := connection.next_event()) is not None:
                if isinstance(event, events.RequestReceived):
                    answer(connection, event, rng)
                for line in connection.data_to_send().splitlines():
                    assert isinstance(json.loads(line), dict)
            assert connection._decoder.buffered <= MAX_LINE
    except RemoteProtocolError as error:
        check_end(error)
        assert connection.state is ServerState.CLOSED
        assert connection._decoder.buffered == 0
    connection.receive_eof()
    assert connection.state is ServerState.CLOSED


def answer(connection: ServerConnection, event: events.RequestReceived, rng: random.Random) -> None:
    match event.message:
        case messages.Subscribe():
            connection.accept_subscribe(event.id, SubscribeResult(bytes(4), 4))
        case messages.Authorize(worker_name) if rng.random() < 0.8:
            connection.accept_authorize(event.id, worker_name)
        case messages.Configure() as request:
            connection.accept_configure(event.id, request, {"version-rolling": VersionRollingGrant(0x6000)})
        case _ if rng.random() < 0.5:
            connection.reply(event.id, True)
        case _:
            connection.refuse(event.id, rng.choice([ErrorReason.OTHER, ErrorReason.DUPLICATE]))


@pytest.mark.parametrize("abuse", [abuse_client, abuse_server])
@pytest.mark.timeout(0 if SECONDS else 180)
def test_mutated_conversations(abuse: Callable[[random.Random], None]) -> None:
    base = random.SystemRandom().randrange(1 << 48) if SECONDS else 20_140_602
    deadline = time.monotonic() + SECONDS
    round_number = 0
    while round_number < ROUNDS or time.monotonic() < deadline:
        seed = base + round_number
        try:
            abuse(random.Random(seed))
        except Exception as error:
            raise AssertionError(f"{abuse.__name__}(random.Random({seed})) failed") from error
        round_number += 1


SILENT = {"mining.ping", "client.get_version"}
"""Answered on the wire and no event."""


@pytest.mark.parametrize("seed", range(300))
def test_every_line_leaves_an_event_an_answer_or_an_error(seed: int) -> None:
    rng = random.Random(seed)
    connection = ClientConnection("fuzz/1", version_mask=0x1FFFE000)
    connection.configure()
    connection.subscribe()
    connection.authorize("user.w1", "pw")
    connection.data_to_send()
    for message in FROM_POOL:
        line = json.dumps(mutate_value(rng, message)).encode()
        if rng.random() < 0.3:
            line = mutate_bytes(rng, line).replace(b"\n", b"")
        connection.receive_data(line + b"\n")
        try:
            happened = list(iter(connection.next_event, None))
        except RemoteProtocolError:
            return
        held = b"mining.notify" in line and connection.state is ClientState.SUBSCRIBING
        silent = held or not line.strip() or any(method.encode() in line for method in SILENT)
        assert happened or silent or connection.data_to_send()
