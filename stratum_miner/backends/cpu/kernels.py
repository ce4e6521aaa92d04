"""The C kernels, typed. The only module that touches the native one; everything untyped ends here.

A search releases the GIL for its whole length, so it is the caller who bounds it, by the number of nonces.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import structlog

from stratum_miner.backends.base import BackendOptionError, SelfTestError
from stratum_miner.backends.cpu._native import ffi, lib

log = structlog.get_logger(__name__)

CHOICE_SECONDS = 0.03
"""How long all kernels together are measured before mining: enough to tell a factor of 1.1 on a quiet machine."""
FIRST_SLICE = 1 << 12
"""Nonces of the first measurement; doubled until it takes long enough."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel this machine can run."""

    name: str
    lanes: int
    """Nonces it tries at a time."""
    index: int
    """Its place in the native table."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a kernel did on one thread; ``hash_rate`` in H/s, 0 after a failed self-test."""

    kernel: Kernel
    hash_rate: float
    self_test: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The kernel to use, and why, in words worth logging."""

    kernel: Kernel
    hash_rate: float
    reason: str
    measured: tuple[Measured, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits in the order of the search, and how many nonces were tried: the search resumes after those."""

    nonces: list[int]
    done: int
    started_ns: int
    """time.monotonic_ns() when the C code was entered."""


class StopWord:
    """A number in memory that running searches look at: whoever changes it ends them within microseconds.

    It only counts up, so a search that is about to start cannot miss a change: it is told which value to expect.
    """

    def __init__(self) -> None:
        self.pointer = ffi.new("uint32_t *", 0)

    @property
    def value(self) -> int:
        """The current value."""
        return int(self.pointer[0])

    def bump(self) -> int:
        """Change it; returns the new value. From one thread only."""
        self.pointer[0] = (self.pointer[0] + 1) & 0xFFFFFFFF
        return self.value


class Search:
    """A kernel with buffers of its own; one per thread. ``capacity`` hits fit into one run."""

    def __init__(self, kernel: Kernel, stop_word: StopWord | None = None, capacity: int = 256) -> None:
        self.kernel = kernel
        self.stop_word = stop_word or StopWord()
        self.capacity = capacity
        self._work = ffi.new("sha256d_work *")
        self._hits = ffi.new("sha256d_hit[]", capacity)
        self._progress = ffi.new("sha256d_progress *")

    def run(
        self, header: bytes, target: int, first_nonce: int, count: int, *, expected: int = 0, at_most: int | None = None
    ) -> SearchResult:
        """Try ``count`` nonces from ``first_nonce`` on, wrapping at 2^32, until ``at_most`` hits are found.

        ``header`` is the serialized header, 80 bytes, its nonce ignored; ``target`` is inclusive. Ends early when
        ``stop_word`` differs from ``expected``.
        """
        work, progress = self._work, self._progress
        ffi.memmove(work.header, header, 80)
        ffi.memmove(work.target, target.to_bytes(32, "little"), 32)
        capacity = self.capacity if at_most is None else min(at_most, self.capacity)
        lib.sha256d_search(
            self.kernel.index,
            work,
            first_nonce & 0xFFFFFFFF,
            count,
            self.stop_word.pointer,
            expected,
            self._hits,
            capacity,
            progress,
        )
        nonces = [self._hits[index].nonce for index in range(progress.hits)]
        return SearchResult(nonces, progress.done, progress.started_ns)


def available_kernels() -> tuple[Kernel, ...]:
    """The kernels that this CPU can run, the plainest first."""
    return tuple(
        Kernel(ffi.string(lib.sha256d_kernel_name(index)).decode(), lib.sha256d_kernel_lanes(index), index)
        for index in range(lib.sha256d_kernel_count())
        if lib.sha256d_kernel_usable(index)
    )


def kernel_named(name: str) -> Kernel:
    """A kernel by name. BackendOptionError when this machine has none of that name."""
    table: Mapping[str, Kernel] = {kernel.name: kernel for kernel in available_kernels()}
    if name in table:
        return table[name]
    close = get_close_matches(name, table, 1)
    hint = f": did you mean {close[0]!r}?" if close else ""
    raise BackendOptionError(f"kernel: expected one of {', '.join(table)} on this machine, got {name!r}{hint}")


def self_test(kernel: Kernel) -> bool:
    """Whether the kernel computes every known answer."""
    return bool(lib.sha256d_self_test(kernel.index))


def measure(kernel: Kernel, seconds: float) -> float:
    """Hashes per second on this thread, over about ``seconds``."""
    search, header = Search(kernel), bytes(80)
    count = FIRST_SLICE
    while True:
        started = time.perf_counter()
        search.run(header, 0, 0, count)
        elapsed = time.perf_counter() - started
        if elapsed >= seconds * 0.7 or count >= 1 << 40:
            return count / elapsed
        count = max(2 * count, int(count / max(elapsed, 1e-6) * seconds))


def choose(forced: str | None = None, seconds: float = CHOICE_SECONDS) -> Choice:
    """Pick the fastest kernel that passes its self-test, or the forced one.

    BackendOptionError for an unknown name; SelfTestError when the forced kernel, or every kernel, is broken.
    """
    kernels = available_kernels() if forced is None else (kernel_named(forced),)
    measured = tuple(_test_and_measure(kernel, seconds / len(kernels)) for kernel in kernels)
    sound = [item for item in measured if item.self_test]
    for item in measured:
        if not item.self_test:
            log.error("kernel_self_test_failed", kernel=item.kernel.name)
    if not sound:
        names = ", ".join(kernel.name for kernel in kernels)
        raise SelfTestError(f"kernel self-test: expected the known answers, got others from {names}: do not mine here")
    best = max(sound, key=lambda item: item.hash_rate)
    return Choice(best.kernel, best.hash_rate, _reason(best, sound, forced), measured)


def _test_and_measure(kernel: Kernel, seconds: float) -> Measured:
    passed = self_test(kernel)
    return Measured(kernel, measure(kernel, seconds) if passed else 0.0, passed)


def _reason(best: Measured, sound: list[Measured], forced: str | None) -> str:
    rate = f"{best.hash_rate / 1e6:.1f} MH/s a thread"
    if forced is not None:
        return f"{best.kernel.name} as asked for: {rate}"
    others = [
        f"{item.kernel.name} {item.hash_rate / 1e6:.1f}"
        for item in sorted(sound, key=lambda item: -item.hash_rate)
        if item is not best
    ]
    return f"{best.kernel.name} is fastest: {rate}; {', '.join(others) or 'no other works here'}"
