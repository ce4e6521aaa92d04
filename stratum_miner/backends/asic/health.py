"""Whether a device does its work: rate, errors and silence against what chance allows. Time is an argument.

Nonces come as a Poisson process, so every verdict waits until enough were *expected* for chance to be no excuse: at
200 expected, 65 % is five standard deviations away; 20 expected nonces fail to come once in 500 million times. The
thresholds are those of the drivers in docs/reference/asic.md#silence-and-restarts.
"""

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from math import sqrt

WINDOW = 200.0
"""Expected nonces between two looks at the rate."""
WINDOW_PER_CHIP = 50.0
SILENT_AFTER = 20.0
"""Expected nonces without a single one."""
SILENT_AFTER_S = 3.0
WINDOW_S = 20.0
"""And never sooner: a fast chain expects 20 nonces in a tenth of a second, which a busy host may sleep through."""
LONGEST_STEP_S = 1.5
"""Between two looks. More means that we did not run, and says nothing about the device."""
SLOW_BELOW = 0.65
CHIP_SILENT_BELOW = 0.2
"""Share of the mean of all chips below which a chip counts as silent."""
ERRORS_JUDGED_AT = 100
MANY_ERRORS = 0.05
"""And three standard deviations more, or chance would slow down a device with one error in a hundred."""
MOSTLY_ERRORS = 0.5
MOSTLY_ERRORS_JUDGED_AT = 20
MANY_DUPLICATES = 0.45
DUPLICATES_JUDGED_AT = 30
"""Two equal chips make one in two a duplicate; BM1397 repeats itself now and then
(docs/reference/asic.md#doubtful-nonces)."""


class HealthProblem(Enum):
    """What is wrong, in rising order of what has to be done about it."""

    NONE = "none"
    TOO_MANY_ERRORS = "too many hardware errors"
    """A step down in frequency may cure it."""
    SLOW = "hash rate too low"
    CHIP_SILENT = "a chip is silent"
    MOSTLY_ERRORS = "mostly hardware errors"
    DUPLICATES = "many nonces come twice"
    """Chips that forgot their addresses search the same range."""
    SILENT = "no nonces"
    """These want a restart."""


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """A verdict and the figures behind it."""

    problem: HealthProblem = HealthProblem.NONE
    detail: str = ""
    judged: bool = True
    """False while there is not enough to judge the rate by."""


class HealthMonitor:
    """Watches one device while it mines; a fresh one for each restart."""

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
        """Hash rate expected, over the time spent searching."""

    def expect(self, now: float, hash_rate: float, hashes_per_nonce: float) -> None:
        """From now on the device should hash this fast and report one nonce in so many hashes."""
        self._advance(now)
        self._hash_rate, self._hashes_per_nonce = hash_rate, hashes_per_nonce

    def searching(self, now: float, searching: bool) -> None:
        """Note whether the chips have work."""
        self._advance(now)
        self._searching = searching

    def nonce(self, now: float, chip: int) -> None:
        """A valid nonce came, stale or not."""
        self._advance(now)
        self._silent_for = self._silent_s = 0.0
        self._nonces[chip] += 1
        self._verified += 1
        self._reported += 1

    def duplicate(self, now: float) -> None:
        """A nonce came that had come before."""
        self._advance(now)
        self._duplicates += 1
        self._reported += 1

    def hardware_error(self, now: float) -> None:
        """Count a wrong nonce."""
        self._advance(now)
        self._errors += 1

    def restart_windows(self, now: float) -> None:
        """Start over: what was silent or slow was not the device."""
        self._advance(now)
        self._silent_for = self._silent_s = self._expected = self._window_s = 0.0
        self._nonces.clear()

    def assess(self, now: float) -> DeviceHealth:
        """The verdict, when there is enough to judge by; each window is judged once."""
        self._advance(now)
        if self._silent_for >= SILENT_AFTER and self._silent_s >= SILENT_AFTER_S:
            expected, self._silent_for = self._silent_for, 0.0
            return DeviceHealth(HealthProblem.SILENT, f"none came where {expected:.0f} were expected")
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
        share, detail = self._errors / total, f"{self._errors} of {total} nonces hash to nothing"
        if share > MOSTLY_ERRORS:
            self._verified = self._errors = 0
            return DeviceHealth(HealthProblem.MOSTLY_ERRORS, detail)
        if total < ERRORS_JUDGED_AT:
            return None
        self._verified = self._errors = 0
        allowed = MANY_ERRORS * total
        return (
            DeviceHealth(HealthProblem.TOO_MANY_ERRORS, detail) if share * total > allowed + 3 * sqrt(allowed) else None
        )

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
            return DeviceHealth(HealthProblem.CHIP_SILENT, f"chip {numbers} of {self._chips} found next to nothing")
        if total < SLOW_BELOW * expected:
            return DeviceHealth(HealthProblem.SLOW, f"{total / expected:.0%} of what it should be")
        return DeviceHealth()
