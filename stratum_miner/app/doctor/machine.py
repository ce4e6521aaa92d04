"""Checks of the computer: its clock, the limits of this process, its temperature and battery sensors, and the folders
to which the program writes."""

import ctypes
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import psutil

from stratum_miner import user_folders
from stratum_miner.app.doctor.finding import Finding, Severity
from stratum_miner.app.operation import host_sensors
from stratum_miner.network import files

DESCRIPTORS = 256
"""A process that may open this many files at the same time can certainly mine. Several pools, devices and web pages
need less than a tenth of them."""
MEMORY = 128 * 1024 * 1024
"""Bytes of memory that are enough to mine. A miner with its web page uses about 80 MB."""
FREE_DISK = 50 * 1024 * 1024
"""Bytes on the disk that are enough for a share journal and log files."""
FULL_DISK = 1024 * 1024
"""Free bytes below which a disk counts as full."""
OFF_BY = 24 * 3600.0
"""The clock is wrong if it is more than this number of seconds behind the date of the installed files.

A smaller difference is no error, because archives may store the date of a file without its time zone.
"""
_ADJTIMEX_SIZE, _STATUS_AT, _UNSYNCHRONISED = 208, 40, 0x40
"""Size of ``struct timex`` in bytes on 64-bit Linux, offset of its field ``status`` in bytes, and the flag STA_UNSYNC
(see adjtimex(2))."""


class Clock(Enum):
    """Whether the clock of the computer is synchronised, as the kernel reports it."""

    SYNCHRONISED = "synchronised"
    FREE = "not synchronised"
    UNKNOWN = "the system does not report whether it is synchronised"


# ---- the clock ------------------------------------------------------------------------------------------------------


async def check_clock() -> Sequence[Finding]:
    """Check whether the clock is plausible and synchronised. Pools reject shares with a wrong time."""
    return [clock_finding(time.time(), _youngest_file(), kernel_clock())]


def clock_finding(now: float, installed_at: float, clock: Clock) -> Finding:
    """Return the finding for a clock that shows ``now``.

    ``installed_at`` is when the program was installed. Both are Unix times in seconds.
    """
    text = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC, {clock.value}"
    fix = "sudo timedatectl set-ntp true"
    if now < installed_at - OFF_BY:
        text += (
            f"; this is before the installation of the program ({datetime.fromtimestamp(installed_at, UTC):%Y-%m-%d})"
        )
        return Finding(topic="clock", subject="", verdict=Severity.PROBLEM, text=text, fix=fix)
    verdict = Severity.GOOD if clock is Clock.SYNCHRONISED else Severity.NOTE
    return Finding(topic="clock", subject="", verdict=verdict, text=text, fix=fix if clock is Clock.FREE else "")


def kernel_clock() -> Clock:
    """Ask the kernel whether its clock is synchronised, without changing anything."""
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return Clock.UNKNOWN
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return Clock.UNKNOWN
    record = ctypes.create_string_buffer(_ADJTIMEX_SIZE)  # with 0 in its field "modes", nothing changes
    if adjtimex(record) < 0:
        return Clock.UNKNOWN
    status = int.from_bytes(record.raw[_STATUS_AT : _STATUS_AT + 4], "little")
    return Clock.FREE if status & _UNSYNCHRONISED else Clock.SYNCHRONISED


def _youngest_file() -> float:
    try:
        return Path(__file__).stat().st_mtime
    except OSError:
        return 0.0


# ---- limits ---------------------------------------------------------------------------------------------------------


async def check_limits() -> Sequence[Finding]:
    """Check the limit of open files, and the available memory."""
    available = memory_available(psutil.virtual_memory().available)
    return [descriptor_finding(files.limit()), memory_finding(available)]


def descriptor_finding(soft: int) -> Finding:
    """Return the finding for ``soft``, the soft limit of open files of this process; -1 means unlimited.

    Every command first raises its soft limit to the hard limit. So if the limit is too low, the user must raise the
    hard limit.
    """
    text = "an unlimited number of open files" if soft < 0 else f"{soft} open files"
    enough = soft < 0 or soft >= DESCRIPTORS
    if not enough:
        text += f"; several pools, devices and open pages may need more, {DESCRIPTORS} are enough"
    verdict = Severity.GOOD if enough else Severity.PROBLEM
    return Finding(
        topic="limits",
        subject="files",
        verdict=verdict,
        text=text,
        fix="raise the hard limit: ulimit -Hn 1024 as root, or LimitNOFILE=1024 of the service",
    )


def memory_finding(available: int) -> Finding:
    """Return the finding for ``available`` bytes of memory that this process can use."""
    text = f"{available / 1e6:,.0f} MB available"
    if available >= MEMORY:
        return Finding(topic="limits", subject="memory", verdict=Severity.GOOD, text=text)
    return Finding(
        topic="limits",
        subject="memory",
        verdict=Severity.PROBLEM,
        text=f"{text}; a miner takes about 80 MB",
        fix="raise the memory limit of the container, or stop other programs",
    )


