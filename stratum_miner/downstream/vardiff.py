"""Variable difficulty, sans-IO: keeps the time between a session's shares near a target. Time is an argument.

Theory of operation: shares come as a Poisson process, so a handful of them says little. Difficulty is changed only
when the count of shares since the last change could hardly come about by chance at the present difficulty (three
standard deviations) and the change is worth it (the dead band). Until then the count goes on, and its precision grows;
this is what keeps a steady miner's difficulty still. The new value is computed from work done (difficulty times
shares), so shares of older jobs and limits that the session applies do not mislead it. Silence counts as evidence too.

The more often one looks, the more often chance alone looks like a change. So the first look comes as soon as it could
find anything, after a few shares or after the time of a few, and each further one when half as much again has come.
"""

import math
from dataclasses import dataclass
from typing import Final

SIGNIFICANCE: Final = 3.0
"""Standard deviations: by chance about once in 400 looks."""
FEW: Final = 3
"""Shares above expectation that are needed besides: Poisson counts below one are nothing like normal."""
LONGEST_WINDOW: Final = 10
"""Retarget periods after which counting starts afresh, so that old history does not hide a change."""
SHORTEST_WINDOW: Final = 1.0
"""Seconds: below this a burst after a stall looks like a hash rate."""
FIRST_COUNT: Final = 16
"""Shares that make the first look due, however soon they come."""
FIRST_EXPECTED: Final = 12.0
"""Shares expected by the time that makes the first look due: with nine the absence of all would prove nothing yet."""
PROGRESS: Final = 1.5
"""How much more than at the last look makes the next one due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VardiffConfig:
    """How difficulty follows the share rate. Raises ValueError when a setting makes no sense."""

    target_seconds: float = 10.0
    """Wanted seconds between two shares; public-pool's value."""
    retarget_seconds: float = 60.0
    """The longest time between two looks at a session."""
    variance: float = 0.3
    """Dead band: differences below this fraction are left alone; NOMP's value."""
    minimum: float = 2.0**-32
    """Nearly every hash is a share (docs/reference/stratum.md#regtest)."""
    maximum: float = 1e15

    def __post_init__(self) -> None:
        for name in ("target_seconds", "retarget_seconds", "variance", "minimum", "maximum"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"vardiff: {name}: expected a finite number above zero, got {value}")
        if self.minimum > self.maximum:
            raise ValueError(f"vardiff: expected minimum <= maximum, got {self.minimum} and {self.maximum}")


class Vardiff:
    """The difficulty of one session. ``now`` is in seconds of any clock that does not go back."""

    def __init__(self, config: VardiffConfig, difficulty: float, now: float) -> None:
        self.difficulty = difficulty
        """What was last decided; the session may have set its limits against it."""
        self._config = config
        self._restart(now)

    def on_share(self, now: float, difficulty: float) -> float | None:
        """Count an accepted share of a job of this difficulty. Returns a new difficulty when it is time for one."""
        self._count += 1
        self._work += difficulty
        due = self._count >= self._look_count and now - self._started >= SHORTEST_WINDOW
        return self._look(now) if due else self.on_tick(now)

    def on_tick(self, now: float) -> float | None:
        """Let time pass; silence lowers difficulty. Returns a new difficulty when it is time for one."""
        return self._look(now) if now >= self._look_at else None

    def set_difficulty(self, difficulty: float, now: float) -> None:
        """Note that the difficulty was changed otherwise, as when the miner asked; counting starts afresh."""
        self.difficulty = difficulty
        self._restart(now)

    def _restart(self, now: float) -> None:
        self._started = now
        self._look_at = now + min(self._config.retarget_seconds, FIRST_EXPECTED * self._config.target_seconds)
        self._look_count: float = FIRST_COUNT
        self._count = 0
        self._work = 0.0

    def _look(self, now: float) -> float | None:
        elapsed = max(now - self._started, SHORTEST_WINDOW)
        self._look_at = now + min(self._config.retarget_seconds, (PROGRESS - 1) * elapsed)
        self._look_count = PROGRESS * max(self._count, FIRST_COUNT)
        if self._is_chance(elapsed / self._config.target_seconds):
            if elapsed >= LONGEST_WINDOW * self._config.retarget_seconds:
                self._restart(now)
            return None
        wanted = self._clamped((self._work or self.difficulty) / elapsed * self._config.target_seconds)
        ratio = wanted / self.difficulty
        if 1 / (1 + self._config.variance) < ratio < 1 + self._config.variance:
            return None
        self._restart(now)
        self.difficulty = wanted
        return wanted

    def _is_chance(self, expected: float) -> bool:
        """Whether the count is what a right difficulty gives. Counted are shares of the difficulty they really had."""
        margin = SIGNIFICANCE * math.sqrt(expected)
        return expected - margin < self._count < expected + margin + FEW

    def _clamped(self, difficulty: float) -> float:
        return max(self._config.minimum, min(difficulty, self._config.maximum))
