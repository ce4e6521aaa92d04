"""Finds what is wrong with devices and pools. Each problem is described by a sentence and advice, and exists until its
cause is gone.

This module reads no clock: time is an argument. Its classes remember what they need from earlier snapshots.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, sqrt

from stratum_miner.backends.statistics import DeviceStatistics
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.miner.snapshot import MinerSnapshot
from stratum_miner.monitoring.numbers import Numbers
from stratum_miner.monitoring.view import ProblemView
from stratum_miner.work.job import PoolKey

CRITICAL, WARNING = "critical", "warning"
KINDS = (
    "device_dead", "device_off", "device_absent", "device_none", "pool_refuses", "pool_rejects", "pool_down",
    "pool_silent", "pool_penalized", "device_sick", "device_errors", "device_hot", "device_throttled", "journal",
    "log_file",
)  # fmt: skip
"""Every kind of problem. Among problems of equal severity, a kind that comes earlier in this list is worse."""

MANY_ERRORS = 0.05
"""Fraction of a device's results, from 0 to 1, above which wrong results are a problem. A result is a nonce that the
device reported. A problem is reported only if the number of wrong results exceeds this fraction of all results by more
than three standard deviations of that number, because a few wrong results can be chance. Above the same fraction, the
driver slows the device down (backends.asic.health). The problem is reported all the same, because not every
device can be slowed down."""
ERRORS_JUDGED_AT = 20
ERRORS_EVERY_S, ERRORS_EVERY, ERRORS_KEPT = 10.0, 5, 30
"""The total numbers of right and wrong results of a device are recorded when at least 10 s and at least 5 new results
have come since the last record. The newest 30 records are kept. So once there are 30 records, the fraction of wrong
results is computed from at least about 150 results, which arrived over a time of at least about 5 min."""
ANSWERS_JUDGED, ANSWERS_JUDGED_AT = 20, 10
"""A pool is judged by at most its newest 20 answers to shares, and only if there are at least 10 answers."""
POOLS_NAMED = 3
"""If no pool gives work, ``why_no_work`` returns the reasons as a text. The text names at most this number of pools,
and says how many other pools there are."""


class RecentErrors:
    """Counts the right and the wrong results among the newest results of a device."""

    def __init__(self) -> None:
        self._notes: deque[tuple[float, int, int]] = deque([(-inf, 0, 0)], maxlen=ERRORS_KEPT)
        self._latest = (0, 0)

    def look(self, now: float, good: int, bad: int) -> None:
        """Record the total numbers of right and wrong results at the time ``now``, in seconds."""
        self._latest = good, bad
        at, good_before, bad_before = self._notes[-1]
        if now - at >= ERRORS_EVERY_S and good + bad - good_before - bad_before >= ERRORS_EVERY:
            self._notes.append((now, good, bad))

    @property
    def newest(self) -> tuple[int, int]:
        """The number of right results and the number of wrong results among the newest results."""
        _, good, bad = self._notes[0]
        return self._latest[0] - good, self._latest[1] - bad

    @property
    def are_many(self) -> bool:
        """Whether the fraction of wrong results exceeds ``MANY_ERRORS`` so clearly that chance does not explain it."""
        good, bad = self.newest
        allowed = MANY_ERRORS * (good + bad)
        return good + bad >= ERRORS_JUDGED_AT and bad > allowed + 3 * sqrt(allowed)


def device_problems(
    name: str, device: DeviceStatistics, state: str, reason: str, errors: RecentErrors, *, number: int
) -> list[ProblemView]:
    """Return the problems of a device in the state ``state``. ``number`` is the id of the device, and ``name`` is the
    name to show."""
    why = f": {reason}" if reason else ""
    found = []
    if state in _DEVICE_STATES:
        severity, advice = _DEVICE_STATES[state]
        if device.hardware is None:
            advice = "Restart stratum-miner, and report this as a bug: a search thread should never stop."
        found.append(_of_device(severity, f"device_{state}", number, _sentence(f"{name} is {state}{why}"), advice))
    if device.hardware is not None and device.hardware.hot and state not in ("off", "dead", "absent"):
        text = _sentence(f"{name} is hot: {device.hardware.hot}")
        found.append(_of_device(WARNING, "device_hot", number, text, "Improve its cooling, or lower its frequency."))
    if errors.are_many and state not in ("absent", "off"):
        good, bad = errors.newest
        percent = 100 * bad / (good + bad)
        text = f"{name} computes wrong results: {bad} of its last {good + bad} results ({percent:.0f} %) are wrong."
        advice = (
            "Lower its frequency or raise its voltage, and check its cooling and power supply."
            if device.hardware is not None
            else "This computer may be faulty. Run `stratum-miner bench`, which tests the kernels, and test the memory."
        )
        found.append(_of_device(WARNING, "device_errors", number, text, advice))
    return found


_DEVICE_STATES = {
    "dead": (
        CRITICAL,
        "stratum-miner restarts the device by itself. If that does not help, check its cable and its power supply.",
    ),
    "off": (CRITICAL, "Remove the cause, then restart the device or unplug it and plug it in again."),
    "absent": (
        CRITICAL,
        "Plug the device in, or remove it from the devices to mine with. `stratum-miner devices` lists the devices "
        "that are plugged in.",
    ),
    "sick": (
        WARNING,
        "Check its cooling and power supply. stratum-miner restarts the device if it does not get better.",
    ),
    "throttled": (WARNING, "Improve its cooling and power supply, or set a lower frequency."),
}


def _of_device(severity: str, kind: str, number: int, text: str, advice: str) -> ProblemView:
    return ProblemView(severity=severity, kind=kind, device_id=number, text=text, advice=advice)


@dataclass(slots=True)
class PoolProblems:
    """Finds the problems of pools. For each pool, it remembers why the pool gives no work, and its newest answers to
    shares."""

    numbers: Numbers
    _lost: dict[PoolKey, tuple[str, str]] = field(default_factory=dict)
    """For each enabled pool that was ``down``, ``silent`` or ``penalized`` since it was last ``up``: the newest of
    these conditions, and the reason. Both are kept while the miner tries to connect again."""
    _answers: defaultdict[PoolKey, deque[str]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=ANSWERS_JUDGED))
    )
    """The newest answers of each pool to shares: the reason of a rejection, or an empty string for an accepted
    share."""

    def answered(self, pool: PoolKey, rejection: str) -> None:
        """Record the answer of a pool to a share. ``rejection`` is empty if the pool accepted the share. Otherwise, it
        is the reason why the share was rejected or stale."""
        self._answers[pool].append(rejection)

    def look(self, snapshot: MinerSnapshot) -> list[ProblemView]:
        """Return the problems of the enabled pools at the moment of the snapshot. Forget the conditions of pools that
        are not in the snapshot."""
        known = {pool.key for pool in snapshot.pools}
        self._lost = {key: lost for key, lost in self._lost.items() if key in known}
        return [problem for pool in snapshot.pools for problem in self._of(pool, snapshot)]

    def why_no_work(self, snapshot: MinerSnapshot) -> str:
        """Return why no pool gives work: the reasons of up to ``POOLS_NAMED`` pools, and the number of further
        pools."""
        usable = [pool for pool in snapshot.pools if pool.enabled]
        if not usable:
            return "all pools are disabled"
        reasons = [f"pool {pool.name}: {self._why(pool)}" for pool in usable[:POOLS_NAMED]]
        more = len(usable) - len(reasons)
        return "; ".join(reasons) + (f"; {more} more" if more else "")

    def _why(self, pool: PoolStatus) -> str:
        condition, reason = self._lost.get(pool.key, ("", ""))
        doing = pool.client.detail or pool.client.state.value
        return pool.reason or reason or condition or doing

    def _of(self, pool: PoolStatus, snapshot: MinerSnapshot) -> list[ProblemView]:
        condition = pool.condition.value
        if not pool.enabled or condition in ("up", "untried"):
            self._lost.pop(pool.key, None)
        elif condition in _POOL_CONDITIONS:
            self._lost[pool.key] = condition, pool.reason
        if not pool.enabled:
            return []
        found = [*self._lost_problem(pool, snapshot), *self._rejections(pool)]
        if not found:  # the pool works, but may have refused some of its worker names
            found += [
                self._problem(WARNING, "pool_refuses", pool, *_refusal(pool, worker.name, worker.refusal))
                for worker in pool.client.workers
                if worker.refusal
            ]
        return found

    def _lost_problem(self, pool: PoolStatus, snapshot: MinerSnapshot) -> list[ProblemView]:
        if pool.key not in self._lost:
            return []
        condition, reason = self._lost[pool.key]
        starved = not pool.active if pool.bound else snapshot.job is None
        severity = CRITICAL if starved else WARNING
        refused = next((worker for worker in pool.client.workers if worker.refusal), None)
        if condition == "penalized" and refused is not None:
            return [self._problem(severity, "pool_refuses", pool, *_refusal(pool, refused.name, refused.refusal))]
        words, advice = _POOL_CONDITIONS[condition]
        text = _sentence(f"Pool {pool.name} {words}{f': {reason}' if reason else ''}")
        return [self._problem(severity, f"pool_{condition}", pool, text, advice)]

    def _rejections(self, pool: PoolStatus) -> list[ProblemView]:
        answers = self._answers[pool.key]
        rejections = [rejection for rejection in answers if rejection]
        if pool.condition.value != "up" or len(answers) < ANSWERS_JUDGED_AT or 2 * len(rejections) <= len(answers):
            return []
        text = _sentence(
            f"Pool {pool.name} did not accept {len(rejections)} of the last {len(answers)} shares, "
            f"the newest of them for this reason: {rejections[-1]}"
        )
        severity = CRITICAL if pool.active else WARNING
        advice = "Check the worker name, and look at the pool's web page. `stratum-miner ping` tests the pool."
        return [self._problem(severity, "pool_rejects", pool, text, advice)]

    def _problem(self, severity: str, kind: str, pool: PoolStatus, text: str, advice: str) -> ProblemView:
        number = self.numbers.pools.of(pool.key)
        return ProblemView(severity=severity, kind=kind, pool_id=number, text=text, advice=advice)


_POOL_CONDITIONS = {
    "down": (
        "cannot be mined on",
        "stratum-miner tries again by itself. Check the URL of the pool and the network connection. "
        "`stratum-miner ping` tests the pool.",
    ),
    "silent": (
        "is silent",
        "stratum-miner waits for a new job and uses another pool if there is one. `stratum-miner ping` tests the pool.",
    ),
    "penalized": (
        "is not used for a while",
        "stratum-miner tries it again by itself. Check the worker name, and ask the pool operator for the reason.",
    ),
}


def _refusal(pool: PoolStatus, worker: str, why: str) -> tuple[str, str]:
    return (
        _sentence(f"Pool {pool.name} refuses the worker name {worker}: {why}"),
        "Check with the pool whether the worker name and the password (--user and --pass) are right.",
    )


def worst_first(problems: Sequence[ProblemView]) -> list[ProblemView]:
    """Return the problems, the worst first: by severity, then in the order of ``KINDS``."""
    return sorted(problems, key=lambda item: (item.severity != CRITICAL, KINDS.index(item.kind)))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
