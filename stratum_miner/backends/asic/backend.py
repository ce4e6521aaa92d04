"""The asic backend: runs one task for each device, and adds, removes and restarts devices while mining.

A *device record* holds what the miner keeps of a device while it is unplugged: its name, its totals, its settings. Each
record has a task. This task waits until the device is plugged in, finds out which board it is, and runs it. Other
modules call these tasks the *supervisor*. When the device stops running, the cause decides what the task does:

* If the device was unplugged, the task waits until it is plugged in again.
* If the port of the device is busy or forbidden, the task tries again after pauses that grow longer.
* After any other error, the device stays off until it is unplugged or the user restarts it.

Some errors can be cured by restarting the chips. ``Device.run`` restarts them itself, and ends with an error only if
the restarts do not help. The module ``hotplug`` finds out which devices are plugged in.
"""

import glob
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import structlog
import trio

from stratum_miner.backends import options as option
from stratum_miner.backends.asic import access
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
from stratum_miner.backends.asic.discovery import FoundDevice
from stratum_miner.backends.asic.drivers import driver_of
from stratum_miner.backends.asic.errors import DeviceError, DeviceGone, DeviceRefused, PortBusy, PortForbidden
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
"""Largest number of device records. Without a limit, a malicious device could connect again and again, each time with a
new serial number."""


OFF_HINT = "remove the cause, then restart the device, or unplug it and plug it in again"


