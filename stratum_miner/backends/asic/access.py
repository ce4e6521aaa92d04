"""May we have this port: what the file system grants, who else holds it, and what exactly would help.

Everything is read from the records of the system (stat, /proc, the group database); no port is opened here.
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
"""Sorts before systemd's 73-seat-late.rules, which acts on the tag that ours sets."""
RULE_DIRECTORIES = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
INSTALL_COMMAND = (
    f"stratum-miner doctor --udev-rule | sudo tee {RULE_DIRECTORIES[0]}/{RULE_FILE} && "
    "sudo udevadm control --reload && sudo udevadm trigger"
)
_PTS_MAJORS = range(136, 144)
"""Unix98 pseudo-terminals (Linux Documentation/admin-guide/devices.txt); sysfs does not list them."""
_CALL_OUT_GROUPS = ("dialout", "uucp")
"""Who owns serial ports on Debian and on Arch."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A program that has the port open."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortAccess:
    """Whether we may open a port; ``problem`` and ``fix`` are empty when we may."""

    allowed: bool
    problem: str = ""
    fix: str = ""
    """A command line, or what to do, word for word."""
    holders: tuple[Holder, ...] = ()


def udev_rule() -> str:
    """The rule that we ship: the ports of known miners belong to whoever sits at the machine, and to nobody else."""
    return resources.files(__package__).joinpath(RULE_FILE).read_text(encoding="utf-8")


def installed_rule() -> str | None:
    """Where udev finds the rule; None when it is not installed."""
    paths = (f"{directory}/{RULE_FILE}" for directory in RULE_DIRECTORIES)
    return next((path for path in paths if os.path.exists(path)), None)


def is_current_rule(path: str) -> bool:
    """Whether an installed rule file is the one that we ship; an owner may have taken the # from some lines."""
    try:
        installed = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return _without_marks(installed) == _without_marks(udev_rule())


def require_serial_port(path: str) -> None:
    """DeviceGone when nothing is there, DeviceRefused for what is no serial port: opening it could do anything."""
    try:
        found = os.stat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise DeviceGone(f"{path}: expected a serial port, there is nothing") from None
        raise DeviceRefused(f"{path}: expected a serial port: {os.strerror(error.errno or 0)}") from error
    if not stat.S_ISCHR(found.st_mode) or not _is_terminal(found.st_rdev):
        raise DeviceRefused(f"{path}: expected a serial port, it is {_nature(found.st_mode)}")


def examine(path: str) -> PortAccess:
    """May this process open the port, and who else has it open."""
    held = holders(path)
    if not os.path.exists(path):
        return PortAccess(allowed=False, problem="it is gone", fix="plug it in again")
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        problem, fix = _refusal(path)
        return PortAccess(allowed=False, problem=problem, fix=fix, holders=held)
    if held:
        who = ", ".join(str(holder) for holder in held)
        return PortAccess(allowed=False, problem=f"in use by {who}", fix=f"stop {held[0]}", holders=held)
    return PortAccess(allowed=True)


def examine_all(paths: Iterable[str]) -> PortAccess:
    """What keeps us from a device with several ports: the first trouble there is."""
    found = [examine(path) for path in paths]
    return next((item for item in found if not item.allowed), PortAccess(allowed=True))


def holders(path: str) -> tuple[Holder, ...]:
    """Other processes with this port open, as far as /proc shows them to us: all of them to root, else our own.

    The program behind a pseudo-terminal, which keeps both sides open, holds nothing: it is the device.
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
    """The programs that have the port open, for a message: "bfgminer (process 812)", or how to find them out."""
    found = holders(path)
    if found:
        return ", ".join(map(str, found))
    with contextlib.suppress(OSError):
        if _has_open(os.getpid(), os.stat(path).st_rdev):
            return "this very process, under another name"
    return f"another program: sudo fuser -v {shlex.quote(path)} tells which"


# ---- what the file system says ------------------------------------------------------------------------------------


def _refusal(path: str) -> tuple[str, str]:
    try:
        found = os.stat(path)
    except OSError as error:
        return f"it cannot be looked at: {error.strerror}", "plug it in again"
    owner, group, mode = _user(found.st_uid), _group(found.st_gid), stat.S_IMODE(found.st_mode)
    user = _user(os.geteuid())
    problem = f"user {user} may not open it (it belongs to {owner}:{group}, mode {mode:04o})"
    if mode & 0o060 == 0o060 and group in _CALL_OUT_GROUPS:
        return problem, _join_group(group)
    if is_pseudo_terminal(path):
        return problem, f"run the emulator as {user}, or this as {owner}"
    return problem, install_rule()


def _join_group(group: str) -> str:
    user = _user(os.getuid())
    with contextlib.suppress(KeyError):
        if user in grp.getgrnam(group).gr_mem:
            return f"log out and in again, {user} was added to the group {group} only since"
    return f"sudo usermod -a -G {group} {user}, then log out and in again; or {install_rule()}"


def install_rule() -> str:
    """The command that installs the shipped udev rule, or what is left to do when it is installed."""
    if installed_rule() is not None:
        return "unplug the device and plug it in again; the udev rule serves the user who sits at this machine"
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
    if os.major(device) in _PTS_MAJORS or not os.path.isdir("/sys/dev/char"):
        return True
    subsystem = os.path.realpath(f"/sys/dev/char/{os.major(device)}:{os.minor(device)}/subsystem")
    return os.path.basename(subsystem) == "tty"


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


# ---- who has it open ----------------------------------------------------------------------------------------------


def _processes() -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _descriptors(pid: int) -> Iterator[tuple[str, os.stat_result]]:
    """Number and stat of each; nothing for a process that ended or is not ours to look into."""
    directory = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for number in os.listdir(directory):
            with contextlib.suppress(OSError):
                yield number, os.stat(f"{directory}/{number}")


def _has_open(pid: int, device: int) -> bool:
    return any(stat.S_ISCHR(found.st_mode) and found.st_rdev == device for _, found in _descriptors(pid))


def _is_behind(pid: int, index: str) -> bool:
    """Whether it has the other side of this pseudo-terminal open."""
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
