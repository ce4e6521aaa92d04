"""Variable difficulty, sans-IO: changes the share difficulty of a session so that the mean time between its shares
stays near a target. The current time is an argument.

Theory of operation: shares arrive as a Poisson process, so a few of them say little about the hash rate. From time to
time, a *test* decides whether to change the difficulty. The test changes it only under two conditions: the number of
shares since the last change differs from the expected number by more than three standard deviations, and the new
difficulty differs enough from the old one (the dead band). Otherwise the count of the shares continues. The longer it
continues, the more precise it is, so that the difficulty of a steady miner stays the same.

The new difficulty is computed from the time since the last change, and from the sum of the difficulties of the shares
in this time. Each share counts with the difficulty of its own job. Shares of older jobs with another difficulty
therefore do not distort the result. If no shares come, a test lowers the difficulty.

Each test may change the difficulty by mistake, so there are few tests. The first test is made after 16 shares, or after
the time in which 12 shares are expected, whichever comes first. After a test that does not change the difficulty, the
next one is made when the number of shares since the last change, or the time since then, has grown by half. At most
``retarget_seconds`` pass between two tests.
"""

import math
from dataclasses import dataclass
from typing import Final

SIGNIFICANCE: Final = 3.0
"""Number of standard deviations by which the number of shares must differ from the expected number before the
difficulty changes. In about one of 400 decisions, chance alone causes such a difference."""
FEW: Final = 3
"""The difficulty rises only if the number of shares exceeds the expected number by ``SIGNIFICANCE`` standard deviations
plus this number of shares. Without the addition, chance would raise the difficulty too often, because small Poisson
counts are not normally distributed."""
LONGEST_WINDOW: Final = 10
"""If the difficulty does not change for this many times ``retarget_seconds``, the count of the shares starts again at
0. If the count went on, the many old shares would hide a change of the hash rate."""
SHORTEST_WINDOW: Final = 1.0
"""Shortest time, in seconds, over which a test (the decision whether to change the difficulty) computes the share rate.
Over a shorter time, shares that arrive all at once after a stall of the network would look like a high hash rate."""
FIRST_COUNT: Final = 16
"""The first test (the decision whether to change the difficulty) is made after this number of shares, or earlier
because of ``FIRST_EXPECTED`` or ``retarget_seconds``."""
FIRST_EXPECTED: Final = 12.0
"""The first test (the decision whether to change the difficulty) is made after the time in which this number of shares
is expected, if neither ``FIRST_COUNT`` nor ``retarget_seconds`` is reached earlier. The number is more than nine,
because with fewer than nine expected shares, even 0 shares would differ from the expected number by less than three
standard deviations."""
PROGRESS: Final = 1.5
"""A test decides whether to change the difficulty. If it does not change the difficulty, the next test is made when the
number of shares since the last change, or the time since then, is this many times as large as at this test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VardiffConfig:
    """Settings by which the difficulty follows the share rate. Raises ValueError if a setting is zero,
    negative, infinite or NaN, or if ``minimum`` exceeds ``maximum``.
    """

    target_seconds: float = 10.0
    """Wanted mean time between two shares, in seconds. The default is that of the pool software public-pool."""
    retarget_seconds: float = 60.0
    """Maximum number of seconds between two decisions whether to change a session's difficulty."""
    variance: float = 0.3
    """Dead band: a test changes the difficulty only if the higher of the old and the new difficulty is at least
    (1 + ``variance``) times the lower one. The default is that of the pool software NOMP."""
    minimum: float = 2.0**-32
    """Lowest difficulty. With the default, nearly every hash is a share (docs/reference/stratum.md#regtest)."""
    maximum: float = 1e15
    """Highest difficulty."""

    def __post_init__(self) -> None:
        for name in ("target_seconds", "retarget_seconds", "variance", "minimum", "maximum"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"vardiff: {name}: expected a finite number above zero, got {value}")
        if self.minimum > self.maximum:
            raise ValueError(f"vardiff: expected minimum <= maximum, got {self.minimum} and {self.maximum}")


class Vardiff:
    """Chooses the difficulty of one session. ``now`` is the time in seconds, on any clock that does not go back."""

    def __init__(self, config: VardiffConfig, difficulty: float, now: float) -> None:
        self.difficulty = difficulty
        """The current difficulty. If the session limits a difficulty that this object chose, the session sets this
        field to the limited difficulty."""
        self._config = config
        self._restart(now)

    def on_share(self, now: float, difficulty: float) -> float | None:
        """Count a valid share of a job of this difficulty. Return a new difficulty, or None to keep the present one."""
        self._count += 1
        self._work += difficulty
        due = self._count >= self._test_count and now - self._started >= SHORTEST_WINDOW
        return self._test(now) if due else self.on_tick(now)

    def on_tick(self, now: float) -> float | None:
        """If it is time for the next decision whether to change the difficulty, make it. Return a new difficulty, or
        None to keep the present one. Call this method regularly, so that the difficulty falls even while no shares
        come.
        """
        return self._test(now) if now >= self._test_at else None

    def set_difficulty(self, difficulty: float, now: float) -> None:
        """Set the current difficulty to one that this object did not choose, for example because the miner asked for
        it. The count of the shares starts again at 0."""
        self.difficulty = difficulty
        self._restart(now)

    def _restart(self, now: float) -> None:
        self._started = now
        self._test_at = now + min(self._config.retarget_seconds, FIRST_EXPECTED * self._config.target_seconds)
        self._test_count: float = FIRST_COUNT
        self._count = 0
        self._work: float = 0

    def _test(self, now: float) -> float | None:
        elapsed = max(now - self._started, SHORTEST_WINDOW)
        self._test_at = now + min(self._config.retarget_seconds, (PROGRESS - 1) * elapsed)
        self._test_count = PROGRESS * max(self._count, FIRST_COUNT)
        if self._is_expected(elapsed / self._config.target_seconds):
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

    def _is_expected(self, expected: float) -> bool:
        """Whether the number of shares agrees with the expected number, within random variation."""
        margin = SIGNIFICANCE * math.sqrt(expected)
        return expected - margin < self._count < expected + margin + FEW

    def _clamped(self, difficulty: float) -> float:
        return max(self._config.minimum, min(difficulty, self._config.maximum))
