"""The CPU backend: search threads, by default one for each processor.

A thread takes a unit of its own and searches it in slices of about 30 ms. Each slice is one call of a *kernel*, a C
function that releases the GIL. Most kernels try several versions at the same time. If the pool grants too few version
bits for that, they try several nonces at the same time instead.

When the work changes, the trio thread changes a number, the *stop word*. The kernels read it all the time: each slice
ends within microseconds after the change, and each thread takes its next unit. A thread reads the stop word before it
takes a unit, and passes the value that it read to the kernel. The kernel compares this value with the stop word. So
even if the work changes after the thread has read the stop word and before the kernel starts, the kernel notices it.

Hits (nonces that meet the target) go through a bounded queue to a trio task, which sends them to the miner. If a change
makes the earlier work worthless, the task drops the hits that were queued before the change.

A search thread has a low priority, so the system sometimes stops it for a long time, even while it holds a lock. It
therefore shares no lock with trio (``handoff``). For the same reason, a separate thread starts the search threads:
whoever starts a thread waits until the new thread has run for the first time, and the trio thread must not wait for
that.
"""

import os
import sys
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
"""Seconds for one slice of a unit, which one call of a kernel searches. This is so long that the Python code between
two slices costs almost nothing, and so short that hashes are counted often."""
TIMED_SECONDS = 0.5
"""Seconds of processor time for one measurement of the hash rate of a search thread."""
POINTS_PER_HIT = 10_000
"""A slice is used for measuring the hash rate only if it has at least this many points per hit. A slice is one call of
a kernel, a point is a combination of nonce and version, and a hit is a point whose hash meets the target. Reporting a
hit takes some microseconds. At the low difficulties of tests, reporting takes most of the time of a slice. With this
many points per hit, it takes only about 1 %."""
NICE = 19
PRIORITIES = ("low", "normal")


