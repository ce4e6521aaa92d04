"""Tests the device drivers on emulated devices: injects every fault in random order, and measures each recovery.

The devices are connected to the drivers in memory, not by pseudo-terminals, so that a mock clock can turn the minutes
of pauses and cooling into seconds. Everything else is as on real hardware: the asic backend supervises the devices,
finds ports by their USB texts, runs bring-up, restarts devices and reopens their ports. Equal seeds give equal faults.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

import trio

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device import DeviceSnapshot
from stratum_miner.backends.asic.device_record import DeviceRecordSnapshot, DeviceRecordState
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.base import ChangeCallback
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.emulators import FAULTS, KINDS, Fault
from stratum_miner.work.job import CoinbaseBody, Job, Origin, PoolKey
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NonceFound, WorkUnit
from tests.backends.asic.emulated_bus import PluggedDevice

HASH_RATE: Final = 5e4
NONCES_PER_SECOND: Final = 10.0
NONCE_DIFFICULTY: Final = HASH_RATE / NONCES_PER_SECOND / 2**32
PATIENCE_S: Final = 900.0
"""Seconds of the mock clock to wait for a recovery: longer than any pause between restarts, cooling included."""
CALM_S: Final = (3.0, 15.0)
"""Shortest and longest time in seconds without a fault between two faults."""
SETTLING_S: Final = 3.0
"""Seconds after a recovery in which late answers are still counted."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """The effect of one fault on one device."""

    kind: str
    fault: str
    injected: int
    """Number of damaged frames, or 1 for a state."""
    counted: Mapping[str, int]
    """The counters of the driver that rose, and by how much.

    ``switched_off`` counts how often the driver gave up and the device had to be restarted by hand.
    """
    last_error: str
    """The last error of the driver; empty if there was none."""
    rate: float
    """Hashes that the driver measured during the fault, divided by those that it expected."""
    seconds: float
    """Seconds from the end of the fault to the next valid nonce; infinity if none came in time."""

    @property
    def is_noticed(self) -> bool:
        """Whether the driver noticed the fault and counted it under the right name."""
        return SIGNS[self.fault](self)


class EndlessWork:
    """A ``WorkSource`` that always has work."""

    def __init__(self, seed: int, difficulty: float) -> None:
        self._space = SearchSpace()
        job = Job(
            origin=Origin(PoolKey("soak"), "", 1),
            job_id="soak",
            previous_hash=seed.to_bytes(32, "little"),
            body=CoinbaseBody(b"soak", b"", (), b"soak", 8),
            version=0x20000000,
            nbits=0x1D00FFFF,
            ntime=0x66221BDF,
            clean_jobs=True,
            share_target=target_from_difficulty(difficulty),
            version_mask=GENERAL_PURPOSE_MASK,
            version_rolling=True,
        )
        self._space.set_job(job)

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        """See ``WorkSource``."""
        return self._space.next_unit(0.0, rollable, at_once)

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """Return a function that does nothing, because work never changes."""
        del callback
        return lambda: None


@dataclass(slots=True)
class _Run:
    """One device under its driver."""

    plugged: PluggedDevice
    backend: AsicBackend
    last_nonce: float = -inf
    news: trio.Event = field(default_factory=trio.Event)

    async def listen(self, found: trio.MemoryReceiveChannel[NonceFound]) -> None:
        async for _ in found:
            self.last_nonce = trio.current_time()
            self.news.set()
            self.news = trio.Event()

    async def nonce_after(self, moment: float) -> float:
        """Return when the first valid nonce after a moment came; infinity if none came."""
        with trio.move_on_after(PATIENCE_S):
            while self.last_nonce <= moment:
                await self.news.wait()
            return self.last_nonce
        return inf

    @property
    def record(self) -> DeviceRecordSnapshot:
        [record] = self.backend.device_records()
        return record

    def counters(self) -> dict[str, int]:
        """Return the counters of the driver that may rise because of a fault."""
        record = self.record
        device = record.device
        assert device is not None
        counted = {name: int(getattr(device, name)) for name in COUNTERS}
        return counted | {"unplugged": record.unplugged}

    def hashes(self) -> tuple[int, int]:
        """Return measured and expected hashes."""
        device = self.record.device
        assert device is not None
        return device.hashes, device.expected_hashes

    def error(self) -> str:
        record = self.record
        texts = [record.reason, *(_errors(record.device) if record.device is not None else ())]
        return next((text for text in texts if text), "")


COUNTERS: Final = (
    "crc_errors",
    "garbage_bytes",
    "hardware_errors",
    "duplicate_nonces",
    "stale_nonces",
    "sensor_errors",
    "restarts",
    "safety_shutdowns",
)


def _errors(device: DeviceSnapshot) -> tuple[str, str]:
    return device.reason, device.last_error


def _counts(*names: str) -> Callable[[Recovery], bool]:
    return lambda recovery: any(recovery.counted.get(name, 0) > 0 for name in names)


def _is_hot(recovery: Recovery) -> bool:
    sensed = KINDS[recovery.kind].device.has_sensor
    return ("safety_shutdowns" if sensed else "hardware_errors") in recovery.counted


def _is_bad_frame(recovery: Recovery) -> bool:
    """Return whether damaged frames were noticed. Replies without a checksum show damage only by their hash."""
    return _counts("crc_errors" if KINDS[recovery.kind].device.has_checksums else "hardware_errors")(recovery)


def _restarted_with_reason(recovery: Recovery) -> bool:
    return _counts("restarts", "switched_off")(recovery) and bool(recovery.last_error)


SIGNS: Final[dict[str, Callable[[Recovery], bool]]] = {
    "crc-errors": _is_bad_frame,
    "garbage": _counts("garbage_bytes"),
    "dropped-nonces": lambda recovery: recovery.rate < 0.85 or _counts("restarts")(recovery),
    "duplicate-nonces": _counts("duplicate_nonces"),
    "wrong-nonces": _counts("hardware_errors"),
    "slow-answers": lambda _: True,  # a late nonce is as good as another
    "i2c-errors": _counts("sensor_errors", "restarts", "safety_shutdowns"),
    "dead-chip": _restarted_with_reason,
    "silent-chip": _restarted_with_reason,
    "wrong-chip-id": lambda recovery: "expected" in recovery.last_error,
    "overheating": _is_hot,
    "brown-out": _counts("restarts", "safety_shutdowns", "switched_off"),
    "unplug": _counts("unplugged"),
}


def faults_for(kind: str) -> list[str]:
    """Return the faults that are possible for a product."""
    return [name for name in FAULTS if KINDS[kind].can_have(name)]


async def soak(
    kind: str,
    *,
    seed: int = 0,
    faults: Sequence[str] | None = None,
    hash_rate: float = HASH_RATE,
    nonce_difficulty: float = NONCE_DIFFICULTY,
) -> list[Recovery]:
    """Mine with a device while its faults are injected in random order, and return one result for each.

    Meant for a mock clock. Whatever the driver raises comes through.
    """
    rng = random.Random(f"soak {kind} {seed}")
    names = list(faults_for(kind) if faults is None else faults)
    rng.shuffle(names)
    plugged = PluggedDevice(kind, seed, hash_rate, nonce_difficulty)
    spec = f"{kind}:{plugged.path},nonce-difficulty={nonce_difficulty},hash-rate={hash_rate}H"
    backend = AsicBackend(
        [DeviceSpec.parse(spec)], listing=plugged.listing, open_port=plugged.open_port, clock=trio.current_time
    )
    run = _Run(plugged, backend)
    send, receive = trio.open_memory_channel[NonceFound](1000)
    rows = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(plugged.run)
        nursery.start_soon(backend.run, EndlessWork(seed, nonce_difficulty), send)
        nursery.start_soon(run.listen, receive)
        for name in names:
            rows.append(await _inject(run, name, rng))
            while not rows[-1].injected:  # the device was on its way down for an earlier one
                rows[-1] = await _inject(run, name, rng)
        nursery.cancel_scope.cancel()
    return rows


async def _inject(run: _Run, name: str, rng: random.Random) -> Recovery:
    await trio.sleep(rng.uniform(*CALM_S))
    await run.nonce_after(trio.current_time())
    plugged, now = run.plugged, trio.current_time()
    seconds = rng.uniform(*LENGTHS.get(name, DEFAULT_LENGTH))
    probability = None if FAULTS[name].probability is None else rng.uniform(0.3, 0.6)
    before, hashes, count = run.counters(), run.hashes(), plugged.faults.injected.get(name, 0)
    plugged.inject(Fault(name, probability, plugged.device.age(now), seconds))
    if name == "wrong-chip-id":  # is asked for at bring-up only
        run.backend.restart(run.record.name)
    last_error = await _watch_errors(run, now + seconds)
    done, expected = (later - earlier for later, earlier in zip(run.hashes(), hashes, strict=True))
    switched_off = 0
    while run.record.state is DeviceRecordState.OFF:  # its owner comes and has a look
        switched_off += 1
        run.backend.restart(run.record.name)
        await trio.sleep(1)
    recovered = await run.nonce_after(now + seconds)
    await trio.sleep(SETTLING_S)
    counted = {key: count - before[key] for key, count in run.counters().items() if count != before[key]}
    if switched_off:
        counted["switched_off"] = switched_off
    return Recovery(
        kind=plugged.kind,
        fault=name,
        injected=plugged.faults.injected.get(name, 0) - count,
        counted=counted,
        last_error=last_error,
        rate=done / expected if expected else 1.0,
        seconds=recovered - now - seconds,
    )


async def _watch_errors(run: _Run, until: float) -> str:
    last, known, restarts = "", run.error(), run.counters()["restarts"]
    while trio.current_time() < until:
        await trio.sleep(min(0.25, until - trio.current_time()))
        error = run.error()
        if error and (error != known or run.counters()["restarts"] > restarts):
            last = error
    return last


DEFAULT_LENGTH: Final = (4.0, 8.0)
LENGTHS: Final[dict[str, tuple[float, float]]] = {
    "overheating": (20.0, 40.0),
    "dropped-nonces": (20.0, 30.0),
    "silent-chip": (150.0, 190.0),
    "dead-chip": (150.0, 190.0),
    "brown-out": (15.0, 40.0),
    "unplug": (1.0, 20.0),
    "wrong-chip-id": (20.0, 30.0),
}
"""Shortest and longest duration of a fault in seconds. Silence differs from chance only after ten seconds, and a chip
that finds too little only after minutes."""