class AsicBackend(Backend):
    """Mines with the devices that ``specs`` names. If a specification has no path, such as ``auto``, recognised devices
    are used, too, whenever they are plugged in.

    Raises BackendOptionError if ``specs`` is empty or names a path twice. ``listing``, ``open_port``, ``driver`` and
    ``clock`` (in seconds) can be replaced for tests.
    """

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
        self._records: list[DeviceRecord] = []
        self._changed = trio.Event()
        for spec in specs:
            if spec.path is not None:
                self.add(spec)

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> "AsicBackend":
        """Create the backend from the option ``devices``: one or several specifications, separated by spaces. The
        default is ``auto``.

        Raises BackendOptionError for a bad specification. The error suggests the nearest correct spelling.
        """
        option.check_known(cls.name, options, ("devices",))
        return cls([DeviceSpec.parse(text) for text in options.get("devices", "auto").split()])

    def statistics(self) -> BackendStatistics:
        """Return the statistics of each device that was named or found since the start, even if it is unplugged now."""
        records = tuple(self._records)
        running = sum(record.is_running for record in records)
        kept = sum(record.is_kept for record in records)
        devices = tuple(listed for record in records if (listed := record.listed()) is not None)
        return BackendStatistics(
            self.name, f"asic, {running} of {kept} devices", devices, problem=self._problem(records)
        )

    def _problem(self, records: Sequence[DeviceRecord]) -> str:
        """Return a message that names each specification without a path, such as ``auto``, for which no device was
        found. The message is empty if each has a device, and before the first search for devices.

        If ``auto`` is given, too, the message never names a specification that has a kind and settings, such as
        ``compac:auto,frequency=200``. This specification then only sets how devices of its kind are used; there need
        not be one.
        """
        if not self._hotplug.has_looked:
            return ""
        has_auto = any(spec.kind is None and spec.pattern is None for spec in self._auto)
        unmatched = [
            spec.text
            for spec in self._auto
            if not (has_auto and spec.kind is not None and spec.options)
            and not any(
                record.spec.text == spec.text or (record.device is not None and spec.fits(record.board))
                for record in records
            )
        ]
        return f"--device {' and '.join(unmatched)} found no device" if unmatched else ""

    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Run all devices until cancelled, including devices that are plugged in later."""
        started: set[DeviceRecord] = set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hotplug.run)
            if self._auto:
                nursery.start_soon(self._add_new_devices)
            while True:
                changed = self._changed
                for record in [record for record in self._records if record not in started]:
                    started.add(record)
                    nursery.start_soon(self._supervise, record, source, found)
                await changed.wait()

    # ---- list and change devices while mining; call these in the trio thread -----------------------------------

    def device_records(self) -> tuple[DeviceRecordSnapshot, ...]:
        """Return a snapshot of all device records, in the order in which they were added. Removed devices are
        included."""
        return tuple(record.snapshot() for record in self._records)

    def add(self, spec: DeviceSpec) -> None:
        """Mine with another device. Raises BackendOptionError if ``spec`` has no path, or a path that is already in
        use."""
        if spec.path is None:
            raise BackendOptionError(f"device: expected the path of one device, got {spec.text!r}")
        same = [
            record
            for record in self._records
            if record.spec.path == spec.path and record.state is not DeviceRecordState.REMOVED
        ]
        if same:
            raise BackendOptionError(
                f"device: {spec.path} is named twice, as {same[0].spec.text} and {spec.text}: remove one of them"
            )
        self._add_record(DeviceRecord(spec, name=self._first_name(spec.path)))

    def remove(self, name: str) -> None:
        """Power a device down and stop using it. Its totals are kept. Raises BackendOptionError for an unknown name."""
        self._record(name).remove()

    def restart(self, name: str) -> None:
        """Power the device down if it runs, forget why it was switched off, and start it again.

        Raises BackendOptionError for an unknown name.
        """
        self._record(name).restart()

    def worker_name(self, device: str) -> str:
        """See ``Backend.worker_name``."""
        return next((record.worker_name for record in self._records if record.name == device), "")

    def _record(self, name: str) -> DeviceRecord:
        kept = {record.name: record for record in self._records if record.is_kept}
        if name in kept:
            return kept[name]
        raise BackendOptionError(
            f"device: expected one of {', '.join(kept) or 'none'}, got {name!r}{did_you_mean(name, kept)}"
        )

    def _first_name(self, path: str) -> str:
        """Return the name of a new record: ``path``, followed by a number if another record already has this name."""
        taken = {record.name for record in self._records}
        names = (path, *(f"{path} ({count})" for count in range(2, MAX_DEVICE_RECORDS + 2)))
        return next(name for name in names if name not in taken)

    def _add_record(self, record: DeviceRecord) -> None:
        if len(self._records) >= MAX_DEVICE_RECORDS:
            raise BackendOptionError(
                f"device: expected at most {MAX_DEVICE_RECORDS} devices with removed ones, got one more: {record.name}"
            )
        self._records.append(record)
        self._changed.set()
        self._changed = trio.Event()

    # ---- devices that are plugged in later --------------------------------------------------------------------

    async def _add_new_devices(self) -> None:
        """Until cancelled, add a record for each recognised device that does not have one."""
        await self._hotplug.next_look()
        any_path = [spec for spec in self._auto if spec.pattern is None]
        if any_path and not self._records and not any(map(self._auto_spec, self._hotplug.devices)):
            unnamed = [device.path for device in self._hotplug.devices if device.kinds]
            log.warning("no_device_found", to_be_named=" ".join(unnamed), hint="run stratum-miner devices for details")
        for pattern in [spec for spec in self._auto if spec.pattern]:
            is_plugged_in = any(map(pattern.selects, self._hotplug.devices))
            if not is_plugged_in and not await trio.to_thread.run_sync(_serial_ports, pattern.pattern or ""):
                log.warning("device_awaited", device=pattern.text, reason="no serial port matches this pattern")
        while True:
            new = [record for spec in self._auto if spec.pattern for record in await self._new_at(spec)]
            taken = self._known_paths() | {record.path for record in new}
            for device in self._hotplug.devices:
                spec = self._auto_spec(device)
                if spec is not None and device.path not in taken:
                    name = self._first_name(device.path)
                    new.append(DeviceRecord(spec, name=name, identity=device.identity or device.path, path=device.path))
            for record in new:
                if len(self._records) >= MAX_DEVICE_RECORDS:
                    log.warning("too_many_devices", most=MAX_DEVICE_RECORDS, ignored=record.path)
                    return
                self._add_record(record)
            await self._hotplug.next_look()

    def _auto_spec(self, device: FoundDevice) -> DeviceSpec | None:
        """Return the specification for a device that was found: the first one that selects this device, among those
        without a path or pattern. Return None if there is none."""
        return next((spec for spec in self._auto if spec.pattern is None and spec.selects(device)), None)

    async def _new_at(self, spec: DeviceSpec) -> list[DeviceRecord]:
        """Find the devices at the paths that match the glob pattern of ``spec``. Return a new record for each of these
        devices that has no record yet."""
        taken = self._known_paths() | {record.spec.path for record in self._records}
        devices = {port.path: device for device in self._hotplug.devices for port in device.ports}
        paths = [(device.path, device.path) for device in self._hotplug.devices if spec.selects(device)]
        paths += await trio.to_thread.run_sync(_serial_ports, spec.pattern or "")
        found: list[DeviceRecord] = []
        for path, real in paths:
            at = devices[real].path if real in devices else path
            if at not in taken:
                taken.add(at)
                found.append(DeviceRecord(replace(spec, path=path), name=self._first_name(path)))
        return found

    def _known_paths(self) -> set[str]:
        """Return the paths of the connected devices that have a record. This includes devices that the user removed, so
        that they are not added again."""
        locations = (self._location(record) for record in self._records)
        return {location.found.path for location in locations if location is not None and location.found is not None}

    # ---- one device -------------------------------------------------------------------------------------------

    async def _supervise(
        self, record: DeviceRecord, source: WorkSource, found: trio.MemorySendChannel[NonceFound]
    ) -> None:
        while record.is_kept:
            with trio.CancelScope() as record.scope:
                await self._run_once(record, source, found)

    async def _run_once(
        self, record: DeviceRecord, source: WorkSource, found: trio.MemorySendChannel[NonceFound]
    ) -> None:
        """Wait until the device is plugged in, and run it until it stops. Then wait again. Depending on why the device
        stopped, this wait lasts for some seconds, until the next search for devices, or until the device is unplugged.
        After that, the caller may run the device again."""
        location = await self._wait_until_connected(record)
        record.enter(DeviceRecordState.FOUND)
        opened = record.ports.opened if record.ports is not None else 0
        try:
            device = record.device or await self._recognise(record, location)
            record.enter(DeviceRecordState.RUNNING)
            log.info("device_started", device=record.name, path=record.path)
            async with found.clone() as own:
                await device.run(source, own)
        except DeviceGone as error:
            if record.ports is None or record.ports.opened == opened:
                await self._pause(record, error)  # its port could not be opened: try again later
            else:
                self._note_loss(record, error)
                await self._hotplug.next_look()
        except (PortBusy, PortForbidden) as error:
            await self._pause(record, error)
        except BackendError as error:
            await self._stay_off(record, str(error))
        except Exception as error:  # an internal error of one driver must not stop the other devices
            log.exception("device_defect", device=record.name)
            await self._stay_off(record, f"internal error in its driver, please report it: {error!r}")

    async def _wait_until_connected(self, record: DeviceRecord) -> DeviceLocation:
        """Wait until the device is plugged in with all its required ports, and return its location."""
        if not self._hotplug.has_looked:
            await self._hotplug.next_look()
        while True:
            location = self._location(record)
            if location is not None and (
                location.port_paths(record.board) if record.board else candidates(location, record.spec.kind)
            ):
                record.path, record.device_file = location.path, location.device_file
                return location
            reason = "not plugged in" if location is None else "one of its ports is missing"
            if record.state is not DeviceRecordState.WAITING or not record.reason:
                log.warning("device_awaited", device=record.name, reason=reason)
                record.enter(DeviceRecordState.WAITING, reason)
            await self._hotplug.next_look()

    def _location(self, record: DeviceRecord) -> DeviceLocation | None:
        """Return where the device of this record is connected, or None if it is not connected. A device that runs for
        another record is ignored."""
        others = {other.device_file for other in self._records if other is not record and other.is_running}
        devices = [item for item in self._hotplug.devices if others.isdisjoint(port.path for port in item.ports)]
        if record.spec.path is not None:
            return locate_path(record.spec.path, record.identity, devices)
        found = find_device(record.identity, record.path, devices)
        return None if found is None else DeviceLocation(path=found.path, found=found)

    async def _recognise(self, record: DeviceRecord, location: DeviceLocation) -> Device:
        board = await choose_board(location, candidates(location, record.spec.kind), self._open_port, self._driver)
        options = record.spec.options_for(board)
        record.board, record.worker_name = board, options.worker_name
        if location.found is not None:
            record.identity = record.identity or location.found.identity
        port = location.found.ports[0] if location.found is not None else None
        identity = DeviceIdentity(
            kind=board.kind,
            path=location.path,
            serial_number="" if port is None or port.has_placeholder_serial else port.serial_number,
            location="" if port is None else port.socket,
        )
        identity = self._unique(identity)

        def paths() -> Mapping[str, str]:
            now = self._location(record)
            return {} if now is None else now.port_paths(board)

        record.ports = DevicePorts(identity.name, paths, self._open_port)
        record.device = self._driver(board).device(identity, record.ports, options, self._clock)
        return record.device

    def _unique(self, identity: DeviceIdentity) -> DeviceIdentity:
        """Return the identity unchanged if its name is unique among the records. Otherwise append a number to its
        location, from which the name is made, so that the name becomes unique.

        Two emulators in different directories can have the same name, for example.
        """
        taken = {record.name for record in self._records}
        count = 2
        unique = identity
        while unique.name in taken:
            location = f"{identity.serial_number or identity.location or identity.path.rsplit('/', 1)[-1]}-{count}"
            unique = DeviceIdentity(kind=identity.kind, path=identity.path, location=location)
            count += 1
        return unique

    async def _pause(self, record: DeviceRecord, error: DeviceError) -> None:
        pause, news = record.next_pause(), str(error) != record.last_warning
        record.last_warning = str(error)
        record.enter(DeviceRecordState.TRYING, str(error))
        (log.warning if news else log.info)(
            "device_unavailable", device=record.name, reason=str(error), again_in_s=pause
        )
        await trio.sleep(pause)

    def _note_loss(self, record: DeviceRecord, error: DeviceGone) -> None:
        record.enter(DeviceRecordState.WAITING, str(error))
        log.warning("device_gone", device=record.name, reason=str(error))
        if record.note_loss(self._clock()):
            log.warning(
                "power_fault",
                device=record.name,
                reason=f"it disconnected {LOSSES} times within {LOSSES_WITHIN_S / 60:g} minutes",
                hint="the hub or cable may not supply enough power; try a powered hub",
            )

    async def _stay_off(self, record: DeviceRecord, reason: str) -> None:
        """Log the reason, and return when the device is unplugged. Until then it is not used. A restart by the user
        cancels the wait."""
        record.enter(DeviceRecordState.OFF, reason)
        log.error("device_off", device=record.name, reason=reason, hint=OFF_HINT)
        device_file = self._device_file(record)
        while self._device_file(record) == device_file:
            await self._hotplug.next_look()

    def _device_file(self, record: DeviceRecord) -> str:
        location = self._location(record)
        return "" if location is None else location.device_file


def _serial_ports(pattern: str) -> list[tuple[str, str]]:
    """Return the serial ports, including pseudo-terminals, whose paths match a glob pattern. Each is a pair: the path
    that matches, and the same path with its symbolic links resolved."""
    found = []
    for path in sorted(glob.glob(os.path.expanduser(pattern))):
        try:
            access.require_serial_port(path)
        except (DeviceGone, DeviceRefused):
            continue
        found.append((path, os.path.realpath(path)))
    return found
