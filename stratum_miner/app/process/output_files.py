"""Files that a command writes. A command checks before a long run that it can write them, so that the results of the
run are not lost."""

import errno
import os
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile

from stratum_miner import user_files
from stratum_miner.app.process.exit_codes import CommandFailed, UsageError
from stratum_miner.foreign_text import replace_unsafe

_NO_FILES = (
    (stat.S_ISDIR, os.strerror(errno.EISDIR)),
    (stat.S_ISSOCK, "expected a file, got a socket"),
    (stat.S_ISBLK, "expected a file, got a disk"),
)


def obstacle(path: Path) -> str:
    """Return why no file can be written at ``path``, or an empty text if one can be written. The check changes nothing.

    A device such as /dev/null or /dev/stdout is accepted. A named pipe is not accepted, because opening it blocks until
    another process reads the pipe.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        parent = path.parent
        if not parent.is_dir():
            return os.strerror(errno.ENOTDIR if parent.exists() else errno.ENOENT)
        return "" if os.access(parent, os.W_OK) else os.strerror(errno.EACCES)
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:  # the path contains a null byte
        return str(error)
    if user_files.is_named_pipe(path):
        return "expected a file, got a pipe"
    for is_kind, reason in _NO_FILES:
        if is_kind(mode):
            return reason
    return "" if os.access(path, os.W_OK) else os.strerror(errno.EACCES)


def check_writable(path: Path | None, option: str) -> None:
    """Raise UsageError if ``path`` cannot be written. The error names the option, the file and the reason. If ``path``
    is None, there is no file to check."""
    reason = "" if path is None else obstacle(path)
    if reason:
        raise UsageError(f"{option}: cannot write {str(path)!r}: {reason}")


def write(path: Path, text: str, option: str) -> None:
    """Write a report to ``path``. All text in it is made safe to print.

    Raises CommandFailed if the file cannot be written, for example because the disk is full.
    """
    safe = "\n".join("\t".join(map(replace_unsafe, line.split("\t"))) for line in text.split("\n"))
    try:
        path.write_text(safe, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{option}: cannot write {str(path)!r}: {error.strerror}") from None


def write_private(target: Path, text: str, *, force: bool) -> None:
    """Write a file that only its owner can read. It is written completely or not at all.

    Raises UsageError if the file exists already and ``force`` is false, and CommandFailed if it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not force:
            raise UsageError(f"{target}: the file exists already; add --force to replace it")
        # NamedTemporaryFile creates the file with mode 0600, so only its owner can read it.
        with NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, target)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise CommandFailed(f"{target}: cannot write this file: {error.strerror}") from None
