"""A real node over JSON-RPC: Bitcoin Core, or a node that is compatible with it (tests use bcoin).

Each call is one HTTP request. The answer is checked, and its size and the time until it arrives are limited. No message
contains credentials. If the connection breaks, the request is repeated once, because a node may close an idle
connection at any time. All calls of this module can be repeated safely.

Only a long poll has no time limit, because the node may answer it after hours. If the node vanishes meanwhile, TCP
keepalive detects it. A long poll should seldom be cancelled, because the node keeps a thread busy for each cancelled
long poll. Bitcoin Core answers a long poll at once if the tip of the block chain changes, and after a minute if only
the transactions change. If only nbits changes, it does not answer. A pool therefore also asks for the template at
intervals, without a long poll.
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
"""Seconds within which a connection to the node must be open."""
REPLY_SECONDS: Final = 60.0
"""Seconds within which an answer must be complete. A node on a slow computer takes some seconds to check a full
block."""
MAX_REPLY: Final = 32 << 20
"""Maximum number of bytes of an answer. The transactions in the template of a full block have 4 MB, which are 8 MB in
hex; JSON adds some more."""
MAX_COOKIE: Final = 4096
"""Maximum number of bytes that are read from a cookie file."""
POLL_SECONDS: Final = 1.0
"""Seconds between two requests for the tip (last block of the best chain) of a node without long polls."""
PEER_CLAIM_SECONDS: Final = 600.0
"""Maximum number of seconds for which mining is delayed if a peer of the node reports a longer block chain, but the
node does not have its headers. The delay is limited because a peer may report anything."""
SAME_AGAIN_SECONDS: Final = 1.0
"""Seconds to wait before the next long poll if the answer to a long poll is the template that is already known. Without
this pause, a node that always answers at once would be asked all the time."""
MANY_TRANSACTIONS: Final = 100
"""Number of transactions above which a template is parsed in a thread. Parsing so many takes 0.5 to 2 ms, about as long
as switching to a thread."""
FEE_BLOCKS: Final = 36
"""Number of blocks whose fees are averaged: about as many as are found in 6 hours. An average of fewer blocks would be
less reliable, because fees vary over the day. More blocks would take more time: the node takes about 20 ms for the fees
of one block."""
NETWORKS: Final = {
    "main": Network.MAINNET,
    "test": Network.TESTNET,
    "testnet": Network.TESTNET,
    "testnet3": Network.TESTNET,
    "testnet4": Network.TESTNET,
    "signet": Network.SIGNET,
    "regtest": Network.REGTEST,
}
"""The networks, by the name of the block chain in getblockchaininfo. The block chains with the value Network.TESTNET
have in common that nbits depends on the time of the block."""
MAX_HEIGHT: Final = (1 << 31) - 1
"""Highest block height that Bitcoin Core can store: its heights are signed 32-bit integers."""
MAX_TIME: Final = (1 << 32) - 1
"""Latest Unix time of a block that Bitcoin Core can store: these times are unsigned 32-bit integers."""
MAX_SATOSHIS: Final = 21_000_000 * 100_000_000
"""Upper limit of an amount: all satoshis that can ever exist."""
DECODE_FAILED: Final = -22
"""Core's error code for a block that it cannot decode."""
NO_METHOD: Final = -32601
"""Error code of JSON-RPC for an unknown method."""
NOT_READY: Final = {-28: "it is starting", -10: "it is still downloading the chain", -9: "it has no peers"}
"""The states of a Bitcoin Core node that end by themselves, without any action of the user: for each error code, the
state in words."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password of a JSON-RPC server. Neither appears in any message."""

    user: str = field(repr=False)
    password: str = field(repr=False)


