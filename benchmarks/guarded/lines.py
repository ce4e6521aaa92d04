"""The processor time that a line chosen by an attacker takes, compared with an ordinary line of that length.

Each kind of line is received, split, parsed and checked as in real use: by ``ClientConnection``, which receives lines
of a pool (0.9 MB per line), or by ``ServerConnection``, which receives lines of a miner (60 kB per line). Both lengths
are a little below the longest line that the side accepts. Replies are read and discarded.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.reading import Reading, Turn
from stratum_miner.stratum import envelope
from stratum_miner.stratum.client_connection import MAX_LINE, ClientConnection
from stratum_miner.stratum.errors import RemoteProtocolError
from stratum_miner.stratum.events import RequestReceived
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.stratum.server_connection import MAX_LINE_AUTHORIZED, ServerConnection

CLIENT_LINE, SERVER_LINE = MAX_LINE - 150_000, MAX_LINE_AUTHORIZED - 4_000


def _many(item: bytes, size: int) -> bytes:
    """Repeat the item, separated by commas, up to ``size`` bytes. A longer item loses its first bytes."""
    return b",".join([item] * (size // (len(item) + 1))) or item[-size:]


def _keys(size: int) -> bytes:
    return b",".join(b'"%07d":1' % number for number in range(size // 12))


def _call(params: bytes, method: bytes = b"m", identifier: bytes = b"7") -> bytes:
    return b'{"id":%b,"method":"%b","params":%b}' % (identifier, method, params)


def _string(item: bytes, size: int) -> bytes:
    return b'"%b"' % (item * (size // len(item)))


KINDS: dict[str, Callable[[int], bytes]] = {
    "ordinary": lambda size: _call(b"[%b]" % _string(b"x", size)),
    "arrays, empty": lambda size: _call(b"[%b]" % _many(b"[]", size)),
    "arrays, 30 deep": lambda size: _call(b"[%b]" % _many(b"[" * 30 + b"]" * 30, size)),
    "arrays, nested without limit": lambda size: _call(b"[" * (size // 2) + b"]" * (size // 2)),
    "arrays never closed": lambda size: _call(b"[" * size),
    "arrays, then invalid JSON": lambda size: _call(b"[%b,x]" % _many(b"[]", size)),
    "arrays under an unknown key": lambda size: b'{"id":7,"method":"m","x":[%b]}' % _many(b"[]", size),
    "arrays under params, repeated": lambda size: b'{"id":7,"method":"m",%b}' % _many(b'"params":[]', size),
    "objects, empty": lambda size: _call(b"[%b]" % _many(b"{}", size)),
    "objects, 30 deep": lambda size: _call(b"[%b]" % _many(b'{"":' * 30 + b"1" + b"}" * 30, size)),
    "objects of one key": lambda size: _call(b"[%b]" % _many(b'{"a":1}', size)),
    "keys, all different": lambda size: _call(b"[{%b}]" % _keys(size)),
    "keys, all different, at the top level": lambda size: b'{"id":7,"method":"m",%b}' % _keys(size),
    "keys, all equal": lambda size: _call(b"[{%b}]" % _many(b'"a":1', size)),
    "strings, empty": lambda size: _call(b"[%b]" % _many(b'""', size)),
    "strings of one bracket": lambda size: _call(b"[%b]" % _many(b'"["', size)),
    "string of brackets": lambda size: _call(b"[%b]" % _string(b"[", size)),
    "string of escaped quotes": lambda size: _call(b"[%b,%b]" % (_string(b'\\"', size), _many(b"[]", 999))),
    "string of escaped backslashes": lambda size: _call(b"[%b,%b]" % (_string(b"\\\\", size), _many(b"[]", 999))),
    "string of escaped letters": lambda size: _call(b"[%b]" % _string(b"\\u00e9", size)),
    "string of escaped surrogate pairs": lambda size: _call(b"[%b]" % _string(b"\\ud83d\\ude00", size)),
    "string of control characters": lambda size: _call(b"[%b]" % _string(b"\\u001b", size)),
    "string of invalid UTF-8": lambda size: _call(b"[%b]" % _string(b"\xff", size)),
    "string with invalid UTF-8 at its end": lambda size: _call(b'["%b\xff"]' % (b"x" * size)),
    "string never closed": lambda size: b'{"id":7,"method":"m","params":["' + b"x" * size,
    "integers of one digit": lambda size: _call(b"[%b]" % _many(b"1", size)),
    "integers of 30 digits": lambda size: _call(b"[%b]" % _many(b"9" * 30, size)),
    "integers of 4000 digits": lambda size: _call(b"[%b]" % _many(b"9" * 4000, size)),
    "integer as long as the line": lambda size: _call(b"[%b]" % (b"9" * size)),
    "fractions of 4000 digits": lambda size: _call(b"[%b]" % _many(b"1." + b"7" * 4000, size)),
    "fractions next to a tie": lambda size: _call(b"[%b]" % _many(b"9007199254740993" + b"0" * 760 + b"1e-5", size)),
    "exponents": lambda size: _call(b"[%b]" % _many(b"1e-300", size)),
    "literals": lambda size: _call(b"[%b]" % _many(b"null", size)),
    "spaces": lambda size: _call(b" " * size + b"[]"),
    "line of spaces": lambda size: b" " * size,
    "id: string": lambda size: _call(b"[]", b"mining.ping", _string(b"x", size)),
    "id: integer of 4000 digits": lambda size: _call(b"[%b]" % _string(b"x", size), b"mining.ping", b"9" * 4000),
    "id: integers": lambda size: _call(b"[]", b"mining.ping", b"[%b]" % _many(b"9" * 4000, size)),
    "id: strings": lambda size: _call(b"[]", b"mining.ping", b"[%b]" % _many(b'""', size)),
    "id: object": lambda size: _call(b"[]", b"mining.ping", b"{%b}" % _keys(size)),
    "id: escaped letters": lambda size: _call(b"[]", b"mining.ping", _string(b"\\u001b", size)),
    "method: string": lambda size: _call(b"[]", b"x" * size),
    "method: control characters": lambda size: _call(b"[]", b"\\u001b" * (size // 6)),
    "method: strings": lambda size: b'{"id":7,"method":[%b]}' % _many(b'""', size),
    "method: integers": lambda size: b'{"id":7,"method":[%b]}' % _many(b"9" * 4000, size),
    "params: string": lambda size: _call(_string(b"\\u001b", size), b"mining.notify"),
    "params: object": lambda size: _call(b"{%b}" % _keys(size), b"mining.submit"),
    "params: integers": lambda size: _call(b'{"a":[%b]}' % _many(b"9" * 4000, size), b"mining.submit"),
    "result: string": lambda size: b'{"id":7,"result":%b}' % _string(b"\\u001b", size),
    "result: integers": lambda size: b'{"id":7,"result":[%b]}' % _many(b"9" * 4000, size),
    "error: string": lambda size: b'{"id":7,"result":null,"error":%b}' % _string(b"job ", size),
    "error: digits": lambda size: b'{"id":7,"result":null,"error":%b}' % _string(b"1:", size),
    "error: spaces": lambda size: b'{"id":7,"result":null,"error":%b}' % _string(b" ", size),
    "error: array": lambda size: b'{"id":7,"result":null,"error":[20,%b]}' % _string(b"stale-", size),
    "error: object": lambda size: b'{"id":7,"result":null,"error":{%b}}' % _keys(size),
    "notify: coinbase": lambda size: _notify(coinbase=b"0" * (size & ~1)),
    "notify: coinbase with an invalid last digit": lambda size: _notify(coinbase=b"0" * size + b"x"),
    "notify: branch": lambda size: _notify(branch=_many(b'"%b"' % (b"11" * 32), size)),
    "notify: job id": lambda size: _notify(job_id=b"\\u001b" * (size // 6)),
    "notify: job id of 4000 digits": lambda size: _notify(job_id=b"9" * 4000, coinbase=b"0" * (size & ~1)),
    "submit: worker": lambda size: _call(
        b'[%b,"j","00","00000000","00000000"]' % _string(b"x", size), b"mining.submit"
    ),
    "submit: extranonce2": lambda size: _call(
        b'["w","j",%b,"00000000","00000000"]' % _string(b"00", size), b"mining.submit"
    ),
    "submit: integers": lambda size: _call(b"[%b]" % _many(b"9" * 4000, size), b"mining.submit"),
    "configure: extensions": lambda size: _call(b"[[%b]]" % _many(b'"a"', size), b"mining.configure"),
    "configure: keys": lambda size: _call(b'[["version-rolling"],{%b}]' % _keys(size), b"mining.configure"),
    "message": lambda size: _call(b"[%b]" % _string(b"\\u001b", min(size, 60_000)), b"client.show_message"),
    "authorize": lambda size: _call(b"[%b]" % _string(b"authoriz", size), b"mining.authorize"),
    "TLS": lambda size: b"\x16\x03" + b"x" * size,
}


def _notify(coinbase: bytes = b"00", branch: bytes = b"", job_id: bytes = b"j") -> bytes:
    fields = (job_id, b"00" * 32, coinbase, b"00", branch)
    return _call(b'["%b","%b","%b","%b",[%b],"20000000","1d00ffff","5f5e1000",true]' % fields, b"mining.notify")


class ClientSide:
    """The miner's side of a subscribed connection, which receives lines of a pool."""

    def __init__(self) -> None:
        self.connection = self._connected()

    @staticmethod
    def _connected() -> ClientConnection:
        connection = ClientConnection("benchmark")
        request_id = connection.subscribe()
        connection.receive_data(envelope.encode_reply(request_id, SubscribeResult(b"1234", 4).to_result()))
        while connection.next_event() is not None:
            pass
        connection.data_to_send()
        return connection

    def receive(self, line: bytes) -> None:
        """Receive a line and handle its events. An invalid line replaces the connection by a new one."""
        try:
            self.connection.receive_data(line)
            while self.connection.next_event() is not None:
                pass
            self.connection.data_to_send()
        except RemoteProtocolError:
            self.connection = self._connected()


