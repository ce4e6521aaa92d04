"""Serves a pool in a thread, for tests without trio and for programs that run as processes."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from stratum_miner.app.process import logs
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.testing.scripted_node import ScriptedNode


@contextmanager
def pool_in_a_thread(difficulty: float = 1e-9) -> Iterator[int]:
    """Yield the port of a pool on a node without a block chain. With the default difficulty, nearly every hash is a
    share. At the end of the block, the pool closes all connections.

    The pool logs to stderr, as all of the program: unless the log is set up, structlog would write to stdout, among the
    output of a command.
    """
    logs.configure(level="warning")
    ports: queue.Queue[int] = queue.Queue()
    tokens: queue.Queue[trio.lowlevel.TrioToken] = queue.Queue()
    done = trio.Event()

    async def serve() -> None:
        config = PoolConfig(payout_script=b"\x51", port=0, difficulty=difficulty)
        async with open_pool(ScriptedNode(), config) as pool:
            tokens.put(trio.lowlevel.current_trio_token())
            ports.put(pool.port)
            await done.wait()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    try:
        yield ports.get(timeout=60)
    finally:
        tokens.get().run_sync_soon(done.set)
        thread.join()
