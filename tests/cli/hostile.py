"""A pool and a miner that put the worst text into everything that they may choose, on real sockets, in threads."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from stratum_miner.testing.manual_pool import REGTEST_JOB

EVIL = "\x1b]0;PWN\x07\x1b[5;7m\r\nFAKE line\x9b31m\u202e\u2066\u200b\u2028\u3164"
"""Steers a terminal, ends a line, begins another, turns the direction, has no width: 30 characters."""
LONG = EVIL * 3300
"""100 kB."""
TRACES = ("\x1b]0;", "\x1b[5;7m", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\u2028", "\u3164", "\nFAKE", "\rFAKE")
SURROGATE = b"\xed\xa0\x80"
HALF = rb"\ud800"
"""How JSON spells half a character."""


def traces_in(data: bytes) -> list[str]:
    """Return the hostile characters that a text still has."""
    text = data.decode("utf-8", "surrogateescape")
    found = [repr(trace) for trace in TRACES if trace in text]
    return found + (["a lone surrogate"] if SURROGATE in data else [])


Answers = Callable[[dict[str, Any], int], Iterator[dict[str, Any] | bytes]]


class HostilePool:
    """Serves every connection in a thread."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.submits = 0
        self.enough = threading.Event()
        """Set once ten shares have been answered, each in another way."""
        self._done = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._done.set()
        self._listener.close()

    def _listen(self) -> None:
        while not self._done.is_set():
            with suppress(OSError):
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection, connection.makefile("rwb") as file:
            for line in file:
                request = json.loads(line)
                if request.get("method") == "mining.submit":
                    self.submits += 1
                for answer in self._answers(request, self.submits):
                    file.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode() + b"\n")
                file.flush()
                if self.submits >= 10:
                    self.enough.set()


@contextmanager
def hostile_pool(answers: Answers | None = None) -> Iterator[HostilePool]:
    pool = HostilePool(answers or hostile_answers)
    try:
        yield pool
    finally:
        pool.close()


def hostile_answers(request: dict[str, Any], submits: int) -> Iterator[dict[str, Any] | bytes]:
    """Return the answers of a pool with hostile text on which a miner can still mine."""
    number = request.get("id")
    match request.get("method"):
        case "mining.configure":
            yield {"id": number, "error": None, "result": {"version-rolling": EVIL, EVIL: EVIL}}
        case "mining.subscribe":
            yield {
                "id": number,
                "error": None,
                "result": [[["mining.notify", EVIL], [EVIL, EVIL]], "a1b2c3d4", 4, EVIL],
            }
        case "mining.authorize":
            yield {"id": number, "error": None, "result": True}
            yield {"id": None, "method": "mining.set_difficulty", "params": [1e-6]}
            yield from _remarks()
            yield _job(EVIL + "1")
        case "mining.submit":
            yield _verdict(number, submits)
            if submits < 20:
                yield _job(f"{EVIL}{submits}")
        case _:
            yield {"id": number, "result": None, "error": [20, EVIL, EVIL]}


def refusing_answers(request: dict[str, Any], submits: int) -> Iterator[dict[str, Any] | bytes]:
    """Return the answers of a pool that refuses everything."""
    yield {"id": request.get("id"), "result": None, "error": [24, LONG, EVIL], EVIL: EVIL}


def _remarks() -> Iterator[dict[str, Any] | bytes]:
    yield {"id": 5, "method": "client.show_message", "params": [LONG]}
    yield {"id": LONG, "result": True, "error": None}
    for text in (EVIL, EVIL * 500):
        yield {"id": 5, "method": "client.show_message", "params": [text]}
        yield {"id": None, "method": text, "params": [text]}
        yield {"id": text, "method": text, "params": {text: text}}
        yield {"id": text, "result": text, "error": text}
        yield {"id": 4711, "result": None, "error": [20, text, text]}
        yield {"id": None, "method": "mining.set_difficulty", "params": [text]}
        yield {"id": None, "method": "mining.set_extranonce", "params": [text, text]}
        yield {"id": None, "method": "mining.notify", "params": [text]}
        yield {"id": None, "method": "client.reconnect", "params": [text, text, text]}
        yield text.replace("\n", " ").encode() + b"\n"
    yield b'{"id":5,"method":"client.show_message","params":["half ' + HALF + b'"]}\n'
    yield b'{"id":5,"method":"client.show_message","params":["raw \xed\xa0\x80 \x9b"]}\n'


def _job(job_id: str) -> dict[str, Any]:
    return {"id": None, "method": "mining.notify", "params": [job_id, *REGTEST_JOB[1:]]}


def _verdict(number: Any, submits: int) -> dict[str, Any]:
    refusals: list[Any] = [
        None,
        [23, EVIL + "low difficulty", None],
        {"code": 20, "message": LONG},
        EVIL,
        [EVIL, EVIL, EVIL],
        [21, f"{EVIL} job not found", None],
    ]
    error = refusals[submits % len(refusals)]
    return {"id": number, "result": True if error is None else None, "error": error, "reject-reason": EVIL}


def hostile_miner(port: int, *, after: Callable[[], None] = lambda: None) -> None:
    """Say everything that a miner may say to a pool, in the worst words, on some connections; then do ``after``."""
    talks: list[list[dict[str, Any] | bytes]] = [
        [
            {"id": 1, "method": "mining.subscribe", "params": [EVIL, EVIL]},
            {"id": 2, "method": "mining.authorize", "params": [EVIL, EVIL]},
            {"id": 3, "method": "mining.submit", "params": [EVIL, EVIL, "00" * 4, "00000000", "00000000"]},
            {"id": EVIL, "method": EVIL, "params": [EVIL]},
            {"id": 5, "method": "mining.configure", "params": [[EVIL], {EVIL: EVIL}]},
            {"id": 6, "result": EVIL, "error": EVIL},
        ],
        [{"id": 1, "method": "mining.subscribe", "params": [LONG[:200]]}, LONG.replace("\n", " ").encode() + b"\n"],
        [EVIL.replace("\n", " ").encode() + b"\n"],
        [b'{"id":1,"method":"mining.authorize","params":["half ' + HALF + b'","x"]}\n'],
    ]
    for talk in talks:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            for message in talk:
                connection.sendall(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    after()
