"""Signs that a hub or a cable does not feed its devices: what the kernel noted, and which hubs live off the bus.

Reads the kernel's log where it may and sysfs; both are given as arguments to be tested.
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SYSFS_USB = Path("/sys/bus/usb/devices")
KERNEL_LOG = "/dev/kmsg"
MAX_RECORDS = 100_000
LOSSES = 3
"""Disconnections of one socket in the kernel's memory before they look like more than somebody who unplugs it."""

_UNANSWERED = "does not answer the hub: no power, or a bad cable"
_SIGNS = (
    (r"usb (?P<socket>\S+?)(?:-port\d+)?: over-current", "over-current: it drew more than the port gives"),
    (r"hub (?P<socket>\S+?):\S+ over-current", "over-current: something behind this hub draws too much"),
    (r"usb (?P<socket>\S+): .*insufficient available bus power", "refused: the hub has no power left for it"),
    (r"usb (?P<socket>\S+?)(?:-port\d+)?: disabled by hub \(EMI\?\)", "switched off by the hub, as in a brown-out"),
    (r"usb (?P<socket>\S+): device descriptor read/\S+, error -(?:71|110|32)", _UNANSWERED),
    (r"usb (?P<socket>\S+): device not accepting address", _UNANSWERED),
)
"""Messages of Linux's drivers/usb/core/hub.c and what they mean to a miner's owner."""
_DISCONNECT = re.compile(r"usb (?P<socket>\S+): USB disconnect, device number")
_SELF_POWERED = 0x40
"""The bit of bmAttributes that says so (USB 2.0, table 9-10)."""


@dataclass(frozen=True, slots=True)
class PowerSign:
    """A trace that a failing supply leaves."""

    socket: str
    text: str
    count: int = 1


def signs_in_log(lines: Iterable[str]) -> tuple[PowerSign, ...]:
    """What the kernel's log says of power, by socket, the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    gone: Counter[str] = Counter()
    for line in lines:
        for pattern, text in _SIGNS:
            if match := re.search(pattern, line):
                found[match["socket"], text] += 1
        if match := _DISCONNECT.search(line):
            gone[match["socket"]] += 1
    for socket, count in gone.items():
        if count >= LOSSES:
            found[socket, "gone and back again: re-enumerated under load, or a loose plug"] = count
    return tuple(PowerSign(socket, text, count) for (socket, text), count in found.most_common())


def kernel_log(path: str = KERNEL_LOG) -> list[str] | None:
    """The messages that the kernel still has; None where we may not read them."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    lines: list[str] = []
    try:
        for _ in range(MAX_RECORDS):
            try:
                record = os.read(descriptor, 8192)
            except BrokenPipeError:  # overwritten while we read: the next one is there
                continue
            if not record:
                break
            lines += record.decode("utf-8", "replace").splitlines()
    except OSError:  # EAGAIN: the end
        pass
    finally:
        os.close(descriptor)
    return lines


def bus_powered_hubs(socket: str, sysfs: Path = SYSFS_USB) -> tuple[str, ...]:
    """Hubs between a socket (``1-1.2``) and the machine that have no supply of their own, the nearest first."""
    found = []
    while "." in socket:
        socket = socket.rpartition(".")[0]
        with contextlib.suppress(OSError, ValueError):
            attributes = int((sysfs / socket / "bmAttributes").read_text(encoding="ascii"), 16)
            if not attributes & _SELF_POWERED:
                found.append(socket)
    return tuple(found)


def devices_without_a_port(vid_pids: Iterable[str], sysfs: Path = SYSFS_USB) -> tuple[tuple[str, str], ...]:
    """Socket and VID:PID of devices that are on the bus and have no serial port: their kernel driver is missing."""
    wanted = frozenset(vid_pids)
    found = []
    with contextlib.suppress(OSError):
        for device in sorted(sysfs.iterdir()):
            with contextlib.suppress(OSError):
                vid, pid = ((device / name).read_text(encoding="ascii").strip() for name in ("idVendor", "idProduct"))
                if f"{vid}:{pid}" in wanted and not any(device.glob("*/tty*")):
                    found.append((device.name, f"{vid}:{pid}"))
    return tuple(found)
