"""The number of files that this process may have open, with a few kept in reserve from accepted connections."""

import errno
import os
import resource
from contextlib import suppress

PLENTY = 65_536
"""Open files requested by default. A higher limit would slow down child processes, some of which close every possible
file descriptor when they start."""
SPARE = 32
"""Open files in reserve, never used for accepted connections: for the node, pools, logs, hooks and other files that the
process opens itself."""


def allow(needed: int = 0) -> int:
    """Raise this process's limit of open files as far as permitted, up to ``PLENTY`` or ``needed``; return the limit.

    -1 means unlimited. The usual limit of 1024 is too low for 1024 miners. Child processes inherit the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(needed, PLENTY)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):  # an unlimited hard limit may exceed what the system has
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limit()


def limit() -> int:
    """Return how many files this process may have open; -1 means unlimited."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return -1 if soft == resource.RLIM_INFINITY else soft


def keep_spare(limit: int, file: int) -> None:
    """Raise OSError (EMFILE) if only the reserve is left below ``limit``. ``file`` is the number of any open file."""
    if limit < 0:
        return
    lowest = os.dup(file)  # the system assigns the lowest free number, so all lower numbers are in use
    os.close(lowest)
    if lowest >= limit - min(SPARE, limit // 4):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
