"""The tap: for each miner that connects, it opens a connection to the pool and forwards lines in both directions. A
filter may change the lines, and a recorder records them.

How the pool is reached is the caller's choice: its function ``connect`` opens a stream, for example over TLS, over a
SOCKS proxy, or in memory.
"""

import math
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Never

import structlog
import trio

from stratum_miner.capture.filter import Filter
from stratum_miner.capture.record import Side
from stratum_miner.capture.recorder import ConnectionSink, RecordingSink, peer_of
from stratum_miner.capture.relay import MAX_HELD, relay
from stratum_miner.network import accepting
from stratum_miner.network.fair_bound import FairBound

log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 1000
"""Maximum number of connected miners at the same time; each takes two sockets. ``relay.MAX_HELD`` limits the memory of
all connections together."""


class Tap:
    """Relays between miners and a pool until it is cancelled.

    ``connect`` opens a stream to the pool, and raises an exception of a class in ``unreachable`` if it cannot.
    ``make_filter`` is called once for each connection of a miner, with the number of the connection, counted from 1.
    ``connections`` is the number of miners' connections so far, and ``open`` the number of those that are open now.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[trio.abc.Stream]],
        make_filter: Callable[[int], Filter],
        *,
        unreachable: type[Exception] | tuple[type[Exception], ...],
        recorder: RecordingSink | None = None,
    ) -> None:
        self.connections = 0
        self.open = 0
        self._connect = connect
        self._make_filter = make_filter
        self._unreachable = unreachable
        self._recorder = recorder
        self._bound = FairBound(MAX_HELD)
        self._shortage_logged_until = -math.inf

    @property
    def held(self) -> int:
        """Return how many bytes all connections hold in memory now, such as incomplete lines and lines that wait to be
        sent."""
        return self._bound.used

    async def serve(
        self,
        listeners: Sequence[trio.abc.Listener[Any]],
        *,
        task_status: trio.TaskStatus[Sequence[trio.abc.Listener[Any]]] = trio.TASK_STATUS_IGNORED,
    ) -> Never:
        """Accept connections and relay each; an error of one connection does not affect the others.

        Raises ``network.accepting.ListenerError`` if a listener fails, so that no miner can connect any more.
        """
        await accepting.serve(self._serve_miner, listeners, task_status=task_status)

    async def _serve_miner(self, miner: trio.abc.Stream) -> None:
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
            await self._relay_to_pool(number, miner, record)
        except Exception:  # an internal error in one connection must not end the others
            log.exception("connection_failed", connection=number)
            if record is not None:
                record.close(None, "an internal error of the tap")
        finally:
            self.open -= 1
            await trio.aclose_forcefully(miner)

    async def _relay_to_pool(self, number: int, miner: trio.abc.Stream, record: ConnectionSink | None) -> None:
        filter_ = self._make_filter(number)
        try:
            pool = await self._connect()
        except self._unreachable as error:
            self._log_unreachable(number, error)
            if record is not None:
                record.close(Side.POOL, str(error))
            return
        ended_by_bound = await relay(miner, pool, filter_, record, self._bound)
        if ended_by_bound:
            log.warning("connection_cut", connection=number, reason=ended_by_bound)
        else:
            log.info("connection_over", connection=number)

    def _log_unreachable(self, number: int, error: Exception) -> None:
        """Log why a miner gets no connection to the pool.

        If this computer lacks sockets or memory, this reason applies to every miner, and is therefore logged only once
        per ``accepting.WARNING_EVERY_S`` seconds.
        """
        shortage = accepting.shortage_behind(error)
        if shortage is None:
            log.warning("pool_unreachable", connection=number, reason=str(error))
        elif trio.current_time() >= self._shortage_logged_until:
            log.warning("miners_turned_away", error=os.strerror(shortage))
            self._shortage_logged_until = trio.current_time() + accepting.WARNING_EVERY_S
