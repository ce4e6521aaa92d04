"""A real node over JSON-RPC: Bitcoin Core, or whoever speaks as it does (bcoin is tested).

Believes nothing it did not check, waits for nothing without a limit, and puts no credentials into any message.
Theory of operation: every call is one HTTP request, repeated once when the connection breaks, for a node closes idle
connections when it likes and each call used here may be repeated. A long poll is the exception: it may last for hours,
and a node may keep a thread busy for one that was given up. So it has no time limit of its own; meanwhile the tip is
asked for at intervals, which shows that the node is alive and catches what the long poll misses (stratum.md 6.3).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import httpx
import msgspec
import trio

from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.header import HEADER_SIZE, display_hash
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.pool.nodes.base import (
    ChainState,
    Node,
    NodeError,
    NodeNotReadyError,
    NodeReplyError,
    NodeRpcError,
    NodeUnauthorizedError,
    NodeUnreachableError,
    SubmitResult,
    Tip,
)
from stratum_miner.pool.template import BlockTemplate, TemplateError, template_from_rpc

CONNECT_SECONDS: Final = 5.0
REPLY_SECONDS: Final = 60.0
"""For one answer; checking a full block on a slow machine takes some seconds."""
MAX_REPLY: Final = 32 << 20
"""Bytes: the template of a full block, 4 MB written in hex, and room for its JSON."""
MAX_COOKIE: Final = 4096
KEEPALIVE_SECONDS: Final = 20.0
"""Core closes a connection after 30 idle seconds (rpcservertimeout)."""
TIP_SECONDS: Final = 30.0
"""Between two looks at the tip while a long poll lasts."""
POLL_SECONDS: Final = 5.0
"""Between two looks at the tip of a node without long polls."""
REFRESH_SECONDS: Final = 30.0
"""Age at which such a node's template is asked for again, for its fees."""
SAME_AGAIN_SECONDS: Final = 1.0
"""Pause when a long poll brings the same template: a node that does not wait must not be asked in a circle."""
FEE_BLOCKS: Final = 36
"""Whose fees are averaged: six hours, as fees change by the day; a full node takes about 20 ms for each."""
MAX_SHOWN: Final = 200
"""Characters of a node's own words in a message."""

NETWORKS: Final = {
    "main": Network.MAINNET,
    "test": Network.TESTNET,
    "testnet": Network.TESTNET,
    "testnet4": Network.TESTNET,
    "signet": Network.SIGNET,
    "regtest": Network.REGTEST,
}
"""What nodes call their chain."""
DECODE_FAILED: Final = -22
NOT_READY: Final = {-28: "it is starting", -10: "it is still downloading the chain", -9: "it has no peers"}
"""Core's error codes that pass with time."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password of a JSON-RPC server; neither is ever shown."""

    user: str = field(repr=False)
    password: str = field(repr=False)


