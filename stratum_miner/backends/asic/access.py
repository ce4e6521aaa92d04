"""Finds out whether the user may open a port, which program has opened it, and what the user can do to get access.

This module opens no port. It reads file attributes (stat), /proc, sysfs, the group database, and udev rule files.
"""

import contextlib
import errno
import grp
import os
import pwd
import re
import shlex
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from stratum_miner.backends.asic.errors import DeviceGone, DeviceRefused
from stratum_miner.backends.asic.port_list import is_pseudo_terminal
from stratum_miner.foreign_text import sanitize

RULE_FILE = "70-stratum-miner.rules"
"""File name of the udev rule. The rule sets the tag uaccess on a device, and systemd's 73-seat-late.rules acts on this
tag. udev applies rule files in the order of their numbers, so the number of this file must be below 73."""
RULE_DIRECTORIES = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
INSTALL_COMMAND = (
    f"stratum-miner doctor --udev-rule | sudo tee {RULE_DIRECTORIES[0]}/{RULE_FILE} && "
    "sudo udevadm control --reload && sudo udevadm trigger"
)
_PTS_MAJORS = range(136, 144)
"""Major device numbers of Unix98 pseudo-terminals (Linux Documentation/admin-guide/devices.txt). Pseudo-terminals are
recognised by these numbers, because sysfs does not list them."""
_CHARACTER_DEVICES = Path("/sys/dev/char")
_TERMINAL_DRIVERS = Path("/proc/tty/drivers")
_TERMINAL_DRIVER = re.compile(r"/dev/\S+\s+(?P<major>\d+)\s+(?P<first>\d+)(?:-(?P<last>\d+))?\s")
"""Matches what a line of /proc/tty/drivers says about the numbers of its devices, such as ``/dev/ttyS 4 64-95``."""
_CALL_OUT_GROUPS = ("dialout", "uucp")
"""Groups that own serial ports: dialout on Debian, uucp on Arch."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A program that has opened the port."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortAccess:
    """The result of examining a port. ``allowed`` is True if the port exists, the user may open it, and no other
    program has opened it. Otherwise, ``problem`` says what is wrong, and ``fix`` what to do."""

    allowed: bool
    problem: str = ""
    fix: str = ""
    """What the user has to do to get access: a command line, or an instruction. Empty if ``allowed`` is True."""
    holders: tuple[Holder, ...] = ()


def udev_rule() -> str:
    """Return the text of the udev rule of this version.

    The rule permits the user who is logged in at the computer, and the group that owns the port, to open the ports of
    known mining devices.
    """
    return resources.files(__package__).joinpath(RULE_FILE).read_text(encoding="utf-8")


def installed_rule() -> str | None:
    """Return the path of the installed udev rule, or None if the rule is not installed."""
    paths = (f"{directory}/{RULE_FILE}" for directory in RULE_DIRECTORIES)
    return next((path for path in paths if os.path.exists(path)), None)


def is_current_rule(path: str) -> bool:
    """Return whether the rule file at ``path`` contains the rule of this version. A # at the start of a line is
    ignored: some lines of the rule are comments that users may turn into rules by removing the #."""
    try:
        installed = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return _without_marks(installed) == _without_marks(udev_rule())


