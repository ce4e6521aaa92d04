"""Tools that others wrote read a running miner: pyasic, asic-rs, and a script as they were written in 2013.

Their figures are compared with our own API's, taken around them. pyasic takes most of a second to load, and is loaded
only where it is used.
"""

import asyncio
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyasic_rs
import pytest

from stratum_miner.backends.asic.boards import board_of
from tests.network.free_port import free_port

from ..cli.test_process import ADDRESS, COMMAND, running_pool, started, until_line

AXEOS_HOST = "127.0.0.80"
TOKEN = "a-token-for-this-test"


def can_take(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
        return True


CPU = ("--backend", "cpu", "--threads", "1", "--backend-option", "cpu.priority=normal")
"""One thread of this computer, which gets its turn on a busy one."""
PATIENCE = 100


@contextmanager
def mining(*options: str) -> Iterator[str]:
    """A miner with a few accepted shares; gives the URL of its API. Unless a backend is named, it is simulated."""
    search = ("--backend", "simulated") if "--backend" not in options else ()
    http = f"127.0.0.1:{free_port()}"
    with running_pool("--node", "kernel", difficulty="1e-4") as (_, pool):
        process = subprocess.Popen(
            [*COMMAND, "mine", "-o", pool, "-u", ADDRESS, "-q", "--http", http, "--power", "65W",
             "--electricity", "0.3", *search, *options],
            env={**os.environ, "STRATUM_MINER_HTTP_TOKEN": TOKEN},
        )  # fmt: skip
        try:
            deadline = time.monotonic() + PATIENCE
            while (told := summary(f"http://{http}")).get("shares", {}).get("accepted", 0) < 3:
                assert process.poll() is None
                assert time.monotonic() < deadline, f"expected 3 accepted shares within {PATIENCE} s, got {told}"
                time.sleep(0.1)
            yield f"http://{http}"
        finally:
            process.terminate()
            assert process.wait(timeout=60) == 0


def summary(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{url}/api/v1/summary", timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
    except OSError:
        time.sleep(0.05)  # not listening yet: asked again until it is
        return {}


def old_script(port: int, command: str) -> str:
    """As in countless scripts: connect, send, read until it closes, cut the NUL off."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(command.encode())
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert answer.endswith(b"\0")
    return answer[:-1].decode()


def test_the_cgminer_api_is_read_by_its_clients() -> None:
    port = free_port()
    with mining("--cgminer-api", f"127.0.0.1:{port}") as url:
        before = summary(url)
        told = asyncio.run(_ask_rpc(port))
        after = summary(url)
        assert before["shares"]["accepted"] <= told["summary"]["Accepted"] <= after["shares"]["accepted"]
        assert before["elapsed_s"] - 0.5 <= told["summary"]["Elapsed"] <= after["elapsed_s"] + 0.5, "whole seconds"
        rates = sorted((before["hash_rate"] / 1e6, after["hash_rate"] / 1e6))
        assert rates[0] * 0.5 <= told["summary"]["MHS av"] <= rates[1] * 2
        assert told["summary"]["GHS 5s"] == pytest.approx(told["summary"]["MHS 5s"] / 1000, abs=1e-5)
        assert told["version"]["API"] == "3.7"
        assert told["pools"][0]["User"] == ADDRESS
        assert told["pools"][0]["URL"] == before["pool"]
        assert told["pools"][0]["Stratum Active"] is True
        assert told["stats"][1]["Elapsed"] >= int(before["elapsed_s"]) - 1
        text = old_script(port, "summary")
        fields = dict(part.split("=", 1) for part in text.split("|")[1].split(",") if "=" in part)
        assert int(fields["Accepted"]) >= before["shares"]["accepted"]
        joined = json.loads(old_script(port, '{"command":"summary+devs"}'))
        assert joined["devs"][0]["DEVS"][0]["ASC"] == 0
        assert "Access denied" in old_script(port, "quit")


def test_a_pool_keeps_its_number_over_the_cgminer_api() -> None:
    """Tools say ``switchpool|1`` twice, and later ``disablepool|1`` to the pool that had that number at first."""
    port = free_port()

    def table(command: str, section: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(old_script(port, f'{{"command":"{command}"}}'))[section]
        return rows

    with running_pool("--node", "kernel") as (_, second):
        options = ("-o", second, "--cgminer-api", f"127.0.0.1:{port}", "--api-allow", "W:127.0.0.1")
        with mining(*options):
            first = table("pools", "POOLS")
            assert [(row["POOL"], row["Priority"]) for row in first] == [(0, 0), (1, 1)]
            for _ in range(2):
                assert "Switching to pool 1" in old_script(port, "switchpool|1")
            rows = table("pools", "POOLS")
            assert [(row["POOL"], row["Priority"], row["URL"]) for row in rows] == [
                (0, 1, first[0]["URL"]),
                (1, 0, first[1]["URL"]),
            ]
            assert "Code=26" in old_script(port, "poolpriority|0,7")
            assert [row["Priority"] for row in table("pools", "POOLS")] == [1, 0]
            assert "Disabling pool 1" in old_script(port, "disablepool|1")
            assert [row["Status"] for row in table("pools", "POOLS")][1] == "Disabled"
            assert "Zeroed All stats" in old_script(port, "zero|all,false")
            [told] = table("summary", "SUMMARY")
            assert told["Network Blocks"] >= 1
            assert old_script(port, "quit") == "BYE"


async def _ask_rpc(port: int) -> dict[str, Any]:
    from pyasic.rpc.cgminer import CGMinerRPCAPI

    rpc = CGMinerRPCAPI("127.0.0.1", port)
    both = await rpc.multicommand("summary", "pools")
    return {
        "summary": both["summary"][0]["SUMMARY"][0],
        "pools": both["pools"][0]["POOLS"],
        "version": (await rpc.version())["VERSION"][0],
        "stats": (await rpc.stats())["STATS"],
    }


@contextmanager
def mining_with_a_bitaxe(folder: Path, *options: str) -> Iterator[str]:
    """An emulated Bitaxe Gamma beside one thread of this computer, which leaves the processor to the emulator: a board
    that answers too late is switched off, because its temperature is not known."""
    link = folder / "bitaxe"
    settings = "nonce-difficulty=1e-5,hash-rate=2MH"
    with started(
        *("emulate", "bitaxe-gamma", "--link", str(link), "--hash-rate", "2MH/s", "--nonce-difficulty", "1e-5")
    ) as emulator:
        until_line(emulator, "ready")
        with mining("--device", f"bitaxe-gamma:{link},{settings}", *CPU[:4], *options) as url:
            yield url


def the_bitaxe(url: str) -> dict[str, Any]:
    """As our own API tells it, once it mines and has an accepted share."""
    deadline = time.monotonic() + PATIENCE
    told: dict[str, Any] = {}
    while True:
        assert time.monotonic() < deadline, f"expected a share of the Bitaxe within {PATIENCE} s, got {told}"
        with urllib.request.urlopen(f"{url}/api/v1/devices", timeout=10) as answer:
            [told] = [device for device in json.load(answer) if device["product"]]
        if told["state"] == "mining" and told["accepted"] and told["chip_temperature_c"] is not None:
            return dict(told)
        time.sleep(0.2)


def post(name: str, **headers: str) -> int:
    request = urllib.request.Request(f"http://{AXEOS_HOST}/api/system/{name}", method="POST", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize(
    ("kind", "name"), [("gamma", "BitAxeGamma"), ("supra", "BitAxeSupra"), ("ultra", "BitAxeUltra")]
)
def test_pyasic_knows_each_bitaxe_by_its_chip(kind: str, name: str) -> None:
    from pyasic.miners.factory import MINER_CLASSES, MinerTypes

    chip = board_of(f"bitaxe-{kind}").chip_name
    assert MINER_CLASSES[MinerTypes.BITAXE][chip].__name__ == name
    assert "CPU" not in MINER_CLASSES[MinerTypes.BITAXE]


@pytest.mark.slow
def test_tools_that_know_a_bitaxe_know_ours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if not can_take((AXEOS_HOST, 80)):
        pytest.skip(f"discovery looks at port 80 alone, and {AXEOS_HOST}:80 cannot be had here")
    network = f"{AXEOS_HOST}:80", "--axeos-control", "127.0.0.0/8"
    with mining_with_a_bitaxe(tmp_path, "--axeos-api", *network) as url, caplog.at_level("WARNING"):
        before = the_bitaxe(url)
        found, data = asyncio.run(_discover())
        again, both = asyncio.run(_discover_in_rust())
        after = the_bitaxe(url)
        pool = summary(url)["pool"]

        assert type(found).__name__ == "BitAxeGamma"
        assert (data.make, data.model, data.hostname) == ("BitAxe", "Gamma", socket.gethostname())
        [board] = data.hashboards
        assert (board.chips, board.expected_chips, board.missing) == (1, 1, False)
        for name, *told in (  # by both tools; all of it changes slowly, since the board warms up
            ("chip_temperature_c", board.chip_temp, both.hashboards[0].inlet_chip_temperature),
            ("regulator_temperature_c", board.temp, both.hashboards[0].board_temperature),
            ("fan_rpm", data.fans[0].speed, both.fans[0].rpm),
            ("hash_rate_1m", float(data.hashrate) * 1e12, both.hashrate.value * 1e12),
            ("power_w", data.wattage, both.wattage),
        ):
            low, high = sorted((before[name], after[name]))
            assert all(low * 0.9 - 1 <= value <= high * 1.1 + 1 for value in told), (name, told, low, high)
        assert data.config is not None
        assert data.config.pools.groups[0].pools[0].user == ADDRESS
        assert data.config.fan_mode.mode == "normal"

        assert (again.make, again.model) == ("Bitaxe", "Gamma")
        assert before["accepted"] <= both.pools[0].pools[0].accepted_shares <= after["accepted"]
        assert both.expected_hashrate.value * 1e12 == pytest.approx(before["expected_hash_rate"])
        assert both.hashboards[0].working_chips == 1
        urls = [str(item.url) for group in both.pools for item in group.pools]
        assert urls == [pool, pool], "the only pool is its own fallback"
        assert caplog.records == []

        assert post("pause", origin="http://evil.example") == 403
        assert post("pause", host="evil.example") == 400
        assert summary(url)["state"] != "paused"
        assert [post("pause"), summary(url)["state"], post("resume")] == [200, "paused", 200]
        told = events(url, 0)[-1:]
        assert asyncio.run(found.reboot())
        while "device_mining" not in [event["name"] for event in told]:  # brought up again
            time.sleep(0.2)
            told = events(url, told[-1]["number"]) or told


def events(url: str, after: int) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v1/events?after={after}", timeout=10) as answer:
        return list(json.load(answer))


async def _discover() -> tuple[Any, Any]:
    import pyasic

    miner = await pyasic.get_miner(AXEOS_HOST)
    assert miner is not None
    return miner, await miner.get_data()


async def _discover_in_rust() -> tuple[Any, Any]:
    miner = await pyasic_rs.MinerFactory().get_miner(AXEOS_HOST)
    assert miner is not None
    return miner, await miner.get_data()


def test_a_computer_is_read_and_taken_for_no_board() -> None:
    if not can_take((AXEOS_HOST, 80)):
        pytest.skip(f"discovery looks at port 80 alone, and {AXEOS_HOST}:80 cannot be had here")
    with mining(*CPU, "--axeos-api", f"{AXEOS_HOST}:80") as url:
        before = summary(url)
        with pytest.warns(UserWarning, match="Partially supported miner found: CPU"):
            found, data = asyncio.run(_discover())
        _, both = asyncio.run(_discover_in_rust())
        after = summary(url)
        assert type(found).__name__ == "BitAxe"
        assert (data.hashboards, data.fans, data.wattage) == ([], [], 65)
        rates = sorted((before["hash_rate_1m"], after["hash_rate_1m"]))
        assert data.hashrate is not None
        assert (
            rates[0] / 3 <= float(data.hashrate) <= rates[1] * 3
        )  # the rate of a busy computer rises and falls meanwhile
        assert before["elapsed_s"] - 1 <= (data.uptime or 0) <= after["elapsed_s"]
        assert (data.fw_ver, both.average_temperature, both.fans) == (before["version"], None, [])
        assert post("pause") == 401
        assert post("pause", authorization=f"Bearer {TOKEN}") == 200
        assert post("restart", authorization=f"Bearer {TOKEN}") == 409
        assert summary(url)["state"] == "paused"
