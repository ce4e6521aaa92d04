"""The simulated backend on a mock clock: its rate, equal shares for equal seeds, and no invented shares."""

import itertools
import threading
from collections.abc import Iterable

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.backends import simulated
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.backends.cpu import choice, kernel_speed, kernels
from stratum_miner.backends.simulated import SimulatedBackend
from stratum_miner.bitcoin.target import expected_hashes
from stratum_miner.testing.work_source import ScriptedWorkSource
from stratum_miner.work.example import unit_of
from stratum_miner.work.unit import NonceFound, WorkUnit

TARGET = (1 << 256) >> 12
"""One hash in 4096."""


class Source(ScriptedWorkSource):
    """Tells when the first unit is asked for: a mock clock runs on while a thread chooses the kernel."""

    def __init__(self, units: Iterable[WorkUnit] = ()) -> None:
        super().__init__(units)
        self.begun = trio.Event()

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        self.begun.set()
        return super().next_unit(rollable, at_once)


async def simulate(backend: SimulatedBackend, seconds: float) -> list[tuple[float, NonceFound]]:
    source = Source([unit_of(number, target=TARGET, nonce_count=1 << 32) for number in range(8)])
    send, receive = trio.open_memory_channel[NonceFound](1000)
    found: list[tuple[float, NonceFound]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(backend.run, source, send)
        await source.begun.wait()
        nursery.cancel_scope.deadline = trio.current_time() + seconds
        async for hit in receive:
            found += [(trio.current_time(), hit)]
    return found


def gaps(found: list[tuple[float, NonceFound]]) -> list[float]:
    return [later[0] - earlier[0] for earlier, later in itertools.pairwise(found)]


async def test_shares_come_as_the_rate_would_find_them(autojump_clock: MockClock) -> None:
    rate, seconds = 40_960.0, 200.0
    backend = SimulatedBackend(hash_rate=rate, seed=5)
    found = await simulate(backend, seconds)
    expected = rate * seconds / float(expected_hashes(TARGET))
    assert abs(len(found) - expected) < 5 * expected**0.5
    assert backend.statistics().hashes == pytest.approx(rate * seconds, rel=0.01)
    waits = gaps(found)
    mean = sum(waits) / len(waits)
    spread = (sum((wait - mean) ** 2 for wait in waits) / len(waits)) ** 0.5
    assert 0.8 < spread / mean < 1.25, "waiting times are exponential"


async def test_the_same_seed_finds_the_same_shares(autojump_clock: MockClock) -> None:
    def points(found: list[tuple[float, NonceFound]]) -> list[tuple[str, int]]:
        return [(hit.device, hit.nonce) for _, hit in found]

    first = await simulate(SimulatedBackend(hash_rate=1e5, seed=1), 2)
    again = await simulate(SimulatedBackend(hash_rate=1e5, seed=1), 2)
    other = await simulate(SimulatedBackend(hash_rate=1e5, seed=2), 2)
    assert len(first) > 10
    assert points(first) == points(again)
    assert gaps(first) == pytest.approx(gaps(again))
    assert gaps(first)[:10] != pytest.approx(gaps(other)[:10])


async def test_the_kernel_is_chosen_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen_in: list[int] = []

    def choose() -> choice.Choice:
        chosen_in.append(threading.get_ident())
        return choice.choose()

    monkeypatch.setattr(simulated, "choose", choose)
    send, _receive = trio.open_memory_channel[NonceFound](1)
    source = Source()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(SimulatedBackend(hash_rate=1e5).run, source, send)
        await source.begun.wait()
        nursery.cancel_scope.cancel()
    assert chosen_in
    assert threading.get_ident() not in chosen_in


async def test_devices_share_the_rate(autojump_clock: MockClock) -> None:
    found = await simulate(SimulatedBackend(hash_rate=1e5, devices=4), 10)
    assert {hit.device for _, hit in found} == {"sim0", "sim1", "sim2", "sim3"}


class SlowKernel:
    """Searches ``nonces`` a second on the mock clock, and hits every 4096th."""

    def __init__(self, clock: MockClock, nonces: float) -> None:
        self._clock, self._nonces = clock, nonces

    def load(self, *_: object, **__: object) -> None:
        pass

    def run(self, position: int, count: int) -> kernels.SearchResult:
        done = min(count, 4096 - position % 4096)
        self._clock.jump(done / self._nonces)
        hits = (kernels.Hit(position, 0),) if (position + done) % 4096 == 0 else ()
        return kernels.SearchResult(hits, done, 0)


async def test_at_a_rate_that_this_machine_cannot_reach_no_more_is_counted_than_is_searched(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and goes on: that the machine cannot may be true of this moment only."""
    known = kernel_speed.MeasuredKernel(kernels.available_kernels()[0], 1e5, 1e5, True)
    monkeypatch.setattr(simulated, "choose", lambda: choice.Choice(known, known, "", (known,)))
    monkeypatch.setattr(kernels, "Search", lambda *_, **__: SlowKernel(autojump_clock, 1e5))
    backend = SimulatedBackend(hash_rate=4e5, seed=3)
    with capture_logs() as logs:
        found = await simulate(backend, 100)
    assert 2000 < len(found) <= 100 * 1e5 / 4096 + 1
    assert backend.statistics().hashes == pytest.approx(100 * 1e5, rel=0.1)
    [event] = [event for event in logs if event["log_level"] == "warning"]
    assert "0.4 MH/s is more than half of what one thread of this computer reaches, 0.1 MH/s" in event["reason"]


@pytest.mark.parametrize(
    "options",
    [{"hash_rate": 0.0}, {"hash_rate": float("inf")}, {"hash_rate": 1.1e9}, {"devices": 0}, {"devices": 1000}],
)
def test_impossible_settings(options: dict[str, float]) -> None:
    with pytest.raises(BackendOptionError):
        SimulatedBackend(**options)  # type: ignore[arg-type]  # parametrised
