"""Decides whether the miner computes hashes and, if not, why. Every display shows the same verdict.

A hardware device mines if its driver reports so. A search thread mines if its count of hashes grew within the
last ``STILL_AFTER_S`` seconds in which it was able to search: there was work, no pause, and this process ran. This
module reads no clock, device or pool: it gets the time and snapshots as arguments. The module ``problems`` describes
what is wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stratum_miner.backends.statistics import DeviceKey, DeviceStatistics
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize
from stratum_miner.miner.snapshot import BackendSnapshot, MinerSnapshot, keyed_devices
from stratum_miner.monitoring.numbers import Numbers
from stratum_miner.monitoring.problems import PoolProblems, RecentErrors, device_problems, worst_first
from stratum_miner.monitoring.view import ProblemView

STATES = ("mining", "degraded", "no_device", "no_pool", "paused", "stopping")
"""Every state of the miner as a whole."""
READY = ("mining", "degraded", "paused")
"""The states in which the miner mines or could mine, so that a restart would not help. ``/ready`` answers 200 in
them."""
STILL_AFTER_S = 10.0
"""A search thread counts as dead if it could search for this many seconds, but computed no hash. A living thread adds
to its count of hashes every 0.03 s, or every 3 s at the lowest duty cycle, at which it pauses most of the time."""
LONGEST_STEP_S = 2.0
"""Normally, ``look`` is called twice a second. If more than this number of seconds passes between two calls, this
process was probably not running. The seconds beyond this number therefore do not count as time without a hash."""
_HASHING = ("mining", "throttled")
REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCondition:
    """Whether one device mines now, its state, and the reason for the state."""

    mines: bool
    state: str
    reason: str = ""
    is_thread: bool = False
    """True only for a search thread that is dead, so that ``monitor`` logs its death. False for a search thread in any
    other state, and for a hardware device, whose driver logs its states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthVerdict:
    """The state of the miner at one moment, and all its problems."""

    state: str
    detail: str
    devices_mining: int
    devices_total: int
    devices: Mapping[DeviceKey, DeviceCondition]
    problems: tuple[ProblemView, ...]


@dataclass(slots=True)
class _Search:
    """What the calls of ``Health.look`` so far found out about one search thread."""

    hashes: int = 0
    hashed: bool = False
    """Whether the thread has ever computed a hash."""
    still_s: float = 0.0
    """Seconds since the last hash of the thread, counting only the time in which the thread could search."""


