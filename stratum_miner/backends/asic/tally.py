"""Totals of one device over all its restarts, and its state."""

from collections.abc import Callable
from dataclasses import dataclass, field

from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.chain import ChipChain
from stratum_miner.backends.asic.device import DeviceIdentity, DeviceSnapshot, DeviceState
from stratum_miner.backends.asic.health import HealthMonitor
from stratum_miner.backends.asic.readings import Readings

NO_READINGS = Readings()


@dataclass(slots=True)
class DeviceTally:
    """Totals and state of a device. During a mining run, the chip chain counts CRC errors and garbage bytes, and the
    health monitor counts expected hashes. These counts are added to the totals when the mining run ends."""

    clock: Callable[[], float]
    hashes: float = 0.0
    expected_hashes: float = 0.0
    nonces: int = 0
    hardware_errors: int = 0
    duplicate_nonces: int = 0
    stale_nonces: int = 0
    crc_errors: int = 0
    garbage_bytes: int = 0
    sensor_errors: int = 0
    restarts: int = 0
    work_sent: int = 0
    last_error: str = ""
    chips: int = 0
    """Number of chips in the chip chain that was brought up most recently."""
    chip_nonces: dict[int, int] = field(default_factory=dict)
    readings: Readings = NO_READINGS
    hot: str = ""
    """A text with the sensor reading that exceeds the warning temperature; empty if none exceeds it."""
    state: DeviceState = DeviceState.ABSENT
    reason: str = ""
    since: float = 0.0

    def enter(self, state: DeviceState, reason: str = "") -> bool:
        """Enter a state. Return True if the state or the reason is new."""
        if (state, reason) == (self.state, self.reason):
            return False
        if state is not self.state:
            self.since = self.clock()
        self.state, self.reason = state, reason
        return True

    def nonce(self, chip: int, hashes: float) -> None:
        """Count a valid nonce of a chip, and the hashes that it stands for."""
        self.nonces += 1
        self.hashes += hashes
        self.chip_nonces[chip] = self.chip_nonces.get(chip, 0) + 1

    def forget_readings(self) -> None:
        """Forget the last sensor readings, because nothing reads the sensors any more."""
        self.readings, self.hot = NO_READINGS, ""

    def absorb(self, chain: ChipChain | None, health: HealthMonitor | None) -> None:
        """Add the counts of a chip chain and its health monitor to the totals. Call this method when the mining run
        ends."""
        if chain is not None:
            self.crc_errors += chain.wire.decoder.crc_errors
            self.garbage_bytes += chain.wire.decoder.garbage_bytes
        if health is not None:
            self.expected_hashes += health.expected_hashes

    def snapshot(
        self,
        identity: DeviceIdentity,
        board: Board,
        chain: ChipChain | None,
        health: HealthMonitor | None,
        *,
        frequency: float | None,
        voltage: float | None,
        safety_shutdowns: int,
        is_overheated: bool,
    ) -> DeviceSnapshot:
        """Return a snapshot. It includes what ``chain`` and ``health`` have counted so far in the current mining
        run."""
        decoder = chain.wire.decoder if chain is not None else None
        return DeviceSnapshot(
            identity=identity,
            product=board.product,
            chip=board.chip_name,
            state=self.state,
            reason=self.reason,
            since=self.since,
            frequency=frequency,
            voltage=voltage,
            expected_hash_rate=chain.hash_rate if chain is not None else board.hash_rate(frequency),
            hashes=round(self.hashes),
            expected_hashes=round(self.expected_hashes + (health.expected_hashes if health is not None else 0)),
            nonces=self.nonces,
            hardware_errors=self.hardware_errors,
            duplicate_nonces=self.duplicate_nonces,
            stale_nonces=self.stale_nonces,
            crc_errors=self.crc_errors + (decoder.crc_errors if decoder is not None else 0),
            garbage_bytes=self.garbage_bytes + (decoder.garbage_bytes if decoder is not None else 0),
            chips=tuple(self.chip_nonces.get(chip, 0) for chip in range(self.chips)),
            readings=self.readings,
            sensor_errors=self.sensor_errors,
            restarts=self.restarts,
            safety_shutdowns=safety_shutdowns,
            hot=self.hot,
            is_overheated=is_overheated,
            work_sent=self.work_sent,
            last_error=self.last_error,
        )