def memory_available(computer: int, root: Path = Path("/")) -> int:
    """Return how many bytes of memory this process can still use. The limit of its control group may leave less than
    the computer has.

    ``computer`` is the number of bytes available on the whole computer.
    """
    group = next(
        (line[4:] for line in host_sensors.read(root / "proc/self/cgroup").splitlines() if line.startswith("0::/")), ""
    ).strip("/")
    folder = root / "sys/fs/cgroup" / group
    limit, used = host_sensors.read(folder / "memory.max"), host_sensors.read(folder / "memory.current")
    if limit.isdecimal() and used.isdecimal():
        return min(computer, max(0, int(limit) - int(used)))
    return computer


# ---- sensors --------------------------------------------------------------------------------------------------------


async def check_sensors() -> Sequence[Finding]:
    """Check whether the sensors that --pause-above and --pause-on-battery need exist."""
    celsius, battery = host_sensors.processor_temperature(), host_sensors.on_battery()
    return [temperature_finding(celsius), battery_finding(battery)]


def temperature_finding(celsius: float | None) -> Finding:
    """Return the finding for the temperature of the processor.

    ``celsius`` is the temperature in °C, or None if it cannot be read.
    """
    if celsius is None:
        text = (
            "this computer does not report the temperature of its processor, so --pause-above has no effect; "
            "this is normal on a virtual machine"
        )
        fix = "on real hardware: sudo modprobe coretemp (Intel) or k10temp (AMD)"
        return Finding(topic="sensors", subject="temperature", verdict=Severity.NOTE, text=text, fix=fix)
    return Finding(
        topic="sensors", subject="temperature", verdict=Severity.GOOD, text=f"the processor has {celsius:.0f} °C"
    )


def battery_finding(on_battery: bool | None) -> Finding:
    """Return the finding for the battery of the computer.

    ``on_battery`` says whether the computer runs on battery. It is None if there is no battery.
    """
    if on_battery is None:
        text = "there is no battery, so --pause-on-battery never pauses"
    elif on_battery:
        text = "the computer runs on battery, and mining empties it quickly; --pause-on-battery pauses mining meanwhile"
    else:
        text = "the battery is not in use"
    verdict = Severity.NOTE if on_battery else Severity.GOOD
    return Finding(topic="sensors", subject="battery", verdict=verdict, text=text)


# ---- places to write ------------------------------------------------------------------------------------------------


async def check_directories() -> Sequence[Finding]:
    """Check whether files can be created in the cache folder, which has the measured hash rates of kernels, and in the
    state folder, which has the API token."""
    return [
        directory_finding("cache", user_folders.cache(), "the kernels are measured at every start"),
        directory_finding("state", user_folders.state(), "--http then needs --http-token-file"),
    ]


def directory_finding(what: str, path: Path, otherwise: str, *, needed: bool = False) -> Finding:
    """Return the finding about whether files can be created in a folder. The check itself creates no file.

    ``what`` is the subject of the finding. ``otherwise`` says what happens if the folder cannot be written to. That is
    a problem if ``needed`` is true, otherwise a note.
    """
    at = path
    while not os.path.lexists(at) and at != at.parent:
        at = at.parent
    if not os.path.isdir(at) or not os.access(at, os.W_OK | os.X_OK):
        where = str(path) if at == path else f"{path} cannot be created: {at}"
        problem = "no directory" if not os.path.isdir(at) else "not writable for this user"
        variable = {"cache": "XDG_CACHE_HOME", "state": "XDG_STATE_HOME"}.get(what)
        return Finding(
            topic="files",
            subject=what,
            verdict=Severity.PROBLEM if needed else Severity.NOTE,
            text=f"{where} is {problem}; {otherwise}",
            fix=f"set {variable} to a writable directory" if variable else "choose another directory, or create it",
        )
    return disk_finding(what, path, at, needed=needed) or Finding(
        topic="files", subject=what, verdict=Severity.GOOD, text=f"{path} can be written to"
    )


def disk_finding(what: str, path: Path, at: Path, *, needed: bool) -> Finding | None:
    """Return the finding about too little room on a disk, or None if there is enough room.

    ``path`` is what would be written, and ``at`` a folder on its disk. A full disk is a problem if ``needed`` is true.
    """
    free = _free(at)
    if free >= FREE_DISK:
        return None
    is_full = free < FULL_DISK
    text = f"{path}: its disk is full" if is_full else f"{path}: only {free / 1e6:,.0f} MB are free on its disk"
    verdict = Severity.PROBLEM if is_full and needed else Severity.NOTE
    return Finding(topic="files", subject=what, verdict=verdict, text=text, fix=f"make room: df -h {at}")


def _free(path: Path) -> int:
    try:
        status = os.statvfs(path)
    except OSError:
        return FREE_DISK
    return status.f_bavail * status.f_frsize
