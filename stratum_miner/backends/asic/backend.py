"""The asic backend: one supervised task per device, devices that come and go, and one interface to change them.

A *slot* is what a device leaves behind when it is unplugged: its name, its totals, its settings. It does not concern
the other slots. A slot waits until its device is there, finds out which board it is and runs it. What comes next
depends on the error that the device ends with. If it is gone, the slot waits for it. If its port is busy or
forbidden, the slot tries again after growing pauses. After anything else the device stays off until it was unplugged
or its owner restarts it. ``hotplug`` looks at what is there; the device itself restarts after trouble that leaves its
port open.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import structlog
import trio

from stratum_miner.backends import options as option
from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.device import Device, DeviceIdentity, Driver
from stratum_miner.backends.asic.device_location import DeviceLocation, DevicePorts, OpenPort, find_device, locate_path
from stratum_miner.backends.asic.device_record import (
    LOSSES,
    LOSSES_WITHIN_S,
    DeviceRecord,
    DeviceRecordSnapshot,
    DeviceRecordState,
)
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.asic.drivers import driver_of
from stratum_miner.backends.asic.errors import DeviceError, DeviceGone, PortBusy, PortForbidden
from stratum_miner.backends.asic.hotplug import Hotplug
from stratum_miner.backends.asic.port_list import Listing, ports_now
from stratum_miner.backends.asic.probing import candidates, choose_board
from stratum_miner.backends.asic.serial_port import open_serial_port
from stratum_miner.backends.base import Backend, BackendError, BackendOptionError, WorkSource
from stratum_miner.backends.statistics import BackendStatistics
from stratum_miner.spelling import did_you_mean
from stratum_miner.work.unit import NonceFound

log = structlog.get_logger(__name__)

MAX_DEVICE_RECORDS = 256
"""A hostile device could come back under ever new serial numbers."""


class AsicBackend(Backend):
    """Mines with the devices that the specifications name, and with those that turn up."""

    name: ClassVar[str] = "asic"
    exhaustive: ClassVar[bool] = False

    def __init__(
        self,
        specs: Sequence[DeviceSpec],
        *,
        listing: Listing = ports_now,
        open_port: OpenPort = open_serial_port,
        driver: Callable[[Board], Driver] = driver_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not specs:
            raise BackendOptionError("device: expected at least one, as in auto or erupter:/dev/ttyUSB0")
        self._hotplug = Hotplug(listing)
        self._open_port, self._driver, self._clock = open_port, driver, clock
        self._auto = tuple(spec for spec in specs if spec.path is None)
        self._slots: list[DeviceRecord] = []
        self._changed = trio.Event()
        for spec in specs:
            if spec.path is not None:
                self.add(spec)

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "AsicBackend":
        """``devices``: one or several specifications, separated by blanks; default auto."""
        option.check_known(cls.name, options, ("devices",))
        return cls([DeviceSpec.parse(text) for text in options.get("devices", "auto").split()])

    def statistics(self) -> BackendStatistics:
        """Each device that was named or was there, since the beginning, whether or not it is there now."""
        slots = tuple(self._slots)
        running = sum(slot.is_running for slot in slots)
        kept = sum(slot.is_kept for slot in slots)
        devices = tuple(listed for slot in slots if (listed := slot.listed()) is not None)
        return BackendStatistics(self.name, f"asic, {running} of {kept} devices", devices, problem=self._problem(slots))

    def _problem(self, slots: Sequence[DeviceRecord]) -> str:
        """Which of the specifications that name no port found no device."""
        if not self._hotplug.has_looked:
            return ""
        unmatched = [
            spec.text
            for spec in self._auto
            if not any(slot.spec is spec or (slot.device is not None and spec.fits(slot.board)) for slot in slots)
        ]
        return f"--device {' and '.join(unmatched)} found none" if unmatched else ""

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Run every device, those that come later included, until cancelled."""
        started: set[DeviceRecord] = set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hotplug.run)
            if self._auto:
                nursery.start_soon(self._adopt)
            while True:
                changed = self._changed
                for slot in [slot for slot in self._slots if slot not in started]:
                    started.add(slot)
                    nursery.start_soon(self._supervise, slot, source, found)
                await changed.wait()

    # ---- to see and change devices while mining; from the trio thread ------------------------------------------

    def slots(self) -> tuple[DeviceRecordSnapshot, ...]:
        """All of them, removed ones included, in the order in which they came."""
        return tuple(slot.snapshot() for slot in self._slots)

    def add(self, spec: DeviceSpec) -> None:
        """Mine with another device. BackendOptionError when it is there already."""
        if spec.path is None:
            raise BackendOptionError(f"device: expected the path of one device, got {spec.text!r}")
        same = [
            slot for slot in self._slots if slot.spec.path == spec.path and slot.state is not DeviceRecordState.REMOVED
        ]
        if same:
            raise BackendOptionError(f"device: {spec.path} is named twice, as {same[0].spec.text} and {spec.text}")
        self._new_slot(DeviceRecord(spec, name=self._first_name(spec.path)))

    def remove(self, name: str) -> None:
        """Power a device down and leave it alone; its totals stay. BackendOptionError for an unknown name."""
        self._slot(name).remove()

    def restart(self, name: str) -> None:
        """Power it down if it runs, forget what it was switched off for, and start it again.

        BackendOptionError for an unknown name.
        """
        self._slot(name).restart()

    def worker_name(self, device: str) -> str:
        """See ``Backend``."""
        return next((slot.worker_name for slot in self._slots if slot.name == device), "")

    def _slot(self, name: str) -> DeviceRecord:
        kept = {slot.name: slot for slot in self._slots if slot.is_kept}
        if name in kept:
            return kept[name]
        raise BackendOptionError(
            f"device: expected one of {', '.join(kept) or 'none'}, got {name!r}{did_you_mean(name, kept)}"
        )

    def _first_name(self, path: str) -> str:
        """Its path; where another one is still called by that path, another name."""
        taken = {slot.name for slot in self._slots}
        names = (path, *(f"{path} ({count})" for count in range(2, MAX_DEVICE_RECORDS + 2)))
        return next(name for name in names if name not in taken)

    def _new_slot(self, slot: DeviceRecord) -> None:
        if len(self._slots) >= MAX_DEVICE_RECORDS:
            raise BackendOptionError(f"device: expected at most {MAX_DEVICE_RECORDS}, got another")
        self._slots.append(slot)
        self._changed.set()
        self._changed = trio.Event()

    # ---- devices that turn up ---------------------------------------------------------------------------------

    async def _adopt(self) -> None:
        """Make a slot for every recognised device that has none."""
        await self._hotplug.next_look()
        if not any(device.recognised for device in self._hotplug.devices):
            unnamed = [device.path for device in self._hotplug.devices if device.kinds]
            log.warning("no_device_found", to_be_named=" ".join(unnamed), hint="stratum-miner devices tells more")
        while True:
            taken = self._taken()
            for device in self._hotplug.devices:
                spec = next((spec for spec in self._auto if spec.kind is None or spec.kind in device.kinds), None)
                if spec is not None and device.recognised and device.path not in taken:
                    if len(self._slots) >= MAX_DEVICE_RECORDS:
                        log.warning("too_many_devices", most=MAX_DEVICE_RECORDS, ignored=device.path)
                        return
                    name = self._first_name(device.path)
                    self._new_slot(
                        DeviceRecord(spec, name=name, identity=device.identity or device.path, path=device.path)
                    )
            await self._hotplug.next_look()

    def _taken(self) -> set[str]:
        """Paths of devices that are some slot's, also one that was removed: that was told to leave it alone."""
        places = (self._place(slot) for slot in self._slots)
        return {place.found.path for place in places if place is not None and place.found is not None}

    # ---- one device -------------------------------------------------------------------------------------------

    async def _supervise(
        self, slot: DeviceRecord, source: WorkSource, found: trio.MemorySendChannel[NonceFound]
    ) -> None:
        while slot.is_kept:
            with trio.CancelScope() as slot.scope:
                await self._until_it_ends(slot, source, found)

    async def _until_it_ends(
        self, slot: DeviceRecord, source: WorkSource, found: trio.MemorySendChannel[NonceFound]
    ) -> None:
        """Run it once, from being plugged in to whatever ends it, and wait as long as that asks for."""
        place = await self._arrival(slot)
        slot.enter(DeviceRecordState.FOUND)
        opened = slot.ports.opened if slot.ports is not None else 0
        try:
            device = slot.device or await self._recognise(slot, place)
            slot.enter(DeviceRecordState.RUNNING)
            log.info("device_started", device=slot.name, path=slot.path)
            async with found.clone() as own:
                await device.run(source, own)
        except DeviceGone as error:
            if slot.ports is None or slot.ports.opened == opened:
                await self._pause(slot, error)  # it is listed and cannot be opened: nobody pulled it out just now
            else:
                self._note_loss(slot, error)
                await self._hotplug.next_look()
        except (PortBusy, PortForbidden) as error:
            await self._pause(slot, error)
        except BackendError as error:
            await self._stay_off(slot, str(error))
        except Exception as error:  # a defect of one driver must not stop the others
            log.exception("device_defect", device=slot.name)
            await self._stay_off(slot, f"a defect of its driver: {error!r}")

    async def _arrival(self, slot: DeviceRecord) -> DeviceLocation:
        """Where it is, once it is there with all its ports."""
        if not self._hotplug.has_looked:
            await self._hotplug.next_look()
        while True:
            place = self._place(slot)
            if place is not None and (
                place.port_paths(slot.board) if slot.board else candidates(place, slot.spec.kind)
            ):
                slot.path, slot.node = place.path, place.node
                return place
            reason = "not plugged in" if place is None else "one of its ports is missing"
            if slot.state is not DeviceRecordState.WAITING or not slot.reason:
                log.warning("device_awaited", device=slot.name, reason=reason)
                slot.enter(DeviceRecordState.WAITING, reason)
            await self._hotplug.next_look()

    def _place(self, slot: DeviceRecord) -> DeviceLocation | None:
        """Where its device is now; not where another slot's is that runs."""
        others = {other.node for other in self._slots if other is not slot and other.is_running}
        devices = [item for item in self._hotplug.devices if others.isdisjoint(port.path for port in item.ports)]
        if slot.spec.path is not None:
            return locate_path(slot.spec.path, slot.identity, devices)
        found = find_device(slot.identity, slot.path, devices)
        return None if found is None else DeviceLocation(path=found.path, found=found)

    async def _recognise(self, slot: DeviceRecord, place: DeviceLocation) -> Device:
        board = await choose_board(place, candidates(place, slot.spec.kind), self._open_port, self._driver)
        options = slot.spec.options_for(board)
        slot.board, slot.worker_name = board, options.worker_name
        if place.found is not None:
            slot.identity = slot.identity or place.found.identity
        port = place.found.ports[0] if place.found is not None else None
        identity = DeviceIdentity(
            kind=board.kind,
            path=place.path,
            serial_number="" if port is None or port.has_placeholder_serial else port.serial_number,
            location="" if port is None else port.socket,
        )
        identity = self._unique(identity)

        def paths() -> Mapping[str, str]:
            now = self._place(slot)
            return {} if now is None else now.port_paths(board)

        slot.ports = DevicePorts(identity.name, paths, self._open_port)
        slot.device = self._driver(board).device(identity, slot.ports, options, self._clock)
        return slot.device

    def _unique(self, identity: DeviceIdentity) -> DeviceIdentity:
        """Two emulators may be called alike in different directories."""
        taken = {slot.name for slot in self._slots}
        count = 2
        unique = identity
        while unique.name in taken:
            place = f"{identity.serial_number or identity.location or identity.path.rsplit('/', 1)[-1]}-{count}"
            unique = DeviceIdentity(kind=identity.kind, path=identity.path, location=place)
            count += 1
        return unique

    async def _pause(self, slot: DeviceRecord, error: DeviceError) -> None:
        pause, news = slot.next_pause(), str(error) != slot.told
        slot.told = str(error)
        slot.enter(DeviceRecordState.TRYING, str(error))
        (log.warning if news else log.info)("device_unavailable", device=slot.name, reason=str(error), again_in_s=pause)
        await trio.sleep(pause)

    def _note_loss(self, slot: DeviceRecord, error: DeviceGone) -> None:
        slot.enter(DeviceRecordState.WAITING, str(error))
        log.warning("device_gone", device=slot.name, reason=str(error))
        if slot.note_loss(self._clock()):
            log.warning(
                "power_fault",
                device=slot.name,
                reason=f"gone {LOSSES} times within {LOSSES_WITHIN_S / 60:g} minutes",
                hint="a hub or cable that cannot supply it; try a powered hub",
            )

    async def _stay_off(self, slot: DeviceRecord, reason: str) -> None:
        """Until it was unplugged; a restart cancels this."""
        slot.enter(DeviceRecordState.OFF, reason)
        log.error("device_off", device=slot.name, reason=reason, hint="unplug it, or restart it")
        node = self._node(slot)
        while self._node(slot) == node:
            await self._hotplug.next_look()

    def _node(self, slot: DeviceRecord) -> str:
        place = self._place(slot)
        return "" if place is None else place.node