class BitcoindNode(Node):
    """Opened with ``async with``, which asks the node for its network.

    ``url`` is http://host:port or with a path, without credentials. They come as ``credentials`` or from
    ``cookie_file``, which is read again whenever the node refuses what it held: a node writes a new one at each start.
    ``network``, when given, must be the node's.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials | None = None,
        cookie_file: Path | None = None,
        network: Network | None = None,
        max_reply: int = MAX_REPLY,
        reply_seconds: float = REPLY_SECONDS,
    ) -> None:
        if (credentials is None) == (cookie_file is None):
            raise ValueError("BitcoindNode: expected either credentials or a cookie file")
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL:  # its message repeats parts of the URL
            raise ValueError("BitcoindNode: expected a URL as in http://host:port") from None
        if self._url.userinfo:
            raise ValueError("BitcoindNode: expected a URL without user and password")
        self._where = f"node at {self._url.netloc.decode('ascii')}"
        self._credentials = credentials
        self._cookie_file = cookie_file
        self._expected_network = network
        self._max_reply = max_reply
        self._reply_seconds = reply_seconds
        self._client: httpx.AsyncClient | None = None
        self._next_id = 0

    def __repr__(self) -> str:
        return f"<BitcoindNode {self._url.scheme}://{self._url.netloc.decode('ascii')}>"

    async def __aenter__(self) -> Self:
        # trust_env: a proxy or a .netrc in the environment has no business with the node and its password
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(keepalive_expiry=KEEPALIVE_SECONDS),
        )
        try:
            self.network = await self._ask_network()
        except BaseException:
            with trio.CancelScope(shield=True):
                await self.aclose()
            raise
        return self

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    # ---- templates ------------------------------------------------------------------------------------------------

    async def get_template(self) -> BlockTemplate:
        """The node's template of this moment."""
        return await self._get_template()

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """By long poll when the node offered one, else by asking at intervals."""
        if after.longpoll_id is None:
            return await self._poll(after)
        return await _first(lambda: self._long_poll(after), lambda: self._watch_tip(after))

    async def _long_poll(self, after: BlockTemplate) -> BlockTemplate:
        longpoll_id = after.longpoll_id
        while True:
            template = await self._get_template(longpoll_id)
            if _differs(template, after):
                return template
            longpoll_id = template.longpoll_id or longpoll_id
            await trio.sleep(SAME_AGAIN_SECONDS)

    async def _watch_tip(self, after: BlockTemplate) -> BlockTemplate:
        while True:
            await trio.sleep(TIP_SECONDS)
            if await self._best_hash() != after.previous_hash:
                return await self._get_template()

    async def _poll(self, after: BlockTemplate) -> BlockTemplate:
        refresh_at = trio.current_time() + REFRESH_SECONDS
        while True:
            await trio.sleep(POLL_SECONDS)
            if trio.current_time() < refresh_at and await self._best_hash() == after.previous_hash:
                continue
            refresh_at = trio.current_time() + REFRESH_SECONDS
            template = await self._get_template()
            if _differs(template, after):
                return template

    async def _get_template(self, longpoll_id: str | None = None) -> BlockTemplate:
        self._open_client()
        rules = ["segwit", "signet"] if self.network is Network.SIGNET else ["segwit"]
        request: dict[str, object] = {"rules": rules, "capabilities": ["longpoll"]}
        if longpoll_id is not None:
            request["longpollid"] = longpoll_id
        reply = await self._call("getblocktemplate", [request], waits=longpoll_id is not None)
        try:
            return template_from_rpc(reply)
        except TemplateError as error:
            raise NodeReplyError(f"{self._where}: {error}") from None

    # ---- blocks and the chain -------------------------------------------------------------------------------------

    async def submit_block(self, block: bytes) -> SubmitResult:
        """submitblock; "duplicate" is a success, also because a repeated request may find its own block there."""
        try:
            reply = await self._call("submitblock", [block.hex()])
        except NodeRpcError as error:
            if error.code == DECODE_FAILED:
                return SubmitResult.from_text("block-decode-failed", str(error))
            raise
        if reply is not None and not isinstance(reply, str):
            raise NodeReplyError(f"{self._where}: submitblock: expected null or a reason, got {_shown(reply)}")
        if reply is None:
            return await self._accepted(sha256d(block[:HEADER_SIZE]))
        return SubmitResult.from_text(_shown(reply.removeprefix("rejected: ")))  # bcoin's prefix

    async def _accepted(self, digest: bytes) -> SubmitResult:
        """Null means the best chain with Core only; bcoin says it of a valid sibling, too."""
        try:
            if await self._best_hash() != digest:
                header = await self._call("getblockheader", [display_hash(digest)])
                height = header.get("height") if isinstance(header, dict) else None
                if isinstance(height, int) and await self.block_hash(height) != digest:
                    return SubmitResult.from_text("inconclusive")
        except NodeError:
            pass  # the block was taken; only the second look failed
        return SubmitResult.from_text(None)

    async def tip(self) -> Tip:
        """Height and hash of the best block, from one answer."""
        info = await self._chain_info()
        height = info.get("blocks")
        if not isinstance(height, int) or isinstance(height, bool) or height < 0:
            raise NodeReplyError(f"{self._where}: getblockchaininfo: blocks: expected a height, got {_shown(height)}")
        return Tip(height, self._hash(info.get("bestblockhash"), "getblockchaininfo: bestblockhash"))

    async def chain_state(self) -> ChainState:
        """The template's, with the fees of the last blocks where the node can tell them (getblockstats)."""
        state = await super().chain_state()
        heights = range(max(1, state.height - FEE_BLOCKS), state.height)
        try:
            fees = [await self._block_fees(height) for height in heights]
        except NodeRpcError:  # bcoin does not know the call, a pruned node not the blocks
            return state
        return replace(state, average_fees=sum(fees) // len(fees), blocks=len(fees)) if fees else state

    async def _block_fees(self, height: int) -> int:
        stats = await self._call("getblockstats", [height, ["totalfee"]])
        fees = stats.get("totalfee") if isinstance(stats, dict) else None
        if not isinstance(fees, int) or isinstance(fees, bool) or fees < 0:
            raise NodeReplyError(f"{self._where}: getblockstats: totalfee: expected satoshis, got {_shown(fees)}")
        return fees

    async def block_hash(self, height: int) -> bytes:
        """getblockhash, in internal order. NodeRpcError when the chain is not that long."""
        return self._hash(await self._call("getblockhash", [height]), "getblockhash")

    async def _best_hash(self) -> bytes:
        return self._hash(await self._call("getbestblockhash", []), "getbestblockhash")

    async def _ask_network(self) -> Network:
        name = (await self._chain_info()).get("chain")
        network = NETWORKS.get(name) if isinstance(name, str) else None
        if network is None:
            raise NodeReplyError(f"{self._where}: expected a chain of {', '.join(NETWORKS)}, got {_shown(name)}")
        if self._expected_network not in (None, network):
            raise NodeError(f"{self._where}: expected a {self._expected_network.value} node, got {network.value}")
        return network

    async def _chain_info(self) -> dict[str, Any]:
        info = await self._call("getblockchaininfo", [])
        if not isinstance(info, dict):
            raise NodeReplyError(f"{self._where}: getblockchaininfo: expected an object, got {_shown(info)}")
        return info

    def _hash(self, value: object, what: str) -> bytes:
        try:
            raw = bytes.fromhex(value) if isinstance(value, str) else b""
        except ValueError:
            raw = b""
        if len(raw) != 32:
            raise NodeReplyError(f"{self._where}: {what}: expected 64 hex digits, got {_shown(value)}")
        return raw[::-1]

    # ---- JSON-RPC -------------------------------------------------------------------------------------------------

    async def _call(self, method: str, params: Sequence[object], *, waits: bool = False) -> object:
        self._next_id += 1
        content = msgspec.json.encode({"jsonrpc": "1.0", "id": self._next_id, "method": method, "params": list(params)})
        status, body = await self._authorized(method, content, waits=waits)
        return self._result(method, status, body)

    async def _authorized(self, method: str, content: bytes, *, waits: bool) -> tuple[int, bytes]:
        if self._credentials is None:
            self._credentials = await self._read_cookie()
        used = self._credentials
        status, body = await self._steady(method, content, used, waits=waits)
        if status == 401 and self._cookie_file is not None:
            self._credentials = await self._read_cookie()
            if self._credentials != used:
                status, body = await self._steady(method, content, self._credentials, waits=waits)
        if status == 401:
            source = f"cookie file {str(self._cookie_file)!r}" if self._cookie_file else "user and password"
            raise NodeUnauthorizedError(f"{self._where}: it does not accept our {source} (HTTP 401)")
        if status == 403:
            raise NodeUnauthorizedError(f"{self._where}: it does not let this address in (HTTP 403, rpcallowip)")
        return status, body

    async def _steady(self, method: str, content: bytes, credentials: Credentials, *, waits: bool) -> tuple[int, bytes]:
        """Once more when the connection breaks; not when there is none to be had or the answer takes too long."""
        try:
            return await self._post(method, content, credentials, waits=waits)
        except httpx.TransportError:
            await trio.lowlevel.checkpoint()
        try:
            return await self._post(method, content, credentials, waits=waits)
        except httpx.TransportError as error:
            raise NodeUnreachableError(
                f"{self._where}: the connection broke during {method}, twice ({type(error).__name__})"
            ) from None

    async def _post(self, method: str, content: bytes, credentials: Credentials, *, waits: bool) -> tuple[int, bytes]:
        client = self._open_client()
        timeout = httpx.Timeout(
            self._reply_seconds, connect=CONNECT_SECONDS, read=None if waits else self._reply_seconds
        )
        try:
            with trio.fail_after(float("inf") if waits else CONNECT_SECONDS + self._reply_seconds):
                async with client.stream(
                    "POST",
                    self._url,
                    content=content,
                    headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
                    auth=httpx.BasicAuth(credentials.user, credentials.password),
                    timeout=timeout,
                ) as response:
                    return response.status_code, await self._body(method, response)
        except (httpx.TimeoutException, trio.TooSlowError) as error:
            limit = CONNECT_SECONDS if isinstance(error, httpx.ConnectTimeout) else self._reply_seconds
            raise NodeUnreachableError(f"{self._where}: no answer to {method} within {limit:g} s") from None
        except httpx.ConnectError:
            raise NodeUnreachableError(f"{self._where}: cannot connect: is it running, with server=1?") from None

    def _open_client(self) -> httpx.AsyncClient:
        if self._client is None:
            raise NodeError(f"{self._where}: it is not open")
        return self._client

    async def _body(self, method: str, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():  # raw: what is counted is what came
            body += chunk
            if len(body) > self._max_reply:
                raise NodeReplyError(
                    f"{self._where}: {method}: expected at most {self._max_reply} bytes, the answer is longer"
                )
        return bytes(body)

    def _result(self, method: str, status: int, body: bytes) -> object:
        try:
            reply = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            reply = None
        if not isinstance(reply, dict) or not ("result" in reply or "error" in reply):
            raise NodeReplyError(
                f"{self._where}: {method}: expected a JSON-RPC answer, got HTTP {status} with {_shown_bytes(body)}"
            )
        if reply.get("error") is not None:
            self._raise(method, reply["error"])
        return reply.get("result")

    def _raise(self, method: str, error: object) -> NoReturn:
        code = error.get("code") if isinstance(error, dict) else None
        message = error.get("message") if isinstance(error, dict) else error
        if not isinstance(code, int) or isinstance(code, bool):
            raise NodeReplyError(f"{self._where}: {method}: expected an error with a code, got {_shown(error)}")
        text = _shown(message)
        if code in NOT_READY:
            raise NodeNotReadyError(f"{self._where}: {NOT_READY[code]}: {text}")
        raise NodeRpcError(f"{self._where}: {method}: error {code}: {text}", code)

    async def _read_cookie(self) -> Credentials:
        assert self._cookie_file is not None, "there are either credentials or a cookie file"
        path = trio.Path(self._cookie_file)
        try:
            async with await path.open("rb") as file:
                content = await file.read(MAX_COOKIE)
        except OSError as error:
            raise NodeUnauthorizedError(
                f"{self._where}: cannot read the cookie file {str(path)!r}: {error.strerror}: is the node running?"
            ) from None
        user, separator, password = content.decode("utf-8", "replace").strip().partition(":")
        if not separator or "\n" in password:
            raise NodeUnauthorizedError(f"{self._where}: expected user:password in the cookie file {str(path)!r}")
        return Credentials(user, password)


def _differs(template: BlockTemplate, after: BlockTemplate) -> bool:
    return (template.previous_hash, template.transactions) != (after.previous_hash, after.transactions)


async def _first(*ways: Callable[[], Awaitable[BlockTemplate]]) -> BlockTemplate:
    """What the first of them brings, be it a template or a NodeError; the others are cancelled."""
    templates: list[BlockTemplate] = []
    errors: list[NodeError] = []

    async def run(way: Callable[[], Awaitable[BlockTemplate]]) -> None:
        try:
            templates.append(await way())
        except NodeError as error:
            errors.append(error)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for way in ways:
            nursery.start_soon(run, way)
    if templates:
        return templates[0]
    raise errors[0]


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else ascii(value)
    text = ascii(" ".join(text.split()))[1:-1]
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def _shown_bytes(body: bytes) -> str:
    return f"{_shown(body[:MAX_SHOWN].decode('utf-8', 'replace'))!r}" if body else "nothing"
