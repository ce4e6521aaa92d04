"""Hides what Linux has and macOS has not, in the process that runs it: modules, their names, /proc and /sys.

The names are those that mypy finds missing with ``--platform darwin``. Libraries choose what they use when they are
imported, so everything that is not of this project is imported before anything is hidden. As a plugin (``pytest -p
tests.hidden_linux``) it lets whole tests run so.
"""

import genericpath
import importlib
import os
import pathlib
import posixpath
import re
import sys
import sysconfig
from importlib import metadata
from types import FrameType, ModuleType
from typing import Any

HIDDEN = {
    "os": r"EFD_\w+|GRND_\w+|MFD_\w+|O_(DIRECT|LARGEFILE|NOATIME|PATH|RSYNC|TMPFILE)|POSIX_FADV_\w+|P_PIDFD|RWF_\w+"
    r"|SCHED_(BATCH|IDLE|RESET_ON_FORK)|SPLICE_\w+|XATTR_\w+|copy_file_range|eventfd\w*|fdatasync|getrandom|\w+res[ug]id"
    r"|\w+xattr|memfd_create|pidfd_open|pipe2|posix_(fadvise|fallocate)|sched_(?!yield|get_priority)\w+|splice|waitid\w*",
    "socket": r"[AP]F_(ALG|ASH|ATM\w+|AX25|BRIDGE|CAN|KEY|LLC|NETLINK|PACKET|QIPCRTR|RDS|TIPC|VSOCK|X25)|CAN_\w+"
    r"|ALG_\w+|IP_(BIND_ADDRESS_NO_PORT|TRANSPARENT)|J1939_\w+|MSG_(CMSG_CLOEXEC|CONFIRM|ERRQUEUE|FASTOPEN|MORE)|NETLINK_\w+"
    r"|PACKET_\w+|SCM_CREDENTIALS|SOCK_(CLOEXEC|NONBLOCK)|SO_(BINDTODEVICE|DOMAIN|INCOMING_CPU|MARK|PASS\w+|PEER\w+"
    r"|PRIORITY|PROTOCOL)|TCP_(CONGESTION|CORK|DEFER_ACCEPT|INFO|KEEPIDLE|LINGER2|QUICKACK|SYNCNT|USER_TIMEOUT"
    r"|WINDOW_CLAMP)|TIPC_\w+|VM\w+",
    "select": r"epoll|EPOLL\w+|POLL(MSG|RDHUP)",
    "signal": r"SIG(CLD|POLL|PWR|RTMAX|RTMIN|STKFLT)|pidfd_send_signal|sigtimedwait|sigwaitinfo|struct_siginfo",
    "termios": r"B[5-9]\d{5}|B460800|B\d{7}|CBAUD\w*|IUCLC|OLCUC|XCASE|TC(GETA|GETS|SETA\w*|SETS\w*)"
    r"|TIOC(GSERIAL|SSERIAL|GICOUNT|LINUX|MIWAIT|INQ|SER\w+)",
    "fcntl": r"DN_\w+|F_(ADD_SEALS|GETPIPE_SZ|GETSIG|GET_SEALS|NOTIFY|SEAL_\w+|SETPIPE_SZ|SETSIG)",
    "resource": r"RLIMIT_(MSGQUEUE|NICE|OFILE|RTPRIO|RTTIME|SIGPENDING)|RUSAGE_THREAD|prlimit",
    "time": r"CLOCK_(BOOTTIME|TAI)|pthread_getcpuclockid",
    "psutil": r"sensors_temperatures|sensors_fans|RLIM\w+|IOPRIO\w+",
}
"""The names to hide in each module, as regular expressions."""
MODULES = ("ossaudiodev", "spwd")
"""Modules that only Python on Linux has."""
FOLDERS = ("/proc", "/sys", "/dev/shm", "/dev/pts", "/run/systemd")
BETWEEN = frozenset(str(module.__file__) for module in (pathlib, genericpath, posixpath)) | {__file__}
"""Files of functions that ask for a file on behalf of their caller."""
CALLS = ("stat", "lstat", "access", "readlink", "statvfs", "listdir", "scandir", "open")


def hide() -> None:
    """Import all third-party packages, and then replace the modules of HIDDEN by copies with fewer names.

    The packages keep the modules that they have imported already.
    """
    for name in _third_party():
        importlib.import_module(name)
    sysconfig.get_config_vars()  # reads a file whose name contains the platform
    sys.platform = "darwin"
    for module in MODULES:  # an import of one then fails, which mypy does not know
        sys.modules[module] = None  # type: ignore[assignment]
    for name, pattern in HIDDEN.items():
        sys.modules[name] = _copy(importlib.import_module(name), re.compile(pattern))
    changed = sys.modules["os"]
    for call in CALLS:
        setattr(changed, call, _without_folders(getattr(os, call)))
    for user in (pathlib, genericpath, posixpath):
        vars(user)["os"] = changed
    sys.addaudithook(_refuse)


def _third_party() -> list[str]:
    """Return what a program with all extras imports, and what stands between it and the system."""
    wanted = (
        "trio anyio psutil rich.live cyclopts structlog msgspec h11 starlette.applications starlette.routing "
        "starlette.middleware.gzip prometheus_client publicsuffixlist python_socks.async_.trio setproctitle tomli_w "
        "asyncio multiprocessing subprocess tempfile ssl ctypes logging pty shutil"
    )
    return [*wanted.split(), *(["pbk"] if _is_there("py-bitcoinkernel") else [])]


def _is_there(distribution: str) -> bool:
    return any(metadata.distributions(name=distribution))


def _copy(module: ModuleType, without: re.Pattern[str]) -> ModuleType:
    copy = ModuleType(module.__name__)
    vars(copy).update({name: value for name, value in vars(module).items() if not without.fullmatch(name)})
    return copy


def _is_hidden(path: Any) -> bool:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str | pathlib.Path):
        return False
    text = os.path.abspath(path)
    return any(text == folder or text.startswith(f"{folder}/") for folder in FOLDERS) and not _library_asks()


def _library_asks() -> bool:
    """Return whether a third-party package or the standard library asks for the file on its own behalf."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename in BETWEEN or frame.f_code.co_filename.startswith("<frozen")):
        frame = frame.f_back
    return frame is not None and "stratum_miner" not in frame.f_code.co_filename.rpartition("site-packages")[2]


def _without_folders(call: Any) -> Any:
    def refusing(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        if _is_hidden(path):
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
        return call(path, *arguments, **options)

    return refusing


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir") and arguments and _is_hidden(arguments[0]):
        raise FileNotFoundError(2, "No such file or directory", str(arguments[0]))


def pytest_configure() -> None:
    """Hide before any test is collected."""
    hide()
