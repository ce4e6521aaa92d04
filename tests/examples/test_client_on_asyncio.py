"""The example ``client_on_asyncio`` runs as a user runs it, against a pool on loopback."""

import re
import subprocess
import sys
from pathlib import Path

import trio

from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.testing.scripted_node import ScriptedNode

EXAMPLE = Path(__file__).parents[2] / "examples" / "client_on_asyncio.py"


async def run(port: int | str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(EXAMPLE), "127.0.0.1", str(port)]
    return await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)


async def test_the_pool_accepts_its_share() -> None:
    async with open_pool(ScriptedNode(), PoolConfig(payout_script=b"\x51", port=0, difficulty=1e-6)) as pool:
        done = await run(pool.port)
        assert pool.snapshot().shares.accepted == 1
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.fullmatch(
        "subscribed: extranonce1 [0-9a-f]+\n"
        "authorized: alice.asyncio\n"
        "job [0-9a-f]+: share difficulty 1e-06\n"
        "found nonce [0-9a-f]{8}, hash 000[0-9a-f]{61}\n"
        "share accepted\n",
        done.stdout.decode(),
    )


async def test_a_pool_that_disconnects_ends_it_with_a_reason() -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, hang_up, [listener])
        done = await run(listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()
    assert (done.returncode, done.stderr) == (1, b"the pool closed the connection\n")


async def test_another_protocol_ends_it_with_a_reason() -> None:
    async def refuse(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.receive_some()

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, refuse, [listener])
        done = await run(listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()
    reason = b"the connection failed: expected a Stratum pool, got an HTTP reply: is this a Stratum port?\n"
    assert (done.returncode, done.stderr) == (1, reason)


async def test_a_port_that_is_no_number_ends_it_with_the_usage() -> None:
    done = await run("stratum")
    assert done.returncode == 1
    assert done.stderr.startswith(b"usage: ")


async def test_a_port_without_a_pool_ends_it_with_a_reason() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    done = await run(port)
    assert done.returncode == 1
    assert done.stderr.startswith(b"the connection failed: ")