class BitcoindNode(Node):
    """A node over JSON-RPC. ``async with`` opens it and asks the node for its network.

    ``url`` is http://HOST:PORT, with or without a path, and without credentials. Give either ``credentials`` or
    ``cookie_file``. The cookie file is read again when the node refuses the credentials in it, because a node writes a
    new cookie file at each start. If ``network`` is given, the node must be on this network. An answer may have at most
    ``max_reply`` bytes and must be complete within ``reply_seconds``.

    Raises ValueError if the URL cannot be used, or if both or neither of ``credentials`` and ``cookie_file`` are given.
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
            got = "neither" if credentials is None else "both"
            raise ValueError(f"BitcoindNode: expected either credentials or a cookie file, got {got}")
        try:
            self._target = HttpTarget.parse(url)
        except ValueError as error:
            raise ValueError(f"BitcoindNode: {error}") from None
        if self._target.authorization:
            raise ValueError("BitcoindNode: expected a URL without user and password. Pass them as credentials")
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
        """Return the node's present template. Raises NodeError if the node gives none that can be used."""
        return await self._get_template()

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """Wait for a template that differs from ``after``, and return it. If the node does not support long polls, ask
        it every second for its last block, and return its template when the last block has changed.
        """
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
        reply = await self._call("getblocktemplate", [request], is_long_poll=longpoll_id is not None)
        try:
            template = await _checked_template(reply, self._template)
        except UnsuitableTemplateError as error:
            raise NodeUnsuitableError(f"{self._where}: {error}") from None
        except TemplateError as error:
            raise NodeReplyError(f"{self._where}: {error}") from None
        self._template = template
        if self.network is Network.TESTNET:
            return with_tip_time(template, await self._time_of(template.previous_hash))
        return template

    async def _time_of(self, block: bytes) -> int | None:
        """Return the time in the header of a block, or None if the node does not give it."""
        if self._tip_time is not None and self._tip_time[0] == block:
            return self._tip_time[1]
        header = await self._optional_call("getblockheader", [display_hash(block)])
        seconds = _integer(header.get("time") if isinstance(header, dict) else None, MAX_TIME)
        if seconds is None:
            return None
        self._tip_time = block, seconds
        return seconds

    # ---- blocks and the block chain ---------------------------------------------------------------------------------

    async def submit_block(self, block: bytes) -> SubmitResult:
        """Submit a block with submitblock. Raises NodeError if the node gives no valid answer.

        The answer "duplicate" counts as accepted: if the connection broke and the request was repeated, the node may
        have the block from the first request.
        """
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
        return SubmitResult.from_text(_shown(reply.removeprefix("rejected: ")))  # bcoin adds this prefix

    async def _accepted(self, digest: bytes) -> SubmitResult:
        """Return the result of a block for which submitblock returned null.

        In Bitcoin Core, null means that the block is in the best chain. bcoin also returns null if the block is valid,
        but the best chain has another block of the same height.
        """
        try:
            if await self._best_hash() != digest:
                header = await self._call("getblockheader", [display_hash(digest)])
                height = _integer(header.get("height") if isinstance(header, dict) else None, MAX_HEIGHT)
                if height is not None and await self.block_hash(height) != digest:
                    return SubmitResult.from_text("inconclusive")
        except NodeError:
            pass  # the node accepted the block; only the check of its best chain failed
        return SubmitResult.from_text(None)

    async def tip(self) -> Tip:
        """Return height and hash of the last block of the best chain, both from one answer.

        Raises NodeReplyError if the answer is not valid.
        """
        info = await self._chain_info()
        height = _integer(info.get("blocks"), MAX_HEIGHT)
        if height is None:
            raise NodeReplyError(
                f"{self._where}: getblockchaininfo: blocks: expected a height from 0 to {MAX_HEIGHT}, "
                f"got {_shown(info.get('blocks'))}"
            )
        return Tip(height, self._hash(info.get("bestblockhash"), "getblockchaininfo: bestblockhash"))

    async def chain_state(self) -> ChainState:
        """Return reward and difficulty of the next block, with the average fees of the last 36 blocks (getblockstats).

        If the node does not give the fees of past blocks, ``average_fees`` are the fees of its template.
        """
        state = await super().chain_state()
        heights = range(max(1, state.height - FEE_BLOCKS), state.height)
        try:
            fees = [await self._block_fees(height) for height in heights]
        except (NodeRpcError, NodeUnsuitableError):  # a pruned node lacks the blocks, bcoin lacks the method
            return state
        return replace(state, average_fees=sum(fees) // len(fees), blocks=len(fees)) if fees else state

    async def _block_fees(self, height: int) -> int:
        stats = await self._call("getblockstats", [height, ["totalfee"]])
        value = stats.get("totalfee") if isinstance(stats, dict) else None
        fees = _integer(value, MAX_SATOSHIS)
        if fees is None:
            raise NodeReplyError(
                f"{self._where}: getblockstats: totalfee: expected from 0 to {MAX_SATOSHIS} satoshis, "
                f"got {_shown(value)}"
            )
        return fees

    async def block_hash(self, height: int) -> bytes:
        """Return the hash of the block at ``height``, 32 bytes in internal byte order.

        Raises NodeRpcError if the block chain is not that long.
        """
        return self._hash(await self._call("getblockhash", [height]), "getblockhash")

    async def _best_hash(self) -> bytes:
        return self._hash(await self._call("getbestblockhash", []), "getbestblockhash")

    async def check_ready(self) -> None:
        """Check the block chain's name, the challenge of a signet, and whether headers or peers of the node show a
        longer block chain than the node has.

        The flag "initial block download" is ignored: on a private block chain it is set until somebody mines.

        Raises NodeUnsuitableError if the node can never be used, and NodeDownloadingError if it lacks blocks.
        """
        info = await self._chain_info()
        self._network_of(info)
        try:
            check_signet_challenge(info.get("signet_challenge"))
        except UnsuitableTemplateError as error:
            raise NodeUnsuitableError(f"{self._where}: {error}") from None
        blocks, headers = (_integer(info.get(key), MAX_HEIGHT) for key in ("blocks", "headers"))
        if blocks is None:
            return
        if headers is not None and headers > blocks:
            raise NodeDownloadingError(self._where, blocks, headers, proven=True)
        claimed = max(await self._claimed_heights(), default=0)
        if claimed <= blocks:
            self._claimed_at = None
            return
        now = trio.current_time()
        if self._claimed_at is None:
            self._claimed_at = now
        if now < self._claimed_at + PEER_CLAIM_SECONDS:
            raise NodeDownloadingError(self._where, blocks, claimed, proven=False)

    async def _claimed_heights(self) -> list[int]:
        peers = await self._optional_call("getpeerinfo", [])
        heights = (
            _integer(peer.get(key), MAX_HEIGHT)
            for peer in (peers if isinstance(peers, list) else ())
            if isinstance(peer, dict)
            for key in ("startingheight", "synced_headers")
        )
        return [height for height in heights if height is not None]

    async def _optional_call(self, method: str, params: Sequence[object]) -> object:
        """Call a method that some nodes do not have or do not allow. Return None if the node refuses the call or
        answers with an error.
        """
        try:
            return await self._call(method, params)
        except (NodeRpcError, NodeUnsuitableError, NodeUnauthorizedError):
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

    async def _call(self, method: str, params: Sequence[object], *, is_long_poll: bool = False) -> object:
        self._next_id += 1
        content = msgspec.json.encode({"jsonrpc": "1.0", "id": self._next_id, "method": method, "params": list(params)})
        return self._result(method, await self._authorized(method, content, is_long_poll=is_long_poll))

    async def _authorized(self, method: str, content: bytes, *, is_long_poll: bool) -> HttpResponse:
        if self._credentials is None:
            self._credentials = await self._read_cookie()
        used = self._credentials
        answer = await self._repeated(method, content, used, is_long_poll=is_long_poll)
        if answer.status == 401 and self._cookie_file is not None:
            self._credentials = await self._read_cookie()
            if self._credentials != used:
                answer = await self._repeated(method, content, self._credentials, is_long_poll=is_long_poll)
        if answer.status == 401:
            source = f"cookie file {str(self._cookie_file)!r}" if self._cookie_file else "user and password"
            raise NodeUnauthorizedError(f"{self._where}: it does not accept the {source} (HTTP 401)")
        if answer.status == 403:
            raise NodeUnauthorizedError(
                f"{self._where}: it does not allow {method} (HTTP 403). Check its settings rpcallowip and rpcwhitelist"
            )
        return answer

    async def _repeated(
        self, method: str, content: bytes, credentials: Credentials, *, is_long_poll: bool
    ) -> HttpResponse:
        """Send a request, and send it once more if the connection breaks. A request is not repeated if the node cannot
        be reached or is too slow.
        """
        try:
            return await self._post(method, content, credentials, is_long_poll=is_long_poll)
        except BrokenFetchError:
            await trio.lowlevel.checkpoint()
        try:
            return await self._post(method, content, credentials, is_long_poll=is_long_poll)
        except BrokenFetchError as error:
            raise NodeUnreachableError(
                f"{self._where}: the connection broke during {method}, twice: {error.text}"
            ) from None

    async def _post(self, method: str, content: bytes, credentials: Credentials, *, is_long_poll: bool) -> HttpResponse:
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
                waits=is_long_poll,
            )
        except SlowFetchError as error:
            raise NodeUnreachableError(f"{self._where}: no answer to {method} within {error.seconds:g} s") from None
        except ConnectFetchError as error:
            raise NodeUnreachableError(f"{self._where}: {error.text}. Is it running, with server=1?") from None
        except TlsFetchError as error:
            raise NodeUnreachableError(f"{self._where}: {error.text}") from None
        except LargeFetchError as error:
            raise NodeReplyError(f"{self._where}: {method}: {error.text}") from None

    def _open_fetcher(self) -> Fetcher:
        if self._fetcher is None:
            raise NodeError(f'{self._where}: it is not open. Use it inside of "async with"')
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
                f"{self._where}: there is no cookie file {str(path)!r}. Is the node running?"
            ) from None
        except OSError as error:
            raise NodeUnauthorizedError(
                f"{self._where}: cannot read the cookie file {str(path)!r}: {error.strerror}"
            ) from None
        if not content:
            raise NodeUnreachableError(f"{self._where}: the cookie file {str(path)!r} is empty. Is the node starting?")
        user, separator, password = content.decode("utf-8", "replace").strip().partition(":")
        if not separator or "\n" in password:
            raise NodeUnauthorizedError(f"{self._where}: expected user:password in the cookie file {str(path)!r}")
        return Credentials(user, password)


async def _checked_template(reply: object, before: BlockTemplate | None) -> BlockTemplate:
    """Check a template. A large template is checked in a thread, because checking the template of a full block takes 50
    ms."""
    transactions = reply.get("transactions") if isinstance(reply, dict) else None
    if isinstance(transactions, list) and len(transactions) > MANY_TRANSACTIONS:
        return await trio.to_thread.run_sync(template_from_rpc, reply, before, abandon_on_cancel=True)
    return template_from_rpc(reply, before)


def _integer(value: object, high: int) -> int | None:
    """Return an integer from 0 to ``high``, or None for any other value."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= high else None


def _shown(value: object) -> str:
    return sanitize(" ".join(value.split()) if isinstance(value, str) else ascii(value))


def _shown_bytes(body: bytes) -> str:
    return f"'{_shown(body[: 4 * SHOWN_CHARACTERS].decode('utf-8', 'replace'))}'" if body else "nothing"