class CpuBackend(Backend):
    """Searches on CPU threads.

    ``threads`` is the number of threads; None means one for each usable processor. ``kernel`` is the name of a kernel;
    None means the fastest. ``duty_cycle`` is the percentage of the time to search, 1 to 100. ``priority`` is "low"
    (on Linux nice 19, so that all other programs run first; no effect elsewhere) or "normal". ``affinity`` lists
    processors: the first thread is pinned to the first one, and so on, and the list repeats if there are more threads.
    "auto" lists all usable processors: fast cores before slow ones, and one hardware thread of every core before the
    second ones. None leaves the threads to the system's scheduler. Raises BackendOptionError for a value that cannot be
    used, and for ``affinity`` on a system that cannot pin threads.
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
            raise BackendOptionError(f"duty_cycle: expected 1 to 100 %, got {duty_cycle}")
        if priority not in PRIORITIES:
            raise BackendOptionError(f"priority: expected {' or '.join(PRIORITIES)}, got {priority!r}")
        if affinity is not None and not processors.can_pin():
            raise BackendOptionError(
                "affinity: expected a system that can pin threads, such as Linux. Leave it out here"
            )
        if affinity == "auto":
            affinity = processors.by_preference()
        missing = sorted(set(affinity or ()) - set(processors.usable()))
        if missing:
            raise BackendOptionError(
                f"affinity: expected processors from {_listed(processors.usable())}, got {_listed(missing)}"
            )
        kernels.check_disabled()
        if kernel is not None:
            kernels.kernel_named(kernel)
        self._forced = kernel
        self._duty_cycle = duty_cycle
        self._low_priority = priority == "low"
        self._affinity = tuple(affinity or ())
        self._on_search = on_search
        """A function for benchmarks that is called after each slice (one call of a kernel). The first argument is the
        value of the stop word during this slice. The stop word is the number whose change ends all searches. The second
        argument is the time in nanoseconds at which the slice began."""
        self._choice: Choice | None = None
        self._searchers = [_Searcher(f"cpu{index}") for index in range(self._threads)]

    @property
    def threads(self) -> int:
        """Number of search threads."""
        return self._threads

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "CpuBackend":
        """Build the backend from the options ``threads``, ``kernel``, ``duty_cycle``, ``priority`` and ``affinity``.

        ``affinity`` is a list of processors such as "0,2-3", or "auto".
        """
        option.check_known(cls.name, options, ("threads", "kernel", "duty_cycle", "priority", "affinity"))
        return cls(
            threads=option.integer(options, "threads", 1, None),
            kernel=options.get("kernel"),
            duty_cycle=option.integer(options, "duty_cycle", 1, 100) or 100,
            priority=option.one_of(options, "priority", PRIORITIES) or "low",
            affinity="auto" if options.get("affinity") == "auto" else option.integers(options, "affinity"),
        )

    def statistics(self) -> BackendStatistics:
        """Return the totals of each thread. The hashes of a slice (one call of a kernel) are counted when the slice
        ends."""
        kernel = self._choice.names if self._choice else self._forced or ""
        detail = f"{kernel or 'not started'}, {self._threads} thread{'s' if self._threads > 1 else ''}"
        devices = tuple(DeviceStatistics(item.name, item.hashes, item.nonces_found) for item in self._searchers)
        return BackendStatistics(self.name, detail, devices, kernel)

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Search until cancelled.

        Raises SelfTestError if no kernel passes its self-test, and BackendOptionError if all CPU backends of this
        process together have too many threads.
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
        """Compare the remembered hash rates of the kernels with the rates that the threads reached in mining. Correct
        the remembered rates that are wrong."""
        plain, rolling = (max(item.fastest[rolls] for item in self._searchers) for rolls in (False, True))
        if plain or rolling:
            correct(choice, plain, rolling)

    def _start(self, handoff: Handoff) -> None:
        """Start the search threads, and wait until all of them have ended."""
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
                # a close() after this check is not missed: it changes the stop word, which was read above, so the
                # search ends
                if handoff.closed:
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
        """Pin the thread to its processor and lower its priority. If the system does not permit this, log a warning and
        mine anyway."""
        try:
            if self._affinity and hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, {self._affinity[index % len(self._affinity)]})
            if self._low_priority and sys.platform == "linux":  # elsewhere, a thread has no priority of its own
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
        # a rare hit is reported at once; frequent hits are reported in batches
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
    """Raise BackendOptionError if ``count`` search threads are more than this process may have."""
    most = processors.most_threads()
    if count > most:
        raise BackendOptionError(
            f"threads: expected at most {most}, {processors.THREADS_PER_PROCESSOR} for each processor that this "
            f"process may use ({processors.default_threads()}), got {count}"
        )


_threads_in_use = 0
"""Number of search threads of all running CPU backends of this process. Only the trio thread changes it."""


@contextmanager
def _counted(threads: int) -> Iterator[None]:
    """Add ``threads`` to ``_threads_in_use`` while the body of the ``with`` statement runs. Raises BackendOptionError
    if all CPU backends of this process together would then have too many threads."""
    global _threads_in_use  # noqa: PLW0603  processors are shared by the whole process
    check_threads(_threads_in_use + threads)
    _threads_in_use += threads
    try:
        yield
    finally:
        _threads_in_use -= threads


class _Searcher:
    """Name and totals of one search thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hashes = 0
        self.nonces_found = 0
        self.fastest = {False: 0.0, True: 0.0}
        """The best hash rate without (False) and with (True) version rolling, in hashes per second of processor time; 0
        until it is measured."""


class _Mode:
    """What one thread uses for one kind of work (with or without version rolling): a ``Search``, its measured hash
    rate, and the number of points (combinations of nonce and version) in its next slice."""

    def __init__(self, search: kernels.Search, hash_rate: float) -> None:
        self.search = search
        self.slice_points = max(search.kernel.lanes, int(hash_rate * SLICE_SECONDS))
        self.fastest = 0.0
        """Best rate so far, in hashes per second of processor time."""
        self._timed_hashes, self._timed_seconds = 0, 0.0

    def time(self, hashes: int, seconds: float) -> None:
        """Add the hashes of a slice (one call of the kernel), and its seconds of processor time, to the measurement of
        the hash rate."""
        self._timed_hashes += hashes
        self._timed_seconds += seconds
        if self._timed_seconds >= TIMED_SECONDS:
            self.fastest = max(self.fastest, self._timed_hashes / self._timed_seconds)
            self._timed_hashes, self._timed_seconds = 0, 0.0

    def adjust(self, result: kernels.SearchResult, elapsed: float) -> None:
        """Adjust the number of points (combinations of nonce and version) that the next call of the kernel tries, so
        that a call takes about ``SLICE_SECONDS``."""
        if result.done >= self.slice_points:
            factor = min(2.0, max(0.5, SLICE_SECONDS / max(elapsed, 1e-6)))
            self.slice_points = max(1, int(self.slice_points * (0.75 + 0.25 * factor)))


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
