"""Takes the pictures of the documents: the page in headless Chromium, and the screen of a terminal.

    python -m tests.pictures [--seconds 150]

The script starts a pool on an embedded regtest chain, an emulated Bitaxe and an emulated Block Erupter, and a miner
with these devices and one search thread. After some minutes it writes ``page.png`` and ``screen.svg`` to docs/images.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import msgspec
from rich.console import Console
from rich.terminal_theme import MONOKAI

from benchmarks.browser import browsing, free_port, wait_for
from stratum_miner.monitoring.screen.layout import ScreenState, draw
from stratum_miner.monitoring.screen.live import FOOT
from stratum_miner.monitoring.view import View

IMAGES = Path(__file__).parents[1] / "docs" / "images"
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
BITAXE_RATE, ERUPTER_RATE = "400kH", "200kH"
"""Hash rates that a busy computer can emulate beside a search thread."""
PAGE_SIZE = (1200, 880)
COLUMNS, LINES = 88, 26


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of stratum-miner until the end of the block."""
    program = (sys.executable, "-m", "stratum_miner", *arguments)
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def take_page(url: str) -> None:
    """Write a picture of the first screenful of the page."""
    with browsing() as browser:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": PAGE_SIZE[0], "height": PAGE_SIZE[1], "deviceScaleFactor": 1, "mobile": False},
        )
        browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        browser.get(url)
        time.sleep(4)  # the stream sends a change every second, and charts are drawn with it
        browser.save_screenshot(str(IMAGES / "page.png"))


def take_screen(url: str) -> None:
    """Write a picture of the status screen."""
    view = msgspec.json.decode(httpx2.get(f"{url}/api/v1/view", trust_env=False).content, type=View)
    console = Console(width=COLUMNS, record=True, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115  closed at exit
    for line in draw(view, ScreenState(COLUMNS, LINES, foot=FOOT)):
        console.print(line, soft_wrap=True)
    picture = console.export_svg(title="stratum-miner mine", theme=MONOKAI)
    # the fonts of the reader's computer, because a picture must not load anything from another host
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL).replace(
        "Fira Code, monospace", "monospace"
    )
    (IMAGES / "screen.svg").write_text(picture, encoding="utf-8")


def main() -> None:
    """Run the programs and take both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=150.0, help="seconds of mining [default: 150]")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        os.environ["XDG_STATE_HOME"] = folder
        pool, http = free_port(), free_port()
        start = ("pool", "--node", "kernel", "--listen", f"127.0.0.1:{pool}", "--address", ADDRESS, "--difficulty")
        running.enter_context(command(*start, "0.01"))
        for kind, rate in (("bitaxe-gamma", BITAXE_RATE), ("erupter", ERUPTER_RATE)):
            link = ("--link", f"{folder}/{kind[0]}1", "--hash-rate", rate, "--nonce-difficulty", "1e-6")
            running.enter_context(command("emulate", kind, *link))
        devices = (
            f"bitaxe-gamma:{folder}/b1,nonce-difficulty=1e-6,hash-rate={BITAXE_RATE}",
            f"erupter:{folder}/e1,nonce-difficulty=1e-6,hash-rate={ERUPTER_RATE}",
        )
        time.sleep(3)  # the links and the pool
        miner = running.enter_context(
            command(
                "mine", "--no-config", "-o", f"127.0.0.1:{pool}", "-u", f"{ADDRESS}.desk",
                "--http", f"127.0.0.1:{http}", "--backend", "cpu", "-t", "1",
                "--device", devices[0], "--device", devices[1], "--electricity", "0.30", "--power", "65W",
            )
        )  # fmt: skip
        url = f"http://127.0.0.1:{http}"
        wait_for(url, miner)
        time.sleep(arguments.seconds)
        take_page(url)
        take_screen(url)


if __name__ == "__main__":
    main()
