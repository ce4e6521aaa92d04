"""Builds the views of the devices of all backends, each with its measured hash rate.

The hash rate is measured: the number of hashes that a backend counted in a time window, divided by the length of the
window. The module ``estimates`` computes another hash rate, which follows from the accepted shares. That one is for the
whole miner, not for each device.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stratum_miner.backends.statistics import DeviceKey, DeviceStatistics, Hardware, device_key
from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize
from stratum_miner.miner.snapshot import BackendSnapshot, keyed_devices
from stratum_miner.monitoring.health import DeviceCondition
from stratum_miner.monitoring.numbers import Numbers
from stratum_miner.monitoring.view import DeviceView
from stratum_miner.work.difficulties import Difficulties
from stratum_miner.work.hash_rate import HashRateMeter
from stratum_miner.work.share_result import ShareOutcome, ShareResult

SHORT_S, LONG_S = 60.0, 3600.0
LONG_RESOLUTION_S = 10.0
UNWELL = ("sick", "dead", "off", "absent")
THIS_COMPUTER = Hardware(product="")


@dataclass(slots=True)
class _Remembered:
    """The figures of one device that are kept from one call of ``DeviceMeters.sample`` to the next. Each call is a
    sample."""

    came_at: float = 0.0
    """Unix time of the first sample (call of ``DeviceMeters.sample``) that contained the device; 0 before it."""
    frozen_before: float = 0.0
    """Seconds in which the process did not run, from the start of the miner to the first sample (call of
    ``DeviceMeters.sample``) that contained the device."""
    meters: tuple[HashRateMeter, HashRateMeter] | None = None
    """Two meters: one for hash rates over at most 1 minute, one for hash rates over at most 1 hour. None before the
    first call of ``DeviceMeters.sample``."""
    nonces: int = 0
    """Number of nonces that the device had found at the last call of ``DeviceMeters.sample``."""
    nonce_at: float | None = None
    """The time ``now`` of the call of ``DeviceMeters.sample`` in which ``nonces`` last increased; None if the device
    has found no nonce."""
    state: str = ""
    unwell: tuple[float, str] | None = None
    """The last time (Unix time of a call of ``DeviceMeters.sample``) at which the device did not work properly (its
    state was one of ``UNWELL``), and the reason. None if it always worked properly."""
    spells: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    refused: int = 0
    blocks: int = 0
    best: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    difficulties: Difficulties = field(default_factory=Difficulties)
    last: tuple[float, int | None, float] | None = None
    """The last accepted share: the Unix time of its acceptance, the id of the pool, and the share difficulty of its
    job. None before the first accepted share."""


class DeviceMeters:
    """Samples the counters of all devices. The figures of a device begin with the first sample that contains it."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._devices: defaultdict[DeviceKey, _Remembered] = defaultdict(_Remembered)
        self._frozen = 0.0
        """Seconds in which the process did not run, from the start of the miner to the last call of ``sample``."""

    def sample(
        self,
        now: float,
        at: float,
        backends: Sequence[BackendSnapshot],
        conditions: Mapping[DeviceKey, DeviceCondition],
        *,
        ran: float | None = None,
    ) -> None:
        """Record the counters and the condition of each device.

        ``now`` is the time in seconds on a monotonic clock, and ``at`` is the same moment as Unix time. ``ran``
        is ``now`` minus the seconds in which the process did not run. If ``ran`` is None, the process is taken to have
        run all the time.
        """
        ran = now if ran is None else ran
        self._frozen = now - ran
        for key, _, device in keyed_devices(backends):
            known, condition = self._devices[key], conditions[key]
            if known.meters is None:
                known.came_at, known.frozen_before = at, self._frozen
                known.meters = HashRateMeter(ran, SHORT_S), HashRateMeter(ran, LONG_S, resolution=LONG_RESOLUTION_S)
            for meter in known.meters:
                meter.sample(ran, device.hashes)
            if condition.state in UNWELL:
                known.unwell = at, condition.reason or condition.state
                known.spells[condition.state] += condition.state != known.state
            known.state = condition.state
            if device.nonces_found > known.nonces:
                known.nonces, known.nonce_at = device.nonces_found, now

    def resolved(self, result: ShareResult, *, is_block: bool, at: float, pool_id: int | None) -> None:
        """Record the result of a share that the pool ``pool_id`` resolved at the Unix time ``at``.

        ``is_block`` is true for an accepted share that counts as a new block.
        """
        known = self._devices[device_key(result.share.backend, result.share.device)]
        if result.outcome is ShareOutcome.ACCEPTED:
            known.accepted += 1
            known.last = at, pool_id, result.share.job.share_difficulty
        elif result.outcome is not ShareOutcome.LOST:
            known.refused += 1
            known.reasons[f"{result.outcome.value}: {result.cause}"] += 1
        known.blocks += is_block
        known.best = max(known.best, result.share.difficulty)
        known.difficulties.add(result)

    def views(
        self, now: float, backends: Sequence[BackendSnapshot], conditions: Mapping[DeviceKey, DeviceCondition]
    ) -> tuple[DeviceView, ...]:
        """Return the view of each device. ``now`` is the present time, in seconds on the same monotonic clock as in
        ``sample``."""
        views = [
            self._view(key, backend, device, conditions[key], now) for key, backend, device in keyed_devices(backends)
        ]
        return tuple(sorted(views, key=lambda view: view.id))

    def _view(
        self, key: DeviceKey, backend: BackendSnapshot, device: DeviceStatistics, condition: DeviceCondition, now: float
    ) -> DeviceView:
        known = self._devices[key]
        short, long = known.meters or (HashRateMeter(now), HashRateMeter(now))
        last, unwell = known.last, known.unwell
        hardware = device.hardware or THIS_COMPUTER
        rate = short.rate(SHORT_S)
        return DeviceView(
            id=self._numbers.devices.of(key),
            backend=backend.label,
            name=sanitize(device.name),
            detail=sanitize(
                hardware.product or ("not known yet" if device.hardware else backend.kernel or backend.detail)
            ),
            mines=condition.mines,
            state=condition.state,
            reason=sanitize(condition.reason, SENTENCE_CHARACTERS),
            hash_rate=short.rate(5.0),
            hash_rate_1m=rate,
            hash_rate_5m=long.rate(300.0),
            hash_rate_10m=long.rate(600.0),
            hash_rate_15m=long.rate(900.0),
            hash_rate_1h=long.rate(LONG_S),
            came_at=known.came_at,
            frozen_s=self._frozen - known.frozen_before if known.meters else 0.0,
            expected_hash_rate=hardware.expected_hash_rate,
            hashes=device.hashes,
            nonces_found=device.nonces_found,
            accepted=known.accepted,
            refused=known.refused,
            reasons={sanitize(reason): count for reason, count in known.reasons.items()},
            best_share=known.best,
            blocks_accepted=known.blocks,
            difficulties=known.difficulties.by_outcome(),
            hardware_errors=device.hardware_errors,
            last_nonce_age_s=None if known.nonce_at is None else now - known.nonce_at,
            bound_to=backend.bound_to,
            last_share_at=None if last is None else last[0],
            last_share_pool_id=None if last is None else last[1],
            last_share_difficulty=0.0 if last is None else last[2],
            unwell_at=None if unwell is None else unwell[0],
            unwell_reason="" if unwell is None else sanitize(unwell[1], SENTENCE_CHARACTERS),
            spells=dict(known.spells),
            product=sanitize(hardware.product) or None,
            chip=None if device.hardware is None else sanitize(hardware.chip),
            frequency_mhz=hardware.frequency,
            chip_temperature_c=hardware.chip_temperature,
            regulator_temperature_c=hardware.regulator_temperature,
            core_voltage_v=hardware.core_voltage,
            core_voltage_asked_v=hardware.core_voltage_asked,
            input_voltage_v=hardware.input_voltage,
            power_w=hardware.power,
            joules_per_terahash=(hardware.power / rate * 1e12 if hardware.power is not None and rate > 0 else None),
            fan_rpm=hardware.fan_rpm,
            fan_percent=hardware.fan_percent,
            duplicate_nonces=hardware.duplicate_nonces,
            stale_nonces=hardware.stale_nonces,
            crc_errors=hardware.crc_errors,
            restarts=hardware.restarts,
            trips=hardware.safety_shutdowns,
            is_overheated=hardware.is_overheated,
            chips=hardware.chips,
        )


def hottest(backends: Sequence[BackendSnapshot]) -> float | None:
    """Return the highest chip temperature in degrees Celsius; None if no device has a sensor."""
    known = [
        device.hardware.chip_temperature
        for _, _, device in keyed_devices(backends)
        if device.hardware is not None and device.hardware.chip_temperature is not None
    ]
    return max(known, default=None)


def measured_power(backends: Sequence[BackendSnapshot]) -> tuple[float | None, bool]:
    """Return the sum of the power, in watts, of all devices that measure their power. Also return whether other devices
    use power but do not measure it, so that the sum is too low.

    The power is None if no device measures it.
    """
    hardware = [device.hardware or THIS_COMPUTER for _, _, device in keyed_devices(backends)]
    known = [item.power for item in hardware if item.power is not None]
    others = any(item.power is None and item.state not in _WITHOUT_POWER for item in hardware)
    return (sum(known), others) if known else (None, False)


_WITHOUT_POWER = ("idle", "dead", "off", "absent", "removed")
