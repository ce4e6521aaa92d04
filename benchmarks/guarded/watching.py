"""The processor time of watching: a scrape of /metrics, a request for the view, one drawing of the status screen, and
one step of the stream that the page follows.

The miner is a process of its own and searches with the simulated backend. The screen and the step of the stream are
made in this process, from a view of that miner.
"""

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console

from benchmarks.pools import notify
from benchmarks.processes import processor_s, serving
from benchmarks.reading import NotHereError, Reading, Turn
from stratum_miner.monitoring.difference import difference
from stratum_miner.monitoring.screen.layout import ScreenState, draw
from stratum_miner.monitoring.view import View

REQUESTS = 20
DRAWINGS = 10
STEPS = 20
WAIT_S = 30.0
LONGEST_S = 1800.0
"""Seconds after which the miner ends by itself, if this process was killed."""
COLUMNS, LINES = 120, 40


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def miner(address: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``mine`` with an HTTP server at ``port``, until the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [
                sys.executable, "-P", "-m", "stratum_miner", "mine", "--no-config", "-u", "bench", "--quiet",
                "--backend", "simulated", "--backend-option", "hash_rate=1000",
                "--time-limit", f"{LONGEST_S:g}",
                "-o", address, "--http", f"127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "XDG_STATE_HOME": folder, "XDG_CACHE_HOME": folder, "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def ask(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise NotHereError(f"{path}: status {response.status}")
    return body


def connected(process: subprocess.Popen[bytes], port: int) -> http.client.HTTPConnection:
    """Wait until the miner answers, and return a connection to it."""
    until = time.monotonic() + WAIT_S
    while process.poll() is None and time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        try:
            ask(connection, "/health")
        except OSError:
            time.sleep(0.05)
        else:
            return connection
    raise NotHereError(f"mine --http does not answer; exit code {process.poll()}")


def timed(name: str, unit: str, count: int, clock: Callable[[], float], once: Callable[[], object]) -> Reading:
    used, begun = clock(), time.perf_counter()
    for _ in range(count):
        once()
    wall = time.perf_counter() - begun
    return Reading(name, unit, wall / count, (clock() - used) / count)


@contextmanager
def opened() -> Iterator[Turn]:
    port = free_port()
    with serving(notify, 10_000, 0.2) as (_, pipe), miner(f"127.0.0.1:{pipe.recv()}", port) as process:
        connection = connected(process, port)
        time.sleep(2)  # the first seconds bring the first jobs and the first points of the charts
        first: Any = msgspec.json.decode(ask(connection, "/api/v1/view"))
        time.sleep(1)
        body = ask(connection, "/api/v1/view")
        second, view = msgspec.json.decode(body), msgspec.json.decode(body, type=View)
        with open(os.devnull, "w") as nowhere:
            console = Console(width=COLUMNS, file=nowhere, force_terminal=True)

            def drawn() -> None:
                for line in draw(view, ScreenState(COLUMNS, LINES)):
                    console.print(line, soft_wrap=True)

            def mines() -> float:
                return processor_s(process.pid)

            def turn() -> list[Reading]:
                return [
                    timed("/metrics", "request", REQUESTS, mines, lambda: ask(connection, "/metrics")),
                    timed("/api/v1/view", "request", REQUESTS, mines, lambda: ask(connection, "/api/v1/view")),
                    timed("status screen", "drawing", DRAWINGS, time.process_time, drawn),
                    timed("step of the stream", "step", STEPS, time.process_time, lambda: difference(first, second)),
                ]

            yield turn
