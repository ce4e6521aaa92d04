"""A correct server behind a tap that injects faults, for tests of miners and firmware.

The server may be a pool, a proxy or anything else that accepts miners on listeners.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import trio

from stratum_miner.capture.recorder import RecordingSink
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
    recorder: RecordingSink | None = None,
) -> AsyncIterator[Server]:
    """Open a server behind a tap that injects ``faults``, and yield the server.

    Miners connect to the tap, which accepts connections on ``listeners``. ``serve`` is a function that opens the
    server. Its argument is a list with one listener inside this process, to which only the tap connects. The server
    itself behaves correctly, and counts only the messages that the tap passes on to it. ``seed`` decides the random
    choices of the faults. Raises ValueError if a fault is unknown or its parameter invalid.
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
