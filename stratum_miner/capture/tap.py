"""The tap: every miner that connects gets a connection of its own to the pool, with a filter and a record between.

How the pool is reached is the caller's affair: ``connect`` opens a stream, over TLS or a proxy or in memory.
"""

import math
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Never

import structlog
import trio

from stratum_miner.capture.filter import Filter
from stratum_miner.capture.record import Side
from stratum_miner.capture.recorder import Recording, Sink, peer_of
from stratum_miner.capture.relay import MAX_HELD, relay
from stratum_miner.network import accepting
from stratum_miner.network.fair_bound import FairBound

log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 1000
"""The most connections at a time; each costs two sockets. ``relay.MAX_HELD`` bounds what all of them hold."""


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
        self._bound = FairBound(MAX_HELD)
        self._shortage_told_until = -math.inf

    @property
    def held(self) -> int:
        """Bytes that all connections hold at the moment: lines that are not complete, or wait to be said."""
        return self._bound.used

    async def serve(
        self,
        listeners: Sequence[trio.abc.Listener[Any]],
        *,
        task_status: trio.TaskStatus[Sequence[trio.abc.Listener[Any]]] = trio.TASK_STATUS_IGNORED,
    ) -> Never:
        """Accept and relay; a connection that goes wrong costs the others nothing.

        Raises ``network.accepting.ListenerError`` when nobody can connect any more.
        """
        await accepting.serve(self._carry, listeners, task_status=task_status)

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
            await self._carry_to_pool(number, miner, record)
        except Exception:  # a mistake of ours that one connection brought to light must not cost the others
            log.exception("connection_failed", connection=number)
            if record is not None:
                record.close(None, "a defect of the tap")
        finally:
            self.open -= 1
            await trio.aclose_forcefully(miner)

    async def _carry_to_pool(self, number: int, miner: trio.abc.Stream, record: Sink | None) -> None:
        filter_ = self._make_filter(number)
        try:
            pool = await self._connect()
        except self._unreachable as error:
            self._tell(number, error)
            if record is not None:
                record.close(Side.POOL, str(error))
            return
        ended_by_bound = await relay(miner, pool, filter_, record, self._bound)
        if ended_by_bound:
            log.warning("connection_cut", connection=number, reason=ended_by_bound)
        else:
            log.info("connection_over", connection=number)

    def _tell(self, number: int, error: Exception) -> None:
        """Why a miner gets no pool; once a minute where this machine is short of something, which all who come meet."""
        shortage = accepting.shortage_behind(error)
        if shortage is None:
            log.warning("pool_unreachable", connection=number, reason=str(error))
        elif trio.current_time() >= self._shortage_told_until:
            log.warning("miners_turned_away", error=os.strerror(shortage))
            self._shortage_told_until = trio.current_time() + accepting.WARNING_EVERY_S
