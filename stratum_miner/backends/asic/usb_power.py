"""Signs that a hub or a cable does not supply enough power: messages of the kernel, and hubs without a supply of their
own.

This module reads sysfs and, if the user may, the kernel's log. Tests pass other paths.
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
"""Largest number of messages to read from the kernel's log."""
LOSSES = 3
"""If the kernel's log contains this many disconnections at one USB socket, they count as a sign of a weak supply,
because a user does not unplug a device so often."""

_UNANSWERED = "the device does not answer the hub: it has no power, or the cable is bad"
_OVER_CURRENT = "over-current: the device drew more power than the port supplies"
_REJECTED = "the computer rejected the device: the hub has no power left for it"
_SWITCHED_OFF = "the hub switched the device off, as after a voltage drop"
_SIGNS = (
    (r"usb (?P<socket>\S+?)(?:-port\d+)?: over-current", _OVER_CURRENT),
    (r"hub (?P<socket>\S+?):\S+ over-current", "over-current: a device on this hub draws too much power"),
    (r"usb (?P<socket>\S+): .*insufficient available bus power", _REJECTED),
    (r"usb (?P<socket>\S+?)(?:-port\d+)?: disabled by hub \(EMI\?\)", _SWITCHED_OFF),
    (r"usb (?P<socket>\S+): device descriptor read/\S+, error -(?:71|110|32)", _UNANSWERED),
    (r"usb (?P<socket>\S+): device not accepting address", _UNANSWERED),
)
"""Patterns of messages from Linux's drivers/usb/core/hub.c, and what each message means to the user of a miner."""
_DISCONNECT = re.compile(r"usb (?P<socket>\S+): USB disconnect, device number")
_SELF_POWERED = 0x40
"""The bit of bmAttributes for a device with its own supply (USB 2.0, table 9-10)."""


@dataclass(frozen=True, slots=True)
class PowerSign:
    """A sign of a weak supply, with the number of times that it was found."""

    socket: str
    text: str
    count: int = 1


def signs_in_log(lines: Iterable[str]) -> tuple[PowerSign, ...]:
    """Return the signs of a weak supply in the kernel's log, the most frequent first. Each pair of USB socket and kind
    of sign is returned once, with its count."""
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
            found[socket, "the device disconnected again and again: weak supply, or loose plug"] = count
    return tuple(PowerSign(socket, text, count) for (socket, text), count in found.most_common())


def kernel_log(path: str = KERNEL_LOG) -> list[str] | None:
    """Return the messages that the kernel still has; None if the user may not read them."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    lines: list[str] = []
    try:
        for _ in range(MAX_RECORDS):
            try:
                record = os.read(descriptor, 8192)
            except BrokenPipeError:  # this message has been overwritten; the next read returns a newer message
                continue
            if not record:
                break
            lines += record.decode("utf-8", "replace").splitlines()
    except OSError:  # the system reports EAGAIN after the last message
        pass
    finally:
        os.close(descriptor)
    return lines


def bus_powered_hubs(socket: str, sysfs: Path = SYSFS_USB) -> tuple[str, ...]:
    """Return the hubs without a supply of their own between a USB socket (such as ``1-1.2``) and the computer. The hub
    nearest to the socket comes first."""
    found = []
    while "." in socket:
        socket = socket.rpartition(".")[0]
        with contextlib.suppress(OSError, ValueError):
            attributes = int((sysfs / socket / "bmAttributes").read_text(encoding="ascii"), 16)
            if not attributes & _SELF_POWERED:
                found.append(socket)
    return tuple(found)


def devices_without_a_port(vid_pids: Iterable[str], sysfs: Path = SYSFS_USB) -> tuple[tuple[str, str], ...]:
    """Return the USB socket and the VID:PID of each device that has one of these VID:PIDs but no serial port. The usual
    cause is a missing kernel driver."""
    wanted = frozenset(vid_pids)
    found = []
    with contextlib.suppress(OSError):
        for device in sorted(sysfs.iterdir()):
            with contextlib.suppress(OSError):
                vid, pid = ((device / name).read_text(encoding="ascii").strip() for name in ("idVendor", "idProduct"))
                if f"{vid}:{pid}" in wanted and not any(device.glob("*/tty*")):
                    found.append((device.name, f"{vid}:{pid}"))
    return tuple(found)
