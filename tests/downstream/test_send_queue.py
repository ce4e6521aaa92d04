"""The bounded queue in front of each client's socket."""

import pytest
import trio
import trio.testing

from stratum_miner.downstream.send_queue import QueueFullError, SendQueue
from stratum_miner.network.fair_bound import FairBound


async def test_the_writer_gets_everything_in_order_and_then_the_end() -> None:
    queue = SendQueue(100, FairBound(1000))
    queue.put_nowait(b"a")
    queue.put_nowait(b"b")
    assert queue.size == 2
    assert await queue.get() == b"ab"
    assert queue.size == 0
    queue.put_nowait(b"c")
    queue.close()
    queue.put_nowait(b"too late")
    assert await queue.get() == b"c"
    assert await queue.get() is None


async def test_the_limit_is_exact_and_what_was_taken_no_longer_counts() -> None:
    queue = SendQueue(3, FairBound(1000))
    queue.put_nowait(b"abc")
    with pytest.raises(QueueFullError, match="expected at most 3 bytes to wait, got 4"):
        queue.put_nowait(b"d")
    assert await queue.get() == b"abc"
    queue.put_nowait(b"d")


async def test_a_waiting_writer_is_woken(nursery: trio.Nursery) -> None:
    queue = SendQueue(100, FairBound(1000))
    taken: list[bytes | None] = []

    async def write() -> None:
        while True:
            taken.append(await queue.get())
            if taken[-1] is None:
                return

    nursery.start_soon(write)
    await trio.testing.wait_all_tasks_blocked()
    queue.put_nowait(b"")
    queue.put_nowait(b"x")
    await trio.testing.wait_all_tasks_blocked()
    queue.close()
    await trio.testing.wait_all_tasks_blocked()
    assert taken == [b"x", None]


async def test_it_is_idle_only_while_its_writer_waits_for_bytes(nursery: trio.Nursery) -> None:
    queue = SendQueue(100, FairBound(1000))
    assert not queue.idle
    nursery.start_soon(queue.get)
    await trio.testing.wait_all_tasks_blocked()
    assert queue.idle
    queue.put_nowait(b"x")
    assert not queue.idle
    await trio.testing.wait_all_tasks_blocked()
    assert not queue.idle  # the writer has the bytes in its hands
    nursery.start_soon(queue.get)
    await trio.testing.wait_all_tasks_blocked()
    queue.close()
    assert not queue.idle


async def test_what_waits_for_all_clients_is_bounded_and_no_client_can_use_it_up() -> None:
    bound = FairBound(100)
    greedy, late, modest = (SendQueue(1000, bound) for _ in range(3))
    for _ in range(50):
        greedy.put_nowait(b"x")
    for queue in (greedy, greedy):
        with pytest.raises(QueueFullError, match="expected at most 100 bytes to wait for all miners together"):
            queue.put_nowait(b"x")
    late.put_nowait(b"x" * 25)
    with pytest.raises(QueueFullError):
        late.put_nowait(b"x")
    modest.put_nowait(b"x" * 10)
    assert bound.used == 85
    assert await greedy.get() == b"x" * 50
    assert bound.used == 85, "it is not sent yet"
    greedy.close()
    assert await greedy.get() is None
    assert bound.used == 35
    greedy.discard()
    assert bound.used == 35
    late.discard()
    late.put_nowait(b"too late")
    assert bound.used == 10
    modest.discard()
    modest.discard()
    assert bound.used == 0


async def test_what_is_being_sent_and_what_waits_count_together() -> None:
    bound = FairBound(40)
    queue = SendQueue(1000, bound)
    queue.put_nowait(b"x" * 10)
    await queue.get()
    queue.put_nowait(b"x" * 10)
    with pytest.raises(QueueFullError, match=r"at most the 20 bytes that are free, got 21$"):
        queue.put_nowait(b"x")


async def test_a_queue_that_was_dropped_gives_nothing_more() -> None:
    queue = SendQueue(100, FairBound(100))
    queue.put_nowait(b"x")
    queue.discard()
    assert queue.size == 0
    assert await queue.get() is None
