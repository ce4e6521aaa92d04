"""The daily schedule of mining in local time, from ``--sched-start`` to ``--sched-stop``.

The options work as in cgminer. With both options, mining pauses outside the hours between these times, which may span
midnight. With ``--sched-start`` alone, mining begins at that time. With ``--sched-stop`` alone, the miner stops for
good at that time.

The functions do not read the clock: the caller passes the present time. If the clock is set, or a day has 23 or 25
hours, this only moves the next start or stop of mining.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from stratum_miner.app.process.exit_codes import UsageError

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times of day at which mining starts and stops. Either may be None, but not both."""

    start: time | None
    stop: time | None

    @classmethod
    def parse(cls, start: str | None, stop: str | None) -> "Schedule | None":
        """Return the schedule of two times ``HH:MM``, or None if both are None.

        Raises UsageError if a time is not valid, or if the two times are equal.
        """
        if start is None and stop is None:
            return None
        schedule = cls(_clock("--sched-start", start), _clock("--sched-stop", stop))
        if schedule.start == schedule.stop:
            raise UsageError(f"--sched-stop: expected another time than --sched-start, got {stop} for both")
        return schedule

    def mines(self, now: datetime, since: datetime) -> bool:
        """Return whether a miner that was started at ``since`` is to mine at ``now``."""
        if self.start is not None and self.stop is not None:
            clock = now.time()
            if self.start < self.stop:
                return self.start <= clock < self.stop
            return clock >= self.start or clock < self.stop
        if self.start is not None:
            return now >= _next(self.start, since)
        return True

    def ends(self, now: datetime, since: datetime) -> bool:
        """Return whether a miner that was started at ``since`` is to stop for good at ``now``."""
        return self.start is None and self.stop is not None and now >= _next(self.stop, since)

    def reason(self) -> str:
        """Return when a pause by this schedule ends, as a text such as "until 22:30". The text is empty without a start
        time."""
        return "" if self.start is None else f"until {self.start:%H:%M}"


def _clock(flag: str, text: str | None) -> time | None:
    if text is None:
        return None
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{flag}: expected a time of day such as 07:30, got {text!r}")
    return time(int(match[1]), int(match[2]))


def _next(clock: time, after: datetime) -> datetime:
    """Return the first moment at or after ``after`` whose time of day is ``clock``."""
    moment = datetime.combine(after.date(), clock)
    return moment if moment >= after else moment + timedelta(days=1)
