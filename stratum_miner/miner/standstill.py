"""Time in which this process did not run: stopped by SIGSTOP, frozen with its container, or asleep with the machine.

Two threads look at the clock twice a second, the miner's sampler and one that does nothing else. Where neither came to
look for seconds, nothing of this process ran. A busy machine is told from that by the kernel's own account of how long
a thread that was ready waited for a processor (the second number of /proc/thread-self/schedstat), which is subtracted;
a thread that is held up, as by a disk, by the other one's looking on.

The monotonic clock goes on while a process is stopped, and on Linux stands still while the machine is asleep:
CLOCK_BOOTTIME goes on then, and the difference of the two is how long it slept.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOOK_S = 0.5
"""Seconds between two looks of a thread."""
LONGEST_S = 5.0
"""A longer time without any look counts as a standstill: ten looks of each thread fell out, and a thread that waits for
a busy processor waits for tenths of a second. What is shorter changes an average of minutes by little."""
SHORTEST_SLEEP_S = 1.0
"""A difference of the clocks that is no matter of reading one after the other."""
SCHEDSTAT = Path("/proc/thread-self/schedstat")


def waited() -> float:
    """Seconds that the calling thread has waited for a processor since it began; 0 where the system does not tell."""
    try:
        return int(SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def asleep() -> float:
    """Seconds that the machine has slept since it was started; 0 where the monotonic clock counts them."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if boot is None else time.clock_gettime(boot) - time.clock_gettime(time.CLOCK_MONOTONIC)


class Standstill:
    """Counts from its creation on. ``look`` may be called from any thread."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        asleep: Callable[[], float] = asleep,
        waited: Callable[[], float] = waited,
    ) -> None:
        self._clock, self._asleep, self._waited = clock, asleep, waited
        self._lock = threading.Lock()
        self._looked_at = clock()
        self._slept = asleep()
        self._waits: dict[int, float] = {}
        """By thread, how long it had waited for a processor when it last looked."""
        self.total = 0.0
        """Seconds in which this process did not run."""
        self.left_out = 0.0
        """The part of these seconds that the monotonic clock counted."""
        self._told = 0.0

    def look(self) -> None:
        """Say that this thread runs."""
        with self._lock:
            thread, wait = threading.get_ident(), self._waited()
            wait, self._waits[thread] = wait - self._waits.get(thread, wait), wait
            now, slept = self._clock(), self._asleep()
            stopped = now - self._looked_at - LOOK_S - wait
            if stopped > LONGEST_S:
                self.left_out += stopped
                self.total += stopped
            if slept - self._slept > SHORTEST_SLEEP_S:
                self.total += slept - self._slept
            self._looked_at, self._slept = now, slept

    def news(self) -> float:
        """Seconds of standstill since this was last asked for."""
        with self._lock:
            new, self._told = self.total - self._told, self.total
        return new

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Let a thread of its own look as long as the block runs."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_S):
                self.look()

        with suppress(RuntimeError):  # the system allows no more threads: the sampler looks alone
            threading.Thread(target=watch, name="standstill", daemon=True).start()
        try:
            yield
        finally:
            over.set()
