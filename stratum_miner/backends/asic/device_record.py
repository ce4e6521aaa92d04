"""What the miner keeps of a device while it is unplugged: its name, totals, settings and state."""

from collections import deque
from dataclasses import dataclass, replace
from enum import Enum

import trio

from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.boards import board_of
from stratum_miner.backends.asic.device import Device, DeviceSnapshot
from stratum_miner.backends.asic.device_location import DevicePorts
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.statistics import DeviceStatistics, Hardware

PAUSES_S = (2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds to wait after the first, the second and each further failed attempt to open a port that is busy or forbidden.
When all values have been used, the last one is repeated. The first pause leaves udev time to set the permissions."""
LOSSES, LOSSES_WITHIN_S = 3, 300.0
"""If a device disconnects this many times within this many seconds, its user did not unplug it: its power supply fails
(docs/reference/asic.md#missing-chips-and-power-faults). Both values are estimates."""


class DeviceRecordState(Enum):
    """State of a device record. For a running device, ``DeviceState`` contains the details."""

    WAITING = "waiting"
    """The device is not plugged in."""
    FOUND = "found"
    """The device is plugged in, and the miner is finding out which board it is."""
    TRYING = "trying"
    """The device is plugged in, and its port cannot be opened yet."""
    RUNNING = "running"
    OFF = "off"
    """The miner does not use the device until somebody unplugs or restarts it."""
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRecordSnapshot:
    """A frozen snapshot of one device record."""

    name: str
    """The device's name, as in ``NonceFound.device``. Before the device is identified, the name is its path, followed
    by a number if another record has that name."""
    spec: str
    state: DeviceRecordState
    reason: str
    """Why the device does not run; empty while it does."""
    path: str
    """The path at which the device was connected last."""
    unplugged: int
    """Number of times that the device was disconnected while it was mining."""
    worker_name: str
    """Worker name to submit the device's shares under; empty for the worker name of the pool."""
    device: DeviceSnapshot | None
    """Snapshot of the device; None until the device was identified for the first time."""


_SHOWN = {
    DeviceRecordState.WAITING: "absent",
    DeviceRecordState.FOUND: "starting",
    DeviceRecordState.TRYING: "off",
    DeviceRecordState.OFF: "off",
    DeviceRecordState.REMOVED: "removed",
}
"""The name that users see for the state of a device that does not run."""


class DeviceRecord:
    """Name, settings and totals of a device, kept while it is unplugged."""

    def __init__(self, spec: DeviceSpec, *, name: str, identity: str = "", path: str = "") -> None:
        self.spec = spec
        self.first_name = name
        """The name of the record until the device is identified. No other record has the same name."""
        self.identity = identity
        """What identifies the device on the USB bus. It is empty until the device has been found for the first time. It
        stays empty if nothing but its path identifies the device."""
        self.path = path or spec.path or ""
        self.device_file = ""
        """The device file at which the device was connected last."""
        self.board: Board | None = None
        self.device: Device | None = None
        self.ports: DevicePorts | None = None
        self.worker_name = ""
        self.state = DeviceRecordState.WAITING
        self.reason = ""
        self.last_warning = ""
        """The last warning that the port cannot be opened, so that the same warning is not logged twice. When the
        device disconnects, the warning is forgotten."""
        self.unplugged = 0
        self.scope = trio.CancelScope()
        self._failures = 0
        self._losses: deque[float] = deque(maxlen=LOSSES)

    @property
    def name(self) -> str:
        """The name of the device; before the device is identified, the name of the record."""
        return self.device.identity.name if self.device is not None else self.first_name

    @property
    def is_kept(self) -> bool:
        """Whether the miner still manages the device. False after the user has removed it."""
        return self.state is not DeviceRecordState.REMOVED

    @property
    def is_running(self) -> bool:
        """Whether ``run`` of the device is active: its port is open or about to be opened."""
        return self.state is DeviceRecordState.RUNNING

    def enter(self, state: DeviceRecordState, reason: str = "") -> None:
        """Enter another state, unless the user has removed the device."""
        if self.is_kept:
            self.state, self.reason = state, reason

    def remove(self) -> None:
        """Stop using the device for good. Its totals remain."""
        self.state, self.reason = DeviceRecordState.REMOVED, "removed"
        self.scope.cancel()

    def restart(self) -> None:
        """Let the device start again, and forget earlier failures, so that ``next_pause`` begins with the shortest
        pause."""
        self._failures = 0
        self.scope.cancel()

    def next_pause(self) -> float:
        """Count a failed attempt to open the port, and return the seconds to wait before the next attempt
        (``PAUSES_S``)."""
        self._failures += 1
        return PAUSES_S[min(self._failures, len(PAUSES_S)) - 1]

    def note_loss(self, now: float) -> bool:
        """Count a disconnection at time ``now`` (seconds). Return True if the device has disconnected ``LOSSES`` times
        within ``LOSSES_WITHIN_S`` seconds, which is more often than a user would unplug it. After a True result, the
        count for this limit starts again at 0; ``unplugged`` is not reset."""
        self.unplugged += 1
        self._failures = 0
        self.last_warning = ""
        self._losses.append(now)
        if len(self._losses) < LOSSES or now - self._losses[0] > LOSSES_WITHIN_S:
            return False
        self._losses.clear()
        return True

    def statistics(self) -> DeviceSnapshot | None:
        """Return the snapshot of the device; None until it was identified for the first time."""
        return None if self.device is None else self.device.statistics()

    def listed(self) -> DeviceStatistics | None:
        """Return the device's row for the lists of devices that the miner shows. There is a row even while the device
        is not plugged in.

        Return None for a device that was removed before it was identified.
        """
        snapshot = self.statistics()
        if snapshot is None and not self.is_kept:
            return None
        board = self.board or (None if self.spec.kind is None else board_of(self.spec.kind))
        hardware = Hardware(product="") if board is None else Hardware(product=board.product, chip=board.chip_name)
        if snapshot is not None:
            hardware = snapshot.hardware
        if not self.is_running:
            has_looked = self.state is not DeviceRecordState.WAITING or self.reason
            state = _SHOWN[self.state] if has_looked else "starting"
            hardware = replace(hardware, state=state, reason=self.reason, hot="")
        return DeviceStatistics(
            name=self.name,
            hashes=snapshot.hashes if snapshot is not None else 0,
            nonces_found=snapshot.nonces if snapshot is not None else 0,
            hardware_errors=snapshot.hardware_errors if snapshot is not None else 0,
            hardware=hardware,
            listed_as=self.first_name,
        )

    def snapshot(self) -> DeviceRecordSnapshot:
        """Return a snapshot of the record."""
        return DeviceRecordSnapshot(
            name=self.name,
            spec=self.spec.text,
            state=self.state,
            reason=self.reason,
            path=self.path,
            unplugged=self.unplugged,
            worker_name=self.worker_name,
            device=self.statistics(),
        )
