"""The doctor on the machine: its clock, what it grants a process, what it tells of heat and battery, where we write."""

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
"""Pools, devices, and a page or two with their streams stay below a tenth of it."""
MEMORY = 128 * 1024 * 1024
"""Bytes. A miner with its page takes about 80 MB."""
FREE_DISK = 50 * 1024 * 1024
"""Bytes, for a journal and log files."""
OFF_BY = 24 * 3600.0
"""Seconds that a clock may be behind our own files: time zones of archives."""
_ADJTIMEX_SIZE, _STATUS_AT, _UNSYNCHRONISED = 208, 40, 0x40
"""struct timex on 64-bit Linux, its field ``status``, and STA_UNSYNC of it: adjtimex(2)."""


class Clock(Enum):
    """What the kernel says of its clock."""

    SYNCHRONISED = "synchronised"
    FREE = "not synchronised"
    UNKNOWN = "nothing tells whether it is synchronised"


# ---- the clock ------------------------------------------------------------------------------------------------------


async def check_clock() -> Sequence[Finding]:
    """Whether it is right, as far as this machine can know: pools refuse work with a wrong time."""
    return [clock_finding(time.time(), _youngest_file(), kernel_clock())]


def clock_finding(now: float, installed_at: float, clock: Clock) -> Finding:
    """Unix times of now and of our own files."""
    text = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC, {clock.value}"
    fix = "sudo timedatectl set-ntp true"
    if now < installed_at - OFF_BY:
        text += f"; it is before this program was installed, {datetime.fromtimestamp(installed_at, UTC):%Y-%m-%d}"
        return Finding(topic="clock", subject="", verdict=Severity.PROBLEM, text=text, fix=fix)
    verdict = Severity.GOOD if clock is Clock.SYNCHRONISED else Severity.NOTE
    return Finding(topic="clock", subject="", verdict=verdict, text=text, fix=fix if clock is Clock.FREE else "")


def kernel_clock() -> Clock:
    """Asked of the kernel, changing nothing."""
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return Clock.UNKNOWN
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return Clock.UNKNOWN
    record = ctypes.create_string_buffer(_ADJTIMEX_SIZE)  # modes = 0: only read
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
    """Open files and memory."""
    available = memory_available(psutil.virtual_memory().available)
    return [descriptor_finding(files.limit()), memory_finding(available)]


def descriptor_finding(soft: int) -> Finding:
    """``soft`` limit of open files, which every command raises as far as it may; -1 for none."""
    text = "any number of open files" if soft < 0 else f"{soft} open files"
    enough = soft < 0 or soft >= DESCRIPTORS
    if not enough:
        text += f"; several pools, devices and watchers may need more than that, {DESCRIPTORS} are plenty"
    verdict = Severity.GOOD if enough else Severity.PROBLEM
    return Finding(
        topic="limits",
        subject="files",
        verdict=verdict,
        text=text,
        fix="raise the hard limit: ulimit -Hn 1024 as root, or LimitNOFILE=1024 of the service",
    )


def memory_finding(available: int) -> Finding:
    """Bytes that we could have."""
    text = f"{available / 1e6:,.0f} MB available"
    if available >= MEMORY:
        return Finding(topic="limits", subject="memory", verdict=Severity.GOOD, text=text)
    return Finding(
        topic="limits",
        subject="memory",
        verdict=Severity.PROBLEM,
        text=f"{text}; a miner takes about 80 MB",
        fix="raise the container's limit, or stop something",
    )


def memory_available(machine: int, root: Path = Path("/")) -> int:
    """Bytes: the machine's, or less where a control group of ours grants less."""
    group = next(
        (line[4:] for line in host_sensors.read(root / "proc/self/cgroup").splitlines() if line.startswith("0::/")), ""
    ).strip("/")
    place = root / "sys/fs/cgroup" / group
    limit, used = host_sensors.read(place / "memory.max"), host_sensors.read(place / "memory.current")
    if limit.isdecimal() and used.isdecimal():
        return min(machine, max(0, int(limit) - int(used)))
    return machine


# ---- sensors --------------------------------------------------------------------------------------------------------


async def check_sensors() -> Sequence[Finding]:
    """Whether --pause-above and --pause-on-battery have anything to look at."""
    celsius, battery = host_sensors.processor_temperature(), host_sensors.on_battery()
    return [temperature_finding(celsius), battery_finding(battery)]


def temperature_finding(celsius: float | None) -> Finding:
    """Whether the processor's temperature is known."""
    if celsius is None:
        text = "the processor's is not told here, so --pause-above cannot work; usual on virtual machines"
        fix = "on real hardware: sudo modprobe coretemp (Intel) or k10temp (AMD)"
        return Finding(topic="sensors", subject="temperature", verdict=Severity.NOTE, text=text, fix=fix)
    return Finding(
        topic="sensors", subject="temperature", verdict=Severity.GOOD, text=f"the processor has {celsius:.0f} C"
    )


def battery_finding(on_battery: bool | None) -> Finding:
    """Whether it runs on one; None where there is none."""
    if on_battery is None:
        text = "none, so --pause-on-battery never pauses"
    else:
        text = "in use: mining empties it quickly; --pause-on-battery" if on_battery else "there, and not in use"
    verdict = Severity.NOTE if on_battery else Severity.GOOD
    return Finding(topic="sensors", subject="battery", verdict=verdict, text=text)


# ---- places to write ------------------------------------------------------------------------------------------------


async def check_directories() -> Sequence[Finding]:
    """Whether the folders of kernel figures and of the token for changes can be written to."""
    return [
        directory_finding("cache", user_folders.cache(), "kernels are measured at each start"),
        directory_finding("state", user_folders.state(), "--http needs --http-token-file"),
    ]


def directory_finding(what: str, path: Path, otherwise: str, *, needed: bool = False) -> Finding:
    """Whether files can be made there; nothing is made now. ``otherwise`` says what happens if not."""
    at = path
    while not os.path.lexists(at) and at != at.parent:
        at = at.parent
    if not at.is_dir() or not os.access(at, os.W_OK | os.X_OK):
        where = str(path) if at == path else f"{path} cannot be made: {at}"
        problem = "no directory" if not at.is_dir() else "not ours to write to"
        variable = {"cache": "XDG_CACHE_HOME", "state": "XDG_STATE_HOME"}.get(what)
        return Finding(
            topic="files",
            subject=what,
            verdict=Severity.PROBLEM if needed else Severity.NOTE,
            text=f"{where} is {problem}; {otherwise}",
            fix=f"set {variable} to a directory of yours" if variable else "choose another place, or create it",
        )
    free = _free(at)
    if free < FREE_DISK:
        text = f"{path}: only {free / 1e6:,.0f} MB are free there"
        return Finding(topic="files", subject=what, verdict=Severity.NOTE, text=text, fix=f"make room: df -h {at}")
    return Finding(topic="files", subject=what, verdict=Severity.GOOD, text=f"{path} can be written to")


def _free(path: Path) -> int:
    try:
        status = os.statvfs(path)
    except OSError:
        return FREE_DISK
    return status.f_bavail * status.f_frsize
