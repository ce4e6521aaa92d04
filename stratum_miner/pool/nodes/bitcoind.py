"""A real node over JSON-RPC: Bitcoin Core, or whoever speaks as it does (bcoin is tested).

Believes nothing it did not check, waits for nothing without a limit, and puts no credentials into any message.
Theory of operation: every call is one HTTP request, repeated once when the connection breaks, for a node closes idle
connections when it likes and each call used here may be repeated. An answer is bounded as a whole, in seconds and in
bytes. A long poll is the exception: it may last for hours, and a node keeps a thread busy for one that was given up. So
its answer may begin at any time, and nobody should cancel it often; the system's keepalive notices a node that
vanished. Core's returns for a new tip at once, for other transactions after a minute, and never for other bits: whoever
mines asks for the template at intervals besides.
"""

import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import msgspec
import trio

from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.header import HEADER_SIZE, display_hash
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.foreign_text import SHOWN_CHARACTERS, sanitize
from stratum_miner.network.fetch import (
    BrokenFetchError,
    ConnectFetchError,
    Fetcher,
    HttpResponse,
    HttpTarget,
    LargeFetchError,
    SlowFetchError,
    TlsFetchError,
    basic,
)
from stratum_miner.pool.nodes.base import (
    ChainState,
    Node,
    NodeDownloadingError,
    NodeError,
    NodeNotReadyError,
    NodeReplyError,
    NodeRpcError,
    NodeUnauthorizedError,
    NodeUnreachableError,
    NodeUnsuitableError,
    SubmitResult,
    Tip,
)
from stratum_miner.pool.template import (
    BlockTemplate,
    TemplateError,
    UnsuitableTemplateError,
    check_signet_challenge,
    template_from_rpc,
    with_tip_time,
)

