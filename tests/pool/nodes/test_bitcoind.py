"""The JSON-RPC node against a server that answers as the test says, on real sockets: every way to fail, by name."""

import base64
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.network.fetch import Fetcher
from stratum_miner.pool.nodes import bitcoind, open_node
from stratum_miner.pool.nodes.base import (
    Node,
    NodeDownloadingError,
    NodeError,
    NodeNotReadyError,
    NodeReplyError,
    NodeRpcError,
    NodeUnauthorizedError,
    NodeUnreachableError,
    NodeUnsuitableError,
)
from stratum_miner.pool.nodes.bitcoind import BitcoindNode, Credentials
from stratum_miner.pool.template import BlockTemplate

from ...network import web_server

SECONDS = 60.0
CHAIN = {"chain": "regtest", "blocks": 7, "bestblockhash": "07" * 32}
SECRET = "correct horse/battery@staple:%"
BLOCK = bytes(range(80)) + b"\x00"


def template(tip: str = "07" * 32, **changes: Any) -> dict[str, Any]:
    return {
        "version": 0x20000000,
        "previousblockhash": tip,
        "transactions": [],
        "coinbasevalue": 5_000_000_000,
        "longpollid": tip + "1",
        "curtime": 1_700_000_000,
        "bits": "207fffff",
        "height": 8,
        "rules": ["csv", "!segwit"],
    } | changes


@dataclass
class Request:
    method: str
    params: list[Any]
    user: str
    password: str


@dataclass
class Raw:
    """An answer as it stands; none at all closes the connection."""

    status: int = 200
    body: bytes = b""
    headers: str = ""
    closes: bool = False


Answer = Callable[[Request], Awaitable[object]]


class RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        self.reply = {"code": code, "message": message}


@dataclass
class FakeNode:
    """A JSON-RPC server. ``answers`` maps methods to results, exceptions, Raw answers or async functions."""

    answers: dict[str, Any] = field(default_factory=dict)
    password: str = SECRET
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    async def serve(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        try:
            async with stream:
                buffer = b""
                while True:
                    while b"\r\n\r\n" not in buffer:
                        data = await stream.receive_some(65536)
                        if not data:
                            return
                        buffer += bytes(data)
                    head, _, buffer = buffer.partition(b"\r\n\r\n")
                    headers = {
                        line.split(b":", 1)[0].lower(): line.split(b":", 1)[1].strip()
                        for line in head.split(b"\r\n")[1:]
                    }
                    size = int(headers[b"content-length"])
                    while len(buffer) < size:
                        buffer += bytes(await stream.receive_some(65536))
                    body, buffer = buffer[:size], buffer[size:]
                    raw = await self._answer(json.loads(body), headers[b"authorization"])
                    if raw.closes:
                        return
                    await stream.send_all(
                        f"HTTP/1.1 {raw.status} X\r\n{raw.headers}Content-Length: {len(raw.body)}\r\n\r\n".encode()
                        + raw.body
                    )
        except trio.BrokenResourceError:
            return

    async def _answer(self, call: dict[str, Any], authorization: bytes) -> Raw:
        user, _, password = base64.b64decode(authorization.split()[1]).decode().partition(":")
        request = Request(call["method"], call["params"], user, password)
        self.requests.append(request)
        if password != self.password:
            return Raw(401)
        answer = self.answers.get(request.method, RpcError(-32601, "Method not found"))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, Raw):
            return answer
        if isinstance(answer, RpcError):
            return Raw(500, json.dumps({"result": None, "error": answer.reply, "id": call["id"]}).encode())
        return Raw(200, json.dumps({"result": answer, "error": None, "id": call["id"]}).encode())


@asynccontextmanager
async def serving(**answers: Any) -> AsyncIterator[FakeNode]:
    fake = FakeNode(
        {"getblockchaininfo": CHAIN, "getblocktemplate": template(), "getbestblockhash": "07" * 32} | answers
    )
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, fake.serve, 0, host="127.0.0.1"))
        fake.port = listeners[0].socket.getsockname()[1]
        with trio.fail_after(SECONDS):
            yield fake
        nursery.cancel_scope.cancel()


def node_at(fake: FakeNode, **options: Any) -> BitcoindNode:
    return BitcoindNode(f"http://127.0.0.1:{fake.port}/", **{"credentials": Credentials("user", SECRET), **options})


