"""Limits how many log lines of one kind are written, and counts the lines that were left out.

Pools and miners decide how often most events are logged. A pool may send invalid messages, a million jobs, or a very
low difficulty; miners may connect and disconnect all the time. Lines with the same event name are of one kind. Each
kind has a stock of lines that may be written at once. Each second, a number of lines is added to the stock, up to its
original size.

When the stock is empty, further lines of this kind are left out everywhere: on the terminal, in the log file, on the
web page, and for the hooks of --on-event. They are counted. 10 s after the first such line, or when the program ends,
one line reports the count. Statistics do not depend on log lines.

Events that only the program or its user can cause have no limit. These are events about devices and the configuration,
status lines, and what the user's own node says about blocks.

Lines about shares that solve a Bitcoin block have a stock of their own. At the network difficulty of a real chain,
blocks are so rare that this stock never becomes empty. The limit exists because a pool may send jobs with a network
difficulty near zero. Almost every share then solves a block, and the lines about blocks would fill the log.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

REPORT_AFTER_S = 10.0
"""Seconds between the first line that is left out and the line that reports how many were left out."""
USUAL_AT_ONCE = 30
"""Number of lines of one kind that may be written at once.

It was chosen, not measured. It is meant to be enough for the start of a miner with a few pools, and for many
reconnections at the same time.
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limit of one kind of lines: how many may be written at once, and how many per second after that."""

    at_once: float
    each_second: float


USUAL = Allowance(at_once=USUAL_AT_ONCE, each_second=3)
OF_SHARES = Allowance(at_once=2000, each_second=40)
"""The limit for lines about shares. It is higher than ``USUAL``, because people and tools count these lines. Only a
pool that sets a very low difficulty causes more."""
_SHARES = frozenset(
    {"share_accepted", "share_rejected", "share_stale", "share_lost", "share_answered_late", "block_lost"}
)
_UNLIMITED = frozenset({"status", "economics", "miner", "sent", "received", "lines_left_out"})
_UNLIMITED_PREFIXES = ("block", "device", "configuration")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many lines of one kind were left out, and during how many seconds."""

    kind: str
    level: str
    lines: int
    seconds: float


@dataclass(slots=True)
class _Kind:
    level: str
    allowance: Allowance
    left: float
    """Number of lines that may be written now. It grows with time, up to ``allowance.at_once``."""
    at: float
    left_out: int = 0
    since: float = 0.0


class LineLimit:
    """Decides which log lines are written. Its methods may be called on any thread.

    ``report`` is called on a separate thread. This happens ``REPORT_AFTER_S`` seconds after the first line that was
    left out.
    """

    def __init__(self, report: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}
        """The state of each kind of line, by the name of the kind. There are few kinds, because the program has few
        event names."""
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def allows(self, event: str, level: str, *, is_block: bool = False) -> bool:
        """Return whether a line is within the limit of its kind. A line beyond the limit is counted as left out.

        ``is_block`` says that the line is about a share that solves a Bitcoin block.
        """
        if event in _SHARES:
            allowance = OF_SHARES
        elif level == "debug" or event in _UNLIMITED or event.startswith(_UNLIMITED_PREFIXES):
            return True
        else:
            allowance = USUAL
        with self._lock:
            return self._take(f"{event} (block)" if is_block else event, level, allowance)

    def _take(self, kind: str, level: str, allowance: Allowance) -> bool:
        now = self._clock()
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = _Kind(level, allowance, allowance.at_once, now)
        most, each_second = known.allowance.at_once, known.allowance.each_second
        known.left = min(most, known.left + (now - known.at) * each_second)
        known.at = now
        if known.left >= 1:
            known.left -= 1
            return True
        if not known.left_out:
            known.since = now
        known.level = level
        known.left_out += 1
        self._start_timer()
        return False

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(REPORT_AFTER_S, self._report)
            self._timer.daemon = True
            self._timer.name = "log-timer"
            self._timer.start()

    def begin(self) -> None:
        """Start again: forget all lines that were written or left out until now, so that each kind of line may again be
        written as often as at the start."""
        self.take()
        with self._lock:
            self._kinds.clear()

    def take(self) -> list[LeftOut]:
        """Return how many lines of each kind were left out since the last call."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            now = self._clock()
            counts = []
            for name, kind in self._kinds.items():
                if kind.left_out:
                    counts.append(LeftOut(name, kind.level, kind.left_out, round(now - kind.since, 1)))
                    kind.left_out = 0
            return counts
