"""Our pool with faults before it: what miners and firmware are tested against."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from stratum_miner.capture.recorder import Recording
from stratum_miner.capture.tap import Tap
from stratum_miner.faults.fault_filter import ChosenFault, filter_of
from stratum_miner.faults.fault_filter import parse as parse_fault
from stratum_miner.faults.inner_listener import InnerListener
from stratum_miner.pool import Pool, PoolConfig, open_pool
from stratum_miner.pool.nodes.base import Node


@asynccontextmanager
async def open_faulty_pool(
    node: Node,
    config: PoolConfig,
    faults: Sequence[ChosenFault | str],
    *,
    seed: int = 0,
    listeners: Sequence[trio.abc.Listener[Any]],
    recorder: Recording | None = None,
) -> AsyncIterator[Pool]:
    """A good pool that a tap stands before; miners come to ``listeners``. ValueError for an unknown fault.

    The pool itself sees what the faults let through, so its own counts are those of a good pool.
    """
    chosen = [parse_fault(each) if isinstance(each, str) else each for each in faults]
    inner = InnerListener()
    async with open_pool(node, config, listeners=[inner]) as pool, trio.open_nursery() as nursery:
        tap = Tap(
            inner.connect,
            lambda number: filter_of(chosen, f"{seed}/{number}"),
            unreachable=(trio.ClosedResourceError, trio.BrokenResourceError),
            recorder=recorder,
        )
        await nursery.start(tap.serve, listeners)
        yield pool
        nursery.cancel_scope.cancel()
