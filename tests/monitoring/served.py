"""Serves miners on a real socket in a thread, for tests without trio: one with a fixed view, and a real one."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx2
import trio

from stratum_miner.app.daemon.control import MinerControl
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.http import Access, Source, serve
from stratum_miner.monitoring.listening import listening_socket
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.view import BlockView, LuckView, Point, ProblemView, ShareView, View
from tests.monitoring.screen.test_layout import device, pool, view

TOKEN = "a-token-that-nobody-guesses"
PATIENCE_S = 60.0
"""Seconds to wait on a busy computer. On an idle one, everything takes less than a second."""


class PlayedMonitor:
    """A monitor that returns the view that the test sets."""

    def __init__(self, shown: View) -> None:
        self.shown = shown
        self.events = EventLog()

    def view(self) -> View:
        return replace(self.shown, events=self.events.newest(100))

    def history(self) -> tuple[Point, ...]:
        return self.shown.history


class ServedMiner:
    """A miner's page on a socket in a thread. It can be stopped and started again at the same address."""

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
        """Return the JSON answer of the API."""
        return httpx2.get(
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
    """Return a view of this moment in which every part of the page has something to show."""
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
            at=now - 6 * (30 - index), backend="cpu", device="cpu0", device_id=0,
            pool="stratum+tcp://pool0.example:3333", pool_id=0, job_id="b9bbd6b0",
            difficulty=0.3 + index, share_difficulty=0.25, fate="rejected" if index == 25 else "accepted",
            reason="low difficulty share" if index == 25 else "", latency_ms=21.0 + index, block=None,
        )
        for index in range(30)
    )  # fmt: skip
    base = view(pools=3, started_at=now - 900, elapsed_s=900.0, devices_mining=4, devices_total=4)
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
        blocks=(
            BlockView(at=now - 300, height=929_998, hash="00" * 28 + "1a2b3c4d", pool="p", pool_id=0, difficulty=2e14),
        ),
        history=points,
    )


def farm_view() -> View:
    """Return a view of twelve devices: one is off, one is hot, and one computes wrong results."""
    base = full_view()
    well = {
        "backend": "farm", "product": "Bitaxe Gamma", "detail": "Bitaxe Gamma", "chip_temperature_c": 58.2,
        "power_w": 16.1, "frequency_mhz": 525.0, "core_voltage_v": 1.15, "fan_rpm": 4200, "fan_percent": 55,
        "expected_hash_rate": 1.2e12, "hash_rate": 1.19e12, "hash_rate_1m": 1.18e12, "nonces_found": 1700,
        "accepted": 1234,
    }  # fmt: skip
    off = {"mines": False, "state": "off", "reason": "tripped at 76 °C", "hash_rate": 0.0, "hash_rate_1m": 0.0}
    hot = {"state": "throttled", "reason": "hot: 71 °C", "chip_temperature_c": 71.4, "hash_rate_1m": 0.92e12}
    changes: dict[int, dict[str, Any]] = {
        4: {**off, "power_w": 0.0, "fan_rpm": 0, "chip_temperature_c": 31.0},
        7: hot,
        9: {"hardware_errors": 734, "chip_temperature_c": None, "fan_rpm": None, "fan_percent": None},
    }
    devices = tuple(
        device(number, name=f"bitaxe-{number}", **{**well, **changes.get(number, {})}) for number in range(12)
    )
    problems = (
        ProblemView(
            severity="critical", kind="device_off", device_id=4, text="bitaxe-4 is off: tripped at 76 °C.",
            advice="Remove the cause, then restart the device or unplug it and plug it in again.", since_s=1440.0,
        ),
        ProblemView(
            severity="warning", kind="device_errors", device_id=9,
            text="bitaxe-9 computes wrong results: 45 of its last 150 results (30 %) are wrong.",
            advice="Lower its frequency or raise its voltage, and check its cooling and power supply.", since_s=300.0,
        ),
        ProblemView(
            severity="warning", kind="device_throttled", device_id=7, text="bitaxe-7 is throttled: hot: 71 °C.",
            advice="Improve its cooling and power supply, or set a lower frequency.", since_s=60.0,
        ),
    )  # fmt: skip
    summary = replace(
        base.summary, state="degraded", detail="11 of 12 devices mine; bitaxe-4 is off: tripped at 76 °C",
        devices_mining=11, devices_total=12, problems=problems, hardware_errors=734, economics=None,
        hash_rate=12e12, hash_rate_5s=12.9e12, hash_rate_1m=12.72e12, hash_rate_5m=12.8e12, hash_rate_15m=12.6e12,
        power_w=177.1, joules_per_terahash=13.8, elapsed_s=8400.0,
        luck=LuckView(found=126, expected=200.0, ratio=0.63, low=0.58, high=0.68),
    )  # fmt: skip
    return replace(base, summary=summary, devices=devices)


@contextmanager
def serving_steered() -> Iterator[ServedMiner]:
    """Serves a real miner with two pools, which does not search. Requests change it."""
    settings = [PoolSettings(url=PoolUrl.parse(f"{host}.example:3333"), worker_name="w") for host in ("one", "two")]
    miner = Miner(settings, [])
    monitor = Monitor(miner.snapshot, EventLog())
    with serving(monitor, MinerControl(miner, monitor.numbers)) as served:
        yield served
