"""A minimal pool for benchmarks: it answers the login of one miner, grants version rolling, and then sends jobs."""

import contextlib
import json
import socket
import time

from stratum_miner.testing.manual_pool import REGTEST_JOB

HARD = "1d00ffff"
"""Difficulty 1 in the compact form (nbits): so high that a miner finds no block during the measurement."""


def serve(listener: socket.socket, jobs: int, interval: float) -> None:
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
                time.sleep(interval)
