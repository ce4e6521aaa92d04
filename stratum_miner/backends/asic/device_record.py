"""What stays of a device when it is unplugged: its name, its totals, its settings, and what it is waiting for."""

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
"""Before a port that is busy or forbidden is tried again; the last one for ever. The first leaves udev its time."""
LOSSES, LOSSES_WITHIN_S = 3, 300.0
"""When a device is gone so often in so short a time, nobody unplugs it: its supply fails
(docs/reference/asic.md#missing-chips-and-power-faults). Picked by feel."""


class DeviceRecordState(Enum):
    """What became of a slot; what a running device does, its own snapshot tells."""

    WAITING = "waiting"
    """The slot waits for its device to be plugged in."""
    FOUND = "found"
    """It is there; which board it is has to be found out."""
    TRYING = "trying"
    """It is there, and its port cannot be ours yet."""
    RUNNING = "running"
    OFF = "off"
    """Until it was unplugged or is restarted."""
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRecordSnapshot:
    """One slot as displays and APIs show it."""

    name: str
    """The device's name, as in ``NonceFound.device``; before it is known what the user called it."""
    spec: str
    state: DeviceRecordState
    reason: str
    """Why it is not running; empty while it is."""
    path: str
    """Where it was seen last."""
    unplugged: int
    """How often it went away while it was mining."""
    worker_name: str
    """Empty for the pool's own."""
    device: DeviceSnapshot | None
    """None until it was there once."""


_SHOWN = {
    DeviceRecordState.WAITING: "absent",
    DeviceRecordState.FOUND: "starting",
    DeviceRecordState.TRYING: "off",
    DeviceRecordState.OFF: "off",
    DeviceRecordState.REMOVED: "removed",
}
"""What displays call the state of a slot whose device does not run."""


class DeviceRecord:
    """What stays of a device when it is unplugged."""

    def __init__(self, spec: DeviceSpec, *, name: str, identity: str = "", path: str = "") -> None:
        self.spec = spec
        self.first_name = name
        """What it is called until its device is known; no other has the same name."""
        self.identity = identity
        """What it is known by on the bus; empty until it was there, and for one that only its path tells apart."""
        self.path = path or spec.path or ""
        self.device_file = ""
        """Where it was seen last, as the machine names it."""
        self.board: Board | None = None
        self.device: Device | None = None
        self.ports: DevicePorts | None = None
        self.worker_name = ""
        self.state = DeviceRecordState.WAITING
        self.reason = ""
        self.last_warning = ""
        """The last warning that its port cannot be ours; empty once it was."""
        self.unplugged = 0
        self.scope = trio.CancelScope()
        self._failures = 0
        self._losses: deque[float] = deque(maxlen=LOSSES)

    @property
    def name(self) -> str:
        """The device's, once it is known."""
        return self.device.identity.name if self.device is not None else self.first_name

    @property
    def is_kept(self) -> bool:
        """Whether it still takes part."""
        return self.state is not DeviceRecordState.REMOVED

    @property
    def is_running(self) -> bool:
        """Whether its device has the port, or is about to."""
        return self.state is DeviceRecordState.RUNNING

    def enter(self, state: DeviceRecordState, reason: str = "") -> None:
        """Go on to another state, unless it was removed meanwhile."""
        if self.is_kept:
            self.state, self.reason = state, reason

    def remove(self) -> None:
        """Take it out for good; its totals stay."""
        self.state, self.reason = DeviceRecordState.REMOVED, "removed"
        self.scope.cancel()

    def restart(self) -> None:
        """Let it begin anew, with the shortest pause."""
        self._failures = 0
        self.scope.cancel()

    def next_pause(self) -> float:
        """Seconds to wait before the next try, longer each time."""
        self._failures += 1
        return PAUSES_S[min(self._failures, len(PAUSES_S)) - 1]

    def note_loss(self, now: float) -> bool:
        """Count a loss of the device; True when losses come faster than anybody would unplug it."""
        self.unplugged += 1
        self._failures = 0
        self.last_warning = ""
        self._losses.append(now)
        if len(self._losses) < LOSSES or now - self._losses[0] > LOSSES_WITHIN_S:
            return False
        self._losses.clear()
        return True

    def statistics(self) -> DeviceSnapshot | None:
        """What its device tells; None until it was there."""
        return None if self.device is None else self.device.statistics()

    def listed(self) -> DeviceStatistics | None:
        """As displays list it: also while it is not there. None for one that was removed before it ever was."""
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
        """A frozen view."""
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
