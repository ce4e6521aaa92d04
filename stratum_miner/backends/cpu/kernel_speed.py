"""Measures how fast the kernels are on the calling thread.

The rates are hashes per second of that thread's processor time. Time in which the processor ran other programs does not
count.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from stratum_miner.backends.cpu import kernels
from stratum_miner.backends.cpu.kernels import Kernel
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK

ROUNDS = 5
"""Number of rounds of ``survey``. In each round, every kernel is measured once without and once with version rolling.
The highest rate of a kernel counts, because disturbances can only lower a rate."""
FIRST_SLICE = 1 << 12
"""Number of points (combinations of nonce and version) in the first search of a measurement. The speed of this search
decides how many points the next searches have."""
PATIENCE = 4
"""Limit of the wall-clock time of a measurement, as a multiple of the processor time that it is meant to take. On a
busy computer, the measurement ends at this limit, even if it has not had all its processor time."""
FASTEST = 1e9
"""A rate in H/s that no thread of any processor reaches: ten times the highest rate of a thread in
docs/measured/benchmarks.md."""


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of one thread, in H/s."""

    hash_rate: float
    """Hashes per second of the thread's processor time. The thread would reach this rate if the processor ran nothing
    else."""
    wall_hash_rate: float
    """Hashes per second of wall-clock time. This rate is lower than ``hash_rate`` if other programs used the processor
    meanwhile."""


@dataclass(frozen=True, slots=True)
class MeasuredKernel:
    """The hash rates of a kernel on one thread, in hashes per second of processor time that the thread used. Both rates
    are 0 after a failed self-test."""

    kernel: Kernel
    hash_rate: float
    """The rate without version rolling: each SIMD lane tries another nonce."""
    rolling_hash_rate: float
    """The rate with version rolling: each SIMD lane tries another version. The pool must grant enough version bits."""
    self_test: bool
    measured_on: date = field(default_factory=date.today)
    """The day on which ``hash_rate`` was measured."""
    rolling_measured_on: date = field(default_factory=date.today)
    """The day on which ``rolling_hash_rate`` was measured."""


def time_of(kernel: Kernel, seconds: float, *, rolling: bool = False) -> Speed:
    """Search on this thread for about ``seconds`` of processor time, and return the speed."""
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
    """Search on this thread for about ``seconds`` of processor time, and return the hashes per second of processor
    time."""
    return time_of(kernel, seconds, rolling=rolling).hash_rate


def survey(available: Sequence[Kernel], seconds: float) -> tuple[MeasuredKernel, ...]:
    """Self-test all kernels, then measure them one after the other, for about ``seconds`` of processor time in total.
    Kernels that fail the self-test are not measured."""
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
