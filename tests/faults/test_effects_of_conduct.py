"""What a miner of bad conduct does on its connections, as a pool of ours sees it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

from stratum_miner.faults.conduct import CONDUCT, STORM_CONNECTIONS
from stratum_miner.faults.inner_listener import InnerListener
from stratum_miner.faults.misbehaving_miner import misbehave
from stratum_miner.faults.raw_miner import RawMinerPlan
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.stratum import envelope
from stratum_miner.testing.scripted_node import ScriptedNode

HOLD = 5.0


class Recorded(trio.abc.Stream):
    """A stream that remembers what went through it, and when."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.sent = b""
        self.received = 0
        self.last_moved = 0.0
        self.closed: float | None = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)
        self.last_moved = trio.current_time()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        self.received += len(data)
        self.last_moved = trio.current_time()
        return data

    async def aclose(self) -> None:
        self.closed = trio.current_time()
        await self._stream.aclose()

    @property
    def methods(self) -> list[str]:
        """The methods of the requests that were sent whole."""
        return [self._method(line) for line in self.sent.split(b"\n")[:-1]]

    @staticmethod
    def _method(line: bytes) -> str:
        message = envelope.decode(line)
        assert isinstance(message, envelope.Call)
        return message.method


async def committed(name: str) -> list[Recorded]:
    """The connections on which a miner misbehaves, in the order in which they were opened."""
    streams: list[Recorded] = []
    outside = InnerListener()

    async def dial() -> trio.abc.Stream:
        streams.append(Recorded(await outside.connect()))
        return streams[-1]

    config = PoolConfig(payout_script=b"\x51", difficulty=1e-9)
    with trio.fail_after(3600):
        async with open_pool(ScriptedNode(), config, listeners=[outside]):
            await misbehave(RawMinerPlan(dial=dial, worker_name="mallory", hold=HOLD), name)
    return streams


async def slow_reader() -> None:
    reader, bystander = await committed("slow-reader")
    assert len(reader.sent) > 100_000
    assert reader.received <= HOLD + 1, "a byte a second"
    assert bystander.methods == ["mining.subscribe"]


async def half_open() -> None:
    silent, bystander = await committed("half-open")
    assert silent.methods == ["mining.configure", "mining.subscribe", "mining.authorize"]
    assert silent.closed is not None
    assert silent.closed >= silent.last_moved + HOLD
    assert bystander.methods == ["mining.subscribe"]


async def reconnect_storm() -> None:
    *storm, bystander = await committed("reconnect-storm")
    assert [stream.methods for stream in storm] == [["mining.subscribe"]] * STORM_CONNECTIONS
    assert all(stream.closed is not None for stream in storm)
    assert bystander.methods == ["mining.subscribe"]


async def forged_resume() -> None:
    victim, unknown, stolen = await committed("forged-resume")
    [own], [forged], [other] = (_sessions(stream) for stream in (victim, unknown, stolen))
    assert own is None
    assert len(forged) == 16
    assert other not in (None, forged), "the session of the first connection"
    assert victim.closed is not None
    assert stolen.closed is not None
    assert victim.closed >= stolen.closed, "a session that is alive"


def _sessions(stream: Recorded) -> list[Any]:
    """The session that each mining.subscribe asks to resume; None if it asks for a new one."""
    calls = [envelope.decode(line) for line in stream.sent.split(b"\n")[:-1]]
    return [(call.params[1:] or [None])[0] for call in calls if isinstance(call, envelope.Call)]


EFFECTS: dict[str, Callable[[], Awaitable[None]]] = {
    "slow-reader": slow_reader,
    "half-open": half_open,
    "reconnect-storm": reconnect_storm,
    "forged-resume": forged_resume,
}


def test_the_effect_of_each_conduct_is_known() -> None:
    assert set(EFFECTS) == set(CONDUCT), "EFFECTS above: expected what a miner of each conduct does"


@pytest.mark.parametrize("name", EFFECTS)
async def test_it_does_what_it_says(name: str, autojump_clock: trio.testing.MockClock) -> None:
    await EFFECTS[name]()
