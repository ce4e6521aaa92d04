"""A good server with faults before it: what miners and firmware are tested against.

Must not know what serves: a pool, a proxy or anything else that accepts miners on listeners.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import trio

from stratum_miner.capture.recorder import Recording
from stratum_miner.capture.tap import Tap
from stratum_miner.faults.fault_filter import ChosenFault, filter_of
from stratum_miner.faults.fault_filter import parse as parse_fault
from stratum_miner.faults.inner_listener import InnerListener

Server = TypeVar("Server")


@asynccontextmanager
async def behind_faults(
    serve: Callable[[Sequence[trio.abc.Listener[Any]]], AbstractAsyncContextManager[Server]],
    faults: Sequence[ChosenFault | str],
    *,
    listeners: Sequence[trio.abc.Listener[Any]],
    seed: int = 0,
    recorder: Recording | None = None,
) -> AsyncIterator[Server]:
    """What ``serve`` opens on the listeners that it is given, with a tap before it; miners come to ``listeners``.

    ValueError for an unknown fault. The server sees what the faults let through, so its own counts are those of a good
    one.
    """
    chosen = [parse_fault(each) if isinstance(each, str) else each for each in faults]
    inner = InnerListener()
    async with serve([inner]) as server, trio.open_nursery() as nursery:
        tap = Tap(
            inner.connect,
            lambda number: filter_of(chosen, f"{seed}/{number}"),
            unreachable=(trio.ClosedResourceError, trio.BrokenResourceError),
            recorder=recorder,
        )
        await nursery.start(tap.serve, listeners)
        yield server
        nursery.cancel_scope.cancel()