async def failure(node: Node, call: Callable[[Node], Awaitable[object]] | None = None) -> NodeError:
    """The error of a call (or of opening): one line, and never a secret in it."""

    async def run() -> None:
        async with node:
            assert call is not None
            await call(node)

    with pytest.raises(NodeError) as caught:
        await run()
    text = f"{caught.value} {caught.value!r} {node!r}"
    assert "\n" not in text
    assert not any(part in text for part in (SECRET, "horse", "user:", "dXNlcj"))
    assert "node at 127.0.0.1:" in str(caught.value)
    return caught.value


async def get_template(node: Node) -> object:
    return await node.get_template()


# ---- answers -----------------------------------------------------------------------------------------------------


async def test_what_is_asked_and_what_comes_back() -> None:
    async with serving(getblockhash="0a" * 31 + "ff") as fake, node_at(fake) as node:
        assert node.network is Network.REGTEST
        got = await node.get_template()
        assert (got.height, got.previous_hash, got.longpoll_id) == (8, b"\x07" * 32, "07" * 32 + "1")
        tip = await node.tip()
        assert (tip.height, tip.hash) == (7, b"\x07" * 32)
        assert await node.block_hash(3) == b"\xff" + b"\x0a" * 31
        assert fake.methods == ["getblockchaininfo", "getblocktemplate", "getblockchaininfo", "getblockhash"]
        assert fake.requests[1].params == [{"rules": ["segwit"], "capabilities": ["longpoll"]}]
        assert fake.requests[3].params == [3]
        assert {(request.user, request.password) for request in fake.requests} == {("user", SECRET)}
        assert fake.connections == 1, "the connection is kept"


@pytest.mark.parametrize(
    ("chain", "network"),
    [("main", Network.MAINNET), ("test", Network.TESTNET), ("testnet4", Network.TESTNET), ("signet", Network.SIGNET)],
)
async def test_networks(chain: str, network: Network) -> None:
    async with serving(getblockchaininfo=CHAIN | {"chain": chain}) as fake, node_at(fake) as node:
        assert node.network is network
        await node.get_template()
        request = next(each for each in fake.requests if each.method == "getblocktemplate")
        assert ("signet" in request.params[0]["rules"]) == (network is Network.SIGNET)


async def test_the_url_of_the_command_line() -> None:
    async with serving() as fake:
        async with open_node(f"http://user:correct%20horse%2Fbattery%40staple%3A%25@127.0.0.1:{fake.port}") as node:
            await node.tip()
        async with open_node(f"http://user@127.0.0.1:{fake.port}", password=SECRET) as node:
            await node.tip()


async def test_another_network_than_expected() -> None:
    async with serving() as fake:
        error = await failure(node_at(fake, network=Network.MAINNET))
        assert "expected a mainnet node, got regtest" in str(error)


@pytest.mark.parametrize("info", [{"chain": "doge"}, {"chain": 7}, {}])
async def test_an_unknown_network(info: dict[str, object]) -> None:
    async with serving(getblockchaininfo=info) as fake:
        error = await failure(node_at(fake))
        assert isinstance(error, NodeUnsuitableError)
        assert "expected a chain of main, test" in str(error)


