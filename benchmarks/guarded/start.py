"""The processor time of a start of the program: ``--version``, and a run of ``mine`` that ends after its first job."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.pools import notify
from benchmarks.processes import serving
from benchmarks.reading import NotHereError, Reading, Turn

MINE = (
    "mine", "--no-config", "-u", "bench", "--quiet", "--time-limit", "0.3",
    "--backend", "simulated", "--backend-option", "hash_rate=1000",
)  # fmt: skip

STARTED = {0, 1, 4}
"""Exit codes of ``mine`` after its start. On a busy computer, its time limit may end before its device has mined (1) or
before a job came (4)."""


@contextmanager
def opened() -> Iterator[Turn]:
    with serving(notify, 10_000, 5.0) as (_, pipe), tempfile.TemporaryDirectory() as folder:
        address = f"127.0.0.1:{pipe.recv()}"
        environment = {**os.environ, "XDG_STATE_HOME": folder, "XDG_CACHE_HOME": folder, "PYTHONHASHSEED": "0"}

        def started(name: str, *arguments: str) -> Reading:
            before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, "-P", "-m", "stratum_miner", *arguments]
            ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
            wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
            if ended.returncode not in STARTED:
                raise NotHereError(
                    f"{' '.join(arguments)}: exit code {ended.returncode}: {ended.stderr[-200:].strip()}"
                )
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return Reading(name, "start", wall, used)

        def turn() -> list[Reading]:
            return [started("--version", "--version"), started("mine", *MINE, "-o", address)]

        yield turn
