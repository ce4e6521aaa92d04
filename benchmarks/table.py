"""The table of the benchmarks that run in turns, which ``make bench-check`` compares between two commits.

Those that take the longest stand last, because a quick run on a busy computer may not come to them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One line of the table. ``benchmarks.guarded.NAME`` has its function ``opened``."""

    name: str
    what: str
    """What the benchmark measures, as one sentence."""
    quick: bool = True
    """Whether a quick comparison contains it."""


TABLE = (
    Benchmark("kernels", "The time of one hash in each kernel, on one thread, with and without version rolling."),
    Benchmark("pool", "The pool's time to check a share, and to send a new job to one of 200 miners."),
    Benchmark("proxy", "The proxy's time to forward a share, and the time from submit to reply with and without it."),
    Benchmark("journal", "The time to record a share and its result in the share journal."),
    Benchmark(
        "watching",
        "The time to answer a scrape of /metrics and a request for the view, and to draw the status screen once.",
    ),
    Benchmark(
        "shares", "The time of an accepted share at difficulty 1e-9: found, hashed again, sent, checked, and recorded."
    ),
    Benchmark(
        "mining",
        "The time of one hash in a complete miner whose pool sends a job twice per second, and in the kernel alone.",
    ),
    Benchmark(
        "job_switch",
        "The time from the arrival of a mining.notify to the first hash of its job, and the miner's work for it.",
    ),
    Benchmark("start", "The time to start the program, and to start mine and stop it after its first job."),
    Benchmark("lines", "The time to read an ordinary line, and each kind of hostile line, on both sides.", quick=False),
)
NAMES = tuple(each.name for each in TABLE)
QUICK_NAMES = tuple(each.name for each in TABLE if each.quick)

OTHERS = {
    "against_miner": "The kernels, compared with the binary of another miner.",
    "attacks": "What attackers can make each command use.",
    "browser": "The hash rate with screen, page and metrics, compared with the rate without them.",
    "dependencies": "Sizes and import times of the dependencies.",
    "device_rates": "The hash rate of each kind of device, from the nonces of its emulator.",
    "failover": "The time without work when the active pool fails.",
    "load_beside": "The processor time of the load generator, beside that of a pool of another program.",
    "load_pool": "The pool and the load generator with 10,000 miners.",
    "open_page": "What the page costs when it is open for half an hour.",
}
"""The benchmarks that are modules of their own: the name of the module, and what it measures."""
