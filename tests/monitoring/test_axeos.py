"""Tests the AxeOS API: the figures of the shown device, the actions, and which clients may use them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from structlog.testing import capture_logs

from stratum_miner.monitoring import axeos
from stratum_miner.monitoring.control import OVER_AXEOS
from stratum_miner.monitoring.http import Access
from stratum_miner.monitoring.listening import listening_socket
from stratum_miner.monitoring.view import DeviceView, View
from tests.monitoring.screen.test_layout import device, pool, view

from .http.conftest import TOKEN, NotedControl

SENSORS = ("voltage", "coreVoltage", "coreVoltageActual", "temp", "vrTemp", "fanrpm", "fanspeed")


def board(index: int = 0, **changes: Any) -> DeviceView:
    """A Bitaxe in which all figures have different values."""
    gamma = device(
        index, backend="asic", name="bitaxe-gamma-a1", product="Bitaxe Gamma", chip="BM1370", chip_temperature_c=61.26,
        regulator_temperature_c=55.04, core_voltage_v=1.147, core_voltage_asked_v=1.15, input_voltage_v=5.06,
        power_w=17.234, frequency_mhz=500.0, expected_hash_rate=1.02e12, chips=(7,), fan_rpm=4500, fan_percent=60,
        hash_rate=1.3e12, hash_rate_1m=1.01e12, hash_rate_10m=1.02e12, hash_rate_1h=1.03e12, accepted=40, refused=5,
        reasons={"rejected: duplicate share": 2, "stale: job not found": 3}, best_share=98765.5, blocks_accepted=1,
        nonces_found=95, hardware_errors=5,
    )  # fmt: skip
    return replace(gamma, **changes)


def told(*devices: DeviceView, **changes: Any) -> dict[str, Any]:
    shown = replace(view(), **changes)
    return axeos.information(replace(shown, devices=devices) if devices else shown)


def test_a_computer_is_a_cpu_and_has_no_figure_of_a_chip() -> None:
    threads = (
        device(0, accepted=70, refused=3, reasons={"stale: job not found": 3}, best_share=7.5, blocks_accepted=1),
        device(1, accepted=50, refused=1, reasons={"rejected: duplicate share": 1}, best_share=9.5),
    )
    info = told(*threads)
    assert (info["ASICModel"], info["deviceModel"], info["asicCount"]) == ("CPU", "CPU", 0)
    assert (info["hashRate"], info["hashRate_10m"], info["hashRate_1h"]) == (0.158, 0.156, 0.154)
    assert (info["sharesAccepted"], info["sharesRejected"]) == (120, 4)
    assert info["sharesRejectedReasons"] == [
        {"message": "stale: job not found", "count": 3},
        {"message": "rejected: duplicate share", "count": 1},
    ]
    assert (info["bestDiff"], info["bestSessionDiff"], info["blockFound"]) == (9.5, 9.5, 1)
    assert (info["power"], info["uptimeSeconds"]) == (65.0, 754)
    assert (info["blockHeight"], info["networkDifficulty"]) == (930_000, 144.4e12)
    for name in (*SENSORS, "frequency", "smallCoreCount", "expectedHashrate", "boardVersion", "overheat_mode"):
        assert name not in info


def test_each_figure_is_that_of_the_first_board_and_of_no_other_device() -> None:
    others = (device(0), board(2, name="bitaxe-gamma-b2", accepted=1000, hash_rate_1m=9e12, chip_temperature_c=80.0))
    info = told(others[0], board(1), others[1])
    expected = {
        "ASICModel": "BM1370", "deviceModel": "Gamma", "boardVersion": "Unknown", "asicCount": 1,
        "smallCoreCount": 2040, "frequency": 500.0, "actualFrequency": 500.0, "expectedHashrate": 1020.0,
        "overheat_mode": 0, "power": 17.23, "voltage": 5060, "coreVoltage": 1150, "coreVoltageActual": 1147,
        "temp": 61.3, "temp2": -1, "vrTemp": 55.0, "fanrpm": 4500, "fan2rpm": 0, "fanspeed": 60, "autofanspeed": 1,
        "hashRate": 1010.0, "hashRate_1m": 1010.0, "hashRate_10m": 1020.0, "hashRate_1h": 1030.0,
        "errorPercentage": 5.0, "bestDiff": 98765.5, "bestSessionDiff": 98765.5, "blockFound": 1,
        "sharesAccepted": 40, "sharesRejected": 5,
        "sharesRejectedReasons": [
            {"message": "stale: job not found", "count": 3}, {"message": "rejected: duplicate share", "count": 2},
        ],
        "version": "0.1.0", "axeOSVersion": "0.1.0", "uptimeSeconds": 754, "miningPaused": False,
        "blockHeight": 930_000, "networkDifficulty": 144.4e12, "poolDifficulty": 0.25, "responseTime": 0.6,
    }  # fmt: skip
    assert {name: info[name] for name in expected} == expected
    assert axeos.information(view(state="paused"))["miningPaused"] is True


def test_what_is_not_known_is_left_out() -> None:
    stick = device(0, product="GekkoScience NewPac", chip="BM1387", frequency_mhz=100.0, chips=())
    info = told(stick, pools=(replace(pool(0), difficulty=None, latency_p50_ms=None),))
    missing = {*SENSORS, "asicCount", "smallCoreCount", "expectedHashrate", "poolDifficulty", "responseTime"}
    assert not missing & set(info)
    assert (info["ASICModel"], info["deviceModel"]) == ("BM1387", "GekkoScience NewPac")
    assert info["power"] == 65.0, "the stick is all there is, so the miner's configured power is its own"
    assert "power" not in told(stick, device(1))
    assert told(replace(stick, chip=""))["ASICModel"] == "Unknown"
    unknown = device(0, chip="", state="absent")
    assert (told(unknown)["ASICModel"], told(unknown)["deviceModel"]) == ("Unknown", "Unknown")
    without = axeos.information(view(power_w=None, height=None, network_difficulty=None))
    assert not {"power", "blockHeight", "networkDifficulty"} & set(without)


def test_the_board_that_is_shown_stays_the_same_until_its_owner_removes_it() -> None:
    first, second = board(3, state="off", is_overheated=True), board(5, name="b", chip="BM1368")
    info = told(first, second)
    assert (info["ASICModel"], info["overheat_mode"]) == ("BM1370", 1)
    assert told(replace(first, state="removed"), second)["ASICModel"] == "BM1368"
    assert told(replace(first, state="removed"), device(9))["ASICModel"] == "BM1370"


def test_tools_tell_boards_apart_by_their_address() -> None:
    addresses = [told(*devices)["macAddr"] for devices in ((), (board(),), (board(name="b"),), (board(7),))]
    assert all(address.startswith("02:") and len(address) == 17 for address in addresses)
    assert len({*addresses}) == 3
    assert addresses[1] == addresses[3], "the same board has the same address wherever it stands"


@pytest.mark.parametrize(
    ("pools", "primary", "fallback", "used"),
    [
        ((pool(0),), 0, 0, 0),
        ((pool(0), pool(1)), 0, 1, 0),
        ((pool(0), pool(1), pool(2)), 0, 1, 0),
        ((pool(0, active=False), pool(1, active=True)), 0, 1, 1),
        ((pool(4, active=False), pool(1), pool(2, active=True)), 4, 2, 1),
        ((pool(0, active=False), pool(1)), 0, 1, 0),
        ((pool(0, enabled=False, active=False), pool(1, active=True), pool(2)), 1, 2, 0),
    ],
)
def test_the_fallback_is_a_pool_that_is_there(pools: Any, primary: int, fallback: int, used: int) -> None:
    info = told(pools=pools)
    for prefix, index in (("s", primary), ("fallbackS", fallback)):
        assert info[f"{prefix}tratumURL"] == f"pool{index}.example"
        assert (info[f"{prefix}tratumPort"], info[f"{prefix}tratumUser"]) == (3333, "w")
    assert (info["primaryPoolIndex"], info["secondaryPoolIndex"]) == (primary, fallback)
    assert info["isUsingFallbackStratum"] == used
    assert [item["id"] for item in info["pools"]] == [item.id for item in pools if item.enabled]


def test_a_pool_is_told_as_axeos_does() -> None:
    secure = pool(2, url="stratum+ssl://[2001:db8::1]:4444", worker_name="w2", difficulty=7.0, latency_p50_ms=12.3456)
    info = told(pools=(pool(0, active=False, difficulty=3.0), replace(secure, active=True)))
    assert info["pools"][1] == {
        "id": 2, "stratumURL": "[2001:db8::1]", "stratumPort": 4444, "stratumUser": "w2", "stratumProtocol": "SV1",
        "stratumTLS": 1,
    }  # fmt: skip
    assert (info["stratumTLS"], info["fallbackStratumTLS"], info["fallbackStratumProtocol"]) == (0, 1, "SV1")
    assert (info["poolDifficulty"], info["responseTime"]) == (7.0, 12.346)
    nothing = told(pools=())
    assert nothing["pools"] == []
    assert not any(name.endswith("tratumURL") for name in nothing)


def test_a_board_that_is_bound_to_a_pool_shows_that_pool_and_others_do_not() -> None:
    pools = (pool(0), pool(1, name="mine", active=True))
    bound = board(1, bound_to="mine")
    assert told(device(0), bound, pools=pools)["stratumURL"] == "pool1.example"
    info = told(board(0), replace(bound, id=1), pools=pools)
    assert [item["id"] for item in info["pools"]] == [0]
    threads = told(device(0), device(1, bound_to="mine"), pools=pools)
    assert [item["id"] for item in threads["pools"]] == [0, 1]


def test_the_documentation_lists_every_field() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "axeos-api.md").read_text()
    rows = text.split("<!-- axeos -->")[1].split("<!-- end -->")[0].splitlines()[3:]
    documented = [name for row in rows if row for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(documented) == sorted(told(board()))


# ---- over HTTP ------------------------------------------------------------------------------------------------------


class Served:
    def __init__(self, url: str, control: NotedControl) -> None:
        self.url, self.control = url, control

    async def ask(self, method: str, path: str, **headers: str) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False) as client:
            return await client.request(method, self.url + path, headers=headers)


@asynccontextmanager
async def served(shown: View, *trusted: str, address: str = "127.0.0.1:0") -> AsyncIterator[Served]:
    bound = listening_socket(address, network=True)
    access = Access(TOKEN, names=("localhost", "Rig"), trusted=tuple(ip_network(text) for text in trusted))
    api = Served(f"http://127.0.0.1:{bound.getsockname()[1]}", NotedControl())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(axeos.serve, bound, lambda: shown, api.control, access)
        yield api
        nursery.cancel_scope.cancel()


async def test_it_answers_what_tools_ask() -> None:
    async with served(replace(view(), devices=(board(),))) as api:
        assert "AxeOS" in (await api.ask("GET", "/")).text
        assert (await api.ask("GET", "/api/system/info")).json()["hashRate"] == 1010.0
        assert (await api.ask("GET", "/api/system/asic")).json() == {
            "ASICModel": "BM1370", "deviceModel": "Gamma", "asicCount": 1, "smallCoreCount": 2040, "frequency": 500.0,
            "frequencyOptions": [], "voltageOptions": [],
        }  # fmt: skip
        assert (await api.ask("GET", "/api/swarm/info")).json() == []
        missing = await api.ask("GET", "/api/pools")
        assert (missing.status_code, "expected GET of /" in missing.json()["error"]) == (404, True)
        assert (await api.ask("GET", "/", host="evil.example")).status_code == 400
        assert (await api.ask("GET", "/", host="rig:80")).status_code == 200, "names know no case"


STEPS = (
    ("pause", ("pause", OVER_AXEOS), "Mining paused"),
    ("resume", ("resume", OVER_AXEOS), "Mining resumed"),
    ("restart", ("restart_device", 3), "System will restart shortly."),
)


async def test_changes_need_the_token_and_are_answered_as_axeos_does() -> None:
    async with served(replace(view(), devices=(device(0), board(3)))) as api:
        for name, call, message in STEPS:
            path = f"/api/system/{name}"
            assert (await api.ask("POST", path)).status_code == 401
            assert (await api.ask("POST", path, authorization="Bearer nonsense")).status_code == 401
            assert (await api.ask("GET", path)).status_code == 405
            assert api.control.calls == []
            done = await api.ask("POST", path, authorization=f"Bearer {TOKEN}")
            assert (done.status_code, done.json()) == (200, {"message": message})
            assert api.control.calls == [call]
            api.control.calls.clear()
        with capture_logs() as logs:
            await api.ask("POST", "/api/system/pause", authorization=f"Bearer {TOKEN}")
        assert [(entry["event"], entry["request"]) for entry in logs] == [
            ("changed_over_http", "POST /api/system/pause")
        ]
        long = await api.ask("GET", "/" + "n" * 200)
        assert long.json()["error"].startswith(f"GET /{'n' * 95}…: expected GET of /, ")
        api.control.refusing = "device: expected a machine that is there"
        refused = await api.ask("POST", "/api/system/restart", authorization=f"Bearer {TOKEN}")
        assert (refused.status_code, refused.json()) == (409, {"error": api.control.refusing})


async def test_a_network_that_its_owner_names_needs_no_token() -> None:
    async with served(replace(view(), devices=(board(3),)), "192.0.2.0/24", "127.0.0.0/8") as api:
        own = api.url.removeprefix("http://")
        for name, call, _ in STEPS:
            assert (await api.ask("POST", f"/api/system/{name}", origin=f"http://{own}")).status_code == 200
            assert api.control.calls.pop() == call
        for headers, status in (
            ({"host": "evil.example"}, 400), ({"host": "[::1"}, 400), ({"origin": "http://evil.example"}, 403),
            ({"origin": "null"}, 403), ({"origin": "http://["}, 403), ({"origin": "http://127.0.0.1"}, 403),
        ):  # fmt: skip
            assert (await api.ask("POST", "/api/system/pause", **headers)).status_code == status
        for method, path, status in (
            ("PATCH", "/api/system", 404), ("POST", "/api/system/identify", 404), ("PUT", "/api/system/info", 405),
            ("DELETE", "/api/system/pause", 405), ("POST", "/api/system/OTA", 404),
        ):  # fmt: skip
            refused = await api.ask(method, path)
            assert refused.status_code == status
            assert refused.json()["error"].startswith(f"{method} {path}: expected GET of /")
            assert "POST of /api/system/pause" in refused.json()["error"]
        assert api.control.calls == []


@pytest.mark.parametrize(
    ("trusted", "status"), [("192.168.1.0/24", 401), ("127.0.0.2/32", 401), ("::1/128", 401), ("127.0.0.1/32", 200)]
)
async def test_other_networks_need_it(trusted: str, status: int) -> None:
    async with served(view(), trusted, address="[::]:0") as api:  # the peer's address is ::ffff:127.0.0.1 there
        answer = await api.ask("POST", "/api/system/pause")
        assert (answer.status_code, len(api.control.calls)) == (status, int(status == 200))


async def test_a_computer_cannot_be_restarted() -> None:
    async with served(view(), "127.0.0.1/32") as api:
        refused = await api.ask("POST", "/api/system/restart")
        assert (refused.status_code, "expected a hardware device" in refused.json()["error"]) == (409, True)
        assert api.control.calls == []
