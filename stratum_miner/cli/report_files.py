"""Files that a command writes at its end: looked at before it begins, so that no long run is in vain."""

import errno
import os
from pathlib import Path

from stratum_miner.cli.exit_codes import CommandFailed, UsageError


def check_writable(path: Path | None, option: str) -> None:
    """UsageError that names the option, the file and the reason; nothing is made or changed."""
    if path is None:
        return
    if path.is_dir():
        reason = errno.EISDIR
    elif not path.parent.is_dir():
        reason = errno.ENOTDIR if path.parent.exists() else errno.ENOENT
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        reason = errno.EACCES
    else:
        return
    raise UsageError(f"{option}: cannot write {str(path)!r}: {os.strerror(reason)}")


def write(path: Path, text: str, option: str) -> None:
    """CommandFailed when that is not possible after all: the disk is full."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{option}: cannot write {str(path)!r}: {error.strerror}") from None
