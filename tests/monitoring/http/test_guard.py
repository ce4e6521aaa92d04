"""Tests the rules of access without a server: hosts, origins, tokens, networks, and the sizes of bodies."""

from ipaddress import ip_network
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from stratum_miner.monitoring.http.guard import Access, Guard

OWN = Access("secret", names=("localhost", "Rig.lan"))


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True), ("LOCALHOST:1", True), ("rig.lan:80", True), ("rig", False), ("192.0.2.7:65535", True),
        ("192.0.2.7:65536", False), ("192.0.2.7:", True), ("192.0.2.7:123456", False), ("[::1]:7780", True),
        ("[::1", False), ("::1", False), ("[192.0.2.7]", False), ("192.0.2", False), ("", False),
        ("localhost:0", True), ("evil.example", False),
    ],
)  # fmt: skip
def test_a_host_is_an_address_or_a_configured_name(host: str, known: bool) -> None:
    assert OWN.knows(host) == known


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://localhost:1", "localhost:1", True), ("https://localhost:1", "localhost:1", False),
        ("http://rig.lan", "Rig.Lan", True), ("https://rig.lan", "rig.lan", True),
        ("https://192.0.2.7", "192.0.2.7", False), ("http://rig.lan:1", "rig.lan", False), ("null", "rig.lan", False),
        ("ftp://rig.lan", "rig.lan", False), ("HTTP://RIG.LAN", "rig.lan", True),
    ],
)  # fmt: skip
def test_an_origin_is_the_server_itself(origin: str, host: str, own: bool) -> None:
    assert OWN.owns(origin, host) == own


def test_a_token_stands_behind_the_word_bearer() -> None:
    given = ("Bearer secret", "bearer  secret ", "Basic secret", "secret", "Bearer", "Bearer secre", "Bearer secrets")
    assert [OWN.has_token(text) for text in given] == [True, True, False, False, False, False, False]


def test_a_trusted_network_is_one_of_those_that_are_named() -> None:
    access = Access("", trusted=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))
    clients = ("192.0.2.7", "::ffff:192.0.2.7", "192.0.3.7", "2001:db8::1", "2001:db9::1")
    assert [access.trusts((client, 1)) for client in clients] == [True, True, False, True, False]
    assert not access.trusts(None)
    assert not OWN.trusts(("127.0.0.1", 1))


async def status_of(size: int, announced: str | None, **options: Any) -> int:
    """Return the status of a request with a body of this size, which comes in pieces of 100 bytes at most."""
    left, statuses = size, []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        nonlocal left
        piece = min(100, left)
        left -= piece
        return {"type": "http.request", "body": b"x" * piece, "more_body": left > 0}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"host", b"localhost"), (b"authorization", b"Bearer secret")]
    headers += [] if announced is None else [(b"content-length", announced.encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "client": ("127.0.0.1", 1)}
    try:
        await Guard(app, OWN)(scope | options, receive, send)
    except Exception as error:  # the application turns it into an answer
        return {"BodyTooLarge": 413}[type(error).__name__]
    [status] = statuses
    return int(status)


@pytest.mark.parametrize(
    ("size", "announced", "status"),
    [
        (16384, "16384", 200), (16384, None, 200), (16385, None, 413), (0, "16385", 413), (0, "-1", 413),
        (0, "x", 413), (0, None, 200), (0, "0", 200),
    ],
)  # fmt: skip
async def test_a_body_has_at_most_16384_bytes(size: int, announced: str | None, status: int) -> None:
    assert await status_of(size, announced) == status
