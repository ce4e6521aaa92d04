"""Tools that others wrote read a running miner: pyasic's discovery and RPC, and a script as they were written in 2013.

Their figures are compared with our own API's, taken around them.
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
from typing import Any

import pyasic
import pytest
from pyasic.rpc.cgminer import CGMinerRPCAPI

from ..cli.test_process import ADDRESS, COMMAND, running_pool

AXEOS_HOST = "127.0.0.80"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def can_take(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(address)
        except OSError:
            return False
        return True


@contextmanager
def mining(*options: str) -> Iterator[str]:
    """A miner with a few accepted shares; gives the URL of its API."""
    http = f"127.0.0.1:{free_port()}"
    with running_pool("--node", "kernel") as (_, pool):
        process = subprocess.Popen(
            [*COMMAND, "mine", "-o", pool, "-u", ADDRESS, "-q", "--threads", "1", "--http", http, "--power", "65W",
             "--electricity", "0.3", *options],
            env={**os.environ, "STRATUM_MINER_HTTP_TOKEN": "a-token-for-this-test"},
        )  # fmt: skip
        try:
            while summary(f"http://{http}").get("shares", {}).get("accepted", 0) < 3:
                assert process.poll() is None
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
        assert before["elapsed_s"] - 1 <= told["summary"]["Elapsed"] <= after["elapsed_s"]
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


async def _ask_rpc(port: int) -> dict[str, Any]:
    rpc = CGMinerRPCAPI("127.0.0.1", port)
    both = await rpc.multicommand("summary", "pools")
    return {
        "summary": both["summary"][0]["SUMMARY"][0],
        "pools": both["pools"][0]["POOLS"],
        "version": (await rpc.version())["VERSION"][0],
        "stats": (await rpc.stats())["STATS"],
    }


@pytest.mark.filterwarnings("ignore:Partially supported miner found")  # an honest CPU is none of its models
def test_pyasic_discovers_and_reads_the_axeos_api() -> None:
    if not can_take((AXEOS_HOST, 80)):
        pytest.skip(f"discovery looks at port 80 alone, and {AXEOS_HOST}:80 cannot be had here")
    with mining("--axeos-api", f"{AXEOS_HOST}:80") as url:
        before = summary(url)
        found, data = asyncio.run(_discover())
        after = summary(url)
        assert type(found).__name__ == "BitAxe"
        assert data.hashrate is not None
        rates = sorted((before["hash_rate_1m"], after["hash_rate_1m"]))
        assert rates[0] * 0.99 <= float(data.hashrate) <= rates[1] * 1.01
        assert before["elapsed_s"] - 1 <= (data.uptime or 0) <= after["elapsed_s"]
        assert data.wattage == 65
        assert data.hostname == socket.gethostname()
        assert data.fw_ver == before["version"]
        assert data.mac is not None
        assert data.config is not None
        assert data.config.pools.groups[0].pools[0].user == ADDRESS
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"http://{AXEOS_HOST}/api/system/restart", method="POST"))
        assert refused.value.code == 401


async def _discover() -> tuple[Any, Any]:
    miner = await pyasic.get_miner(AXEOS_HOST)
    assert miner is not None
    return miner, await miner.get_data()