@pytest.mark.parametrize(
    ("method", "answer", "kind", "text"),
    [
        (
            "getblocktemplate",
            RpcError(-28, "Loading block index…"),
            NodeNotReadyError,
            "it is starting: Loading block index…",
        ),
        ("getblocktemplate", RpcError(-28, "\x1b[31m \u202eabc"), NodeNotReadyError, "starting: \ufffd[31m \ufffdabc"),
        (
            "getblocktemplate",
            RpcError(-32601, "Method not found"),
            NodeUnsuitableError,
            "does not know getblocktemplate",
        ),
        ("getblocktemplate", template(signet_challenge="5121"), NodeUnsuitableError, "must be signed"),
        ("getblocktemplate", template(rules=["!new"]), NodeUnsuitableError, "the node requires ['new']"),
        ("getblocktemplate", RpcError(-10, "is in IBD"), NodeNotReadyError, "still downloading the chain: is in IBD"),
        ("getblocktemplate", RpcError(-9, "is not connected!"), NodeNotReadyError, "it has no peers"),
        ("getblocktemplate", RpcError(-8, "must\n support"), NodeRpcError, "getblocktemplate: error -8: must support"),
        ("getblocktemplate", Raw(403), NodeUnauthorizedError, "allow getblocktemplate (HTTP 403)"),
        ("getblocktemplate", Raw(404), NodeReplyError, "got HTTP 404 with nothing"),
        ("getblocktemplate", Raw(503, b"Work queue depth exceeded"), NodeReplyError, "HTTP 503 with 'Work queue depth"),
        ("getblocktemplate", Raw(200, b"<html>\n hello"), NodeReplyError, "expected a JSON-RPC answer, got HTTP 200"),
        ("getblocktemplate", Raw(200, b"\xff\xfe"), NodeReplyError, "expected a JSON-RPC answer"),
        ("getblocktemplate", Raw(200, b"[" * 9_000), NodeReplyError, "expected a JSON-RPC answer"),
        ("getblocktemplate", Raw(200, b"[]"), NodeReplyError, "expected a JSON-RPC answer"),
        ("getblocktemplate", Raw(302, headers="Location: http://127.0.0.1:1/\r\n"), NodeReplyError, "HTTP 302"),
        ("getblocktemplate", Raw(200, b'{"error": "no"}'), NodeReplyError, "expected an error with a code, got no"),
        ("getblocktemplate", Raw(200, b'{"error": {"code": "5"}}'), NodeReplyError, "expected an error with a code"),
        ("getblocktemplate", {"height": 1}, NodeReplyError, "getblocktemplate: "),
        (
            "getblocktemplate",
            Raw(200, b" " * 20_000),
            NodeReplyError,
            "getblocktemplate: expected an answer of at most 10000 bytes, it is larger",
        ),
        ("getblocktemplate", Raw(closes=True), NodeUnreachableError, "connection broke during getblocktemplate, twice"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_failures_have_names(method: str, answer: object, kind: type[NodeError], text: str) -> None:
    async with serving(**{method: answer}) as fake:
        error = await failure(node_at(fake, max_reply=10_000), get_template)
        assert type(error) is kind
        assert text in str(error)
        assert len(str(error)) < 500
        if isinstance(error, NodeRpcError):
            assert error.code == -8


@pytest.mark.parametrize("value", [None, 5, "07" * 31, "zz" * 32])
async def test_a_hash_that_is_none(value: object) -> None:
    async with serving(getblockhash=value, getblockchaininfo=CHAIN) as fake:
        error = await failure(node_at(fake), lambda node: node.block_hash(1))
        assert "getblockhash: expected 64 hex digits" in str(error)
        for blocks in ("7", -1, True, 1 << 31, 10**4000):
            fake.answers["getblockchaininfo"] = CHAIN | {"blocks": blocks}
            error = await failure(node_at(fake), lambda node: node.tip())
            assert f"blocks: expected a height from 0 to 2147483647, got {str(blocks)[:100]}" in str(error)
            assert len(str(error)) < 500


@pytest.mark.parametrize("fees", [-1, "7", True, 10**16, 10**4000, 1.5, None])
async def test_fees_that_no_block_has(fees: object) -> None:
    async with serving(getblocktemplate=template(), getblockstats={"totalfee": fees}) as fake:
        error = await failure(node_at(fake), lambda node: node.chain_state())
        assert "getblockstats: totalfee: expected from 0 to 2100000000000000 satoshis, got " in str(error)
        assert len(str(error)) < 500


async def test_nobody_listens() -> None:
    async with serving() as fake:
        pass
    error = await failure(node_at(fake))
    assert isinstance(error, NodeUnreachableError)
    assert "cannot connect: Connection refused. Is it running" in str(error)


async def test_no_answer_in_time() -> None:
    async def never(_: Request) -> None:
        await trio.sleep_forever()

    async with serving(getblockchaininfo=never) as fake:
        error = await failure(node_at(fake, reply_seconds=0.05))
        assert isinstance(error, NodeUnreachableError)
        assert "no answer to getblockchaininfo within 0.05 s" in str(error)


@pytest.mark.parametrize("waits", [False, True])
async def test_an_answer_is_to_be_whole_in_time(waits: bool) -> None:
    """A node that says a byte at a time holds nobody, also where its answer may begin at any time."""

    async def drip(stream: trio.abc.Stream) -> None:
        await web_server.request(stream)
        while True:
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")
            await trio.sleep(0.1)

    async with web_server.serving(drip) as url:
        node = BitcoindNode(url, credentials=Credentials("user", SECRET), reply_seconds=0.2)
        node._fetcher = Fetcher()
        with trio.fail_after(SECONDS), pytest.raises(NodeUnreachableError, match=r"no answer to x within 0.2 s"):
            await node._call("x", [], is_long_poll=waits)
        await node.aclose()


async def test_a_connection_that_the_node_closed_is_opened_again() -> None:
    async with serving() as fake, node_at(fake) as node:
        fake.answers["getblocktemplate"] = [Raw(closes=True), template()]
        assert (await node.get_template()).height == 8
        assert fake.methods.count("getblocktemplate") == 2


async def test_a_node_that_is_not_open() -> None:
    node = BitcoindNode("http://127.0.0.1:1/", credentials=Credentials("user", SECRET))
    with pytest.raises(NodeError, match="it is not open"):
        await node.get_template()


# ---- credentials -------------------------------------------------------------------------------------------------


async def test_a_wrong_password() -> None:
    async with serving() as fake:
        fake.password = "another"
        error = await failure(node_at(fake))
        assert isinstance(error, NodeUnauthorizedError)
        assert "does not accept the user and password (HTTP 401)" in str(error)
        assert len(fake.requests) == 1


async def test_a_cookie_is_read_again_after_a_restart(tmp_path: Path) -> None:
    cookie = trio.Path(tmp_path / ".cookie")
    await cookie.write_text("__cookie__:first\n")
    async with serving() as fake:
        fake.password = "first"
        async with open_node(f"http://127.0.0.1:{fake.port}", cookie_file=tmp_path / ".cookie") as node:
            await node.tip()
            fake.password = "second"
            await cookie.write_text("__cookie__:second")
            await node.tip()
            assert [request.password for request in fake.requests] == ["first", "first", "first", "second"]
            fake.password = "third"
            with pytest.raises(NodeUnauthorizedError, match=r"does not accept the cookie file '.*cookie' \(HTTP 401\)"):
                await node.tip()
            await cookie.write_text("__cookie__:third")
            await node.tip()


@pytest.mark.parametrize(
    ("content", "permanent", "text"),
    [
        (None, False, "there is no cookie file '.*cookie'. Is the node running?"),
        ("", False, "the cookie file '.*cookie' is empty. Is the node starting?"),
        ("no colon", True, "expected user:password"),
        ("a:b\nc", True, "expected user:password"),
    ],
)
async def test_a_bad_cookie(tmp_path: Path, content: str | None, permanent: bool, text: str) -> None:
    cookie = tmp_path / ".cookie"
    if content is not None:
        cookie.write_text(content)
    with pytest.raises(NodeError, match=text) as caught:
        async with BitcoindNode("http://127.0.0.1:1/", cookie_file=cookie):
            pass
    assert caught.value.permanent is permanent


async def test_a_cookie_that_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".cookie")
    with trio.fail_after(SECONDS), pytest.raises(NodeUnauthorizedError, match="to be a file"):
        async with BitcoindNode("http://127.0.0.1:1/", cookie_file=tmp_path / ".cookie"):
            pass


# ---- readiness ---------------------------------------------------------------------------------------------------

PEERS = [{"startingheight": 6, "synced_headers": -1}, {"startingheight": 9, "synced_headers": 7}]


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ({}, ""),
        ({"getblockchaininfo": CHAIN | {"headers": 7, "initialblockdownload": True}}, ""),
        ({"getblockchaininfo": CHAIN | {"headers": 8}}, "it has 7 blocks of 8 (according to its headers)"),
        ({"getpeerinfo": [PEERS]}, "it has 7 blocks of 9 (according to a peer)"),
        ({"getpeerinfo": [PEERS[:1]]}, ""),
        ({"getpeerinfo": [[None, {}, {"startingheight": "9"}]]}, ""),
        ({"getpeerinfo": [[{"startingheight": 10**4000}, {"synced_headers": True}]]}, ""),
        ({"getblockchaininfo": CHAIN | {"headers": 10**4000}}, ""),
        ({"getpeerinfo": Raw(403)}, ""),
        ({"getblockchaininfo": CHAIN | {"chain": "signet", "signet_challenge": "51"}}, ""),
        ({"getblockchaininfo": CHAIN | {"chain": "signet", "signet_challenge": "5121"}}, "must be signed"),
    ],
)
async def test_whether_a_node_can_be_mined_on(answers: dict[str, object], text: str) -> None:
    async with serving(**answers) as fake, node_at(fake) as node:
        if not text:
            await node.check_ready()
            return
        with pytest.raises(NodeError) as caught:
            await node.check_ready()
        assert text in str(caught.value)
        assert caught.value.permanent is not isinstance(caught.value, NodeDownloadingError)
        if isinstance(caught.value, NodeDownloadingError):
            assert caught.value.reason.endswith("downloading the chain"), "it stays the same as blocks come"


