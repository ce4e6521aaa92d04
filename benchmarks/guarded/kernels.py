"""The time of one hash in each kernel."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.older import speed
from benchmarks.reading import Reading, Turn
from stratum_miner.backends.cpu import kernels

SECONDS = 0.01


@contextmanager
def opened() -> Iterator[Turn]:
    available = kernels.available_kernels()
    first = available[0].name

    def turn() -> list[Reading]:
        readings = []
        for kernel in available:
            for rolling in (False, True):
                wall, processor = speed(kernel, SECONDS, rolling=rolling)
                name = kernel.name + (" rolling" if rolling else "")
                against = "" if name == first else first
                readings.append(Reading(name, "hash", 1 / wall, 1 / processor, against=against))
        return readings

    yield turn
