"""What tools read of AxeOS, made of our views: units, machines and computers, and nothing that can be changed."""

from dataclasses import replace

import httpx
import pytest
import trio

from stratum_miner.monitoring import axeos
from stratum_miner.monitoring.http import listening_socket

from ..cli.screen.test_layout import device, pool, view


def test_a_computer_is_a_cpu() -> None:
    told = axeos.information(view(reasons={"rejected: duplicate": 3}))
    assert told["ASICModel"] == "CPU"
    assert (told["hashRate"], told["asicCount"], told["smallCoreCount"], told["frequency"]) == (0.158, 2, 0, 0.0)
    assert (told["stratumURL"], told["stratumPort"]) == ("pool.example", 3333)
    assert (told["sharesAccepted"], told["sharesRejected"]) == (120, 5)
    assert told["sharesRejectedReasons"] == [{"message": "rejected: duplicate", "count": 3}]
    assert (told["power"], told["uptimeSeconds"], told["poolDifficulty"]) == (65.0, 754, 0.25)
    assert told["macAddr"].startswith("02:")
    assert told["isUsingFallbackStratum"] == 0


def test_a_machine_shows_what_it_measures_and_a_backup_pool_is_a_fallback() -> None:
    machine = device(
        0, product="Bitaxe Gamma", chip_temperature_c=61.26, regulator_temperature_c=55.0, core_voltage_v=1.15,
        input_voltage_v=5.06, frequency_mhz=500.0, expected_hash_rate=1.02e12, chips=(7,), fan_rpm=4500, fan_percent=60,
    )  # fmt: skip
    pools = (pool(0, active=False, state="down"), pool(1, active=True))
    told = axeos.information(replace(view(), devices=(machine,), pools=pools))
    assert told["ASICModel"] == "Bitaxe Gamma"
    assert (told["temp"], told["vrTemp"], told["voltage"], told["coreVoltageActual"]) == (61.3, 55.0, 5060, 1150)
    assert (told["asicCount"], told["smallCoreCount"], told["frequency"]) == (1, 2040, 500.0)
    assert told["expectedHashrate"] == pytest.approx(1020.0)
    assert told["isUsingFallbackStratum"] == 1


async def test_it_answers_what_tools_ask_and_changes_nothing() -> None:
    bound = listening_socket("127.0.0.1:0")
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    async with trio.open_nursery() as nursery, httpx.AsyncClient(trust_env=False) as client:
        nursery.start_soon(axeos.serve, bound, view)
        assert "AxeOS" in (await client.get(f"{url}/")).text
        assert (await client.get(f"{url}/api/system/info")).json()["hashRate"] == 0.158
        assert (await client.get(f"{url}/api/system/asic")).json()["asicCount"] == 2
        assert (await client.get(f"{url}/api/swarm/info")).json() == []
        missing = await client.get(f"{url}/api/pools")
        assert (missing.status_code, "expected GET of one" in missing.json()["error"]) == (404, True)
        for method, path in (("POST", "/api/system/restart"), ("PATCH", "/api/system")):
            assert (await client.request(method, url + path)).status_code == 401
        assert (await client.get(f"{url}/", headers={"host": "evil.example"})).status_code == 400
        nursery.cancel_scope.cancel()
