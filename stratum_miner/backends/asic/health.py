"""Judges from the nonces of a device whether it works: from the number of nonces, from the errors among them, and from
the time since the last nonce.

The nonces of a working device come at random times, as a Poisson process. Few nonces in a short time therefore prove
nothing, and each judgement waits until many nonces were *expected*. If 200 are expected, 65 % of them is five standard
deviations below the mean. If 20 are expected, the probability that none comes is one in 500 million. The thresholds are
those of the drivers in docs/reference/asic.md#silence-and-restarts. Every method gets the time as an argument.
"""

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from math import sqrt

WINDOW = 200.0
"""Number of expected nonces between two judgements of the hash rate."""
WINDOW_PER_CHIP = 50.0
"""Number of expected nonces per chip between two judgements of the hash rate. If this number multiplied by the number
of chips is larger than ``WINDOW``, the product is used instead of ``WINDOW``."""
SILENT_AFTER = 20.0
"""The device counts as silent only if this many nonces were expected since the last nonce came."""
SILENT_AFTER_S = 3.0
"""The device counts as silent only if no nonce has come for at least this many seconds. ``SILENT_AFTER`` (20)
missing nonces alone do not prove that the device is silent: a fast chip chain should find that many in a tenth of a
second, and on a busy computer this program sometimes stands still for a tenth of a second."""
WINDOW_S = 20.0
"""Shortest time in seconds between two judgements of the hash rate. A shorter time would not be reliable, because on a
busy computer this program sometimes stands still for a while."""
LONGEST_STEP_S = 1.5
"""If more than this many seconds pass between two method calls of a ``HealthMonitor``, only this many seconds count as
time in which nonces were expected. During the other seconds this program did not run, which says nothing about the
device."""
SLOW_BELOW = 0.65
"""If fewer nonces came than this fraction of the expected number, the device is too slow."""
CHIP_SILENT_BELOW = 0.2
"""A chip that finds less than this fraction of the mean number of nonces per chip counts as silent."""
ERRORS_JUDGED_AT = 100
"""Number of nonces after which the fraction of errors among them is compared with ``MANY_ERRORS``."""
MANY_ERRORS = 0.05
"""Fraction of errors that is allowed before the device is slowed down. The device is slowed down only if the number of
errors exceeds the allowed number by more than three standard deviations of a Poisson process, so that chance alone
rarely slows it down."""
MOSTLY_ERRORS = 0.5
"""Fraction of errors above which the device is restarted."""
MOSTLY_ERRORS_JUDGED_AT = 20
"""Number of nonces after which the fraction of errors is compared with ``MOSTLY_ERRORS``."""
MANY_DUPLICATES = 0.45
"""Fraction of duplicates above which the device is restarted."""
DUPLICATES_JUDGED_AT = 30
"""Number of nonces after which the fraction of duplicates among them is compared with ``MANY_DUPLICATES``. If two chips
search the same range, half of the nonces are duplicates. Some duplicates are normal: a BM1397 sometimes repeats a nonce
(docs/reference/asic.md#doubtful-nonces)."""


class HealthProblem(Enum):
    """The problems of a device, in rising order of severity. ``CHIP_SILENT`` and all problems after it require a
    restart."""

    NONE = "none"
    TOO_MANY_ERRORS = "too many hardware errors"
    """A lower frequency may help."""
    SLOW = "hash rate too low"
    CHIP_SILENT = "a chip is silent"
    MOSTLY_ERRORS = "mostly hardware errors"
    DUPLICATES = "many duplicate nonces"
    """Chips that lost their addresses search the same range."""
    SILENT = "no nonces"
    """No nonce came for too long."""


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """Result of a health check: the problem, and a text with the numbers that show it."""

    problem: HealthProblem = HealthProblem.NONE
    detail: str = ""
    judged: bool = True
    """False while too few nonces were expected to judge the hash rate."""


