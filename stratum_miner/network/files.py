"""Sets how many files this process may have open, and keeps a few of them in reserve."""

import errno
import os
import resource

PLENTY = 65_536
"""Limit of open files that the process requests from the system by default. A higher limit would slow down child
processes, some of which close every possible file descriptor when they start."""
SPARE = 32
"""Number of open files that are never used for accepted connections. They are reserved for what the process opens
itself: connections to the node and to pools, logs, hooks and other files."""


def allow(needed: int = 0) -> int:
    """Raise the limit of open files of this process to the larger of ``PLENTY`` and ``needed``, as far as the system
    permits.

    Returns the limit, where -1 means unlimited. The usual limit of 1024 is too low for 1024 connected miners. Child
    processes inherit the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(needed, PLENTY)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        while wanted > soft and not _set(wanted, hard):
            wanted //= 2
    return limit()


def _set(soft: int, hard: int) -> bool:
    """Set the limits, and return whether the system permitted it. macOS has a lower limit of its own, which it enforces
    even if ``hard`` is unlimited."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (ValueError, OSError):
        return False
    return True


def limit() -> int:
    """Return how many files this process may have open; -1 means unlimited."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return -1 if soft == resource.RLIM_INFINITY else soft


def keep_spare(limit: int, file: int) -> None:
    """Raise OSError (EMFILE) if this process can open no more files than the reserve before it reaches ``limit``.

    The reserve is ``SPARE`` files, or a quarter of ``limit`` if that is less. ``file`` is the descriptor of any open
    file. A limit of -1 means unlimited.
    """
    if limit < 0:
        return
    # the system assigns the lowest free descriptor, so at least ``lowest`` files are open
    lowest = os.dup(file)
    os.close(lowest)
    if lowest >= limit - min(SPARE, limit // 4):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