class ServerSide:
    """The pool's side of a connection with an authorized miner, which receives lines of that miner."""

    def __init__(self) -> None:
        self.connection = self._connected()

    @staticmethod
    def _connected() -> ServerConnection:
        connection = ServerConnection()
        for method, params in (("mining.subscribe", []), ("mining.authorize", ["w", "x"])):
            connection.receive_data(envelope.encode_request(1, method, params))
            event = connection.next_event()
            assert isinstance(event, RequestReceived)
            if method == "mining.subscribe":
                connection.accept_subscribe(1, SubscribeResult(b"1234", 4))
            else:
                connection.accept_authorize(1, "w")
        connection.data_to_send()
        return connection

    def receive(self, line: bytes) -> None:
        """Receive a line and answer its request. An invalid line replaces the connection by a new one."""
        try:
            self.connection.receive_data(line)
            while (event := self.connection.next_event()) is not None:
                if isinstance(event, RequestReceived):
                    self.connection.reply(event.id, True)
            self.connection.data_to_send()
        except RemoteProtocolError:
            self.connection = self._connected()


def cost(receive: Callable[[bytes], None], line: bytes, seconds: float) -> float:
    """Return the milliseconds of processor time per megabyte of such lines: the lowest of three measurements.

    The measurements take about ``seconds`` of processor time together.
    """
    return min(_one_try(receive, line, seconds) for _ in range(3))


