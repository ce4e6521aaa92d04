"""What a node answers over JSON-RPC: ``pool.nodes.bitcoind``, call by call.

An input is one answer a line; a line that begins with ``!`` comes with HTTP status 500, as Core tells of errors. Every
call takes the next line, and the last one is repeated. A call returns, or raises a NodeError in one line.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import trio
import trio.testing

from stratum_miner.network.fetch import HttpResponse
from stratum_miner.pool.nodes import bitcoind
from stratum_miner.pool.nodes.base import NodeError
from tests.fuzz.judge import check_shown

ROUNDS = 60
BLOCK = bytes(range(80)) + b"\x00"


class Answering:
    """Stands in for the fetcher."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    async def fetch(self, *arguments: Any, **options: Any) -> HttpResponse:
        await trio.lowlevel.checkpoint()
        line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
        return HttpResponse(500, line[1:]) if line.startswith(b"!") else HttpResponse(200, line)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def run(data: bytes) -> None:
    trio.run(_ask, data.split(b"\n"), clock=trio.testing.MockClock(autojump_threshold=0))


async def _ask(lines: list[bytes]) -> None:
    credentials = bitcoind.Credentials("user", "secret")
    with patch.object(bitcoind, "Fetcher", lambda: Answering(lines)):
        node = bitcoind.BitcoindNode("http://127.0.0.1:1", credentials=credentials)
        if not await _told(node.__aenter__):
            return
    calls: list[Callable[[], Awaitable[Any]]] = [
        node.check_ready,
        node.tip,
        node.get_template,
        node.chain_state,
        lambda: node.submit_block(BLOCK),
        lambda: node.block_hash(7),
    ]
    for call in calls:
        with trio.move_on_after(30):
            await _told(call)
    await node.aclose()


async def _told(call: Callable[[], Awaitable[Any]]) -> bool:
    """Whether it was answered."""
    try:
        found = await call()
    except NodeError as error:
        check_shown(str(error), 5500)
        return False
    check_shown(getattr(found, "explanation", ""), 600)
    return True
