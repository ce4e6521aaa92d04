"""Measures the time from a submit to its reply, and the shares per second, with the proxy and without it.

    python benchmarks/proxy.py [--pairs 2000] [--seconds 5] [--rounds 3]

Pool and proxy run in processes of their own on loopback. Measurements with and without the proxy alternate. The
measuring process uses plain blocking sockets, so that its own cost is small and the same in both cases. It submits
every nonce without hashing, so the pool accepts nearly all of these shares and rejects the others as above the target.
"""

import argparse
import json
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import trio

from stratum_miner.app.process import logs
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.pool.config import LOWEST_DIFFICULTY
from stratum_miner.proxy import ProxyConfig, open_proxy
from stratum_miner.testing.scripted_node import ScriptedNode

WINDOW = 64
"""Number of shares without a reply at any time, when shares per second are measured."""
LOW_DIFFICULTY = 23
"""Error code of a share above the target. At the lowest difficulty this is about one nonce in 65,536."""


async def serve_pool(ready: Connection) -> None:
    config = PoolConfig(payout_script=b"\x51", port=0, difficulty=LOWEST_DIFFICULTY)
    async with open_pool(ScriptedNode(), config) as pool:
        ready.send(pool.port)
        await trio.sleep_forever()


async def serve_proxy(ready: Connection, upstream: int) -> None:
    settings = PoolSettings(url=PoolUrl("127.0.0.1", upstream), worker_name="bench")
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with open_proxy([settings], ProxyConfig(), listeners=listeners) as proxy:
        ready.send(proxy.port)
        await trio.sleep_forever()


def run(serve: Any, *arguments: Any) -> None:
    logs.configure(level="warning")
    trio.run(serve, *arguments)


def started(serve: Any, *arguments: Any) -> tuple[multiprocessing.Process, int]:
    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.Process(target=run, args=(serve, sender, *arguments), daemon=True)
    process.start()
    return process, receiver.recv()


class Rig:
    """One connection that submits a share of the first job for each nonce in turn."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._nonce = 0
        self._send({"id": 1, "method": "mining.subscribe", "params": ["bench"]})
        self._send({"id": 2, "method": "mining.authorize", "params": ["bench", "x"]})
        self._extranonce2, self._job_id, self._ntime = "", "", ""
        while not (self._job_id and self._extranonce2):
            message = json.loads(self._lines.readline())
            if message.get("method") == "mining.notify":
                self._job_id, self._ntime = message["params"][0], message["params"][7]
            elif message.get("id") == 1:
                self._extranonce2 = "00" * message["result"][2]

    def submit(self) -> None:
        self._nonce += 1
        params = ["bench", self._job_id, self._extranonce2, self._ntime, f"{self._nonce:08x}"]
        self._send({"id": 3, "method": "mining.submit", "params": params})

    def wait_for_reply(self) -> None:
        while True:
            message = json.loads(self._lines.readline())
            if "method" not in message and message["id"] == 3:
                assert message["result"] is True or message["error"][0] == LOW_DIFFICULTY, message
                return

    def _send(self, message: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")


def latency(rig: Rig) -> float:
    begun = time.perf_counter()
    rig.submit()
    rig.wait_for_reply()
    return time.perf_counter() - begun


def rate(rig: Rig, seconds: float) -> float:
    count, begun = 0, time.perf_counter()
    for _ in range(WINDOW):
        rig.submit()
    while time.perf_counter() - begun < seconds:
        rig.wait_for_reply()
        rig.submit()
        count += 1
    elapsed = time.perf_counter() - begun
    for _ in range(WINDOW):
        rig.wait_for_reply()
    return count / elapsed


def quantile(values: list[float], fraction: float) -> float:
    return sorted(values)[int(fraction * (len(values) - 1))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=2000, help="number of pairs of latencies [default: 2000]")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds of each rate measurement [default: 5]")
    parser.add_argument("--rounds", type=int, default=3, help="number of pairs of rate measurements [default: 3]")
    arguments = parser.parse_args()
    pool, pool_port = started(serve_pool)
    proxy, proxy_port = started(serve_proxy, pool_port)
    direct, through = Rig(pool_port), Rig(proxy_port)
    pairs = [(latency(direct), latency(through)) for _ in range(arguments.pairs)]
    for name, values in (("direct", [pair[0] for pair in pairs]), ("through the proxy", [pair[1] for pair in pairs])):
        print(f"{name}: median {median(values) * 1e6:.0f} µs, p99 {quantile(values, 0.99) * 1e6:.0f} µs")
    differences = [after - before for before, after in pairs]
    print(f"added: median {median(differences) * 1e6:.0f} µs, p99 {quantile(differences, 0.99) * 1e6:.0f} µs")
    rates = [(rate(direct, arguments.seconds), rate(through, arguments.seconds)) for _ in range(arguments.rounds)]
    for name, index in (("direct", 0), ("through the proxy", 1)):
        values = [item[index] for item in rates]
        print(f"{name}: {median(values):.0f} shares/s ({min(values):.0f} to {max(values):.0f})")
    for process in (proxy, pool):
        process.terminate()


if __name__ == "__main__":
    main()