class Health:
    """Finds out the state of a miner. Call ``look`` with each snapshot. The object remembers what it needs from earlier
    snapshots."""

    def __init__(self, numbers: Numbers) -> None:
        self.pools = PoolProblems(numbers)
        self._numbers = numbers
        self._looked_at: float | None = None
        self._searches: defaultdict[DeviceKey, _Search] = defaultdict(_Search)
        self._errors: defaultdict[DeviceKey, RecentErrors] = defaultdict(RecentErrors)
        self._since: dict[object, float] = {}
        """For each present problem, the time at which ``look`` first found it."""

    def look(
        self,
        now: float,
        snapshot: MinerSnapshot,
        *,
        pauses: Mapping[str, str] | None = None,
        others: Sequence[ProblemView] = (),
    ) -> HealthVerdict:
        """Return the verdict on the miner at the moment of the snapshot.

        ``now`` is this moment in seconds, on a monotonic clock. ``pauses`` has one entry for each pause: what
        asked for it, such as "by the schedule", and the reason. ``others`` are problems that concern neither a device
        nor a pool.
        """
        step = 0.0 if self._looked_at is None else min(max(0.0, now - self._looked_at), LONGEST_STEP_S)
        self._looked_at = now
        self._numbers.see(snapshot)
        conditions = {
            key: self._condition(step, key, device, _idle_because(snapshot, backend))
            for key, backend, device in keyed_devices(snapshot.backends)
        }
        kept = {key: condition for key, condition in conditions.items() if condition.state != REMOVED}
        called = _names(snapshot.backends)
        mining = sum(condition.mines for condition in kept.values())
        failing = [(called[key], condition) for key, condition in kept.items() if not condition.mines]
        state, detail = self._state(snapshot, len(kept), mining, failing, pauses or {})
        problems = [] if snapshot.stopping else self._problems(now, snapshot, kept, called)
        return HealthVerdict(
            state=state,
            detail=sanitize(detail, SENTENCE_CHARACTERS),
            devices_mining=mining,
            devices_total=len(kept),
            devices=conditions,
            problems=self._dated(now, worst_first((*problems, *others))),
        )

    # ---- devices ------------------------------------------------------------------------------------------------

    def _condition(self, step: float, key: DeviceKey, device: DeviceStatistics, idle: str) -> DeviceCondition:
        hardware = device.hardware
        if hardware is None:
            return self._search_condition(step, key, device.hashes, idle)
        if hardware.state in (*_HASHING, "idle") and idle:
            return DeviceCondition(mines=False, state="idle", reason=idle)
        return DeviceCondition(mines=hardware.state in _HASHING, state=hardware.state, reason=hardware.reason)

    def _search_condition(self, step: float, key: DeviceKey, hashes: int, idle: str) -> DeviceCondition:
        search = self._searches[key]
        if hashes > search.hashes:
            search.hashes, search.hashed, search.still_s = hashes, True, 0.0
        elif not idle:
            search.still_s += step
        if idle:
            return DeviceCondition(mines=False, state="idle", reason=idle)
        if search.still_s >= STILL_AFTER_S:
            reason = f"it has computed no hash for more than {STILL_AFTER_S:g} s"
            return DeviceCondition(mines=False, state="dead", reason=reason, is_thread=True)
        return DeviceCondition(mines=search.hashed, state="mining" if search.hashed else "starting")

    # ---- the whole ----------------------------------------------------------------------------------------------

    def _state(
        self,
        snapshot: MinerSnapshot,
        total: int,
        mining: int,
        failing: Sequence[tuple[str, DeviceCondition]],
        pauses: Mapping[str, str],
    ) -> tuple[str, str]:
        if snapshot.stopping:
            return "stopping", "waiting briefly for open replies"
        if snapshot.paused:
            causes = "; ".join(f"{by}: {reason}" if reason else by for by, reason in pauses.items())
            return "paused", f"paused {causes}".strip()
        if snapshot.job is None and not any(pool.active for pool in snapshot.pools):
            return "no_pool", self.pools.why_no_work(snapshot)
        if total and mining == total:
            return "mining", ""
        why = _why_not_mining(failing)
        if mining or any(condition.state == "sick" for _, condition in failing):
            return "degraded", f"{mining} of {total} devices mine; {why}"
        if not total:
            nothing = [backend.problem for backend in snapshot.backends if backend.problem]
            return "no_device", "; ".join(nothing) or "there is no device to mine with"
        yet = " yet" if all(condition.state == "starting" for _, condition in failing) else ""
        return "no_device", f"no device mines{yet}; {why}"

    def _problems(
        self,
        now: float,
        snapshot: MinerSnapshot,
        conditions: Mapping[DeviceKey, DeviceCondition],
        called: Mapping[DeviceKey, str],
    ) -> list[ProblemView]:
        found = self.pools.look(snapshot)
        for key, _, device in keyed_devices(snapshot.backends):
            if key in conditions:
                errors, condition, number = self._errors[key], conditions[key], self._numbers.devices.of(key)
                errors.look(now, device.nonces_found, device.hardware_errors)
                found += device_problems(called[key], device, condition.state, condition.reason, errors, number=number)
        found += [
            ProblemView(
                severity="critical",
                kind="device_none",
                text=f"{backend.problem[:1].upper()}{backend.problem[1:]}.",
                advice="`stratum-miner devices` lists the devices that are plugged in, and `stratum-miner doctor` "
                "shows what is missing. If a device is not recognised, name it, as in --device erupter:/dev/ttyUSB0.",
            )
            for backend in snapshot.backends
            if backend.problem
        ]
        return found

    def _dated(self, now: float, problems: Sequence[ProblemView]) -> tuple[ProblemView, ...]:
        def name(problem: ProblemView) -> object:
            about = problem.device_id, problem.pool_id
            return (problem.kind, *about, problem.text if about == (None, None) else "")

        self._since = {name(problem): self._since.get(name(problem), now) for problem in problems}
        return tuple(
            replace(
                problem,
                text=sanitize(problem.text, SENTENCE_CHARACTERS),
                advice=sanitize(problem.advice, SENTENCE_CHARACTERS),
                since_s=now - self._since[name(problem)],
            )
            for problem in problems
        )


def _idle_because(snapshot: MinerSnapshot, backend: BackendSnapshot) -> str:
    """Return why the devices of a backend have nothing to search now; empty if they have work."""
    if snapshot.stopping:
        return "stopping"
    if snapshot.paused:
        return "paused"
    if not backend.bound_to:
        return "no pool gives work" if snapshot.job is None else ""
    own = next((pool for pool in snapshot.pools if backend.label in pool.bound), None)
    return "" if own is None or own.active else f"its pool {backend.bound_to} gives no work{_reason(own)}"


def _reason(pool: PoolStatus) -> str:
    return f": {pool.reason}" if pool.reason else ""


def _names(backends: Sequence[BackendSnapshot]) -> dict[DeviceKey, str]:
    """Return the name to show for each device. It begins with the backend's label if two devices have the same name."""
    devices = keyed_devices(backends)
    times = Counter(device.name for _, _, device in devices)
    return {
        key: device.name if times[device.name] == 1 else f"{backend.label} {device.name}"
        for key, backend, device in devices
    }


_WORST = ("dead", "off", "absent", "sick", "idle", "starting")


def _why_not_mining(failing: Sequence[tuple[str, DeviceCondition]]) -> str:
    """Return a text about the device in the worst state, and about how many other devices do not mine."""
    if not failing:
        return ""
    name, worst = min(failing, key=lambda item: _WORST.index(item[1].state) if item[1].state in _WORST else len(_WORST))
    more = len(failing) - 1
    rest = "" if not more else f"; {more} more do not mine" if more > 1 else "; 1 more does not mine"
    return f"{name} is {worst.state}{f': {worst.reason}' if worst.reason else ''}{rest}"
