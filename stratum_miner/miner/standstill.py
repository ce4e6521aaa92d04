"""Detects time in which this process did not run, because it was stopped, its container was frozen, or the computer
slept.

Two threads look at the clock twice a second: the miner's sampler, and a thread that does nothing else. If neither has
looked for several seconds, the process did not run. Two other reasons why a thread does not look are excluded. If the
computer is busy, the thread waits for a processor; the kernel counts the waiting time (the second number of
/proc/thread-self/schedstat), and this module subtracts it. If one thread is blocked, for example by a disk, the other
thread still looks.

The monotonic clock continues while a process is stopped. While the computer sleeps, the monotonic clock of Linux stands
still, but CLOCK_BOOTTIME continues. The difference of these two clocks is therefore the time that the computer slept.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOOK_S = 0.5
"""Seconds after which a thread looks at the clock again."""
LONGEST_S = 5.0
"""If no thread has looked at the clock for more than this many seconds, this time counts as a standstill. By then each
thread has missed ten looks, and a busy processor delays a thread by only tenths of a second. A shorter standstill is
not detected. It does little harm: hash rates are averages over minutes, and change only slightly."""
SHORTEST_SLEEP_S = 1.0
"""Smallest sleep of the computer, in seconds, that is detected. During a sleep, CLOCK_BOOTTIME goes on and the
monotonic clock of Linux stands still. A smaller growth of the difference between the two clocks is ignored, because it
may come from the short time between reading one clock and reading the other."""
SCHEDSTAT = Path("/proc/thread-self/schedstat")


def waited() -> float:
    """Return the seconds for which the calling thread has waited for a processor since it began, or 0 if unknown."""
    try:
        return int(SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def asleep() -> float:
    """Return the seconds that the computer has slept since it was started, or 0 if the monotonic clock counts them."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if boot is None else time.clock_gettime(boot) - time.clock_gettime(time.CLOCK_MONOTONIC)


class Standstill:
    """Counts the time in which the process did not run, from the creation of this object on.

    ``clock``: returns monotonic seconds. ``asleep``: returns the seconds that the computer has slept. ``waited``:
    returns the seconds that the calling thread has waited for a processor.
    """

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
        """For each thread, the seconds that it had waited for a processor when it last looked."""
        self.total = 0.0
        """Seconds in which this process did not run."""
        self.left_out = 0.0
        """The part of ``total``, in seconds, in which the monotonic clock went on. Where this clock stands still while
        the computer sleeps (on Linux), the time of the sleep is only in ``total``."""
        self._reported = 0.0

    def look(self) -> None:
        """Record that the calling thread is running now. Any thread may call this method."""
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

    def new_seconds(self) -> float:
        """Return the seconds of standstill since the last call."""
        with self._lock:
            new, self._reported = self.total - self._reported, self.total
        return new

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Run a thread that looks at the clock while the ``with`` block runs."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_S):
                self.look()

        # If the system allows no more threads, start() raises RuntimeError, and only the miner's sampler looks at the
        # clock.
        with suppress(RuntimeError):
            threading.Thread(target=watch, name="standstill", daemon=True).start()
        try:
            yield
        finally:
            over.set()
