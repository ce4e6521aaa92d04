"""Measures what attackers can make each command use: memory, processor time and log lines.

    python -m benchmarks.attacks [--only TEXT] [--seconds 8]

The script starts ``mine``, ``pool``, ``proxy``, ``tap`` and ``mine`` with its HTTP server on loopback, in a new process
for each attack. An honest peer works before, during and after the attack, and the number of its good replies is printed
for each of the three. If ``mine`` is attacked, the attacker is its pool, and the shares that the pool receives are
counted. docs/measured/attacks.md contains the table. Every attack has a limit of seconds and of bytes.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from benchmarks.record import Rows, add_save_option

SECONDS = 8.0
CALM_S = 4.0
"""Seconds for which the honest peer is measured before the attack, and again after it."""
MOST_SENT = 512 << 20
"""Maximum number of bytes that one attack sends."""
BLOCKED_S = 0.5
"""Seconds after which an attempt to send ends, because the peer does not receive."""
FEW_FILES = 128
"""Limit of open files of the program, in attacks that use up its file descriptors."""
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SHARE_DIFFICULTY = 1e-5
MINE_DIFFICULTY = 5e-4
"""Difficulty at which one thread finds several shares per second."""
LOGIN = (
    b'{"id":1,"method":"mining.subscribe","params":["x"]}\n{"id":2,"method":"mining.authorize","params":["w","x"]}\n'
)


Make = Callable[[int], bytes]
"""Returns the bytes of the piece with the given number."""
Attack = Callable[[int, float], int]
"""Attacks a port until a time of ``time.monotonic``, and returns the number of bytes sent."""
Attacks = Literal["miners", "tapped", "http"]
SPAWN = multiprocessing.get_context("spawn")
"""A forked process would have copies of the locks that other threads of this process hold."""


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


# ---- the program under attack ---------------------------------------------------------------------------------------


class Program:
    """One command in a process of its own. Its log goes to a file, so that writing it never blocks."""

    def __init__(self, *arguments: str, directory: str) -> None:
        self._log = Path(directory, "log")
        environment = os.environ | {"STRATUM_MINER_HTTP_TOKEN": "token-of-the-attacks", "XDG_STATE_HOME": directory}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stratum_miner", *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment,
            )  # fmt: skip
        self.pid = self._process.pid

    def wait_for(self, text: str) -> None:
        while text not in self._log.read_text(errors="replace"):
            if self._process.poll() is not None:
                raise RuntimeError(self._log.read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def limit_files(self) -> None:
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES))

    def processor_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) >> 10

    def log_lines(self) -> int:
        return self._log.read_bytes().count(b"\n")

    def stop(self) -> str:
        """Stop the program. Return its exit code, "killed" if it did not stop, or "died" if it had exited before."""
        if self._process.poll() is not None:
            return f"died ({self._process.returncode})"
        self._process.terminate()
        try:
            return str(self._process.wait(20))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "killed"


# ---- honest peers, and a pool that an attack can make hostile --------------------------------------------------------


class ScriptedPool:
    """A pool that answers every request with ``true``, sends one job and counts shares. An attack can send more.

    For attacks on a tap: the pool never answers ``mining.unknown``, and it stops reading a connection after
    ``mining.silence``.
    """

    def __init__(self, difficulty: float) -> None:
        self.good = 0
        self.silent = False
        """Whether the pool has stopped reading, in an attack that reads no replies."""
        self.difficulty = difficulty
        self.miner: socket.socket | None = None
        """The newest connection of a miner that has logged in."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=500)
        self.port = int(self._listener.getsockname()[1])
        self._jobs = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()

    def calm(self) -> bytes:
        """Return the lines that make a miner work as before the attack, whatever the attack changed."""
        self._jobs += 1
        messages = [
            {"method": "mining.set_version_mask", "params": ["1fffe000"]},
            {"method": "mining.set_extranonce", "params": ["deadbeef", 8]},
            {"method": "mining.set_difficulty", "params": [self.difficulty]},
            _job(f"calm{self._jobs}", hashlib.sha256(str(self._jobs).encode()).hexdigest(), "00" * 30),
        ]
        return b"".join(map(_line, messages))

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        granted = {"version-rolling": True, "version-rolling.mask": "1fffe000"}
        results = {"mining.subscribe": [[], "deadbeef", 8], "mining.configure": granted}
        with suppress(OSError, ValueError, KeyError), connection.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                method = request["method"]
                if method == "mining.silence":
                    return
                while self.silent:
                    time.sleep(0.1)
                self.good += method == "mining.submit"
                if method == "mining.unknown":
                    continue
                reply = {"id": request["id"], "result": results.get(method, True), "error": None}
                connection.sendall(_line(reply) + (self.calm() if method == "mining.authorize" else b""))
                if method == "mining.authorize":
                    self.miner = connection


