"""Measures what watching costs: the hash rate with screen, page and metrics, divided by the hash rate without them.

    python -m benchmarks.browser [--pairs 7] [--seconds 60] [--same]

"On" means: the status screen on a pseudo-terminal, the page open in a browser, and metrics scraped every second. "Off"
means: none of these, and no HTTP server. In every second pair "on" comes first. The miner uses all processors except
one. The browser and the other helpers use that one, because a browser usually runs on another computer. With ``--same``
all of them share all processors. Quote the median of the ratios and its confidence interval.

On a busy computer the hash rates say little. Then look at the last column: the fraction of one processor that the
miner's main thread uses, which other programs hardly change. The main thread does everything except the search.
"""

import argparse
import fcntl
import json
import multiprocessing
import os
import pty
import select
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from statistics import median

import httpx2
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks.interval import median_interval
from benchmarks.pools import notify_one as serve
from benchmarks.record import Rows, add_save_option
from stratum_miner.backends.cpu.choice import choose

JOB_INTERVAL_S = 5.0
SCRAPE_S = 1.0
LOOK_S = 0.5
STARTED_S = 5.0
"""Seconds until the search has started and the page has loaded. The main thread is measured after this time."""
SCREEN = (40, 120)
"""Rows and columns of the terminal."""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """Result of one run: the hash rate in H/s, and the fraction of one processor that the main thread used."""

    hash_rate: float
    main_thread: float


Run = Callable[[], Measured]


class Miner:
    """Runs ``mine`` in a process on the given processors. Each run has a new pool."""

    def __init__(self, seconds: float, processors: Sequence[int], kernel: str) -> None:
        self._arguments = [
            sys.executable, "-m", "stratum_miner", "mine", "--no-config", "-u", "bench", "--json",
            "--time-limit", f"{seconds:g}", "--threads", str(len(processors)), "--kernel", kernel,
            "--no-extranonce-subscribe",
        ]  # fmt: skip
        self._processors = processors

    def unwatched(self) -> Measured:
        with pool() as address:
            process = self._start(address, "--quiet", stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return measured(process)

    def watched(self, browser: webdriver.Chrome) -> Measured:
        with pool() as address:
            return self._watched(address, browser)

    def _start(self, address: str, *arguments: str, stdin: int, stderr: int) -> subprocess.Popen[bytes]:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self._processors)  # the child process inherits it
        try:
            return subprocess.Popen(
                [*self._arguments, "-o", address, *arguments], stdin=stdin, stderr=stderr, stdout=subprocess.PIPE,
                env={**os.environ, "TERM": "xterm-256color"},
            )  # fmt: skip
        finally:
            os.sched_setaffinity(0, before)

    def _watched(self, address: str, browser: webdriver.Chrome) -> Measured:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        screen_end, miner_end = pty.openpty()
        fcntl.ioctl(miner_end, termios.TIOCSWINSZ, struct.pack("HHHH", *SCREEN, 0, 0))
        process = self._start(address, "--http", f"127.0.0.1:{port}", stdin=miner_end, stderr=miner_end)
        os.close(miner_end)
        drawn, scraped = Counter(), Counter()
        ended = threading.Event()
        helpers = [
            threading.Thread(target=drain, args=(screen_end, drawn), daemon=True),
            threading.Thread(target=scrape, args=(f"{url}/metrics", ended, scraped), daemon=True),
        ]
        for helper in helpers:
            helper.start()
        wait_for(f"{url}/health", process)
        browser.get(url)
        WebDriverWait(browser, 30).until(lambda it: it.execute_script("return document.body.dataset.link") == "live")
        chart = "return document.querySelectorAll('#chart-hash-rate svg *').length"
        points = WebDriverWait(browser, 30).until(lambda it: it.execute_script(chart))
        found = measured(process)
        ended.set()
        for helper in helpers:
            helper.join()
        os.close(screen_end)
        browser.get("about:blank")
        if not (drawn.value and scraped.value and points):
            raise SystemExit(
                f"expected a screen, scrapes and a chart, got {drawn.value} bytes drawn, {scraped.value} scrapes "
                f"and {points} chart elements"
            )
        return found


