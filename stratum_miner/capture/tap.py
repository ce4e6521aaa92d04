"""The tap: every miner that connects gets a connection of its own to the pool, with a filter and a record between.

How the pool is reached is the caller's affair: ``connect`` opens a stream, over TLS or a proxy or in memory.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
import trio

from stratum_miner.capture.record import Side
from stratum_miner.capture.recorder import Recording, peer_of
from stratum_miner.capture.relay import Filter, relay

log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 1000
"""At a time; each costs two sockets and two queues."""


class Tap:
    """Serves until cancelled. ``make_filter`` gets the number of a connection, counted from 1."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[trio.abc.Stream]],
        make_filter: Callable[[int], Filter],
        *,
        unreachable: type[Exception] | tuple[type[Exception], ...],
        recorder: Recording | None = None,
    ) -> None:
        self.connections = 0
        self.open = 0
        self._connect = connect
        self._make_filter = make_filter
        self._unreachable = unreachable
        self._recorder = recorder

    async def serve(
        self,
        listeners: Sequence[trio.abc.Listener[Any]],
        *,
        task_status: trio.TaskStatus[Sequence[trio.abc.Listener[Any]]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept and relay; a connection that goes wrong costs the others nothing."""
        await trio.serve_listeners(self._carry, list(listeners), task_status=task_status)

    async def _carry(self, miner: trio.abc.Stream) -> None:
        peer = peer_of(miner) if isinstance(miner, trio.SocketStream) else "in memory"
        if self.open >= MAX_CONNECTIONS:
            log.warning("connection_refused", address=peer, reason=f"more than {MAX_CONNECTIONS} connections")
            await trio.aclose_forcefully(miner)
            return
        self.connections += 1
        self.open += 1
        number = self.connections
        log.info("miner_connected", connection=number, address=peer)
        record = None if self._recorder is None else self._recorder.open(peer)
        try:
            pool = await self._connect()
        except self._unreachable as error:
            log.warning("pool_unreachable", connection=number, reason=str(error))
            if record is not None:
                record.close(Side.POOL, str(error))
            await trio.aclose_forcefully(miner)
        else:
            await relay(miner, pool, self._make_filter(number), record)
            log.info("connection_over", connection=number)
        finally:
            self.open -= 1
