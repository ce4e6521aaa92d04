"""What happens when several things end at once."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stratum_miner.client import PoolClient, PoolSettings, PoolUrl
from stratum_miner.testing.played_pool import PlayedPool


class Listener:
    """Hears nothing."""

    def __getattr__(self, name: str) -> object:
        return lambda *_: None


@pytest.mark.parametrize("first", ["hang up", "cancel"])
async def test_cancelled_while_the_pool_hangs_up(first: str, autojump_clock: MockClock) -> None:
    """Only the cancellation counts; it once left the error of the connection behind."""
    ours, theirs = trio.testing.memory_stream_pair()

    async def connect(url: PoolUrl, seconds: float) -> trio.abc.Stream:
        return ours

    client = PoolClient(
        PoolSettings(url=PoolUrl("pool.example", 3333), worker_name="w", version_mask=0, extranonce_subscribe=False),
        Listener(),  # type: ignore[arg-type]  # any method will do
        connect=connect,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        pool = PlayedPool(theirs)
        await pool.accept(mask=None, xnsub=False, difficulty=1)
        await trio.testing.wait_all_tasks_blocked()
        if first == "cancel":
            nursery.cancel_scope.cancel()
        theirs.send_stream.close()
        nursery.cancel_scope.cancel()
    assert nursery.cancel_scope.cancelled_caught