async def test_a_peer_without_headers_is_not_believed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(getpeerinfo=[PEERS]) as fake, node_at(fake) as node:
        with pytest.raises(NodeDownloadingError):
            await node.check_ready()
        monkeypatch.setattr(bitcoind, "PEER_CLAIM_SECONDS", 0.0)
        await node.check_ready()


async def test_another_chain_than_before() -> None:
    async with serving(getblockchaininfo=CHAIN | {"chain": "test"}) as fake, node_at(fake) as node:
        fake.answers["getblockchaininfo"] = CHAIN | {"chain": "testnet4"}
        with pytest.raises(NodeUnsuitableError, match="expected the chain test as before, got testnet4"):
            await node.check_ready()


@pytest.mark.parametrize("chain", ["test", "testnet4", "regtest"])
@pytest.mark.parametrize(
    ("header", "maxtime"), [({"time": 1_699_999_000}, 1_700_000_200), (RpcError(-5, "no"), 1_700_000_000)]
)
async def test_the_time_of_the_tip_limits_templates_where_bits_depend_on_it(
    chain: str, header: object, maxtime: int
) -> None:
    info = CHAIN | {"chain": chain}
    async with serving(getblockchaininfo=info, getblockheader=header) as fake, node_at(fake) as node:
        limits = [(await node.get_template()).maxtime for _ in range(2)]
        assert limits == [None if chain == "regtest" else maxtime] * 2
        asked = [request.params for request in fake.requests if request.method == "getblockheader"]
        once = chain != "regtest" and isinstance(header, dict)
        assert asked == [["07" * 32]] * (1 if once else 0 if chain == "regtest" else 2)


