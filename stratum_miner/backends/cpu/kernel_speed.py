"""How fast the kernels are, measured on the thread that asks.

All figures are hashes per second of that thread's processor time, so other programs on the machine do not lower them.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from stratum_miner.backends.cpu import kernels
from stratum_miner.backends.cpu.kernels import Kernel
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK

ROUNDS = 5
"""Measurements of each, taken in turn, of which the best counts: what disturbs one only ever makes it slower."""
FIRST_SLICE = 1 << 12
"""Points of the first run of a measurement; the next runs are as long as that one lets expect."""
PATIENCE = 4
"""A measurement ends after this many times its length on the clock, however little the processor did for it."""
FASTEST = 1e9
"""H/s that no thread of any processor reaches: ten times the fastest that we measured (docs/benchmarks.md)."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one thread did, in H/s."""

    hash_rate: float
    """The rate per second of its processor time: what it would do if the processor were its own."""
    wall_hash_rate: float
    """The rate per second of the clock; lower when other programs had the processor meanwhile."""


@dataclass(frozen=True, slots=True)
class MeasuredKernel:
    """What a kernel did on one thread, in H/s of its processor time; 0 after a failed self-test."""

    kernel: Kernel
    hash_rate: float
    """The rate with nonces in the lanes."""
    rolling_hash_rate: float
    """The rate with versions in the lanes, for a pool that grants enough bits of them."""
    self_test: bool
    measured_on: date = field(default_factory=date.today)
    """The day of ``hash_rate``."""
    rolling_measured_on: date = field(default_factory=date.today)
    """The day of ``rolling_hash_rate``."""


def time_of(kernel: Kernel, seconds: float, *, rolling: bool = False) -> Speed:
    """Search on this thread for about ``seconds`` of processor time."""
    search = kernels.Search(kernel)
    points = search.load(bytes(80), 0, version_mask=GENERAL_PURPOSE_MASK if rolling else 0)
    count, done, started, worked = FIRST_SLICE, 0, time.perf_counter(), time.thread_time()
    while True:
        done += search.run(done % points, min(count, points - done % points)).done
        processor, wall = time.thread_time() - worked, time.perf_counter() - started
        if processor >= seconds * 0.7 or wall >= seconds * PATIENCE:
            return Speed(done / (processor or wall), done / wall)
        left = min((seconds - processor) / (processor or wall), (seconds * PATIENCE - wall) / wall, 1.0 / wall)
        count = max(FIRST_SLICE, int(done * left))


def measure(kernel: Kernel, seconds: float, *, rolling: bool = False) -> float:
    """Hashes per second of processor time on this thread, over about ``seconds`` of it."""
    return time_of(kernel, seconds, rolling=rolling).hash_rate


def survey(available: Sequence[Kernel], seconds: float) -> tuple[MeasuredKernel, ...]:
    """Self-test all kernels and measure them in turn, ``seconds`` all together; broken ones are not measured."""
    sound = {kernel for kernel in available if kernels.self_test(kernel)}
    ways = [(kernel, rolling) for kernel in available if kernel in sound for rolling in (False, True)]
    best = dict.fromkeys(((kernel, rolling) for kernel in available for rolling in (False, True)), 0.0)
    for _ in range(ROUNDS):
        for kernel, rolling in ways:
            rate = measure(kernel, seconds / len(ways) / ROUNDS, rolling=rolling)
            best[kernel, rolling] = max(best[kernel, rolling], rate)
    return tuple(
        MeasuredKernel(kernel, best[kernel, False], best[kernel, True], kernel in sound) for kernel in available
    )
