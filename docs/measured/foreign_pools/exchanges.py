"""Exchanges with a pool by hand: plain sockets and hashlib, and nothing of stratum_miner.

Each script beside this module has a table of named exchanges with one pool. An exchange prints every line that is sent
(>) and received (<) with the seconds since the connection was made. It ends with "yes" if the pool did what the name of
the exchange says, and with "no" otherwise.
"""

import argparse
import hashlib
import json
import os
import random
import socket
import struct
import sys
import time
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

    def __init__(self, address: tuple[str, int], user: str) -> None:
        self.user = user
        self.difficulty = 1.0
        self.jobs: list[list[Any]] = []
        self.lines: list[str] = []
        self.extranonce1 = b""
        self.extranonce2_size = 4
        self._begin = time.monotonic()
        self._socket = socket.create_connection(address, 10)
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
    """The address of a pool and the worker name for it."""

    address: tuple[str, int]
    user: str

    def connect(self) -> Session:
        return Session(self.address, self.user)

    def joined(self, *, configure: bool = False) -> Session:
        return self.connect().join(configure=configure)

    def alive(self) -> bool:
        """Whether the pool accepts a connection and answers on it."""
        try:
            with self.connect() as session:
                return "result" in session.subscribe()
        except OSError as error:
            print(f"       ! a new connection: {error}")
            return False


@dataclass(frozen=True)
class Exchange:
    """What an exchange shows, the checks that judge it, and how to do it."""

    checks: str
    shows: str
    run: Callable[[Pool], bool]
    kills: bool
    """Whether it ends the pool's process. Such an exchange runs only if it is named."""


class Table:
    """The exchanges with one pool by name."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.exchanges: dict[str, Exchange] = {}

    def exchange(
        self, checks: str, shows: str, *, kills: bool = False
    ) -> Callable[[Callable[[Pool], bool]], Callable[[Pool], bool]]:
        def add(run: Callable[[Pool], bool]) -> Callable[[Pool], bool]:
            self.exchanges[run.__name__.replace("_", "-")] = Exchange(checks, shows, run, kills)
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
            "names", metavar="NAME", nargs="*", help="exchanges to run (default: all that leave the pool alive)"
        )
        parser.add_argument("--user", default="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.hand", help="worker name")
        args = parser.parse_args(words)
        host, _, port = args.address.rpartition(":")
        if not host or not port.isdigit():
            parser.error(f"expected HOST:PORT, got {args.address!r}")
        if unknown := [name for name in args.names if name not in self.exchanges]:
            parser.error(f"unknown exchange {unknown[0]!r}; there are: {', '.join(self.exchanges)}")
        pool = Pool((host, int(port)), args.user)
        names = args.names or [name for name, each in self.exchanges.items() if not each.kills]
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