async def test_nothing_secret_is_shown_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as fake:
        node = open_node(f"http://user:{'s3cret' * 3}@127.0.0.1:{fake.port}/wallet")
        fake.password = "s3cret" * 3
        async with node:
            await node.get_template()
        assert repr(node) == f"<BitcoindNode http://127.0.0.1:{fake.port}>"
    assert "s3cret" not in caplog.text + repr(node) + repr(Credentials("u", "s3cret")) + str(vars(node))
    assert base64.b64encode(b"user:s3cret")[:12].decode() not in caplog.text


async def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with serving() as fake, node_at(fake) as node:
        assert (await node.tip()).height == 7


# ---- blocks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "accepted", "result", "words"),
    [
        ("duplicate", True, "duplicate", "has this block already"),
        ("inconclusive", False, "inconclusive", "another block of the same height first"),
        ("bad-version(0xe0000001)", False, "bad-version(0xe0000001)", "Were bits outside the mask rolled?"),
        ("rejected: high-hash", False, "high-hash", "above the network target"),
        ("bad-new-rule", False, "bad-new-rule", "the node rejects the block: bad-new-rule"),
        (RpcError(-22, "Block decode failed"), False, "block-decode-failed", "error -22: Block decode failed"),
    ],
)
async def test_what_becomes_of_a_block(answer: object, accepted: bool, result: str, words: str) -> None:
    async with serving(submitblock=answer) as fake, node_at(fake) as node:
        got = await node.submit_block(BLOCK)
        assert (got.accepted, got.result) == (accepted, result)
        assert words in got.explanation
        assert fake.requests[-1].params == [BLOCK.hex()]


@pytest.mark.parametrize(
    ("best", "header", "at_height", "accepted"),
    [
        ("ours", None, None, True),
        ("another", {"height": 8}, "ours", True),
        ("another", {"height": 8}, "another", False),
        ("another", RpcError(-5, "Block not found"), None, True),
        (RpcError(-28, "no"), None, None, True),
    ],
    ids=["best", "already_built_on", "sibling", "no_second_look", "no_look"],
)
async def test_silence_is_looked_into(best: object, header: object, at_height: object, accepted: bool) -> None:
    hashes = {"ours": sha256d(BLOCK[:80])[::-1].hex(), "another": "08" * 32}
    answers = {"submitblock": None, "getbestblockhash": best, "getblockheader": header, "getblockhash": at_height}
    answers = {key: hashes[value] if isinstance(value, str) else value for key, value in answers.items()}
    async with serving(**answers) as fake, node_at(fake) as node:
        result = await node.submit_block(BLOCK)
        assert (result.accepted, result.result) == (accepted, "accepted" if accepted else "inconclusive")


