"""Fixtures: a browser with the page."""

import fcntl
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from ..http.conftest import NotedControl
from ..served import PATIENCE_S, PlayedMonitor, ServedMiner, full_view, serving, serving_steered

AXE = Path(__file__).parent / "axe"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
T = TypeVar("T")


@pytest.fixture
def played() -> Iterator[ServedMiner]:
    """Serves ``full_view`` and records the requests for changes."""
    with serving(PlayedMonitor(full_view()), NotedControl()) as served:
        yield served


@pytest.fixture
def steered() -> Iterator[ServedMiner]:
    """Serves a real miner with two pools, which does not search. Requests of the page change it."""
    with serving_steered() as served:
        yield served


# ---- the browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def driver() -> Iterator["webdriver.Chrome"]:  # loaded only where a browser is started
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("needs a browser: the packages chromium and chromium-driver")
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
def page(driver: "webdriver.Chrome") -> Iterator["Page"]:
    """A new tab. At the end, there must be no requests to other hosts and no errors in the console."""
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
    """The source of axe-core, which is installed once. Skips the test without npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm for axe-core")
    installed = AXE / "node_modules" / "axe-core" / "axe.min.js"
    with (AXE / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists():
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=AXE, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                pytest.skip(f"npm ci failed: {done.stderr[-300:]}")
    return installed.read_text()


class Page:
    """The page as a person uses it: actions, and what the page shows."""

    def __init__(self, driver: "webdriver.Chrome") -> None:
        self.driver = driver
        self.allowed: tuple[str, ...] = ()
        """Parts of the console messages that the test expects."""
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
        """Return the texts of the cells in a table's body."""
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
        """Click the button with this accessible name."""
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
        """Scroll the element to the middle, so that the header does not cover it, and click it."""
        found = self.one(selector)
        self.script("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()

    def leave(self) -> None:
        """Leave the page before the miner stops."""
        self.script("localStorage.clear(); sessionStorage.clear()")
        self.driver.get("about:blank")

    def type(self, selector: str, text: str) -> None:
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    def keys(self, *keys: str) -> None:
        """Send keys to the element that has the focus."""
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
        """Return the entries of a log since the last call."""
        found: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return found
