"""A relay between two programs that writes down every line it passes, with the time, and can harm the conversation.

Threads and blocking sockets. A line has the time at which it came and the time just before it was passed on: a miner
that measures from submit to reply measures at least the difference of the two.

The end of a conversation that the relay breaks is written down, too. The miner is cut off at once; the other side reads
what was passed on to it, and the relay hears what it still says until it is done.
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Harm = Callable[["Line"], str]
"""What happens to a line: "" passes it, "swallow" keeps it, "cut" keeps it and cuts the miner off."""


@dataclass(slots=True)
class Line:
    """One line without its end. ``up`` means from the miner to the pool."""

    connection: int
    up: bool
    came: float
    """Monotonic seconds."""
    came_unix: float
    data: bytes
    passed: float = 0.0
    """Monotonic seconds, just before it was sent on; 0 where it never was."""
    passed_unix: float = 0.0


@dataclass(slots=True)
class Connection:
    """One connection of a client; the bytes are those that were passed on."""

    number: int
    opened: float
    closed: float | None = None
    bytes_up: int = 0
    bytes_down: int = 0
    reached: bool = True
    """Whether the other side could be connected to."""
    outward: int = 0
    """The port from which the relay connected to the other side, which is what that side sees."""


@dataclass(slots=True)
class Wire:
    """All that a relay saw."""

    name: str
    port: int
    lines: list[Line] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)


class LoseReply:
    """A harm: the answer to a submit, the first after so many that is the only one open, does not arrive, and the
    connection is over. The next ones are left alone. Of another one on its way nobody could say what became of it.
    """

    def __init__(self, number: int) -> None:
        self._left = number
        self._open: set[object] = set()
        self.done = False

    def __call__(self, line: Line) -> str:
        if self.done:
            return ""
        message = json.loads(line.data)
        if line.up and message.get("method") == "mining.submit":
            self._left -= 1
            self._open.add(message["id"])
        elif not line.up and message.get("id") in self._open:
            if self._left <= 0 and len(self._open) == 1:
                self.done = True
                return "cut"
            self._open.discard(message["id"])
        return ""


class Relay:
    """Listens on a port that stays the same; ``target`` may change. Use it as a context manager."""

    def __init__(self, name: str, target: int) -> None:
        self.target = target
        self.harm: Harm = lambda line: ""
        self._listener = _listen(0)
        self.wire = Wire(name, self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._open: dict[int, tuple[socket.socket, socket.socket]] = {}
        self._stopped = False
        self.last = time.monotonic()
        """When it last passed a line, or a connection came or went."""
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    @property
    def port(self) -> int:
        """Where clients connect to."""
        return self.wire.port

    @property
    def quiet_for(self) -> float:
        """Seconds since the last line or connection."""
        return time.monotonic() - self.last

    def cut(self) -> None:
        """Cut all miners off at once, without a farewell."""
        with self._lock:
            pairs = list(self._open.values())
        for client, server in pairs:
            _cut(client, server)

    def stop(self) -> None:
        """Listen no more and cut all miners off; ``restart`` listens on the same port again."""
        self._stopped = True
        _shut(self._listener)
        self._listener.close()
        self.cut()

    def restart(self) -> None:
        """Listen again."""
        self._stopped = False
        self._listener = _listen(self.port)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            connection = Connection(len(self.wire.connections), time.monotonic())
            self.wire.connections.append(connection)
            self.last = time.monotonic()
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            connection.reached = False
            connection.closed = time.monotonic()
            _shut(client)
            client.close()
            return
        connection.outward = server.getsockname()[1]
        for end in (client, server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open[connection.number] = (client, server)
        down = threading.Thread(target=self._pump, args=(connection, False, server, client), daemon=True)
        down.start()
        self._pump(connection, True, client, server)
        down.join()
        with self._lock:
            del self._open[connection.number]
            self.last = connection.closed = time.monotonic()
        client.close()
        server.close()

    def _pump(self, connection: Connection, up: bool, source: socket.socket, sink: socket.socket) -> None:
        rest = b""
        while True:
            try:
                data = source.recv(1 << 16)
            except OSError:
                data = b""
            came, came_unix = time.monotonic(), time.time()
            *whole, rest = (rest + data).split(b"\n")
            for text in whole:
                line = Line(connection.number, up, came, came_unix, text)
                if self._pass(connection, line, sink) == "cut":
                    _cut(*(source, sink) if up else (sink, source))
            if not data:
                # the other one reads what was passed on before; for Stratum, its own side is over then, too
                _shut(sink, socket.SHUT_WR)
                return

    def _pass(self, connection: Connection, line: Line, sink: socket.socket) -> str:
        what = self.harm(line)
        with self._lock:
            self.wire.lines.append(line)
            self.last = time.monotonic()
        if what:
            return what
        line.passed, line.passed_unix = time.monotonic(), time.time()
        try:
            sink.sendall(line.data + b"\n")
        except OSError:
            line.passed = 0.0
            return ""
        if line.up:
            connection.bytes_up += len(line.data) + 1
        else:
            connection.bytes_down += len(line.data) + 1
        return ""


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    return listener


def _cut(client: socket.socket, server: socket.socket) -> None:
    _shut(client)
    _shut(server, socket.SHUT_WR)


def _shut(end: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(how)
