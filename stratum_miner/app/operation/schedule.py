"""When to mine: from ``--sched-start`` to ``--sched-stop``, local time, every day. Time is an argument.

As cgminer has it: with both, mining pauses outside them, also over midnight; with a start alone it begins then; with a
stop alone it ends then, for good. Clocks that are set, and days with 23 or 25 hours, only move the next change.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from stratum_miner.app.process.exit_codes import UsageError

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Schedule:
    """``start`` and ``stop``, at least one of them."""

    start: time | None
    stop: time | None

    @classmethod
    def parse(cls, start: str | None, stop: str | None) -> "Schedule | None":
        """A schedule from two times ``HH:MM``; None without any. Raises UsageError."""
        if start is None and stop is None:
            return None
        schedule = cls(_clock("--sched-start", start), _clock("--sched-stop", stop))
        if schedule.start == schedule.stop:
            raise UsageError(f"--sched-stop: expected another time than --sched-start, got {stop} for both")
        return schedule

    def mines(self, now: datetime, since: datetime) -> bool:
        """Whether to mine at a moment, for a miner that was started ``since``."""
        if self.start is not None and self.stop is not None:
            clock = now.time()
            if self.start < self.stop:
                return self.start <= clock < self.stop
            return clock >= self.start or clock < self.stop
        if self.start is not None:
            return now >= _next(self.start, since)
        return True

    def ends(self, now: datetime, since: datetime) -> bool:
        """Whether mining is over for good."""
        return self.start is None and self.stop is not None and now >= _next(self.stop, since)

    def reason(self) -> str:
        """Why it does not mine, in words."""
        return "" if self.start is None else f"until {self.start:%H:%M}"


def _clock(flag: str, text: str | None) -> time | None:
    if text is None:
        return None
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{flag}: expected a time of day such as 07:30, got {text!r}")
    return time(int(match[1]), int(match[2]))


def _next(clock: time, after: datetime) -> datetime:
    """The first moment with this time of day that is not before ``after``."""
    moment = datetime.combine(after.date(), clock)
    return moment if moment >= after else moment + timedelta(days=1)