def require_serial_port(path: str) -> None:
    """Raise DeviceGone if nothing is at this path, and DeviceRefused if it is not a serial port.

    Call this before opening a path, because opening another kind of device could do harm.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise DeviceGone(absent(path)) from None
        raise DeviceRefused(f"{path}: expected a serial port, got an error: {os.strerror(error.errno or 0)}") from error
    if not stat.S_ISCHR(found.st_mode) or not _is_terminal(found.st_rdev):
        raise DeviceRefused(f"{path}: expected a serial port, got {_nature(found.st_mode)}")


def absent(path: str) -> str:
    """Return the message for a path at which there is nothing."""
    return f"{path}: expected a serial port, got nothing: plug the device in, or correct the path"


def examine(path: str) -> PortAccess:
    """Return whether this process can open the port now, and if not, why. The result also names other programs that
    have opened the port."""
    held = holders(path)
    if not os.path.exists(path):
        return PortAccess(allowed=False, problem="it is no longer connected", fix="plug it in again")
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        problem, fix = _refusal(path)
        return PortAccess(allowed=False, problem=problem, fix=fix, holders=held)
    if held:
        who = ", ".join(str(holder) for holder in held)
        return PortAccess(allowed=False, problem=f"in use by {who}", fix=f"stop {held[0]}", holders=held)
    return PortAccess(allowed=True)


def examine_all(paths: Iterable[str]) -> PortAccess:
    """Examine all ports of a device. Return the result for the first port that cannot be opened. If all can be opened,
    return a result whose ``allowed`` is True."""
    found = [examine(path) for path in paths]
    return next((item for item in found if not item.allowed), PortAccess(allowed=True))


def holders(path: str) -> tuple[Holder, ...]:
    """Return the other processes that have opened this port. Root finds all such processes; other users find only their
    own.

    If the port is a pseudo-terminal, a process that has opened its other side is left out, because that process is the
    emulated device itself.
    """
    try:
        wanted = os.stat(path).st_rdev
    except OSError:
        return ()
    index = str(os.minor(wanted)) if is_pseudo_terminal(path) else None
    own = os.getpid()
    return tuple(
        Holder(pid, _program(pid))
        for pid in sorted(_processes())
        if pid != own and _has_open(pid, wanted) and not (index is not None and _is_behind(pid, index))
    )


def holders_text(path: str) -> str:
    """Return a text that names the programs that have opened the port, such as "bfgminer (process 812)". If no program
    is found, the text says how to find it."""
    found = holders(path)
    if found:
        return ", ".join(map(str, found))
    with contextlib.suppress(OSError):
        if _has_open(os.getpid(), os.stat(path).st_rdev):
            return "stratum-miner itself, under another path"
    return f"another program; to find it, run sudo fuser -v {shlex.quote(path)}"


# ---- permissions --------------------------------------------------------------------------------------------------


def _refusal(path: str) -> tuple[str, str]:
    try:
        found = os.stat(path)
    except OSError as error:
        return f"the system cannot read its permissions: {error.strerror}", "plug it in again"
    owner, group, mode = _user(found.st_uid), _group(found.st_gid), stat.S_IMODE(found.st_mode)
    user = _user(os.geteuid())
    problem = f"user {user} may not open it (it belongs to {owner}:{group}, mode {mode:04o})"
    if mode & 0o060 == 0o060 and group in _CALL_OUT_GROUPS:
        return problem, _join_group(group)
    if is_pseudo_terminal(path):
        return problem, f"run the emulator as user {user}, or stratum-miner as user {owner}"
    return problem, install_rule()


def _join_group(group: str) -> str:
    user = _user(os.getuid())
    with contextlib.suppress(KeyError):
        if user in grp.getgrnam(group).gr_mem:
            return f"log out and in again: {user} was added to the group {group} after this login"
    return f"sudo usermod -a -G {group} {user}, then log out and in again; or {install_rule()}"


def install_rule() -> str:
    """Return what the user should do to install the udev rule; this function installs nothing. The text is the command
    that installs the rule. If the rule is installed already, the text is the advice to plug the device in again."""
    if installed_rule() is not None:
        return (
            "unplug the device and plug it in again; the udev rule works for the user who is logged in at this computer"
        )
    return INSTALL_COMMAND


def _without_marks(rule: str) -> list[str]:
    return [line.lstrip("#").strip() for line in rule.splitlines() if line.strip()]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _is_terminal(device: int) -> bool:
    """Return whether a character device is a terminal, as serial ports are.

    A container may lack sysfs. The kernel's table of terminal drivers then answers. If that is missing, too, the result
    is true, and opening the port reports what it is.
    """
    major, minor = os.major(device), os.minor(device)
    if major in _PTS_MAJORS:
        return True
    if _CHARACTER_DEVICES.is_dir():
        return os.path.basename(os.path.realpath(_CHARACTER_DEVICES / f"{major}:{minor}" / "subsystem")) == "tty"
    try:
        drivers = _TERMINAL_DRIVERS.read_text()
    except OSError:
        return True
    return any(
        major == int(driver["major"]) and int(driver["first"]) <= minor <= int(driver["last"] or driver["first"])
        for driver in _TERMINAL_DRIVER.finditer(drivers)
    )


def _nature(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISREG, "a file"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return name
    return "another kind of device"


# ---- processes that have opened a port ----------------------------------------------------------------------------


def _processes() -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _descriptors(pid: int) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the number and the file attributes of each open file descriptor of a process. Yield nothing if the process
    has ended or this user may not inspect it."""
    directory = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for number in os.listdir(directory):
            with contextlib.suppress(OSError):
                yield number, os.stat(f"{directory}/{number}")


def _has_open(pid: int, device: int) -> bool:
    return any(stat.S_ISCHR(found.st_mode) and found.st_rdev == device for _, found in _descriptors(pid))


def _is_behind(pid: int, index: str) -> bool:
    """Return whether the process has opened the other side of the pseudo-terminal with this index."""
    for number, found in _descriptors(pid):
        if stat.S_ISCHR(found.st_mode) and (os.major(found.st_rdev), os.minor(found.st_rdev)) == (5, 2):
            with contextlib.suppress(OSError):
                details = Path(f"/proc/{pid}/fdinfo/{number}").read_text(encoding="ascii", errors="replace")
                if re.search(rf"^tty-index:\s*{index}$", details, re.MULTILINE):
                    return True
    return False


def _program(pid: int) -> str:
    try:
        return sanitize(Path(f"/proc/{pid}/comm").read_bytes().strip()) or "a program"
    except OSError:
        return "a program"