def _one_try(receive: Callable[[bytes], None], line: bytes, seconds: float) -> float:
    received, start = 0, time.process_time()
    while (passed := time.process_time() - start) < seconds / 3 or not received:
        receive(line)
        received += len(line)
    return passed * 1e9 / received


SIDES: dict[str, tuple[type[ClientSide | ServerSide], int]] = {
    "client": (ClientSide, CLIENT_LINE),
    "server": (ServerSide, SERVER_LINE),
}


@contextmanager
def opened() -> Iterator[Turn]:
    lines = {(side, kind): build(size) + b"\n" for side, (_, size) in SIDES.items() for kind, build in KINDS.items()}
    receivers = {side: make() for side, (make, _) in SIDES.items()}

    def one(side: str, kind: str) -> Reading:
        line, receive = lines[side, kind], receivers[side].receive
        # short lines are received several times, so that one reading takes some milliseconds
        count = max(1, 200_000 // len(line))
        begun, used = time.perf_counter(), time.process_time()
        for _ in range(count):
            receive(line)
        size = count * len(line) / 1e6
        wall, spent = (time.perf_counter() - begun) / size, (time.process_time() - used) / size
        is_ordinary = kind == "ordinary"
        return Reading(
            f"{side}: {kind}", "MB", wall, spent, guards=("processor",) if is_ordinary else (),
            against="" if is_ordinary else f"{side}: ordinary",
        )  # fmt: skip

    def turn() -> list[Reading]:
        found = [one(side, kind) for side, kind in lines]
        for side in SIDES:
            mean = sum(each.processor_s or 0 for each in found if each.figure.startswith(side)) / len(KINDS)
            found.append(Reading(f"{side}: mean of all kinds", "MB", None, mean))
        return found

    yield turn
