"""The contract holds for every backend of ours, and the check catches those that break it."""

import threading
from collections.abc import Callable
from typing import ClassVar

import pytest
import trio

from stratum_miner.app.process.line_limit import LineLimit
from stratum_miner.backends.base import Backend, ChangeCallback, WorkSource
from stratum_miner.backends.cpu.backend import CpuBackend
from stratum_miner.backends.cpu.kernels import available_kernels
from stratum_miner.backends.reference import ReferenceBackend
from stratum_miner.backends.simulated import SimulatedBackend
from stratum_miner.testing.backend_checks import check_backend
from stratum_miner.work.unit import NonceFound, WorkUnit


@pytest.mark.parametrize(("kernel", "threads"), [("scalar", 1), *((kernel.name, 3) for kernel in available_kernels())])
async def test_cpu(kernel: str, threads: int) -> None:
    await check_backend(lambda: CpuBackend(kernel=kernel, threads=threads))


async def test_cpu_with_a_duty_cycle() -> None:
    await check_backend(lambda: CpuBackend(threads=2, duty_cycle=50))


async def test_reference() -> None:
    await check_backend(ReferenceBackend)


async def test_simulated() -> None:
    await check_backend(lambda: SimulatedBackend(hash_rate=1e5, seed=1, devices=2))


async def test_the_timer_of_the_log_is_no_thread_of_the_backend() -> None:
    try:
        await check_backend(LogsAStorm)
    finally:
        left_out = [limit.take() for limit in LogsAStorm.limits]
        assert all(left_out)


class _Filter(ReferenceBackend):
    """The reference with something wrong between it and the channel."""

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        send, receive = trio.open_memory_channel[NonceFound](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(super().run, source, send)
            async for hit in receive:
                for changed in self.change(hit):
                    await found.send(changed)

    def change(self, hit: NonceFound) -> list[NonceFound]:
        raise NotImplementedError


class LosesHits(_Filter):
    seen = 0

    def change(self, hit: NonceFound) -> list[NonceFound]:
        self.seen += 1
        return [hit] if self.seen % 3 else []


class RepeatsHits(_Filter):
    def change(self, hit: NonceFound) -> list[NonceFound]:
        return [hit, hit]


class InventsHits(_Filter):
    def change(self, hit: NonceFound) -> list[NonceFound]:
        return [NonceFound(hit.unit, (hit.nonce + 1) & 0xFFFFFFFF, hit.version)]


class LeaksAThread(ReferenceBackend):
    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        threading.Thread(target=threading.Event().wait, daemon=True, name="leak").start()
        await super().run(source, found)


class LogsAStorm(ReferenceBackend):
    """A good backend that logs so much that the log leaves lines out, and starts the timer that reports this."""

    limits: ClassVar[list[LineLimit]] = []

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        self.limits.append(LineLimit(lambda: None))
        for _ in range(1000):
            self.limits[-1].allows("storm", "warning")
        await super().run(source, found)


class KeepsListening(ReferenceBackend):
    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        source.on_change(lambda void: None)
        await super().run(source, found)


class NeverWakes(ReferenceBackend):
    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        unregister = source.on_change(lambda void: None)
        try:
            while (unit := source.next_unit()) is not None:
                for nonce in range(unit.first_nonce, unit.first_nonce + unit.nonce_count):
                    await found.send(NonceFound(unit, nonce & 0xFFFFFFFF, unit.version))
            await trio.sleep_forever()
        finally:
            unregister()


class AsksOnlyAfterChanges(ReferenceBackend):
    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        is_dry = False

        class Source:
            def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
                nonlocal is_dry
                unit = None if is_dry else source.next_unit(rollable, at_once)
                is_dry = unit is None
                return unit

            def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
                def note(void: bool) -> None:
                    nonlocal is_dry
                    is_dry = False
                    callback(void)

                return source.on_change(note)

        await super().run(Source(), found)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (LosesHits, "rule 4"),
        (RepeatsHits, "rule [45]"),
        (InventsHits, "rule 5"),
        (LeaksAThread, "rule 1: no threads run after"),
        (KeepsListening, "rule 1: the change callback"),
        (NeverWakes, "rule"),
        (AsksOnlyAfterChanges, "rule 2: asks again"),
    ],
)
async def test_each_defect_is_caught(broken: Callable[[], Backend], rule: str) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(AssertionError, match=rule), allow_unwrapped=True, flatten_subgroups=True):
        await check_backend(broken, patience=0.5)
