"""How many processors this process may use, and which."""

import os
from pathlib import Path

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""cgroup v2: quota and period in microseconds, or "max"."""


def usable() -> tuple[int, ...]:
    """The processors the scheduler may put us on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def default_threads(quota_file: Path = CGROUP_QUOTA) -> int:
    """One thread per usable processor, fewer when a container's quota allows less."""
    return max(1, min(len(usable()), quota(quota_file)))


def quota(quota_file: Path = CGROUP_QUOTA) -> int:
    """Processors' worth of time that the cgroup grants, rounded up; a large number without a limit."""
    try:
        text = quota_file.read_text().split()
        granted, period = int(text[0]), int(text[1])
    except (OSError, ValueError, IndexError):
        return 1 << 16
    return -(-granted // period) if period > 0 else 1 << 16
