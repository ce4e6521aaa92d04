"""A scripted node: the JSON-RPC of a regtest Bitcoin Core that a pool needs, over a chain that the audit can ask.

A block is checked for its proof of work, its height, its merkle root and its place on the chain. The node can refuse
blocks with a reason, lose its newest blocks, and stop. What was offered is written down.
"""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.audit import bitcoin

USER, PASSWORD = "audit", "audit-password"
BITS = 0x1E1FFFE0
"""Difficulty 0.00012: one of twenty shares of the scenarios is a block."""
GENESIS = bytes.fromhex("0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206")[::-1]
REGTEST = bytes.fromhex("fabfb5da")
LONG_POLL_S = 60.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A block that was offered, and what the node said of it: None means that it was taken."""

    at: float
    height: int
    hash: str
    verdict: str | None


@dataclass(slots=True)
class Node:
    """Use it as a context manager; ``url`` has the credentials in it."""

    bits: int = BITS
    refuse: str | None = None
    """While set, every block is refused with this reason."""
    refuse_first: int | None = None
    """Only so many, the first ones; None: all."""
    height: int = 200
    """The tip's at the start: a height that takes two bytes, as on a real chain."""
    offers: list[Offer] = field(default_factory=list)
    chain: list[tuple[int, bytes]] = field(default_factory=list)
    """Blocks that were taken: height and hash, oldest first."""
    _server: Any = None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """For --node."""
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    @property
    def tip(self) -> tuple[int, bytes]:
        """Height and hash of the best block."""
        return self.chain[-1] if self.chain else (self.height, GENESIS)

    def forget(self, count: int) -> None:
        """Lose the newest blocks, as a node does that was killed."""
        with self._changed:
            del self.chain[len(self.chain) - count :]
            self._changed.notify_all()

    def __enter__(self) -> "Node":
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = json.loads(body)
                try:
                    answer = {"result": node._answer(request["method"], request["params"]), "error": None}
                except _RpcError as error:
                    answer = {"result": None, "error": {"code": error.code, "message": str(error)}}
                text = json.dumps({**answer, "id": request["id"]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a pool that goes away in the middle of a long poll

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # ---- what it answers ------------------------------------------------------------------------------------------

    def _answer(self, method: str, params: list[Any]) -> Any:
        height, best = self.tip
        known = dict([(self.height, GENESIS), *self.chain])
        match method:
            case "getblockchaininfo":
                return {
                    "chain": "regtest",
                    "blocks": height,
                    "headers": height,
                    "bestblockhash": bitcoin.shown(best),
                    "bits": f"{self.bits:08x}",
                    "difficulty": float(bitcoin.difficulty_of(bitcoin.target_of_bits(self.bits))),
                    "initialblockdownload": False,
                    "time": int(time.time()),
                    "mediantime": int(time.time()) - 600,
                    "warnings": "",
                }
            case "getbestblockhash":
                return bitcoin.shown(best)
            case "getblockcount":
                return height
            case "getblockhash":
                if params[0] not in known:
                    raise _RpcError(-8, "Block height out of range")
                return bitcoin.shown(known[params[0]])
            case "getblockheader":
                for number, digest in known.items():
                    if bitcoin.shown(digest) == params[0]:
                        return {
                            "hash": params[0],
                            "height": number,
                            "confirmations": height - number + 1,
                            "time": int(time.time()) - 600,
                            "mediantime": int(time.time()) - 1200,
                            "bits": f"{self.bits:08x}",
                        }
                raise _RpcError(-5, "Block not found")
            case "getpeerinfo":
                return []
            case "getnetworkinfo":
                return {"version": 290000, "subversion": "/audit:1/", "connections": 0}
            case "getblocktemplate":
                return self._template(params[0])
            case "submitblock":
                return self._take(bytes.fromhex(params[0]))
        raise _RpcError(-32601, "Method not found")

    def _template(self, request: dict[str, Any]) -> dict[str, Any]:
        poll = request.get("longpollid")
        if poll is not None:
            with self._changed:
                self._changed.wait_for(lambda: self._poll_id() != poll, timeout=LONG_POLL_S)
        height, best = self.tip
        now = int(time.time())
        return {
            "capabilities": ["proposal"],
            "version": 0x20000000,
            "rules": ["csv", "!segwit", "taproot"],
            "vbavailable": {},
            "vbrequired": 0,
            "previousblockhash": bitcoin.shown(best),
            "transactions": [],
            "coinbaseaux": {},
            "coinbasevalue": 5_000_000_000,
            "longpollid": self._poll_id(),
            "target": f"{bitcoin.target_of_bits(self.bits):064x}",
            "mintime": now - 600,
            "mutable": ["time", "transactions", "prevblock"],
            "noncerange": "00000000ffffffff",
            "sigoplimit": 80000,
            "sizelimit": 4000000,
            "weightlimit": 4000000,
            "curtime": now,
            "bits": f"{self.bits:08x}",
            "height": height + 1,
            "default_witness_commitment": "6a24aa21a9ed" + bitcoin.sha256d(bytes(64)).hex(),
        }

    def _poll_id(self) -> str:
        return bitcoin.shown(self.tip[1])

    def _take(self, block: bytes) -> str | None:
        header = block[:80]
        digest = bitcoin.sha256d(header)
        count, at = bitcoin.read_size(block, 80)
        identifiers, heights = [], []
        for _ in range(count):
            whole, stripped, at = bitcoin.read_transaction(block, at)
            identifiers.append(bitcoin.sha256d(stripped))
            heights.append(whole)
        height = bitcoin.height_of_coinbase(heights[0])
        with self._changed:
            verdict = self._judge(header, digest, identifiers, height)
            self.offers.append(Offer(time.monotonic(), height, bitcoin.shown(digest), verdict))
            if verdict is None:
                self.chain.append((height, digest))
                self._changed.notify_all()
        return verdict

    def _judge(self, header: bytes, digest: bytes, identifiers: list[bytes], height: int) -> str | None:
        if bitcoin.hash_number(digest) > bitcoin.target_of_bits(self.bits):
            return "high-hash"
        if bitcoin.root_of(identifiers) != header[36:68]:
            return "bad-txnmrklroot"
        if any(digest == known for _, known in self.chain):
            return "duplicate"
        if self.refuse is not None and (self.refuse_first is None or len(self.offers) < self.refuse_first):
            return self.refuse
        if header[4:36] != self.tip[1]:
            known = [GENESIS, *(item for _, item in self.chain)]
            return "inconclusive" if header[4:36] in known else "prev-blk-not-found"
        return None if height == self.tip[0] + 1 else "bad-cb-height"


@dataclass(slots=True)
class ChainOnDisk:
    """A chain that a node with Bitcoin Core's validation keeps in its files: what is in them, the node took."""

    directory: Path
    bits: int = 0x207FFFFF

    @property
    def offers(self) -> list[Offer]:
        """The blocks, in the order of the chain, as if each had been offered just now."""
        now = time.monotonic()
        return [Offer(now, height, bitcoin.shown(digest), None) for height, digest in self.chain]

    @property
    def chain(self) -> list[tuple[int, bytes]]:
        """Height and hash of each block after the first, by who follows whom."""
        following = {block[4:36]: block for block in self._blocks()}
        found: list[tuple[int, bytes]] = []
        block = following.get(GENESIS)
        while block is not None:
            digest = bitcoin.sha256d(block[:80])
            _, at = bitcoin.read_size(block, 80)
            found.append((bitcoin.height_of_coinbase(block[at:]), digest))
            block = following.get(digest)
        return found

    @property
    def tip(self) -> tuple[int, bytes]:
        """Height and hash of the best block."""
        return self.chain[-1] if self.chain else (0, GENESIS)

    def _blocks(self) -> Iterator[bytes]:
        """From blocks/blk*.dat: the network's magic, the size, the block; hidden under a repeated key (Core 28)."""
        key = (self.directory / "blocks" / "xor.dat").read_bytes()
        for file in sorted((self.directory / "blocks").glob("blk*.dat")):
            raw = file.read_bytes()
            mask = key * (len(raw) // len(key) + 1)
            data = (int.from_bytes(raw, "little") ^ int.from_bytes(mask[: len(raw)], "little")).to_bytes(
                len(raw), "little"
            )
            at = 0
            while data[at : at + 4] == REGTEST:
                size = int.from_bytes(data[at + 4 : at + 8], "little")
                yield data[at + 8 : at + 8 + size]
                at += 8 + size


class _RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