class ShareMiner:
    """An honest miner in Python. It searches for shares of the newest job, and counts the accepted ones."""

    def __init__(self, port: int) -> None:
        self.good = 0
        self._port = port
        self._count = 0
        self._fresh()
        threading.Thread(target=self._work, daemon=True).start()

    def _fresh(self) -> None:
        self._job: list[Any] = []
        self._target = 0
        self._extranonce = (b"", 0)

    def _work(self) -> None:
        while True:
            with suppress(OSError, ValueError, EOFError):
                self._mine()
            time.sleep(0.2)

    def _mine(self) -> None:
        self._fresh()
        with socket.create_connection(("127.0.0.1", self._port), 10) as connection, connection.makefile("rb") as lines:
            connection.sendall(LOGIN.replace(b'"w"', b'"honest"'))
            while True:
                self.good += self._share(connection, lines)
                time.sleep(0.1)

    def _share(self, connection: socket.socket, lines: Any) -> bool:
        while not (self._job and self._target and self._extranonce[1]):
            self._take(lines.readline())
        job, self._count = self._job, self._count + 1
        extranonce2 = self._count.to_bytes(self._extranonce[1], "big")
        root = sha256d(bytes.fromhex(job[2]) + self._extranonce[0] + extranonce2 + bytes.fromhex(job[3]))
        for sibling in job[4]:
            root = sha256d(root + bytes.fromhex(sibling))
        words = bytes.fromhex(job[1])
        previous = b"".join(words[at : at + 4][::-1] for at in range(0, 32, 4))
        numbers = struct.pack("<II", int(job[7], 16), int(job[6], 16))
        head = struct.pack("<I", int(job[5], 16)) + previous + root + numbers
        nonce = next(
            nonce
            for nonce in range(1 << 32)
            if int.from_bytes(sha256d(head + struct.pack("<I", nonce)), "little") <= self._target
        )
        params = ["honest", job[0], extranonce2.hex(), job[7], f"{nonce:08x}"]
        connection.sendall(_line({"id": 3, "method": "mining.submit", "params": params}))
        while (reply := self._take(lines.readline())) is None:
            pass
        return reply

    def _take(self, line: bytes) -> bool | None:
        """Process a line of the pool. Return whether it accepts a share, or None if it is not the reply to a share."""
        if not line:
            raise EOFError
        match json.loads(line):
            case {"method": "mining.notify", "params": params}:
                self._job = params
            case {"method": "mining.set_difficulty", "params": [difficulty]}:
                self._target = int((0xFFFF << 208) / difficulty)
            case {"method": "mining.set_extranonce", "params": [extranonce1, size]}:
                self._extranonce = bytes.fromhex(extranonce1), size
            case {"id": 1, "result": [_, extranonce1, size]}:
                self._extranonce = bytes.fromhex(extranonce1), size
            case {"id": 3, "result": result}:
                return result is True
        return None


class Reader:
    """An honest client of the API. It counts the responses with status 200."""

    def __init__(self, port: int) -> None:
        self.good = 0
        self._port = port
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        request = b"GET /api/v1/summary HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 5) as connection:
                connection.sendall(request)
                self.good += connection.recv(64).startswith(b"HTTP/1.1 200")
            time.sleep(0.2)


# ---- attacks --------------------------------------------------------------------------------------------------------


def pour(connection: socket.socket, make: Make, until: float) -> tuple[int, bool]:
    """Send one piece after another, and keep trying while the peer does not receive.

    Stops at the time ``until``, after ``MOST_SENT`` bytes, or when the peer disconnects. Returns the number of bytes
    sent, and whether the last piece was sent completely.
    """
    sent, number, piece = 0, 0, b""
    connection.settimeout(BLOCKED_S)
    with suppress(ConnectionError):
        while time.monotonic() < until and sent < MOST_SENT:
            if not piece:
                piece, number = make(number), number + 1
            with suppress(TimeoutError):
                taken = connection.send(piece)
                sent, piece = sent + taken, piece[taken:]
    return sent, not piece


