"""Requests to the HTTP API, whole: the bytes of a connection through server, guard, router and endpoints.

Whatever is sent, what comes back is HTTP, no answer is a defect of ours (5xx), and every refusal is one line of JSON.
The token of the committed inputs is the right one, so that they steer a miner, too. Time is played: none of it passes.
"""

import json

import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, memory_stream_pair

from stratum_miner.monitoring.http.application import application
from stratum_miner.monitoring.http.endpoints import Source
from stratum_miner.monitoring.http.guard import Access
from stratum_miner.monitoring.http.server import answer
from tests.fuzz.still_miner import still_miner

TOKEN = "a-token-that-nobody-guesses"
SECONDS = 45.0
"""Longer than any limit of a request, and the stream is listened to for so long."""
ROUNDS = 60


class Shown:
    """The monitor and the control of the input that runs; the application is made once."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.monitor, self.control = still_miner()

    def __getattr__(self, name: str) -> object:
        return getattr(self.monitor, name, None) or getattr(self.control, name)


SHOWN = Shown()
APPLICATION = application(
    Source(monitor=SHOWN, control=SHOWN, configuration=lambda: {"groups": []}),  # type: ignore[arg-type]  # stands in
    Access(TOKEN),
)


def run(data: bytes) -> None:
    SHOWN.renew()
    with capture_logs() as logged:
        said = trio.run(_asked, data, clock=MockClock(autojump_threshold=0))
    assert not [entry for entry in logged if entry["log_level"] in ("error", "critical")], logged
    _check(data, said)


async def _asked(data: bytes) -> bytes:
    ours, theirs = memory_stream_pair()
    said = bytearray()

    async def listen() -> None:
        async for piece in ours:
            said.extend(piece)

    with trio.move_on_after(SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, theirs, APPLICATION)
            nursery.start_soon(listen)
            await ours.send_all(data or b"\r\n")
            await ours.send_eof()
    return bytes(said)


def _check(asked: bytes, said: bytes) -> None:
    """The answers, one after the other; which methods were asked for decides over their bodies."""
    while said:
        head, _, rest = said.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        assert 100 <= status < 500 or status == 503, head  # /ready of a miner without a pool
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = fields.get(b"content-length")
        if status < 200:
            said = rest
        elif length is None:
            return  # a stream, or a page in pieces: it goes on to the end
        else:
            body = rest[: int(length)]
            if status >= 400 and body.startswith(b"{"):
                assert isinstance(json.loads(body)["error"], str)
            said = rest[len(body) :] if not rest.startswith(b"HTTP/1.1 ") else rest  # HEAD has no body
