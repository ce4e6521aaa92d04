"""Exchanges with a pool by hand: plain sockets and hashlib, and nothing of stratum_miner.

Each script beside this module has a table of named exchanges with one pool. An exchange prints every line that is sent
(>) and received (<) with the seconds since the connection was made. It ends with "yes" if the pool did what the name of
the exchange says, and with "no" otherwise.
"""

import argparse
import base64
import hashlib
import http.client
import json
import os
import random
import socket
import struct
import sys
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
Share = tuple[str, str, str, str]
"""Job id, extranonce2, ntime and nonce, as mining.submit sends them."""

MAX_TARGET = 0xFFFF << 208
CLOSED: Message = {"closed": True}
SILENT: Message = {"silent": True}


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


class Session:
    """A connection to the pool. Every line of it is printed, a long one shortened."""

    def __init__(self, address: tuple[str, int], user: str, receive_buffer: int = 0) -> None:
        self.user = user
        self.difficulty = 1.0
        self.jobs: list[list[Any]] = []
        self.lines: list[str] = []
        self.extranonce1 = b""
        self.extranonce2_size = 4
        self.found = 0
        """The hash of the last share that was found, as a number."""
        self._begin = time.monotonic()
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(10)
        self._socket.connect(address)
        self._buffer = b""
        self._last_id = 0

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _print(self, mark: str, text: str) -> None:
        printable = text.encode("ascii", "backslashreplace").decode()
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in printable)
        cut = shown if len(shown) <= 300 else f"{shown[:200]} ... {shown[-80:]} ({len(shown)} characters)"
        print(f"{time.monotonic() - self._begin:8.3f} {mark} {cut}", flush=True)

    def send(self, data: str | bytes) -> None:
        """Send these bytes as they are, or this text with a line feed."""
        raw = data.encode() + b"\n" if isinstance(data, str) else data
        self._print(">", data if isinstance(data, str) else repr(data)[2:-1])
        try:
            self._socket.sendall(raw)
        except OSError as error:
            self._print("!", str(error))

    def receive(self, seconds: float = 10) -> Message:
        """The next line: a message, CLOSED or SILENT. A line that is no JSON object is {"text": line}."""
        end = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return SILENT
            except OSError as error:
                self._print("!", str(error))
                return CLOSED
            if not data:
                rest = f", after the incomplete line {self._buffer!r}" if self._buffer else ""
                self._print("!", f"closed by the pool{rest}")
                return CLOSED
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        text = line.decode("utf-8", "replace")
        self._print("<", text)
        self.lines.append(text)
        return self._understood(text)

    def _understood(self, text: str) -> Message:
        try:
            message = json.loads(text)
        except ValueError:
            return {"text": text}
        if not isinstance(message, dict):
            return {"text": text}
        if message.get("method") == "mining.set_difficulty":
            self.difficulty = message["params"][0]
        elif message.get("method") == "mining.notify":
            self.jobs.append(message["params"])
        return message

    def listen(self, seconds: float) -> list[Message]:
        """Everything that comes in these seconds, until the pool closes the connection."""
        end = time.monotonic() + seconds
        messages: list[Message] = []
        while (left := end - time.monotonic()) > 0:
            message = self.receive(left)
            if message is SILENT:
                break
            messages.append(message)
            if message is CLOSED:
                break
        return messages

    def reply(self, request_id: object, seconds: float = 10) -> Message:
        """The reply to the request with this id, or CLOSED, or SILENT if none comes."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self.receive(left)
            if message is CLOSED or message is SILENT:
                return message
            if "method" not in message and message.get("id") == request_id:
                return message
        return SILENT

    def call(self, method: str, params: object, seconds: float = 10, **more: object) -> Message:
        """Send a request and return its reply, CLOSED or SILENT."""
        self._last_id += 1
        request = {"id": self._last_id, "method": method, "params": params, **more}
        self.send(json.dumps(request))
        answer = self.reply(request["id"], seconds)
        if answer is SILENT:
            self._print("!", f"no reply to {method} in {seconds:g} s")
        return answer

    def subscribe(self, *params: object) -> Message:
        answer = self.call("mining.subscribe", list(params) or ["by-hand/1"])
        if isinstance(answer.get("result"), list):
            self.extranonce1 = bytes.fromhex(answer["result"][1])
            self.extranonce2_size = answer["result"][2]
        return answer

    def join(self, *, configure: bool = False) -> "Session":
        """Subscribe and authorize, and wait for the first job."""
        if configure:
            self.call("mining.configure", [["version-rolling"], {"version-rolling.mask": "1fffe000"}])
        self.subscribe()
        self.call("mining.authorize", [self.user, "x"])
        self.next_job(after=0)
        return self

    def next_job(self, *, after: int | None = None, seconds: float = 75) -> list[Any]:
        """Wait until more than ``after`` jobs have come. Without ``after``, wait for the next one."""
        known = len(self.jobs) if after is None else after
        end = time.monotonic() + seconds
        while len(self.jobs) <= known and (left := end - time.monotonic()) > 0:
            if self.receive(left) is CLOSED:
                break
        if len(self.jobs) <= known:
            raise NoJobError(f"no job in {seconds:g} s")
        return self.jobs[-1]

    def flood(self, line: str, times: int) -> bool:
        """Send this line many times without reading. Whether the pool took all of them within 15 s each."""
        self._print(">", f"{line[:100]} ... ({len(line)} characters, {times} times, reading nothing)")
        self._socket.settimeout(15)
        try:
            for _ in range(times):
                self._socket.sendall(line.encode() + b"\n")
        except OSError as error:
            self._print("!", str(error))
            return False
        return True

    def drain(self) -> int:
        """Read until nothing comes for 3 s, and return the number of bytes."""
        self._socket.settimeout(3)
        total = len(self._buffer)
        try:
            while data := self._socket.recv(1 << 20):
                total += len(data)
        except OSError as error:
            self._print("!", str(error))
        self._print("<", f"{total:,} bytes")
        return total

    # ---- shares ---------------------------------------------------------------------------------------------------

    def header(self, job: list[Any], extranonce2: bytes, ntime: int, version: int | None = None) -> bytes:
        """The block header without the nonce, 76 bytes."""
        _, previous, coinb1, coinb2, branches, job_version, bits, *_ = job
        root = sha256d(bytes.fromhex(coinb1) + self.extranonce1 + extranonce2 + bytes.fromhex(coinb2))
        for branch in branches:
            root = sha256d(root + bytes.fromhex(branch))
        words = bytes.fromhex(previous)
        reversed_words = b"".join(words[at : at + 4][::-1] for at in range(0, 32, 4))
        number = int(job_version, 16) if version is None else version
        return struct.pack("<I", number) + reversed_words + root + struct.pack("<II", ntime, int(bits, 16))

    def share(
        self,
        *,
        job: list[Any] | None = None,
        ntime: int | None = None,
        version: int | None = None,
        at_least: float | None = None,
        below: float | None = None,
        extranonce2: bytes | None = None,
        nonces: range = range(1 << 32),
    ) -> Share:
        """Search for a share of the last job: of the session's difficulty or ``at_least``, and, if given, ``below``
        a difficulty."""
        work = self.jobs[-1] if job is None else job
        extra = random.randbytes(self.extranonce2_size) if extranonce2 is None else extranonce2
        at = int(work[7], 16) if ntime is None else ntime
        head = self.header(work, extra, at, version)
        target = int(MAX_TARGET / (self.difficulty if at_least is None else at_least))
        least = 0 if below is None else int(MAX_TARGET / below) + 1
        begun = hashlib.sha256(head[:64])
        for nonce in nonces:
            first = begun.copy()
            first.update(head[64:] + struct.pack("<I", nonce))
            value = int.from_bytes(hashlib.sha256(first.digest()).digest(), "little")
            if least <= value <= target:
                self.found = value
                self._print(
                    "#", f"found a hash of difficulty {MAX_TARGET / value:.6g}; the pool set {self.difficulty:g}"
                )
                return work[0], extra.hex(), f"{at:08x}", f"{nonce:08x}"
        raise ValueError("no share in all these nonces")

    def submit(self, share: Share, *more: object, user: str | None = None, seconds: float = 10) -> Message:
        return self.call("mining.submit", [self.user if user is None else user, *share, *more], seconds)


class NoJobError(Exception):
    """The pool sent no job."""


def accepted(reply: Message) -> bool:
    """Whether a reply says that a share, or a worker, was accepted."""
    return reply.get("result") is True and not reply.get("error")


def refused(reply: Message) -> bool:
    """Whether a reply came and does not accept."""
    return reply is not CLOSED and reply is not SILENT and not accepted(reply)


@dataclass(frozen=True)
class Pool:
    """The address of a pool, the worker name for it, and the JSON-RPC of its node."""

    address: tuple[str, int]
    user: str
    node: str | None = None

    def connect(self, *, receive_buffer: int = 0) -> Session:
        return Session(self.address, self.user, receive_buffer)

    def joined(self, *, configure: bool = False) -> Session:
        return self.connect().join(configure=configure)

    def node_has(self, block: int) -> bool:
        """Whether the node knows the block with this hash, in its best chain or beside it."""
        assert self.node is not None
        url = urllib.parse.urlsplit(self.node)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
        login = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
        body = json.dumps({"id": 1, "method": "getblock", "params": [f"{block:064x}"]})
        connection.request("POST", "/", body, {"Authorization": f"Basic {login}"})
        answer = connection.getresponse().read().decode()
        connection.close()
        print(f"       # getblock {block:064x} at the node: {answer.strip()[:160]}")
        return json.loads(answer).get("result") is not None

    def alive(self) -> bool:
        """Whether the pool accepts a connection and answers on it."""
        try:
            with self.connect() as session:
                return "result" in session.subscribe()
        except OSError as error:
            print(f"       ! a new connection: {error}")
            return False


def late_block(pool: Pool) -> tuple[Message, bool]:
    """Find two blocks on one job, and submit the second after the first has made the job stale. Return the reply to the
    second, and whether the node has it. Python finds a block of difficulty 0.001 in some seconds."""
    with pool.joined() as session:
        job = session.jobs[-1]
        difficulty = MAX_TARGET / _target(job[6])
        blocks = []
        for _ in range(2):
            share = session.share(job=job, at_least=difficulty)
            blocks.append((share, session.found))
        (first, _), (second, block) = blocks
        if not accepted(session.submit(first)):
            return SILENT, False
        while session.jobs[-1][1] == job[1]:
            session.next_job(seconds=10)
        reply = session.submit(second)
        session.listen(2)
        return reply, pool.node_has(block)


def _target(bits: str) -> int:
    number = int(bits, 16)
    return (number & 0x7FFFFF) << 8 * ((number >> 24) - 3)


def unread_replies(pool: Pool, requests: int) -> int:
    """Request replies of 600 bytes and more and read none; then read. Return the number of bytes that the pool kept."""
    with pool.connect(receive_buffer=4096) as session:
        session.join()
        request = {"id": "i" * 600, "method": "mining.submit", "params": [session.user, "none", "00", "00", "00"]}
        return session.drain() if session.flood(json.dumps(request), requests) else 0


@dataclass(frozen=True)
class Exchange:
    """What an exchange shows, the checks that judge it, and how to do it."""

    checks: str
    shows: str
    run: Callable[[Pool], bool]
    kills: bool
    """Whether it ends the pool's process. Such an exchange runs only if it is named."""
    asks_node: bool
    """Whether it needs the JSON-RPC of the pool's node."""


