"""Measures the hash rate of every device kind from the nonces of its emulator, and the processor time of its driver.

    python -m benchmarks.device_rates [--kinds erupter compac] [--nonces 4300] [--hash-rate 500000]

A 95 % confidence interval of ±3 % needs 4,300 nonces. The devices are measured one after the other. Driver and emulator
share this process, so the processor time includes both.
"""

import argparse
import logging
import sys
import time
from dataclasses import replace
from math import sqrt

import structlog
import trio

from benchmarks.record import Rows, add_save_option
from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device import DeviceState
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.emulators import KINDS, emulated
from stratum_miner.testing.work_source import ScriptedWorkSource
from stratum_miner.work.example import unit_of
from stratum_miner.work.unit import NonceFound, WorkUnit
from stratum_miner.work.versions import lowest_bits

NONCES_PER_SECOND = 200.0
IDLE_AFTER_NONCE = {"icarus": 10.0}
"""Nonces per second of the kinds whose device is idle after each nonce until new work has arrived."""


class EndlessWork(ScriptedWorkSource):
    """Returns a new work unit for each call, with as many version bits as the caller can roll."""

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        self.asked += 1
        unit = unit_of(self.asked, target=1, first_nonce=0, nonce_count=1 << 32)
        return replace(unit, version_mask=lowest_bits(GENERAL_PURPOSE_MASK & rollable, at_once))


async def measure(kind: str, nonces: int, hash_rate: float) -> tuple[str, ...]:
    """Measure one device kind and return its row of the table. ``hash_rate`` is in H/s."""
    difficulty = hash_rate / IDLE_AFTER_NONCE.get(kind, NONCES_PER_SECOND) / 2**32
    wanted = nonces if kind not in IDLE_AFTER_NONCE else nonces // 5
    source = EndlessWork()
    send, receive = trio.open_memory_channel[NonceFound](100)
    async with emulated(kind, hash_rate=hash_rate, nonce_difficulty=difficulty, seed=1) as emulator:
        spec = DeviceSpec.parse(f"{kind}:{emulator.path},nonce-difficulty={difficulty},hash-rate={hash_rate}")
        backend = AsicBackend([spec])
        async with trio.open_nursery() as nursery, receive:
            started, cpu = time.monotonic(), time.process_time()
            nursery.start_soon(backend.run, source, send)
            up = None
            while True:
                await trio.sleep(0.1)
                device = backend.device_records()[0].device
                if device is None:
                    continue
                if up is None and device.state is DeviceState.MINING:
                    up = time.monotonic() - started
                    cpu = time.process_time()
                if device.nonces >= wanted and up is not None:
                    break
            elapsed = time.monotonic() - started - up
            used = (time.process_time() - cpu) / elapsed
            nursery.cancel_scope.cancel()
    ratio, half = device.hashes / device.expected_hashes, 1.96 / sqrt(device.nonces)
    if device.last_error:
        print(f"{kind}: {device.last_error}", file=sys.stderr)
    return (
        kind, f"{device.nonces}", f"{ratio:.3f}", f"{ratio * (1 - half):.3f} to {ratio * (1 + half):.3f}",
        f"{device.restarts}", f"{up:.1f}", f"{device.work_sent / elapsed:.1f}", f"{100 * used:.0f}",
    )  # fmt: skip


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), help="device kinds to measure [default: all]")
    parser.add_argument("--nonces", type=int, default=4300, help="nonces to wait for [default: 4300]")
    parser.add_argument(
        "--hash-rate", type=float, default=500e3, help="hash rate of each emulator in H/s [default: 500000]"
    )
    add_save_option(parser)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    columns = ("kind", "nonces", "measured / emulated", "95 % interval", "restarts", "s to mining")
    rows = Rows("device_rates", "python -m benchmarks.device_rates", (*columns, "works/s", "% CPU, both"))
    for kind in options.kinds:
        rows.add(*await measure(kind, options.nonces, options.hash_rate))
    if options.save:
        rows.save()


if __name__ == "__main__":
    trio.run(main)
