"""A browser that looks at the page, and miners for it to look at: one that is played, and one that can be steered."""

import fcntl
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import httpx
import pytest
import trio
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from stratum_miner.cli.steering import Steering
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.http import Access, Source, listening_socket, serve
from stratum_miner.monitoring.model import BlockView, Point, ShareView, View
from stratum_miner.monitoring.monitor import Monitor

from ...cli.screen.test_layout import device, pool, view
from ..http.conftest import NotedControl

TOKEN = "a-token-that-nobody-guesses"
AXE = Path(__file__).parent / "axe"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE_S = 60.0
"""For a busy machine; nothing takes a second on an idle one."""
T = TypeVar("T")


# ---- miners ---------------------------------------------------------------------------------------------------------


class PlayedMonitor:
    """Shows the view that the test sets."""

    def __init__(self, shown: View) -> None:
        self.shown = shown
        self.events = EventLog()

    def view(self) -> View:
        return replace(self.shown, events=self.events.newest(100))

    def summary(self) -> Any:
        return self.shown.summary

    def pools(self) -> Any:
        return self.shown.pools

    def history(self) -> tuple[Point, ...]:
        return self.shown.history


class ServedMiner:
    """A miner's page on a socket, in a thread; it can go and come back at the same address."""

    def __init__(self, monitor: Any, control: Any, *, open_reading: bool = True) -> None:
        self.monitor = monitor
        self.control = control
        self.configuration: dict[str, Any] = {"file": None, "groups": []}
        self._access = Access(TOKEN, open_reading=open_reading)
        self._port = 0
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        bound = listening_socket(f"127.0.0.1:{self._port}")
        self._port = bound.getsockname()[1]
        source = Source(monitor=self.monitor, control=self.control, configuration=lambda: self.configuration)
        started: queue.Queue[Callable[[], None]] = queue.Queue()

        async def run() -> None:
            with trio.CancelScope() as scope:
                token = trio.lowlevel.current_trio_token()
                started.put(lambda: token.run_sync_soon(scope.cancel))
                await serve(bound, source, self._access)

        self._thread = threading.Thread(target=trio.run, args=(run,))
        self._thread.start()
        self._stop = started.get(timeout=PATIENCE_S)

    def stop(self) -> None:
        if self._thread is not None:
            self._stop()
            self._thread.join()
            self._thread = None

    def ask(self, path: str) -> Any:
        """What the API answers."""
        return httpx.get(
            f"{self.url}api/v1/{path}", headers={"authorization": f"Bearer {TOKEN}"}, trust_env=False
        ).json()


@contextmanager
def serving(monitor: Any, control: Any, *, open_reading: bool = True) -> Iterator[ServedMiner]:
    served = ServedMiner(monitor, control, open_reading=open_reading)
    served.start()
    try:
        yield served
    finally:
        served.stop()


def full_view() -> View:
    """Everything that there can be to see, at this moment."""
    now = time.time()
    asic = {
        "backend": "asic", "product": "Bitaxe Gamma", "detail": "Bitaxe Gamma", "chip_temperature_c": 61.5,
        "power_w": 15.2, "frequency_mhz": 525.0, "core_voltage_v": 1.15, "fan_rpm": 4200, "chips": (31, 29),
        "expected_hash_rate": 1.2e12, "hash_rate": 1.19e12, "hash_rate_1m": 1.18e12,
    }  # fmt: skip
    points = tuple(
        Point(
            at=now - 2 * (300 - index), hash_rate=1.5e8 + 1e6 * (index % 7), accepted=index // 3, rejected=index // 100,
            stale=0, lost=0, latency_ms=20.0 + index % 5, temperature_c=60.0 + index % 3, power_w=65.0,
        )
        for index in range(300)
    )  # fmt: skip
    shares = tuple(
        ShareView(
            at=now - 6 * (30 - index), device="cpu0", pool="stratum+tcp://pool0.example:3333", job_id="b9bbd6b0",
            difficulty=0.3 + index, share_difficulty=0.25, fate="rejected" if index == 25 else "accepted",
            reason="low difficulty share" if index == 25 else "", latency_ms=21.0 + index, block=None,
        )
        for index in range(30)
    )  # fmt: skip
    base = view(pools=3, started_at=now - 900, elapsed_s=900.0)
    return replace(
        base,
        at=now,
        pools=(base.pools[0], pool(1, state="down", reason="Connection refused"), pool(2, enabled=False, name="spare")),
        devices=(
            *base.devices,
            device(2, name="bitaxe-1", **asic),
            device(3, name="bitaxe-2", **{**asic, "state": "throttled", "reason": "72 C", "hardware_errors": 12}),
        ),
        shares=shares,
        blocks=(BlockView(at=now - 300, height=929_998, hash="00" * 28 + "1a2b3c4d", pool="p", difficulty=2e14),),
        history=points,
    )


@pytest.fixture
def played() -> Iterator[ServedMiner]:
    """Shows ``full_view``; notes what it is asked to change."""
    with serving(PlayedMonitor(full_view()), NotedControl()) as served:
        yield served


