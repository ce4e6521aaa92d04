"""Where a device is at this moment: which of the machine's ports are its own, and how to open them by role.

A name given by the user means different things for what can move and what cannot. A symlink means whatever it points
at. The node of a USB device means the device that was there: when that comes back under another number it is followed,
and a stranger that took the number is not touched. Any other path means itself; that is how emulators are named.
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
"""Path and baud to an open port; see ``open_serial_port``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLocation:
    """A device that is there."""

    path: str
    """As messages name it: the user's own name, or the first port."""
    found: FoundDevice | None = None
    """None for a port that the listing does not have, such as a pseudo-terminal."""

    @property
    def device_file(self) -> str:
        """What it is plugged in as: differs after a replug, unless it got the same number again."""
        if self.found is not None:
            return self.found.path
        return " ".join(map(os.path.realpath, (self.path, f"{self.path}-data")))

    def port_paths(self, board: Board) -> dict[str, str]:
        """Role to path; empty while a needed port is missing."""
        if self.found is not None:
            return self.found.port_paths(board)
        paths = {role: path for role, path in board.port_paths(self.path).items() if os.path.exists(path)}
        return {} if any(port.required and port.role not in paths for port in board.ports) else paths


def locate_path(path: str, identity: str, devices: Sequence[FoundDevice]) -> DeviceLocation | None:
    """What a user's path means now; None when it is not there.

    ``identity`` is of the device that was there first, empty for one without; see the module's first lines.
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
    """The device with this identity; of several under one serial number rather the one with a port at ``path``."""
    same = [device for device in devices if device.is_called(identity)]
    at_path = (device for device in same if any(port.path == path for port in device.ports))
    return next(at_path, same[0] if same else None)


class DevicePorts:
    """Opens a device's ports by role, wherever they are when asked (a ``PortOpener``); ``opened`` counts successes."""

    def __init__(self, name: str, locate: Callable[[], Mapping[str, str]], open_port: OpenPort = open_serial_port):
        self._name = name
        self._locate = locate
        self._open_port = open_port
        self.opened = 0

    async def __call__(self, role: str, baud: int) -> Transport:
        """Open the port of this role. DeviceGone when it is not there."""
        path = self._locate().get(role)
        if path is None:
            raise DeviceGone(f"{self._name}: its {role} port is not there")
        port = await self._open_port(path, baud)
        self.opened += 1
        return port
