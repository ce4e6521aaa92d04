"""Pools and one miner for benchmarks, with little cost of their own."""

import contextlib
import json
import select
import socket
import time
from multiprocessing.connection import Connection
from typing import Any

import trio

from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.pool.config import LOWEST_DIFFICULTY
from stratum_miner.testing.scripted_node import ScriptedNode, make_template

REGTEST_JOB: tuple[Any, ...] = (
    "1",
    "9df53442fbb2527337028ab3c051bedf4b27f3d62b340f5f130d26b351bc3768",
    "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff1c028d0008",
    "0f2f7374726174756d5f6d696e65722fffffffff02a078072a01000000160014751e76e8199196d454941c45d1b3a323f1433bd6"
    "0000000000000000266a24aa21a9ed4577a0b09a782f522ed8c7f7fd642a0e8029702737e443fd9b4e892fb5210c7200000000",
    [
        "d5a882a506f3c19df6ecf732e27fc24ebe7161df91fb627a01e222e5d552faf6",
        "42c330f1e80e35c1717656694f5ac0d31536a4ae830710bb02f218bc0d89ab14",
        "1154d693e5f480d9f537d8d5ce486d5930ae2f02fbc2bbec39a40a1e5e174978",
    ],
    "20000000",
    "207fffff",
    "6b0424dc",
    True,
)
"""The job of the test vector V10 in docs/reference/stratum.md. It stands here, too, because older commits lack it."""
HARD = "1d00ffff"
"""Difficulty 1 in the compact form (nbits): so high that a miner finds no block during the measurement."""
LOW_DIFFICULTY = 23
"""Error code of a share above the target. At the lowest difficulty this is about one nonce in 65,536."""
BATCH = 64
"""Number of shares that a rig sends at once."""
NEVER_S = 1e6
"""Seconds between two jobs of a pool that sends a new job for a new block only."""


def notify_one(listener: socket.socket, jobs: int, interval: float) -> None:
    """Serve one miner: answer its login, then send ``jobs`` jobs, each ``interval`` seconds after the one before.

    Every job has a different previous block hash.
    """
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rwb") as file:
        for line in file:
            request = json.loads(line)
            granted = {"version-rolling": True, "version-rolling.mask": "1fffe000"}
            results = {"mining.subscribe": [[], "a1b2c3d4", 4], "mining.configure": granted}
            result = results.get(request["method"], True)
            file.write(json.dumps({"id": request["id"], "result": result, "error": None}).encode() + b"\n")
            file.flush()
            if request["method"] == "mining.authorize":
                break
        with contextlib.suppress(OSError):  # the miner disconnects when it has received enough jobs
            for number in range(jobs):
                params = list(REGTEST_JOB)
                params[0], params[1], params[6] = str(number), f"{number:064x}", HARD
                connection.sendall(
                    json.dumps({"id": None, "method": "mining.notify", "params": params}).encode() + b"\n"
                )
                if select.select([connection], [], [], interval)[0] and not connection.recv(65536):
                    return


def notify(pipe: Connection, jobs: int, interval: float) -> None:
    """Serve one miner after the other with ``notify_one``. The port is sent through the pipe first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pipe.send(listener.getsockname()[1])
        while True:
            with contextlib.suppress(OSError):  # a miner that stops disconnects at any moment
                notify_one(listener, jobs, interval)


def serve_pool(pipe: Connection, difficulty: float = LOWEST_DIFFICULTY) -> None:
    """Serve the pool of stratum-miner on a scripted node. Each number that comes through the pipe is the height of a
    new block of the node."""

    async def serve() -> None:
        node = ScriptedNode(make_template(curtime=int(time.time())))
        config = PoolConfig(payout_script=b"\x51", port=0, difficulty=difficulty, notify_interval=NEVER_S)
        async with open_pool(node, config) as pool:
            pipe.send(pool.port)
            while True:
                await trio.lowlevel.wait_readable(pipe.fileno())
                node.push(make_template(pipe.recv(), curtime=int(time.time())))

    trio.run(serve)


class Rig:
    """One connection of a miner, on plain blocking sockets. It submits a share of the newest job for each nonce in
    turn, without hashing."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._nonce = 0
        self._send({"id": 1, "method": "mining.subscribe", "params": ["bench"]})
        self._send({"id": 2, "method": "mining.authorize", "params": ["bench", "x"]})
        self._extranonce2, self._job_id, self._ntime = "", "", ""
        while not (self._job_id and self._extranonce2):
            self._receive()

    def submit(self, count: int = 1) -> None:
        """Send so many shares at once."""
        lines = []
        for _ in range(count):
            self._nonce += 1
            params = ["bench", self._job_id, self._extranonce2, self._ntime, f"{self._nonce:08x}"]
            lines.append(json.dumps({"id": 3, "method": "mining.submit", "params": params}))
        self._socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def wait_for_reply(self) -> None:
        """Wait until the oldest share without a reply has one."""
        while True:
            message = self._receive()
            if "method" not in message and message["id"] == 3:
                assert message["result"] is True or message["error"][0] == LOW_DIFFICULTY, message
                return

    def wait_for_job(self) -> None:
        """Wait for the next job."""
        while self._receive().get("method") != "mining.notify":
            pass

    def submit_many(self, batches: int) -> None:
        """Submit so many batches of shares, each when all shares of the one before have replies.

        With batches, the work of the other side for a share depends little on when its process is scheduled.
        """
        for _ in range(batches):
            self.submit(BATCH)
            for _ in range(BATCH):
                self.wait_for_reply()

    def _receive(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the pool closed the connection")
        message: dict[str, Any] = json.loads(line)
        if message.get("method") == "mining.notify":
            self._job_id, self._ntime = message["params"][0], message["params"][7]
        elif message.get("id") == 1:
            self._extranonce2 = "00" * message["result"][2]
        return message

    def _send(self, message: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")
