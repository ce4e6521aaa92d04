"""Finds out how many processors this process may use, and which."""

import os
import platform
from pathlib import Path, PurePosixPath

CGROUP_ROOT = Path("/sys/fs/cgroup")
"""Root directory of cgroup v2. In each group, the file cpu.max contains two numbers of microseconds: the CPU time that
the group may use in each period (the quota), and the period. The quota is "max" if there is no limit."""
OWN_CGROUP = Path("/proc/self/cgroup")
CPUINFO = Path("/proc/cpuinfo")
TOPOLOGY = Path("/sys/devices/system/cpu")
UNLIMITED = 1 << 16
"""Number of processors that ``quota`` returns for a process without a limit."""
THREADS_PER_PROCESSOR = 8
"""Largest number of search threads per processor. It is above 1 for experiments only: more than one thread does not
hash faster. It is limited because with 500 threads per processor, the main thread, which talks to the pool and handles
Ctrl-C, rarely ran."""


def usable() -> tuple[int, ...]:
    """Return the numbers of the processors on which the scheduler may run this process."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def can_pin() -> bool:
    """Return whether this system can pin a thread to a processor."""
    return hasattr(os, "sched_setaffinity")


def default_threads(root: Path = CGROUP_ROOT, own: Path = OWN_CGROUP) -> int:
    """Return the number of usable processors, or less if the quota of a container allows less."""
    return max(1, min(len(usable()), quota(root, own)))


def most_threads(root: Path = CGROUP_ROOT, own: Path = OWN_CGROUP) -> int:
    """Return the largest number of search threads that the user may ask for."""
    return THREADS_PER_PROCESSOR * default_threads(root, own)


def quota(root: Path = CGROUP_ROOT, own: Path = OWN_CGROUP) -> int:
    """Return how many processors the cgroups of this process allow it to use, rounded up; 65536 without a limit."""
    group = _own_cgroup(own)
    groups = [root / group, *(root / parent for parent in group.parents)]
    return min(_granted(place / "cpu.max") for place in groups)


def by_preference(topology: Path = TOPOLOGY) -> tuple[int, ...]:
    """Return the usable processors, the best for mining first.

    The first hardware threads of all cores come before the second hardware threads. Within each of these two groups,
    fast cores come before slow cores.
    """
    siblings_before: dict[str, int] = {}
    ranks: list[tuple[int, int, int]] = []
    for processor in usable():
        place = topology / f"cpu{processor}"
        core = _text(place / "topology" / "thread_siblings_list") or str(processor)
        sibling = siblings_before.get(core, 0)
        siblings_before[core] = sibling + 1
        ranks.append((sibling, -_speed(place), processor))
    return tuple(processor for _, _, processor in sorted(ranks))


def model(cpuinfo: Path = CPUINFO) -> str:
    """Return the name of the CPU; on ARM its implementer and part numbers."""
    fields: dict[str, set[str]] = {}
    for line in (_text(cpuinfo)).splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), set()).add(value.strip())
    wanted = ("model name",) if "model name" in fields else ("CPU implementer", "CPU part")
    values = [value for name in wanted for value in sorted(fields.get(name, ()))]
    return " ".join(values) or platform.processor() or platform.machine()


def _own_cgroup(own: Path) -> PurePosixPath:
    for line in (_text(own)).splitlines():
        if line.startswith("0::/"):
            return PurePosixPath(line.removeprefix("0::/"))
    return PurePosixPath()


def _granted(file: Path) -> int:
    try:
        granted, period = (int(word) for word in (_text(file)).split())
    except ValueError:
        return UNLIMITED
    return -(-granted // period) if period > 0 else UNLIMITED


def _speed(place: Path) -> int:
    """Return a number that is higher for faster cores of the same computer; 0 if the system reports none."""
    text = _text(place / "cpu_capacity") or _text(place / "cpufreq" / "cpuinfo_max_freq")
    return int(text) if text.isdigit() else 0


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
