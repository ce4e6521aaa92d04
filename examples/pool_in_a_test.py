"""A pool inside a test of your miner: it counts the shares, and announces a new block when the test says so.

The test needs no Bitcoin node and no network. Run it with pytest:

    pip install '/path/to/stratum_miner[testing]'
    pytest -s pool_in_a_test.py
"""

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio

from stratum_miner.pool import JobPublished, MemoryNode, PoolConfig, PoolEvent, ShareAccepted, ShareRejected, open_pool

EventT = TypeVar("EventT", bound=PoolEvent)


@contextmanager
def miner_under_test(port: int) -> Iterator[None]:
    """Run a miner as a process of its own, until the block ends. Replace the command by that of your miner."""
    command = [sys.executable, "-m", "stratum_miner", "mine", "-o", f"127.0.0.1:{port}", "-u", "alice.rig"]
    with subprocess.Popen([*command, "--threads", "1", "--quiet"]) as process:
        try:
            yield
        finally:
            process.kill()


async def next_event(events: trio.MemoryReceiveChannel[PoolEvent], kind: type[EventT]) -> EventT:
    """Wait for the pool's next event of this kind. A rejected share fails the test."""
    async for event in events:
        assert not isinstance(event, ShareRejected), event
        if isinstance(event, kind):
            return event
    raise AssertionError("the pool stopped")


def test_the_miner_finds_shares_and_switches_to_a_new_block() -> None:
    async def run() -> None:
        node = MemoryNode(network_difficulty=1)  # so hard that no share is a block
        send, receive = trio.open_memory_channel[PoolEvent](math.inf)
        config = PoolConfig(payout_script=b"\x51", port=0, difficulty=1e-4)
        with trio.fail_after(60):
            async with open_pool(node, config, on_event=send.send_nowait) as pool:
                with miner_under_test(pool.port):
                    share = await next_event(receive, ShareAccepted)
                    print(f"accepted: a share of difficulty {share.difficulty:g} from {share.worker_name}")
                    await node.add_block()  # as if another pool had found it
                    job = await next_event(receive, JobPublished)
                    print(f"job for block {job.height}, sent to {job.sessions} miner")
                    while share.job_id != job.job_id:
                        share = await next_event(receive, ShareAccepted)
                    print(f"accepted: a share of that job; {pool.snapshot().shares.accepted} shares in all")

    trio.run(run)
