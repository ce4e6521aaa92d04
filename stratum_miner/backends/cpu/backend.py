"""The CPU backend: one search thread per core, each with a kernel and a unit of its own.

Theory of operation. A thread takes a unit and searches it in slices of some 30 ms, the GIL released. It asks for
units with as many version bits as its kernel rolls; where the pool grants fewer, it searches nonces. When work
changes, the trio thread changes the stop word; every slice in C ends within microseconds, and the thread takes its
next unit. A search is told which value of the stop word to expect, read before its unit was taken, so a change
cannot fall between the two. Hits go over a bounded queue to a trio task, which forwards them; on a void change, what
is still in the queue from before is dropped.

A search thread gives way to everything else, so it may stand still for long while it holds something: it shares no lock
with trio (``handoff``). For the same reason a thread of its own starts the search threads: each start waits until the
new thread had its first turn.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, Literal

import structlog
import trio

from stratum_miner.backends import options as option
from stratum_miner.backends.base import ASK_AGAIN_SECONDS, Backend, BackendOptionError, WorkSource
from stratum_miner.backends.cpu import kernels, processors
from stratum_miner.backends.cpu.choice import Choice, choose, correct
from stratum_miner.backends.cpu.handoff import Handoff
from stratum_miner.backends.statistics import BackendStatistics, DeviceStatistics
from stratum_miner.bitcoin.target import expected_hashes
from stratum_miner.work.unit import NonceFound, WorkUnit
from stratum_miner.work.versions import ALL_BITS

log = structlog.get_logger(__name__)

SLICE_SECONDS = 0.03
"""Length of one search in C: long enough that Python in between costs nothing, short enough to count often."""
TIMED_SECONDS = 0.5
"""Processor time of a stretch of searching whose rate counts as what a thread does."""
POINTS_PER_HIT = 10_000
"""A hit costs microseconds of its own, at a test's difficulty most of the time: beside so many points, one per cent."""
NICE = 19
PRIORITIES = ("low", "normal")