class Table:
    """The exchanges with one pool by name."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.exchanges: dict[str, Exchange] = {}

    def exchange(
        self, checks: str, shows: str, *, kills: bool = False, asks_node: bool = False
    ) -> Callable[[Callable[[Pool], bool]], Callable[[Pool], bool]]:
        def add(run: Callable[[Pool], bool]) -> Callable[[Pool], bool]:
            self.exchanges[run.__name__.replace("_", "-")] = Exchange(checks, shows, run, kills, asks_node)
            return run

        return add

    def main(self, words: list[str] | None = None) -> int:
        """Run the exchanges that the command line names. 0: each was as its name says. 1: one was not. 2: usage. 4: the
        pool cannot be reached."""
        parser = argparse.ArgumentParser(
            description=f"Exchanges by hand with {self.pool}.",
            epilog="Exchanges: " + ", ".join(self.exchanges),
        )
        parser.add_argument("address", metavar="HOST:PORT")
        parser.add_argument(
            "names",
            metavar="NAME",
            nargs="*",
            help="exchanges to run (default: all that leave the pool alive and for which there is a --node)",
        )
        parser.add_argument("--user", default="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.hand", help="worker name")
        parser.add_argument("--node", metavar="URL", help="JSON-RPC of the pool's node: http://USER:PASS@HOST:PORT")
        args = parser.parse_intermixed_args(words)
        host, _, port = args.address.rpartition(":")
        if not host or not port.isdigit():
            parser.error(f"expected HOST:PORT, got {args.address!r}")
        if unknown := [name for name in args.names if name not in self.exchanges]:
            parser.error(f"unknown exchange {unknown[0]!r}; there are: {', '.join(self.exchanges)}")
        names = args.names or [
            name for name, each in self.exchanges.items() if not each.kills and (args.node or not each.asks_node)
        ]
        if not args.node and (asking := [name for name in names if self.exchanges[name].asks_node]):
            parser.error(f"{asking[0]} asks the pool's node: add --node http://USER:PASS@HOST:PORT")
        pool = Pool((host, int(port)), args.user, args.node)
        seen = {name: self._run(name, pool) for name in names}
        print("\n" + "\n".join(f"{'yes' if each else 'no':4} {name}" for name, each in seen.items()))
        return 0 if all(seen.values()) else 4 if not pool.alive() else 1

    def _run(self, name: str, pool: Pool) -> bool:
        exchange = self.exchanges[name]
        print(f"\n== {name} ({exchange.checks}): {exchange.shows}")
        try:
            seen = exchange.run(pool)
        except (OSError, NoJobError, KeyError) as error:
            print(f"       ! {type(error).__name__}: {error}")
            seen = False
        print(f"-- {name}: {'yes' if seen else 'no'}")
        return seen


def run(table: Table) -> None:
    """Run the table as a program, also into a pipe that is closed early."""
    try:
        sys.exit(table.main())
    except BrokenPipeError:
        os._exit(1)
