"""A limit for log lines: one kind of line becomes a few a second, however many a stranger causes, and a count.

Others decide how often most things happen that are logged: a pool that sends nonsense, a million jobs or shares that
are too easy; miners that come and go. Each kind of line may come some times at once and then some times a second.
What is beyond that goes nowhere (not to the terminal, the log file, the page or the hooks) but is counted, and a line
tells the count, ten seconds after the first that was left out or when the program ends. Every figure that the program
tells has a count of its own, so none of them depends on lines.

Left alone is what only we or our user can cause: devices, the configuration, status lines, what a node of ours says of
blocks. Shares that solve blocks have a limit of their own, which no chain that takes work reaches: a pool can pretend
one that takes none.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

TOLD_AFTER_S = 10.0
"""Seconds from the first line that is left out to the line that counts them."""


USUAL_AT_ONCE = 30
"""Lines of one kind. Picked by feel: a start with a few pools and a wave of reconnections are logged whole."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many lines may come at once, and how many a second after that."""

    at_once: float
    each_second: float


USUAL = Allowance(at_once=USUAL_AT_ONCE, each_second=3)
OF_SHARES = Allowance(at_once=2000, each_second=40)
"""People and tools count these lines, and shares are rare where the difficulty fits; a pool can make it too low."""
_SHARES = frozenset(
    {"share_accepted", "share_rejected", "share_stale", "share_lost", "share_answered_late", "block_lost"}
)
_UNLIMITED = frozenset({"status", "economics", "miner", "sent", "received", "lines_left_out"})
_UNLIMITED_PREFIXES = ("block", "device", "configuration")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many lines of one kind were left out, and in how many seconds."""

    kind: str
    level: str
    lines: int
    seconds: float


@dataclass(slots=True)
class _Kind:
    level: str
    allowance: Allowance
    left: float
    """Lines that may come now."""
    at: float
    left_out: int = 0
    since: float = 0.0


class LineLimit:
    """Decides which lines come; from any thread. ``tell`` is called, on a thread of its own, when counts are due."""

    def __init__(self, tell: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}
        """The keys are names of events, which are ours and few."""
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def allows(self, event: str, level: str, *, tells_block: bool = False) -> bool:
        """Whether this line may come; if not, it is counted."""
        if event in _SHARES:
            allowance = OF_SHARES
        elif level == "debug" or event in _UNLIMITED or event.startswith(_UNLIMITED_PREFIXES):
            return True
        else:
            allowance = USUAL
        with self._lock:
            return self._take(f"{event} (block)" if tells_block else event, level, allowance)

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
            self._timer = threading.Timer(TOLD_AFTER_S, self._tell)
            self._timer.daemon = True
            self._timer.start()

    def begin(self) -> None:
        """Begin anew: nothing has come, and nothing was left out."""
        self.take()
        with self._lock:
            self._kinds.clear()

    def take(self) -> list[LeftOut]:
        """What was left out since the last call."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            now = self._clock()
            told = []
            for name, kind in self._kinds.items():
                if kind.left_out:
                    told.append(LeftOut(name, kind.level, kind.left_out, round(now - kind.since, 1)))
                    kind.left_out = 0
            return told
