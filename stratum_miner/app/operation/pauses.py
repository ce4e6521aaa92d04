"""Pauses that nobody asks for by hand: by the schedule, on the battery, above a temperature."""

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
LEAST_C, MOST_C = 30, 120
"""Degrees that a limit can sensibly be: below, nothing would ever run; above, nothing would be left."""
COOLER_BY = 5.0
"""Degrees Celsius below the limit before mining goes on: without a distance it would flutter."""

HEAT = "because of heat"


@dataclass(slots=True)
class AutomaticPauses:
    """Looks at what there is to look at and pauses or resumes; a part that is None is not asked about."""

    control: Control
    schedule: Schedule | None = None
    on_battery: Callable[[], bool | None] | None = None
    temperature: Callable[[], float | None] | None = None
    hottest: float = 0.0
    """Degrees Celsius above which it pauses."""
    now: Callable[[], datetime] = datetime.now
    _since: datetime | None = None
    _wanted: dict[str, bool] = field(default_factory=dict)
    _unknown: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Look every two seconds until cancelled."""
        while True:
            self.look()
            await trio.sleep(LOOK_S)

    def look(self) -> None:
        """Look once. A pause that a person ended does not come back before its cause went away once."""
        now = self.now()
        since = self._since = self._since or now
        if self.schedule is not None:
            if self.schedule.ends(now, since):
                self.control.quit()
                return
            self._want("by the schedule", not self.schedule.mines(now, since), self.schedule.reason())
        if self.on_battery is not None:
            battery = self.on_battery()
            self._told("battery", battery is not None)
            self._want("on battery", bool(battery))
        if self.temperature is not None:
            celsius = self.temperature()
            self._told("temperature", celsius is not None)
            if celsius is not None:
                limit = self.hottest - (COOLER_BY if self._wanted.get(HEAT) else 0.0)
                self._want(HEAT, celsius > limit, f"the processor has {celsius:.0f} C, the limit is {self.hottest:g} C")

    def _want(self, by: str, pause: bool, reason: str = "") -> None:
        if pause == self._wanted.get(by, False):
            return
        self._wanted[by] = pause
        if pause:
            self.control.pause(by, reason)
        else:
            self.control.resume(by)

    def _told(self, what: str, known: bool) -> None:
        """Say once that there is nothing to look at: a limit that cannot hold must not look as if it did."""
        if not known and what not in self._unknown:
            self._unknown.add(what)
            log.warning("nothing_to_watch", what=what, text=f"this machine tells no {what}; it does not pause for it")


def check_limit(celsius: float | None) -> None:
    """UsageError for one that makes no sense; nan neither."""
    if celsius is not None and not LEAST_C <= celsius <= MOST_C:
        raise UsageError(f"--pause-above: expected degrees C from {LEAST_C} to {MOST_C}, got {celsius:g}")