async def test_a_block_is_sent_again_when_the_connection_breaks() -> None:
    async with serving(submitblock=[Raw(closes=True), "duplicate"]) as fake, node_at(fake) as node:
        assert (await node.submit_block(BLOCK)).accepted
        sent = [request.params for request in fake.requests if request.method == "submitblock"]
        assert sent == [[BLOCK.hex()]] * 2


async def test_a_submission_that_makes_no_sense() -> None:
    async with serving(submitblock={"a": 1}) as fake:
        error = await failure(node_at(fake), lambda node: node.submit_block(BLOCK))
        assert "submitblock: expected null or a reason" in str(error)
        fake.answers["submitblock"] = RpcError(-1, "no")
        assert isinstance(await failure(node_at(fake), lambda node: node.submit_block(BLOCK)), NodeRpcError)


# ---- waiting -----------------------------------------------------------------------------------------------------


class LongPoll:
    """Answers plain requests at once; those with a longpollid when told to."""

    def __init__(self) -> None:
        self.arrived = trio.Event()
        self.news = trio.Event()
        self.asked: list[str] = []
        self.next: object = template("08" * 32)

    async def __call__(self, request: Request) -> object:
        longpoll_id = request.params[0].get("longpollid")
        if longpoll_id is None:
            return template()
        self.asked.append(longpoll_id)
        self.arrived.set()
        await self.news.wait()
        return self.next


async def wait_into(results: list[Any], node: Node, after: BlockTemplate) -> None:
    try:
        results.append(await node.wait_template(after))
    except NodeError as error:
        results.append(error)


async def test_a_long_poll_has_no_time_limit_and_brings_news() -> None:
    poll = LongPoll()
    results: list[BlockTemplate] = []
    async with serving(getblocktemplate=poll) as fake, node_at(fake, reply_seconds=5.0) as node:
        after = await node.get_template()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_into, results, node, after)
            await poll.arrived.wait()
            assert (await node.tip()).height == 7, "other calls go on meanwhile"
            poll.news.set()
    assert poll.asked == ["07" * 32 + "1"]
    assert results[0].previous_hash == b"\x08" * 32


async def test_a_long_poll_that_fails_is_a_node_error() -> None:
    poll = LongPoll()
    poll.next = RpcError(-28, "Verifying blocks…")
    poll.news.set()
    async with serving(getblocktemplate=poll) as fake, node_at(fake) as node:
        with pytest.raises(NodeNotReadyError):
            await node.wait_template(await node.get_template())


async def test_the_same_template_again_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitcoind, "SAME_AGAIN_SECONDS", 0.0)
    replies = [template(), template(curtime=1_700_000_001, longpollid="another"), template(), template("08" * 32)]
    async with serving(getblocktemplate=replies) as fake, node_at(fake) as node:
        got = await node.wait_template(await node.get_template())
        assert got.previous_hash == b"\x08" * 32
        assert [request.params[0].get("longpollid") for request in fake.requests[1:]] == [
            None,
            "07" * 32 + "1",
            "another",
            "07" * 32 + "1",
        ]


async def test_without_long_polls_the_tip_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitcoind, "POLL_SECONDS", 0.0)
    templates = [template(longpollid=None), template("08" * 32, longpollid=None)]
    best = ["07" * 32] * 3 + ["08" * 32]
    async with serving(getblocktemplate=templates, getbestblockhash=best) as fake, node_at(fake) as node:
        after = await node.get_template()
        assert (await node.wait_template(after)).previous_hash == b"\x08" * 32
        assert fake.methods[-5:] == ["getbestblockhash"] * 4 + ["getblocktemplate"]


@pytest.mark.parametrize("many", [0, 100])
async def test_transactions_of_the_template_before_are_kept(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitcoind, "MANY_TRANSACTIONS", many)  # beyond it, in a thread
    data = "01000000" + "00" * 10
    identity = sha256d(bytes.fromhex(data))[::-1].hex()
    one = {"data": data, "txid": identity, "hash": identity, "fee": 1}
    templates = [template(transactions=[one]), template(transactions=[one]), template(transactions=[one | {"fee": 2}])]
    async with serving(getblocktemplate=templates) as fake, node_at(fake) as node:
        first, second, third = [(await node.get_template()).transactions[0] for _ in range(3)]
        assert first is second
        assert third.fee == 2


async def test_waiting_can_be_cancelled() -> None:
    poll = LongPoll()
    async with serving(getblocktemplate=poll) as fake, node_at(fake) as node:
        after = await node.get_template()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.wait_template, after)
            await poll.arrived.wait()
            nursery.cancel_scope.cancel()
        assert (await node.tip()).height == 7
