"""A pool that answers shares as it is ordered to: duplicate, stale, low, malformed, or not at all."""

import contextlib
import itertools
import json
import secrets
import socket
import threading
import time
from collections import deque
from typing import Any

from tests.audit import bitcoin

REFUSALS: dict[str, Any] = {
    "duplicate": [22, "duplicate share", None],
    "stale": [21, "job not found", None],
    "low": [23, "low difficulty share", None],
    "malformed": [20, "expected 8 hex digits for ntime", None],
    "wordless": None,
}
BITS = 0x1E1FFFE0


class ScriptedPool:
    """Use it as a context manager. ``orders`` are taken one by one as shares come; without an order a share is true."""

    def __init__(self, *, difficulty: float, resumes: bool = True, bits: int = BITS) -> None:
        self.difficulty = difficulty
        self.resumes = resumes
        self.bits = bits
        self.orders: deque[str] = deque()
        self.obeyed: list[str] = []
        self._sessions: dict[str, bytes] = {}
        self._extranonces = itertools.count(secrets.randbelow(1 << 24))
        self._jobs = itertools.count(1)
        self._height = 300
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[_Client] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> "ScriptedPool":
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self._clients:
            client.close()

    def new_block(self) -> None:
        """Everybody gets a job on another block."""
        self._height += 1
        for client in self._clients:
            client.send_job(clean=True)

    def open_session(self, wanted: str | None) -> tuple[str, bytes]:
        """A session with its extranonce1; the one that is asked for, if this pool resumes."""
        if self.resumes and wanted in self._sessions:
            return wanted, self._sessions[wanted]
        identifier = secrets.token_hex(8)
        self._sessions[identifier] = next(self._extranonces).to_bytes(4, "big")
        return identifier, self._sessions[identifier]

    def job(self, clean: bool) -> list[Any]:
        """The parameters of mining.notify."""
        previous = bitcoin.sha256d(self._height.to_bytes(8, "little"))
        script = bitcoin.push_height(self._height) + b"\x0caudit"
        prefix = bytes.fromhex("01000000" + "01" + "00" * 32 + "ffffffff") + bytes([len(script) + 8]) + script
        suffix = bytes.fromhex("ffffffff" + "01" + "00f2052a01000000" + "0151" + "00000000")
        return [
            f"{next(self._jobs):x}",
            bitcoin.swap_words(previous).hex(),
            prefix.hex(),
            suffix.hex(),
            [],
            "20000000",
            f"{self.bits:08x}",
            f"{int(time.time()):08x}",
            clean,
        ]

    def _accept(self) -> None:
        while True:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            client = _Client(self, end)
            self._clients.append(client)
            threading.Thread(target=client.serve, daemon=True).start()


class _Client:
    def __init__(self, pool: ScriptedPool, end: socket.socket) -> None:
        self._pool = pool
        self._socket = end
        self._ready = False
        self._lock = threading.Lock()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def send_job(self, clean: bool) -> None:
        if self._ready:
            self._send({"id": None, "method": "mining.notify", "params": self._pool.job(clean)})

    def serve(self) -> None:
        with contextlib.suppress(OSError), self._socket, self._socket.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                self._answer(message["id"], message["method"], message["params"])

    def _answer(self, identifier: Any, method: str, params: list[Any]) -> None:
        match method:
            case "mining.configure":
                granted = {"version-rolling": True, "version-rolling.mask": "1fffe000"}
                self._reply(identifier, granted)
            case "mining.subscribe":
                session, extranonce1 = self._pool.open_session(params[1] if len(params) > 1 else None)
                pairs = [["mining.set_difficulty", session], ["mining.notify", session]]
                self._reply(identifier, [pairs, extranonce1.hex(), 4])
            case "mining.authorize":
                self._reply(identifier, True)
                if not self._ready:
                    self._ready = True
                    self._send({"id": None, "method": "mining.set_difficulty", "params": [self._pool.difficulty]})
                    self.send_job(clean=True)
            case "mining.submit":
                self._judge(identifier)
            case "mining.extranonce.subscribe" | "mining.suggest_difficulty":
                self._reply(identifier, True)
            case _:
                self._reply(identifier, None, [-3, "method not found", None])

    def _judge(self, identifier: Any) -> None:
        order = self._pool.orders.popleft() if self._pool.orders else "true"
        self._pool.obeyed.append(order)
        if order == "true":
            self._reply(identifier, True)
        elif order == "wordless":
            self._reply(identifier, False)
        elif order != "silent":
            self._reply(identifier, None, REFUSALS[order])

    def _reply(self, identifier: Any, result: Any, error: Any = None) -> None:
        self._send({"id": identifier, "result": result, "error": error})

    def _send(self, message: dict[str, Any]) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")