class HealthMonitor:
    """Watches the nonces of one device during one mining run (from the time when its chips are ready until it stops).
    The next mining run has a new monitor."""

    def __init__(self, now: float, chips: int) -> None:
        self._chips = chips
        self._hash_rate = 0.0
        self._hashes_per_nonce = 1.0
        self._updated = now
        self._searching = False
        self._silent_for = 0.0
        self._silent_s = 0.0
        self._expected = 0.0
        self._window_s = 0.0
        self._nonces: Counter[int] = Counter()
        self._verified = 0
        self._errors = 0
        self._duplicates = 0
        self._reported = 0
        self.expected_hashes = 0.0
        """Expected number of hashes: the expected hash rate multiplied by the time spent searching."""

    def expect(self, now: float, hash_rate: float, hashes_per_nonce: float) -> None:
        """Set the hash rate (H/s) to expect from now on, and the average number of hashes until a nonce is reported."""
        self._advance(now)
        self._hash_rate, self._hashes_per_nonce = hash_rate, hashes_per_nonce

    def searching(self, now: float, searching: bool) -> None:
        """Record whether the chips have work (``searching``) from time ``now`` on. While the chips have no work, no
        nonces are expected."""
        self._advance(now)
        self._searching = searching

    def nonce(self, now: float, chip: int) -> None:
        """Count a valid nonce of a chip, stale or not."""
        self._advance(now)
        self._silent_for = self._silent_s = 0.0
        self._nonces[chip] += 1
        self._verified += 1
        self._reported += 1

    def duplicate(self, now: float) -> None:
        """Count a nonce that was reported before."""
        self._advance(now)
        self._duplicates += 1
        self._reported += 1

    def hardware_error(self, now: float) -> None:
        """Count a wrong nonce."""
        self._advance(now)
        self._errors += 1

    def restart_windows(self, now: float) -> None:
        """Start two measurements again from 0: the count of nonces by which the hash rate is judged, and the time
        without a nonce. Callers do this when something other than the device has influenced them."""
        self._advance(now)
        self._silent_for = self._silent_s = self._expected = self._window_s = 0.0
        self._nonces.clear()

    def assess(self, now: float) -> DeviceHealth:
        """Check the health, and return the result. Its ``judged`` is False while too few nonces were expected to judge
        the hash rate. Each judgement of the hash rate uses only nonces that came after the previous judgement of the
        hash rate."""
        self._advance(now)
        if self._silent_for >= SILENT_AFTER and self._silent_s >= SILENT_AFTER_S:
            expected, self._silent_for = self._silent_for, 0.0
            return DeviceHealth(HealthProblem.SILENT, f"{expected:.0f} were expected, none came")
        return self._judge_errors() or self._judge_duplicates() or self._judge_rate() or DeviceHealth(judged=False)

    def _advance(self, now: float) -> None:
        elapsed, self._updated = max(0.0, now - self._updated), max(now, self._updated)
        if self._searching:
            self.expected_hashes += elapsed * self._hash_rate
            judged = min(elapsed, LONGEST_STEP_S)
            nonces = judged * self._hash_rate / self._hashes_per_nonce
            self._expected += nonces
            self._window_s += judged
            self._silent_for += nonces
            self._silent_s += judged

    def _judge_errors(self) -> DeviceHealth | None:
        total = self._verified + self._errors
        if total < MOSTLY_ERRORS_JUDGED_AT:
            return None
        fraction, detail = self._errors / total, f"{self._errors} of {total} nonces are wrong"
        if fraction > MOSTLY_ERRORS:
            self._verified = self._errors = 0
            return DeviceHealth(HealthProblem.MOSTLY_ERRORS, detail)
        if total < ERRORS_JUDGED_AT:
            return None
        self._verified = self._errors = 0
        allowed = MANY_ERRORS * total
        too_many = fraction * total > allowed + 3 * sqrt(allowed)
        return DeviceHealth(HealthProblem.TOO_MANY_ERRORS, detail) if too_many else None

    def _judge_duplicates(self) -> DeviceHealth | None:
        if self._reported < DUPLICATES_JUDGED_AT:
            return None
        duplicates, reported = self._duplicates, self._reported
        self._duplicates = self._reported = 0
        if duplicates <= MANY_DUPLICATES * reported:
            return None
        return DeviceHealth(HealthProblem.DUPLICATES, f"{duplicates} of {reported}")

    def _judge_rate(self) -> DeviceHealth | None:
        if self._expected < max(WINDOW, WINDOW_PER_CHIP * self._chips) or self._window_s < WINDOW_S:
            return None
        expected, nonces = self._expected, self._nonces
        self._expected, self._window_s, self._nonces = 0.0, 0.0, Counter()
        total = nonces.total()
        mean = total / self._chips
        silent = [chip for chip in range(self._chips) if nonces[chip] < CHIP_SILENT_BELOW * mean]
        if silent:
            numbers = ", ".join(str(chip + 1) for chip in silent)
            return DeviceHealth(HealthProblem.CHIP_SILENT, f"chip {numbers} of {self._chips} found almost no nonces")
        if total < SLOW_BELOW * expected:
            return DeviceHealth(HealthProblem.SLOW, f"{100 * total / expected:.0f} % of the expected rate")
        return DeviceHealth()
