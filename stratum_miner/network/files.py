"""Open files: how many this process may have, and a few of them that strangers never get."""

import errno
import os
import resource
from contextlib import suppress

PLENTY = 65_536
"""Open files that we ask for unprompted. More would burden programs that we start: some close every possible one."""
SPARE = 32
"""Open files kept from who connects: for the node, pools, logs, hooks, and whatever else the process opens itself."""


def allow(needed: int = 0) -> int:
    """Raise this process's limit of open files as far as it may, up to plenty or what is needed; returns the limit.

    A limit of -1 is none. The usual 1024 are fewer than 1024 miners. Programs that we start inherit the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(needed, PLENTY)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):  # an unlimited hard limit may exceed what the system has
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limit()


def limit() -> int:
    """How many files this process may have open; -1 for any number."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return -1 if soft == resource.RLIM_INFINITY else soft


def keep_spare(limit: int, file: int) -> None:
    """OSError (EMFILE) when so few are left of ``limit`` that a stranger gets none. ``file`` is any open one."""
    if limit < 0:
        return
    lowest = os.dup(file)  # the system gives the lowest free number: all below are in use
    os.close(lowest)
    if lowest >= limit - min(SPARE, limit // 4):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