CONNECT_SECONDS: Final = 5.0
REPLY_SECONDS: Final = 60.0
"""Limit for one answer; checking a full block on a slow machine takes some seconds."""
MAX_REPLY: Final = 32 << 20
"""Bytes: the template of a full block, 4 MB written in hex, and room for its JSON."""
MAX_COOKIE: Final = 4096
POLL_SECONDS: Final = 1.0
"""Seconds between two looks at the tip of a node without long polls."""
CLAIM_SECONDS: Final = 600.0
"""How long a peer that says that its chain is longer is believed without its headers; a peer may say anything."""
SAME_AGAIN_SECONDS: Final = 1.0
"""Pause when a long poll brings the same template: a node that does not wait must not be asked in a circle."""
MANY_TRANSACTIONS: Final = 100
"""From which on a template is read in a thread; 0.5 to 2 ms of work, as long as a change of threads may take."""
FEE_BLOCKS: Final = 36
"""Number of blocks whose fees are averaged: six hours, as fees change by the day. Each takes about 20 ms."""
NETWORKS: Final = {
    "main": Network.MAINNET,
    "test": Network.TESTNET,
    "testnet": Network.TESTNET,
    "testnet3": Network.TESTNET,
    "testnet4": Network.TESTNET,
    "signet": Network.SIGNET,
    "regtest": Network.REGTEST,
}
"""What nodes call their chain. On those of Network.TESTNET the bits depend on the time."""
MAX_HEIGHT: Final = (1 << 31) - 1
MAX_TIME: Final = (1 << 32) - 1
"""Core's own types have these limits."""
MAX_SATOSHIS: Final = 21_000_000 * 100_000_000
"""All that there will ever be."""
DECODE_FAILED: Final = -22
NO_METHOD: Final = -32601
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
            self._target = HttpTarget.parse(url)
        except ValueError as error:
            raise ValueError(f"BitcoindNode: {error}") from None
        if self._target.authorization:
            raise ValueError("BitcoindNode: expected a URL without user and password")
        self._where = f"node at {self._target.authority}"
        self._credentials = credentials
        self._cookie_file = cookie_file
        self._expected_network = network
        self._max_reply = max_reply
        self._reply_seconds = reply_seconds
        self._fetcher: Fetcher | None = None
        self._next_id = 0
        self._chain: object = None
        self._template: BlockTemplate | None = None
        self._tip_time: tuple[bytes, int] | None = None
        self._claimed_at: float | None = None

    def __repr__(self) -> str:
        return f"<BitcoindNode {self._target.where}>"

    async def __aenter__(self) -> Self:
        self._fetcher = Fetcher()
        try:
            self.network = self._network_of(await self._chain_info())
        except BaseException:
            with trio.CancelScope(shield=True):
                await self.aclose()
            raise
        return self

    async def aclose(self) -> None:
        """Close the connections."""
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is not None:
            await fetcher.aclose()

    # ---- templates ------------------------------------------------------------------------------------------------

    async def get_template(self) -> BlockTemplate:
        """The node's template of this moment."""
        return await self._get_template()

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """By long poll when the node offered one, else by looking at the tip at intervals."""
        if after.longpoll_id is not None:
            return await self._long_poll(after, after.longpoll_id)
        while True:
            await trio.sleep(POLL_SECONDS)
            if await self._best_hash() != after.previous_hash:
                return await self._get_template()

    async def _long_poll(self, after: BlockTemplate, longpoll_id: str) -> BlockTemplate:
        while True:
            template = await self._get_template(longpoll_id)
            if not template.same_block(after):
                return template
            longpoll_id = template.longpoll_id or longpoll_id
            await trio.sleep(SAME_AGAIN_SECONDS)

    async def _get_template(self, longpoll_id: str | None = None) -> BlockTemplate:
        self._open_fetcher()
        rules = ["segwit", "signet"] if self.network is Network.SIGNET else ["segwit"]
        request: dict[str, object] = {"rules": rules, "capabilities": ["longpoll"]}
        if longpoll_id is not None:
            request["longpollid"] = longpoll_id
        reply = await self._call("getblocktemplate", [request], waits=longpoll_id is not None)
        try:
            template = await _read(reply, self._template)
        except UnsuitableTemplateError as error:
            raise NodeUnsuitableError(f"{self._where}: {error}") from None
        except TemplateError as error:
            raise NodeReplyError(f"{self._where}: {error}") from None
        self._template = template
        if self.network is Network.TESTNET:
            return with_tip_time(template, await self._time_of(template.previous_hash))
        return template

    async def _time_of(self, block: bytes) -> int | None:
        """The time in a block's header; None when the node does not tell."""
        if self._tip_time is not None and self._tip_time[0] == block:
            return self._tip_time[1]
        header = await self._asked("getblockheader", [display_hash(block)])
        seconds = _whole(header.get("time") if isinstance(header, dict) else None, MAX_TIME)
        if seconds is None:
            return None
        self._tip_time = block, seconds
        return seconds

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
                height = _whole(header.get("height") if isinstance(header, dict) else None, MAX_HEIGHT)
                if height is not None and await self.block_hash(height) != digest:
                    return SubmitResult.from_text("inconclusive")
        except NodeError:
            pass  # the block was taken; only the second look failed
        return SubmitResult.from_text(None)

    async def tip(self) -> Tip:
        """Height and hash of the best block, from one answer."""
        info = await self._chain_info()
        height = _whole(info.get("blocks"), MAX_HEIGHT)
        if height is None:
            raise NodeReplyError(
                f"{self._where}: getblockchaininfo: blocks: expected a height from 0 to {MAX_HEIGHT}, "
                f"got {_shown(info.get('blocks'))}"
            )
        return Tip(height, self._hash(info.get("bestblockhash"), "getblockchaininfo: bestblockhash"))

    async def chain_state(self) -> ChainState:
        """The template's, with the fees of the last blocks where the node can tell them (getblockstats)."""
        state = await super().chain_state()
        heights = range(max(1, state.height - FEE_BLOCKS), state.height)
        try:
            fees = [await self._block_fees(height) for height in heights]
        except (NodeRpcError, NodeUnsuitableError):  # a pruned node does not know the blocks, bcoin not the call
            return state
        return replace(state, average_fees=sum(fees) // len(fees), blocks=len(fees)) if fees else state

    async def _block_fees(self, height: int) -> int:
        stats = await self._call("getblockstats", [height, ["totalfee"]])
        told = stats.get("totalfee") if isinstance(stats, dict) else None
        fees = _whole(told, MAX_SATOSHIS)
        if fees is None:
            raise NodeReplyError(
                f"{self._where}: getblockstats: totalfee: expected from 0 to {MAX_SATOSHIS} satoshis, "
                f"got {_shown(told)}"
            )
        return fees

    async def block_hash(self, height: int) -> bytes:
        """getblockhash, in internal order. NodeRpcError when the chain is not that long."""
        return self._hash(await self._call("getblockhash", [height]), "getblockhash")

    async def _best_hash(self) -> bytes:
        return self._hash(await self._call("getbestblockhash", []), "getbestblockhash")

    async def check_ready(self) -> None:
        """Judge by the chain's name, a signet's challenge, the headers, and what peers say of their chains.

        That the node calls itself in "initial block download" means nothing: a private chain's does so until somebody
        mines.
        """
        info = await self._chain_info()
        self._network_of(info)
        try:
            check_signet_challenge(info.get("signet_challenge"))
        except UnsuitableTemplateError as error:
            raise NodeUnsuitableError(f"{self._where}: {error}") from None
        blocks, headers = (_whole(info.get(key), MAX_HEIGHT) for key in ("blocks", "headers"))
        if blocks is None:
            return
        if headers is not None and headers > blocks:
            raise NodeDownloadingError(self._where, blocks, headers, proven=True)
        claimed = max(await self._claimed_heights(), default=0)
        if claimed <= blocks:
            self._claimed_at = None
            return
        now = trio.current_time()
        self._claimed_at = self._claimed_at or now
        if now < self._claimed_at + CLAIM_SECONDS:
            raise NodeDownloadingError(self._where, blocks, claimed, proven=False)

    async def _claimed_heights(self) -> list[int]:
        peers = await self._asked("getpeerinfo", [])
        told = (
            _whole(peer.get(key), MAX_HEIGHT)
            for peer in (peers if isinstance(peers, list) else ())
            if isinstance(peer, dict)
            for key in ("startingheight", "synced_headers")
        )
        return [height for height in told if height is not None]

    async def _asked(self, method: str, params: Sequence[object]) -> object:
        """The answer to something that a node need not tell; None when this one does not."""
        try:
            return await self._call(method, params)
        except (NodeRpcError, NodeUnsuitableError, NodeUnauthorizedError):  # it lacks the method, or we may not call it
            return None

    def _network_of(self, info: dict[str, Any]) -> Network:
        name = info.get("chain")
        network = NETWORKS.get(name) if isinstance(name, str) else None
        if network is None:
            raise NodeUnsuitableError(f"{self._where}: expected a chain of {', '.join(NETWORKS)}, got {_shown(name)}")
        if self._expected_network not in (None, network):
            raise NodeUnsuitableError(
                f"{self._where}: expected a {self._expected_network.value} node, got {network.value}"
            )
        if self._chain not in (None, name):
            raise NodeUnsuitableError(f"{self._where}: expected the chain {self._chain} as before, got {_shown(name)}")
        self._chain = name
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
        return self._result(method, await self._authorized(method, content, waits=waits))

    async def _authorized(self, method: str, content: bytes, *, waits: bool) -> HttpResponse:
        if self._credentials is None:
            self._credentials = await self._read_cookie()
        used = self._credentials
        answer = await self._steady(method, content, used, waits=waits)
        if answer.status == 401 and self._cookie_file is not None:
            self._credentials = await self._read_cookie()
            if self._credentials != used:
                answer = await self._steady(method, content, self._credentials, waits=waits)
        if answer.status == 401:
            source = f"cookie file {str(self._cookie_file)!r}" if self._cookie_file else "user and password"
            raise NodeUnauthorizedError(f"{self._where}: it does not accept our {source} (HTTP 401)")
        if answer.status == 403:
            raise NodeUnauthorizedError(
                f"{self._where}: it does not allow us {method} (HTTP 403): see its rpcallowip and rpcwhitelist"
            )
        return answer

    async def _steady(self, method: str, content: bytes, credentials: Credentials, *, waits: bool) -> HttpResponse:
        """Once more when the connection breaks; not when there is none to be had or the answer takes too long."""
        try:
            return await self._post(method, content, credentials, waits=waits)
        except BrokenFetchError:
            await trio.lowlevel.checkpoint()
        try:
            return await self._post(method, content, credentials, waits=waits)
        except BrokenFetchError as error:
            raise NodeUnreachableError(
                f"{self._where}: the connection broke during {method}, twice: {error.text}"
            ) from None

    async def _post(self, method: str, content: bytes, credentials: Credentials, *, waits: bool) -> HttpResponse:
        try:
            return await self._open_fetcher().fetch(
                self._target,
                method="POST",
                content=content,
                headers={
                    "Content-Type": "application/json",
                    "Authorization": basic(credentials.user, credentials.password),
                },
                seconds=self._reply_seconds,
                connect_seconds=CONNECT_SECONDS,
                max_bytes=self._max_reply,
                waits=waits,
            )
        except SlowFetchError as error:
            raise NodeUnreachableError(f"{self._where}: no answer to {method} within {error.seconds:g} s") from None
        except ConnectFetchError as error:
            raise NodeUnreachableError(f"{self._where}: {error.text}; is it running, with server=1?") from None
        except TlsFetchError as error:
            raise NodeUnreachableError(f"{self._where}: {error.text}") from None
        except LargeFetchError as error:
            raise NodeReplyError(f"{self._where}: {method}: {error.text}") from None

    def _open_fetcher(self) -> Fetcher:
        if self._fetcher is None:
            raise NodeError(f"{self._where}: it is not open")
        return self._fetcher

    def _result(self, method: str, answer: HttpResponse) -> object:
        try:
            reply = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            reply = None
        if not isinstance(reply, dict) or not ("result" in reply or "error" in reply):
            raise NodeReplyError(
                f"{self._where}: {method}: expected a JSON-RPC answer, "
                f"got HTTP {answer.status} with {_shown_bytes(answer.body)}"
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
        if code == NO_METHOD:
            raise NodeUnsuitableError(f"{self._where}: it does not know {method}: {text}")
        raise NodeRpcError(f"{self._where}: {method}: error {code}: {text}", code)

    async def _read_cookie(self) -> Credentials:
        assert self._cookie_file is not None, "there are either credentials or a cookie file"
        path = trio.Path(self._cookie_file)
        try:
            if not stat.S_ISREG((await path.stat()).st_mode):
                raise NodeUnauthorizedError(f"{self._where}: expected the cookie file {str(path)!r} to be a file")
            async with await path.open("rb") as file:
                content = await file.read(MAX_COOKIE)
        except FileNotFoundError:
            raise NodeUnreachableError(
                f"{self._where}: there is no cookie file {str(path)!r}: is the node running?"
            ) from None
        except OSError as error:
            raise NodeUnauthorizedError(
                f"{self._where}: cannot read the cookie file {str(path)!r}: {error.strerror}"
            ) from None
        if not content:
            raise NodeUnreachableError(f"{self._where}: the cookie file {str(path)!r} is empty: is the node starting?")
        user, separator, password = content.decode("utf-8", "replace").strip().partition(":")
        if not separator or "\n" in password:
            raise NodeUnauthorizedError(f"{self._where}: expected user:password in the cookie file {str(path)!r}")
        return Credentials(user, password)


async def _read(reply: object, before: BlockTemplate | None) -> BlockTemplate:
    """Check a template; a large one in a thread, for it takes 50 ms when the block is full."""
    transactions = reply.get("transactions") if isinstance(reply, dict) else None
    if isinstance(transactions, list) and len(transactions) > MANY_TRANSACTIONS:
        return await trio.to_thread.run_sync(template_from_rpc, reply, before, abandon_on_cancel=True)
    return template_from_rpc(reply, before)


def _whole(value: object, high: int) -> int | None:
    """A whole number from 0 to ``high``; None for everything else that a node may say."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= high else None


def _shown(value: object) -> str:
    return sanitize(" ".join(value.split()) if isinstance(value, str) else ascii(value))


def _shown_bytes(body: bytes) -> str:
    return f"'{_shown(body[: 4 * SHOWN_CHARACTERS].decode('utf-8', 'replace'))}'" if body else "nothing"
