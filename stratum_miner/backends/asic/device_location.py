"""Finds the serial ports at which a device is connected now, and opens them by role. The role of a port is what it is
for: "data", "control" or "telemetry".

A path that the user gave means one of three things:

* A symbolic link means the device at which it points now.
* The device file of a USB device (such as /dev/ttyUSB0) means the device that was there when the miner first looked. If
  this device is plugged in again and becomes /dev/ttyUSB1, the miner uses /dev/ttyUSB1. It does not touch another
  device that is /dev/ttyUSB0 now.
* Any other path means the file at this path, for example the pseudo-terminal of an emulator.
"""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.discovery import FoundDevice
from stratum_miner.backends.asic.errors import DeviceGone
from stratum_miner.backends.asic.serial_port import open_serial_port
from stratum_miner.backends.asic.transport import Transport

OpenPort: TypeAlias = Callable[[str, int], Awaitable[Transport]]
"""A function that opens the port at a path with a baud rate, as ``open_serial_port`` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLocation:
    """The ports at which a device is connected now."""

    path: str
    """The name of the device in messages: the user's path, or the path of the first port."""
    found: FoundDevice | None = None
    """The device in the system's list of serial ports; None for a port that is not listed, such as a
    pseudo-terminal."""

    @property
    def device_file(self) -> str:
        """The device file of the first port, such as /dev/ttyUSB0. Its number may change when the device is plugged in
        again.

        A device that the system does not list, such as an emulator, has its first port at ``path``, or at ``path``
        followed by "-data" (a Bitaxe). For such a device, return both paths, separated by a space. Symbolic links in
        these paths are resolved.
        """
        if self.found is not None:
            return self.found.path
        return " ".join(map(os.path.realpath, (self.path, f"{self.path}-data")))

    def port_paths(self, board: Board) -> dict[str, str]:
        """Return the path of each port. The keys are the roles of the ports ("data", "control", "telemetry"). Empty
        while a required port is missing."""
        if self.found is not None:
            return self.found.port_paths(board)
        paths = {role: path for role, path in board.port_paths(self.path).items() if os.path.exists(path)}
        return {} if any(port.required and port.role not in paths for port in board.ports) else paths


def locate_path(path: str, identity: str, devices: Sequence[FoundDevice]) -> DeviceLocation | None:
    """Return the location of the device that the user's path means now; None if there is no such device. The docstring
    of this module explains the rules.

    ``identity`` is the identity of the device that was first found at the path; empty if that device had none.
    """
    path = os.path.expanduser(path)
    resolved = os.path.realpath(path)
    there = next((device for device in devices if any(port.path == resolved for port in device.ports)), None)
    if identity and not os.path.islink(path):
        found = find_device(identity, resolved, devices)
        return None if found is None else DeviceLocation(path=path, found=found)
    if there is None and not any(map(os.path.exists, (path, f"{path}-data"))):
        return None
    return DeviceLocation(path=path, found=there)


def find_device(identity: str, path: str, devices: Sequence[FoundDevice]) -> FoundDevice | None:
    """Return the device with this identity; None if it is not connected.

    If several devices have this identity, because their serial numbers are equal, prefer the one with a port at
    ``path``.
    """
    same = [device for device in devices if device.is_called(identity)]
    at_path = (device for device in same if any(port.path == path for port in device.ports))
    return next(at_path, same[0] if same else None)


class DevicePorts:
    """Opens the ports of a device by role ("data", "control" or "telemetry"), at the paths that they have at this
    moment. Implements ``PortOpener``.

    ``opened`` is the number of ports that were opened successfully so far.
    """

    def __init__(self, name: str, locate: Callable[[], Mapping[str, str]], open_port: OpenPort = open_serial_port):
        self._name = name
        self._locate = locate
        self._open_port = open_port
        self.opened = 0

    async def __call__(self, role: str, baud: int) -> Transport:
        """Open the port of this role at ``baud``. Raises DeviceGone if the device has no such port now."""
        path = self._locate().get(role)
        if path is None:
            raise DeviceGone(f"{self._name}: expected a {role} port, got none: the device may be unplugged")
        port = await self._open_port(path, baud)
        self.opened += 1
        return port
