"""Automatic pauses of mining: outside the scheduled hours, while the computer runs on battery, and while the processor
is too hot."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
import trio

from stratum_miner.app.operation.schedule import Schedule
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.monitoring.control import Control

log = structlog.get_logger("stratum_miner")

LOOK_S = 2.0
"""Seconds between two readings of the sensors and the schedule."""
LEAST_C, MOST_C = 30, 120
"""Smallest and largest value of --pause-above in °C. With a smaller value, the miner would never mine. With a larger
one, the processor would be damaged."""
COOLER_BY = 5.0
"""After a pause because of heat, mining resumes when the processor is this number of °C below the limit of
--pause-above. Without this difference, mining would start and stop all the time."""

HEAT = "because of heat"


@dataclass(slots=True)
class AutomaticPauses:
    """Reads the sensors and the schedule, and pauses or resumes mining accordingly. If ``schedule`` is None, there
    is no schedule. If the function ``on_battery`` or ``temperature`` is None, its sensor is not read."""

    control: Control
    schedule: Schedule | None = None
    on_battery: Callable[[], bool | None] | None = None
    temperature: Callable[[], float | None] | None = None
    hottest: float = 0.0
    """Temperature in °C above which mining pauses."""
    now: Callable[[], datetime] = datetime.now
    _since: datetime | None = None
    _wanted: dict[str, bool] = field(default_factory=dict)
    _unknown: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Call ``look`` every ``LOOK_S`` seconds until cancelled."""
        while True:
            self.look()
            await trio.sleep(LOOK_S)

    def look(self) -> None:
        """Read the sensors and the schedule once, and pause or resume mining.

        A person may resume mining while the cause of a pause, such as a hot processor, still exists. The same cause
        then pauses mining again only after it has disappeared and come back.

        A schedule without a start time stops the miner for good at its stop time.
        """
        now = self.now()
        since = self._since = self._since or now
        if self.schedule is not None:
            if self.schedule.ends(now, since):
                self.control.quit()
                return
            self._want("by the schedule", not self.schedule.mines(now, since), self.schedule.reason())
        if self.on_battery is not None:
            battery = self.on_battery()
            self._warn_if_unknown("battery", "--pause-on-battery", known=battery is not None)
            self._want("on battery", bool(battery))
        if self.temperature is not None:
            celsius = self.temperature()
            self._warn_if_unknown("temperature", "--pause-above", known=celsius is not None)
            if celsius is not None:
                limit = self.hottest - (COOLER_BY if self._wanted.get(HEAT) else 0.0)
                reason = f"the processor has {celsius:.0f} °C, the limit is {self.hottest:g} °C"
                self._want(HEAT, celsius > limit, reason)

    def _want(self, by: str, pause: bool, reason: str = "") -> None:
        if pause == self._wanted.get(by, False):
            return
        self._wanted[by] = pause
        if pause:
            self.control.pause(by, reason)
        else:
            self.control.resume(by)

    def _warn_if_unknown(self, what: str, option: str, *, known: bool) -> None:
        """If a value cannot be read, warn the user once that the option which needs this value has no effect."""
        if not known and what not in self._unknown:
            self._unknown.add(what)
            text = f"this computer reports no {what}, so {option} has no effect"
            log.warning("nothing_to_watch", what=what, text=text)


def check_limit(celsius: float | None) -> None:
    """Raise UsageError if ``celsius``, the value of --pause-above, is not a number from ``LEAST_C`` to ``MOST_C``. None
    is accepted."""
    if celsius is not None and not LEAST_C <= celsius <= MOST_C:
        raise UsageError(f"--pause-above: expected a temperature from {LEAST_C} to {MOST_C} °C, got {celsius:g}")