def flood(make: bytes | Make, *, login: bool = True, reads: bool = False) -> Attack:
    """Return an attack that sends lines on one connection after another. It reads replies only if ``reads`` is set."""

    def attack(port: int, until: float) -> int:
        sent = 0
        while time.monotonic() < until and sent < MOST_SENT:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
                if login:
                    connection.sendall(LOGIN)
                if reads:
                    threading.Thread(target=_swallow, args=(connection,), daemon=True).start()
                sent += pour(connection, (lambda _: make) if isinstance(make, bytes) else make, until)[0]
            time.sleep(0.01)
        return sent

    return attack


def hold(count: int, data: bytes = b"", drip: bytes = b"") -> Attack:
    """Return an attack that keeps ``count`` connections open, and replaces each that is closed.

    Each connection sends ``data``, and then ``drip`` every second.
    """

    def attack(port: int, until: float) -> int:
        held: list[socket.socket] = []
        sent = 0
        while time.monotonic() < until:
            for connection in held[:]:
                try:
                    connection.setblocking(False)
                    sent += connection.send(drip) if drip else 0
                    with suppress(BlockingIOError):
                        if not connection.recv(1, socket.MSG_PEEK):
                            raise ConnectionError
                except OSError:
                    held.remove(connection)
                    connection.close()
            with suppress(OSError):
                while len(held) < count and time.monotonic() < until:
                    connection = socket.create_connection(("127.0.0.1", port), 1)
                    held.append(connection)
                    sent += connection.send(data) if data else 0
            time.sleep(1.0)
        for connection in held:
            connection.close()
        return sent

    return attack


def reconnect(data: bytes) -> Attack:
    """Return an attack that opens one connection after another. Each sends ``data``, reads once and disconnects."""

    def attack(port: int, until: float) -> int:
        sent = 0
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.sendall(data)
                sent += len(data)
                connection.settimeout(1)
                connection.recv(4096)
        return sent

    return attack