@pytest.fixture
def steered() -> Iterator[ServedMiner]:
    """A real miner, standing still, with two pools; what the page asks is done."""
    settings = [PoolSettings(url=PoolUrl.parse(f"{host}.example:3333"), worker_name="w") for host in ("one", "two")]
    miner = Miner(settings, [])
    with serving(Monitor(miner.snapshot, EventLog()), Steering(miner)) as served:
        yield served


# ---- the browser ----------------------------------------------------------------------------------------------------


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true" and shutil.which("apt-get") and os.geteuid() == 0:
        pytest.fail(f"{reason}, although it can be had here")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def driver() -> Iterator[webdriver.Chrome]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        _unavailable("needs a browser: the packages chromium and chromium-driver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        running = webdriver.Chrome(options=options, service=Service(chromedriver))
        running.set_page_load_timeout(PATIENCE_S)
        try:
            yield running
        finally:
            running.quit()


@pytest.fixture
def page(driver: webdriver.Chrome) -> Iterator["Page"]:
    """A new tab of its own; at the end nothing may have been asked elsewhere, nor anything be wrong in the console."""
    before = driver.current_window_handle
    driver.switch_to.new_window("tab")
    opened = Page(driver)
    yield opened
    if driver.current_url.startswith("http"):
        opened.leave()
    complaints, requests = opened.complaints(), opened.requests()
    driver.close()
    driver.switch_to.window(before)
    assert complaints == []
    assert [url for url in requests if not url.startswith(("http://127.0.0.1:", "data:", "about:"))] == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, installed once; skips without npm, but not in CI."""
    npm = shutil.which("npm")
    if npm is None:
        _unavailable("needs npm for axe-core")
    installed = AXE / "node_modules" / "axe-core" / "axe.min.js"
    with (AXE / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists():
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=AXE, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                _unavailable(f"npm ci failed: {done.stderr[-300:]}")
    return installed.read_text()


class Page:
    """What a person does with the page, and sees."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.allowed: tuple[str, ...] = ()
        """Parts of console messages that the test provokes."""
        self.shape(1280, 900)
        self.prefer(scheme="light")
        self._log("browser")
        self._log("performance")

    def shape(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, *, scheme: str, motion: str = "no-preference") -> None:
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, served: ServedMiner, fragment: str = "", *, link: str = "live") -> None:
        self.driver.get(served.url + fragment)
        self.until(lambda: self.script("return document.body.dataset.link") == link, f"the page to be {link}")

    def script(self, code: str, *values: Any) -> Any:
        return self.driver.execute_script(code, *values)

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                found = condition()
            except StaleElementReferenceException:
                continue
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}; the page says: {self.text('body')[:2000]}")
            time.sleep(0.02)  # between two looks

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(self.script("return document.querySelector(arguments[0]).innerText", selector))

    def rows(self, table: str) -> list[list[str]]:
        """The cells of a table's body, as they read."""
        found: list[list[str]] = self.script(
            "return [...document.querySelectorAll(arguments[0] + ' > tbody > tr')].map((row) => "
            "[...row.children].map((cell) => cell.innerText))",
            table,
        )
        return found

    def terms(self, selector: str) -> dict[str, str]:
        found: dict[str, str] = self.script(
            "return Object.fromEntries([...document.querySelectorAll(arguments[0] + ' > div')].map((item) => "
            "[item.children[0].innerText, item.children[1].innerText]))",
            selector,
        )
        return found

    def press(self, name: str) -> None:
        """The button of this name, as a screen reader says it."""
        found = self.until(lambda: self.button(name), f"a button {name!r}")
        self.script("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()

    def button(self, name: str) -> WebElement | None:
        found: WebElement | None = self.script(
            "return [...document.querySelectorAll('button')].find((button) => button.checkVisibility() && "
            "(button.getAttribute('aria-label') ?? button.textContent).trim() === arguments[0]) ?? null",
            name,
        )
        return found

    def click(self, selector: str) -> None:
        """Where a person would: not under the bar at the top."""
        found = self.one(selector)
        self.script("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()

    def leave(self) -> None:
        """Before the miner goes."""
        self.script("localStorage.clear(); sessionStorage.clear()")
        self.driver.get("about:blank")

    def type(self, selector: str, text: str) -> None:
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    def keys(self, *keys: str) -> None:
        """To whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def tab_to(self, name: str, most: int = 120) -> None:
        for _ in range(most):
            self.keys(Keys.TAB)
            if self.focused() == name:
                return
        raise AssertionError(f"{name!r} cannot be reached by Tab")

    def focused(self) -> str:
        return str(
            self.script(
                "const at = document.activeElement; return (at.getAttribute('aria-label') "
                "?? at.labels?.[0]?.innerText ?? at.textContent ?? '').trim()"
            )
        )

    def notice(self, needle: str) -> None:
        self.until(lambda: needle in self.text("#notice"), f"the notice {needle!r}")

    def complaints(self) -> list[str]:
        messages = [entry["message"] for entry in self._log("browser") if entry["level"] != "INFO"]
        return [message for message in messages if not any(part in message for part in self.allowed)]

    def requests(self) -> list[str]:
        entries = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"
        ]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        """What came since it was asked for last."""
        found: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return found