class CpuBackend(Backend):
    """Searches on CPU threads.

    ``threads``: one per usable processor when None. ``kernel``: the fastest measured when None. ``duty_cycle``: per
    cent of the time to search. ``priority``: "low" (nice 19, so that everything else goes first) or "normal".
    ``affinity``: processors to pin the threads to, in turn; "auto" picks them, fast cores before slow ones and each
    core before its second hardware thread; None leaves it to the system's scheduler.
    """

    name: ClassVar[str] = "cpu"

    def __init__(
        self,
        *,
        threads: int | None = None,
        kernel: str | None = None,
        duty_cycle: int = 100,
        priority: str = "low",
        affinity: Sequence[int] | Literal["auto"] | None = None,
        on_search: Callable[[int, int], None] | None = None,
    ) -> None:
        self._threads = processors.default_threads() if threads is None else threads
        if self._threads < 1:
            raise BackendOptionError(f"threads: expected 1 or more, got {threads}")
        check_threads(self._threads)
        if not 1 <= duty_cycle <= 100:
            raise BackendOptionError(f"duty_cycle: expected 1 to 100 per cent, got {duty_cycle}")
        if priority not in PRIORITIES:
            raise BackendOptionError(f"priority: expected {' or '.join(PRIORITIES)}, got {priority!r}")
        if affinity == "auto":
            affinity = processors.by_preference()
        missing = sorted(set(affinity or ()) - set(processors.usable()))
        if missing:
            raise BackendOptionError(
                f"affinity: expected processors out of {_listed(processors.usable())}, got {_listed(missing)}"
            )
        kernels.check_disabled()
        if kernel is not None:
            kernels.kernel_named(kernel)
        self._forced = kernel
        self._duty_cycle = duty_cycle
        self._low_priority = priority == "low"
        self._affinity = tuple(affinity or ())
        self._on_search = on_search
        """For benchmarks: called with the stop word's value and the nanosecond a slice began."""
        self._choice: Choice | None = None
        self._searchers = [_Searcher(f"cpu{index}") for index in range(self._threads)]

    @property
    def threads(self) -> int:
        """How many search threads it runs."""
        return self._threads

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "CpuBackend":
        """``threads``, ``kernel``, ``duty_cycle``, ``priority``, ``affinity`` ("0,2-3" or "auto")."""
        option.check_known(cls.name, options, ("threads", "kernel", "duty_cycle", "priority", "affinity"))
        return cls(
            threads=option.integer(options, "threads", 1, None),
            kernel=options.get("kernel"),
            duty_cycle=option.integer(options, "duty_cycle", 1, 100) or 100,
            priority=option.one_of(options, "priority", PRIORITIES) or "low",
            affinity="auto" if options.get("affinity") == "auto" else option.integers(options, "affinity"),
        )

    def statistics(self) -> BackendStatistics:
        """Totals per thread; a slice counts when it ends."""
        kernel = self._choice.names if self._choice else self._forced or ""
        detail = f"{kernel or 'not started'}, {self._threads} thread{'s' if self._threads > 1 else ''}"
        devices = tuple(DeviceStatistics(item.name, item.hashes, item.nonces_found) for item in self._searchers)
        return BackendStatistics(self.name, detail, devices, kernel)

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Search until cancelled.

        SelfTestError when no kernel can be trusted; BackendOptionError when this and the other CPU backends of this
        process have too many threads together.
        """
        with _counted(self._threads):
            await self._run(source, found)

    async def _run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        self._choice = await trio.to_thread.run_sync(choose, self._forced)
        log.info("kernel_chosen", reason=self._choice.reason, threads=self._threads)
        handoff = Handoff(source)
        starter = threading.Thread(target=self._start, args=(handoff,), name="cpu-start", daemon=True)
        starter.start()
        unregister = source.on_change(handoff.note_change)
        try:
            await handoff.forward(found)
        finally:
            unregister()
            handoff.close()
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(starter.join)
                await trio.to_thread.run_sync(self._correct, self._choice)
            handoff.close_sockets()

    def _correct(self, choice: Choice) -> None:
        """What is remembered of the kernels, by what the threads did."""
        plain, rolling = (max(item.fastest[rolls] for item in self._searchers) for rolls in (False, True))
        if plain or rolling:
            correct(choice, plain, rolling)

    def _start(self, handoff: Handoff) -> None:
        """Start the search threads, and wait until all have ended."""
        threads: list[threading.Thread] = []
        try:
            for index, item in enumerate(self._searchers):
                if handoff.closed:
                    break
                thread = threading.Thread(target=self._thread, args=(index, item, handoff), name=item.name, daemon=True)
                thread.start()
                threads.append(thread)
        except RuntimeError as error:  # the system allows no more threads
            handoff.fail(error)
        for thread in threads:
            thread.join()

    def _thread(self, index: int, searcher: "_Searcher", handoff: Handoff) -> None:
        assert self._choice is not None
        plain, rolling = self._choice.plain, self._choice.rolling
        try:
            self._pin_and_renice(index)
            modes = {
                True: _Mode(kernels.Search(rolling.kernel, handoff.stop_word), rolling.rolling_hash_rate),
                False: _Mode(kernels.Search(plain.kernel, handoff.stop_word), plain.hash_rate),
            }
            version_bits = rolling.kernel.version_bits
            while True:
                expected = handoff.stop_word.value
                if handoff.closed:  # looked at after the stop word, which changes after it: else an end could be missed
                    return
                unit = handoff.source.next_unit(ALL_BITS, version_bits)
                if unit is None:
                    handoff.wait_for_change(expected, ASK_AGAIN_SECONDS)
                else:
                    rolls = unit.version_mask.bit_count() >= version_bits
                    self._search(unit, expected, modes[rolls], searcher, handoff)
                    searcher.fastest[rolls] = modes[rolls].fastest
        except BaseException as error:
            handoff.fail(error)

    def _pin_and_renice(self, index: int) -> None:
        """Take the thread's place among the processors; not being allowed to is no reason not to mine."""
        try:
            if self._affinity and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, {self._affinity[index % len(self._affinity)]})
            if self._low_priority and hasattr(os, "setpriority"):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        except OSError as error:
            log.warning("thread_not_settled", thread=index, reason=error.strerror)

    def _search(self, unit: WorkUnit, expected: int, mode: "_Mode", searcher: "_Searcher", handoff: Handoff) -> None:
        position, stop_word = 0, handoff.stop_word
        points = mode.search.load(
            unit.header,
            unit.target,
            first_nonce=unit.first_nonce,
            nonce_count=unit.nonce_count,
            version_mask=unit.version_mask,
        )
        # a rare hit leaves at once; frequent ones leave in batches
        at_most = 1 if expected_hashes(unit.target) > mode.slice_points / 4 else None
        while position < points and stop_word.value == expected:
            started, worked = time.perf_counter(), time.thread_time()
            count = min(mode.slice_points, points - position)
            result = mode.search.run(position, count, expected=expected, at_most=at_most)
            elapsed = time.perf_counter() - started
            if result.done >= len(result.hits) * POINTS_PER_HIT:
                mode.time(result.done, time.thread_time() - worked)
            if self._on_search is not None and result.done:
                self._on_search(expected, result.started_ns)
            searcher.hashes += result.done
            searcher.nonces_found += len(result.hits)
            mode.adjust(result, elapsed)
            position += result.done
            for hit in result.hits:
                handoff.put(expected, NonceFound(unit, hit.nonce, hit.version, searcher.name))
            if self._duty_cycle < 100:
                handoff.wait_for_change(expected, elapsed * (100 - self._duty_cycle) / self._duty_cycle)