def _swallow(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(1 << 20):
            pass


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _job(job_id: str, previous: str, coinbase2: str) -> dict[str, Any]:
    parts = [previous, "01000000" + "00" * 37, coinbase2, [], "20000000", "1d00ffff", f"{int(time.time()):08x}", True]
    return {"method": "mining.notify", "params": [job_id, *parts]}


def _repeat(make: Make, count: int) -> Make:
    return lambda number: b"".join(make(number * count + item) for item in range(count))


PING = b'{"id":7,"method":"mining.ping","params":[]}\n'
DEEP = b",".join([b"[" * 29 + b"]" * 29] * 1000)


def with_id(size: int, method: str = "mining.ping") -> Make:
    """Return a function that makes requests with ids of more than ``size`` characters, each with a different id."""
    return lambda number: b'{"id":"%d%s","method":"%s","params":[]}\n' % (number, b"x" * size, method.encode())


SILENCE = _line({"id": 1, "method": "mining.silence", "params": []})
EVIL_WORKER = _line({"id": 2, "method": "mining.authorize", "params": ["\x1b[2J\u202e" + "w" * 400, "x"]})
EVIL_SHARE = _line(
    {"id": 3, "method": "mining.submit", "params": ["w", "\x1b[2Jjob", "00" * 8, "00000000", "00000000"]}
)

POOL_SENDS: dict[str, Make] = {
    "requests with ids of 900 kB, answers not read": with_id(900_000),
    "small requests, answers not read": lambda _: PING * 4000,
    "version mask storm": _repeat(
        lambda number: _line({"method": "mining.set_version_mask", "params": [f"{number % 60_000 << 13:08x}"]}), 1000
    ),
    "replies without a request": _repeat(
        lambda number: b'{"id":%d,"result":true,"error":null}\n' % (10**6 + number), 1000
    ),
    "jobs with a coinbase of 1 MB": lambda number: _line(_job(f"a{number}", f"{number:064x}", "00" * 500_000)),
    "nested arrays": lambda _: b'{"id":null,"method":"x","params":[' + DEEP * 8 + b"]}\n",
    "messages to show": _repeat(
        lambda number: _line({"method": "client.show_message", "params": [f"\x1b[2J{number}" + "y" * 150]}), 500
    ),
    "nine of ten lines malformed": lambda _: (
        (
            b'{"id":null,"method":"mining.notify","params":["zz"]}\n' * 9
            + b'{"id":null,"method":"mining.set_difficulty","params":[1]}\n'
        )
        * 100
    ),
}
"""The attacks of a pool on its miner: the bytes that it sends."""

MINERS_SEND: dict[str, Attack] = {
    "requests, answers not read": flood(PING * 4000),
    "requests with ids of 15 kB, answers not read": flood(with_id(15_000)),
    "unknown methods with escapes": flood(_line({"id": 7, "method": "\x1b[2J" * 50, "params": []}) * 100, reads=True),
    "worker names with escapes": flood(EVIL_WORKER * 100, reads=True),
    "shares of unknown jobs": flood(EVIL_SHARE * 100, reads=True),
    "nested arrays": flood(b'{"id":1,"method":"mining.submit","params":[' + DEEP + b"]}\n", reads=True),
    "lines without an end": flood(b"x" * (1 << 20), login=False),
    "logins that disconnect": reconnect(LOGIN),
    "600 connections with half a line": hold(600, b"x" * 16_000),
    "connections until files run out": hold(300),
}
"""The attacks of miners on a pool or a proxy."""

THROUGH_A_TAP: dict[str, Attack] = {
    "requests with ids of 900 kB, not answered": flood(with_id(900_000, "mining.unknown")),
    "requests with ids of 15 kB, answered": flood(with_id(15_000), reads=True),
    "lines of 900 kB to a pool that never reads": flood(lambda number: with_id(900_000)(number) if number else SILENCE),
    "a line that nearly matches a rule, everywhere": flood(b"id" * 4000 + b"submit" * 1300 + b"\n", reads=True),
    "lines without an end": flood(b"x" * (1 << 20)),
    "connections until files run out": hold(300),
}
"""The attacks of miners on a tap that has a rule."""

OVER_HTTP: dict[str, Attack] = {
    "requests, answers not read": flood(b"GET /api/v1/view HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100, login=False),
    "streams that are not read": hold(40, b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    "heads without an end": flood(b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20), login=False),
    "slow heads": hold(600, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"a"),
    "invalid hosts": flood(b"GET / HTTP/1.1\r\nHost: [\r\nOrigin: http://[\r\n\r\n" * 100, login=False, reads=True),
    "connections until files run out": hold(300),
}
"""The attacks of HTTP clients on the HTTP server of ``mine``."""

BY_CLIENTS: dict[Attacks, dict[str, Attack]] = {
    "miners": MINERS_SEND,
    "tapped": THROUGH_A_TAP,
    "http": OVER_HTTP,
}
"""The attacks that come from a process of their own."""


# ---- one attack after another ----------------------------------------------------------------------------------------


SUBJECTS: tuple[tuple[str, Attacks | None], ...] = (
    ("mine", None),
    ("pool", "miners"),
    ("proxy", "miners"),
    ("proxy", None),
    ("tap", "tapped"),
    ("mine --http", "http"),
)
"""Each command with its group of attacks. None means that its pool attacks it."""


@dataclass(slots=True)
class Row:
    """One row of the printed table. ``good`` contains the count of good replies at four times: see ``measure``."""

    subject: str
    attack: str
    good: list[int] = field(default_factory=list)
    sent: int = 0
    peak_mib: int = 0
    processor_s: float = 0.0
    log_lines: int = 0
    ended: str = ""

    def cells(self) -> tuple[str, ...]:
        before, during, after = (late - early for early, late in zip(self.good, self.good[1:], strict=False))
        return (
            self.subject, self.attack, f"{self.sent / 1e6:.1f}", f"{self.peak_mib}", f"{self.processor_s:.1f}",
            f"{self.log_lines}", f"{before} / {during} / {after}", f"{self.ended}",
        )  # fmt: skip


def measure(
    row: Row, program: Program, good: Callable[[], int], attack: Callable[[float], int], seconds: float
) -> None:
    """Measure ``CALM_S`` seconds without an attack, then the attack, then ``CALM_S`` seconds again. Fill in the row."""
    while not good():
        time.sleep(0.1)
    row.good.append(good())
    time.sleep(CALM_S)
    row.good.append(good())
    lines, processor = program.log_lines(), program.processor_s()
    row.sent = attack(time.monotonic() + seconds)
    row.good.append(good())
    time.sleep(CALM_S)
    row.good.append(good())
    row.peak_mib, row.processor_s = program.peak_mib(), program.processor_s() - processor
    row.log_lines = program.log_lines() - lines


def from_outside(attacks: Attacks, name: str, port: int) -> Callable[[float], int]:
    """Return a function that runs the attack in another process, so that it does not slow down the honest peers."""

    def run(until: float) -> int:
        receiver, sender = SPAWN.Pipe()
        process = SPAWN.Process(target=attacker, args=(attacks, name, port, until, sender), daemon=True)
        process.start()
        try:
            return int(receiver.recv()) if receiver.poll(until - time.monotonic() + 10) else 0
        finally:
            process.terminate()
            process.join()

    return run


def attacker(attacks: Attacks, name: str, port: int, until: float, result: Connection) -> None:
    result.send(BY_CLIENTS[attacks][name](port, until))


def by_the_pool(pool: ScriptedPool, make: Make, *, reads: bool) -> Callable[[float], int]:
    """Return a function by which the pool attacks its miner with the given bytes."""

    def run(until: float) -> int:
        assert pool.miner is not None
        pool.silent = not reads
        sent, whole = pour(pool.miner, make, until)
        pool.miner.settimeout(None)
        pool.silent = False
        with suppress(OSError):  # the miner may have disconnected
            if whole:
                pool.miner.sendall(pool.calm())
        return sent

    return run


@contextmanager
def attacked(subject: str, attack: str) -> Iterator[tuple[Row, Program, Callable[[], int], int, ScriptedPool]]:
    """Start a command with its honest peer.

    Yields its row, its process, a function that returns the count of good replies, its port and its pool. At the end of
    the block the command is stopped.
    """
    port, http = free_port(), free_port()
    row = Row(subject, attack)
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        pool = ScriptedPool(MINE_DIFFICULTY if subject in ("mine", "mine --http") else SHARE_DIFFICULTY)
        stack.callback(pool.close)
        upstream = f"127.0.0.1:{pool.port}"
        commands = {
            "mine": ["mine", "-o", upstream, "-u", "w", "-t", "1"],
            "mine --http": ["mine", "-o", upstream, "-u", "w", "-t", "1", "--http", f"127.0.0.1:{http}"],
            "pool": ["pool", "--listen", f"127.0.0.1:{port}", "--address", ADDRESS, "--difficulty", "1e-5"],
            "proxy": ["proxy", "--listen", f"127.0.0.1:{port}", "-o", upstream, "-u", "w"],
            "tap": ["tap", f"127.0.0.1:{port}", upstream, "--rule", "replace=x match=id*submit*zz from=miner"],
        }
        program = Program(*commands[subject], directory=directory)
        try:
            if subject in ("pool", "tap"):
                program.wait_for("ready")
            elif subject == "proxy":
                program.wait_for("extranonce_divided")
            elif subject == "mine --http":
                port = http
            honest: ScriptedPool | Reader | ShareMiner = pool
            if subject == "mine --http":
                honest = Reader(port)
            elif subject != "mine":
                honest = ShareMiner(port)
            if "files run out" in attack:
                program.limit_files()
            yield row, program, lambda: honest.good, port, pool
        finally:
            row.ended = program.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default="", help="run only the attacks whose command and name contain this text")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"seconds of each attack [default: {SECONDS:g}]")
    add_save_option(parser)
    arguments = parser.parse_args()
    if arguments.save and (arguments.only or arguments.seconds != SECONDS):
        parser.error("--save: expected all attacks with their usual length, got --only or --seconds")
    columns = ("command", "attack", "MB sent", "peak MiB", "CPU s", "log lines")
    rows = Rows("attacks", "python -m benchmarks.attacks", (*columns, "good replies before / during / after", "ended"))
    for subject, attacks in SUBJECTS:
        for name in POOL_SENDS if attacks is None else BY_CLIENTS[attacks]:
            shown = f"{name} (the pool)" if subject == "proxy" and attacks is None else name
            if arguments.only not in f"{subject} {shown}":
                continue
            with attacked(subject, shown) as (row, program, good, port, pool):
                if attacks is None:
                    run = by_the_pool(pool, POOL_SENDS[name], reads="not read" not in name)
                else:
                    run = from_outside(attacks, name, port)
                measure(row, program, good, run, arguments.seconds)
            rows.add(*row.cells())
    if arguments.save:
        rows.save()


if __name__ == "__main__":
    main()