def measured(process: subprocess.Popen[bytes]) -> Measured:
    """Wait until the process exits, and return its hash rate and the processor use of its main thread.

    The first ``STARTED_S`` seconds do not count for the main thread. Exits if the run fails or is too short.
    """
    assert process.stdout is not None
    looks: list[tuple[float, float]] = []
    begun = time.monotonic()
    while not select.select([process.stdout], [], [], LOOK_S)[0]:
        if time.monotonic() - begun >= STARTED_S:
            with suppress(OSError):  # the process may just have exited
                looks.append((time.monotonic(), main_thread_s(process.pid)))
    out, _ = process.communicate()
    if process.returncode or len(looks) < 2:
        raise SystemExit(
            f"expected a run of at least about {STARTED_S * 2:g} s with exit code 0, got exit code {process.returncode}"
        )
    (first, before), (last, after) = looks[0], looks[-1]
    return Measured(float(json.loads(out)["hash_rate"]), (after - before) / (last - first))


def main_thread_s(pid: int) -> float:
    """Return the seconds of processor time that the main thread of a process has used (utime and stime of proc(5))."""
    with open(f"/proc/{pid}/task/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def pool() -> Iterator[str]:
    """Run a pool for one miner, and yield its HOST:PORT."""
    listener = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.Process(target=serve, args=(listener, 10_000, JOB_INTERVAL_S), daemon=True)
    process.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        process.terminate()
        process.join()
        listener.close()


class Counter:
    """A number that one thread counts and another one reads."""

    def __init__(self) -> None:
        self.value = 0


def drain(terminal: int, drawn: Counter) -> None:
    while True:
        try:
            taken = os.read(terminal, 65536)
        except OSError:  # the miner has closed its end
            return
        if not taken:
            return
        drawn.value += len(taken)


def scrape(url: str, ended: threading.Event, scraped: Counter) -> None:
    with httpx2.Client(trust_env=False) as client:
        while not ended.wait(SCRAPE_S):
            try:
                scraped.value += client.get(url).status_code == 200
            except httpx2.HTTPError:  # the server has not started yet, or has stopped
                continue


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    pause = threading.Event()
    while process.poll() is None:
        try:
            httpx2.get(url, trust_env=False)
            return
        except httpx2.HTTPError:
            pause.wait(0.05)
    raise SystemExit(f"the miner stopped with exit code {process.returncode}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def browsing() -> Iterator[webdriver.Chrome]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1280,900"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        try:
            yield driver
        finally:
            driver.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=7, help="number of pairs of runs [default: 7]")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds of each run [default: 60]")
    parser.add_argument("--same", action="store_true", help="let the browser share the miner's processors")
    add_save_option(parser)
    arguments = parser.parse_args()
    rows = Rows("browser", "python -m benchmarks.browser", ("figure", "value"))
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2 and not arguments.same:
        raise SystemExit("expected at least two usable processors, got one; add --same to share it with the browser")
    own = usable if arguments.same else usable[:-1]
    kernel = choose().rolling.kernel.name
    os.sched_setaffinity(
        0, usable if arguments.same else usable[-1:]
    )  # the pool, the browser and the scraper inherit it
    with browsing() as browser:
        miner = Miner(arguments.seconds, own, kernel)
        watched = partial(miner.watched, browser)
        pairs = [one_pair(miner.unwatched, watched, on_first=bool(pair % 2)) for pair in range(arguments.pairs)]
    ratio = median_interval([on.hash_rate / off.hash_rate for off, on in pairs])
    without, with_all = (median(pair[index].main_thread for pair in pairs) for index in (0, 1))
    where = f"{kernel}, {len(own)} of {len(usable)} processors, {len(pairs)} pairs of {arguments.seconds:g} s"
    rows.add(
        f"hash rate with screen, page and metrics, divided by the rate without them ({where})",
        f"{ratio.median:.2%} ({ratio.low:.2%} to {ratio.high:.2%})",
    )
    rows.add("processor use of the main thread without them", f"{without:.2%} of a processor")
    rows.add("processor use of the main thread with them", f"{with_all:.2%} of a processor")
    if arguments.save:
        rows.save()


def one_pair(unwatched: Run, watched: Run, *, on_first: bool) -> tuple[Measured, Measured]:
    if on_first:
        on, off = watched(), unwatched()
    else:
        off, on = unwatched(), watched()
    print(
        f"off {off.hash_rate / 1e6:7.2f} MH/s   on {on.hash_rate / 1e6:7.2f} MH/s   "
        f"ratio {on.hash_rate / off.hash_rate:.4f}   main thread {off.main_thread:.2%} -> {on.main_thread:.2%}",
        flush=True,
    )
    return off, on


if __name__ == "__main__":
    main()