def check_threads(count: int) -> None:
    """BackendOptionError for more search threads than this process may have."""
    most = processors.most_threads()
    if count > most:
        raise BackendOptionError(
            f"threads: expected at most {most}, {processors.THREADS_PER_PROCESSOR} for each processor that this "
            f"process may use ({processors.default_threads()}), got {count}"
        )


_threads_in_use = 0
"""How many search threads all running CPU backends of this process have. Only the trio thread changes it."""


@contextmanager
def _counted(threads: int) -> Iterator[None]:
    """Use so many threads beside those that other backends use. BackendOptionError when that is too many."""
    global _threads_in_use  # noqa: PLW0603  processors are shared by the whole process
    check_threads(_threads_in_use + threads)
    _threads_in_use += threads
    try:
        yield
    finally:
        _threads_in_use -= threads


class _Searcher:
    """What one thread counts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hashes = 0
        self.nonces_found = 0
        self.fastest = {False: 0.0, True: 0.0}
        """H/s of processor time at its best, without and with version rolling; 0 until timed."""


class _Mode:
    """One thread's search with or without version rolling, and how much of it is a slice."""

    def __init__(self, search: kernels.Search, hash_rate: float) -> None:
        self.search = search
        self.slice_points = max(search.kernel.lanes, int(hash_rate * SLICE_SECONDS))
        self.fastest = 0.0
        """H/s of processor time in the best stretch so far."""
        self._timed_hashes, self._timed_seconds = 0, 0.0

    def time(self, hashes: int, seconds: float) -> None:
        """Count a slice towards the stretch that is timed."""
        self._timed_hashes += hashes
        self._timed_seconds += seconds
        if self._timed_seconds >= TIMED_SECONDS:
            self.fastest = max(self.fastest, self._timed_hashes / self._timed_seconds)
            self._timed_hashes, self._timed_seconds = 0, 0.0

    def adjust(self, result: kernels.SearchResult, elapsed: float) -> None:
        """A slow or fast machine moves the next slice towards its length."""
        if result.done >= self.slice_points:
            factor = min(2.0, max(0.5, SLICE_SECONDS / max(elapsed, 1e-6)))
            self.slice_points = max(1, int(self.slice_points * (0.75 + 0.25 * factor)))


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
