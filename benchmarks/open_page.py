"""Measures what the open page costs: bytes sent, connections of the event stream, and memory of the browser.

    python -m benchmarks.open_page [--minutes 30] [--devices 12]

The script starts a pool on the embedded chain, twelve emulated Bitaxes, a miner with ``--http``, and the page in
headless Chromium. A relay between browser and miner counts the bytes that go to the browser, and the requests by path.
Every share is a block on the embedded chain, so there are more events than on other pools.
"""

import argparse
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import trio
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks.browser import browsing, free_port, wait_for
from benchmarks.record import Rows, add_save_option
from stratum_miner.emulators import Emulator

KIND = "bitaxe-gamma"
HASH_RATE = 50e3
"""Hash rate of each device in H/s, low enough for one processor to emulate all twelve devices beside its other work."""
NONCE_DIFFICULTY = HASH_RATE / 2**32 / 256
"""Difficulty of a reported nonce before the driver sets the ticket mask, which multiplies it by up to 256.

So each device reports a nonce about once per second or more often."""
SHARE_S = 2.0
"""Average number of seconds between two shares of all devices together."""
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
REPORT_S = 60.0


class Relay:
    """Forwards connections in both directions. Counts the bytes sent to the browser, and the requests by path."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.received = 0
        self.asked: Counter[str] = Counter()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            browser, _ = self._listener.accept()
            miner = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._pass, args=(browser, miner, self._note_request), daemon=True).start()
            threading.Thread(target=self._pass, args=(miner, browser, self._note_answer), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, note: object) -> None:
        assert callable(note)
        with suppress(OSError):
            while data := source.recv(65536):
                note(data)
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _note_request(self, data: bytes) -> None:
        if data.startswith((b"GET ", b"POST ")):
            self.asked[data.split(b" ", 2)[1].decode().partition("?")[0]] += 1

    def _note_answer(self, data: bytes) -> None:
        self.received += len(data)


def emulate(directory: str, count: int) -> None:
    """Emulate ``count`` devices until the process is terminated. Their links are in ``directory``."""

    async def live() -> None:
        async with trio.open_nursery() as nursery:
            for index in range(count):
                nursery.start_soon(one, Path(directory) / f"device{index}", index)

    async def one(link: Path, seed: int) -> None:
        emulator = Emulator(
            KIND, link=link, hash_rate=HASH_RATE, seed=seed, nonce_difficulty=float(f"{NONCE_DIFFICULTY:g}")
        )
        async with emulator.run():
            await trio.sleep_forever()

    trio.run(live)


@contextmanager
def emulated(count: int) -> Iterator[list[str]]:
    """Emulate ``count`` devices in another process, and yield the value of ``--device`` for each."""
    with tempfile.TemporaryDirectory() as directory:
        process = multiprocessing.Process(target=emulate, args=(directory, count), daemon=True)
        process.start()
        links = [Path(directory) / f"device{index}" for index in range(count)]
        until = time.monotonic() + 30
        while not all(link.with_name(f"{link.name}-data").is_symlink() for link in links):
            if time.monotonic() > until:
                raise SystemExit("expected all emulated devices within 30 s")
            time.sleep(0.1)
        try:
            yield [f"{KIND}:{link},nonce-difficulty={NONCE_DIFFICULTY:g},hash-rate={HASH_RATE:g}" for link in links]
        finally:
            process.terminate()
            process.join()


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of stratum-miner, and terminate it at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stratum_miner", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def heap(browser: webdriver.Chrome) -> int:
    """Return the size in bytes of the JavaScript objects in use, after a garbage collection."""
    browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    return int(browser.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"])


def watch(browser: webdriver.Chrome, relay: Relay, minutes: float) -> dict[str, object]:
    """Keep the page open for that many minutes, and return the measured figures."""
    browser.get(f"http://127.0.0.1:{relay.port}/")
    WebDriverWait(browser, 60).until(lambda it: it.execute_script("return document.body.dataset.link") == "live")
    time.sleep(10)
    loaded, at_start = relay.received, heap(browser)
    states: Counter[str] = Counter()
    began = time.monotonic()
    next_report = began + REPORT_S
    while time.monotonic() - began < minutes * 60:
        time.sleep(1)
        states[browser.execute_script("return document.body.dataset.link")] += 1
        if time.monotonic() >= next_report:
            next_report += REPORT_S
            rate = (relay.received - loaded) / (time.monotonic() - began)
            print(f"{time.monotonic() - began:.0f} s: {rate:.0f} bytes/s, heap {heap(browser)}", file=sys.stderr)
    seconds = time.monotonic() - began
    return {
        "seconds": round(seconds),
        "bytes_to_load": loaded,
        "bytes_since": relay.received - loaded,
        "bytes_per_second": round((relay.received - loaded) / seconds),
        "reconnects": relay.asked["/api/v1/stream"] - 1,
        "histories": relay.asked["/api/v1/history"],
        "link": dict(states),
        "heap_at_start": at_start,
        "heap_at_end": heap(browser),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0, help="minutes to keep the page open [default: 30]")
    parser.add_argument("--devices", type=int, default=12, help="number of emulated devices [default: 12]")
    add_save_option(parser)
    options = parser.parse_args(arguments)
    rows = Rows("open_page", "python -m benchmarks.open_page", ("figure", "value"))
    stratum, http = free_port(), free_port()
    difficulty = f"{HASH_RATE * options.devices * SHARE_S / 2**32:g}"
    with ExitStack() as stack:
        devices = stack.enter_context(emulated(options.devices))
        pool = ("pool", "--address", ADDRESS, "--listen", f"127.0.0.1:{stratum}", "--difficulty", difficulty, "-q")
        stack.enter_context(command(*pool))
        mine = ["mine", "--no-config", "-o", f"127.0.0.1:{stratum}", "-u", ADDRESS, "-q"]
        for device in devices:
            mine += ["--device", device]
        miner = stack.enter_context(command(*mine, "--http", f"127.0.0.1:{http}"))
        wait_for(f"http://127.0.0.1:{http}/health", miner)
        relay = Relay(http)
        browser = stack.enter_context(browsing())
        for name, value in watch(browser, relay, options.minutes).items():
            rows.add(name.replace("_", " "), str(value))
    if options.save:
        rows.save()


if __name__ == "__main__":
    main()
