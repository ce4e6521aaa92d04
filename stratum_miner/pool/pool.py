"""A Stratum pool on trio: it accepts miners, sends them jobs made from a node's templates, and submits their blocks.

The modules ``judging`` and ``downstream`` decide what is sent to a miner; ``downstream`` also sends and receives the
bytes. The class ``Connections`` runs the tasks of the connections. This module runs all other tasks of the pool:

* One task follows the node (``node_follower``). For each template, it first submits again the blocks that the node has
  lost. If the node accepts one of them, the task asks for a new template. Otherwise it publishes a job if the template
  has changed.
* One task publishes another job when no job was published for a while.
* One task calls ``tick`` of each session every second.
* Four tasks submit blocks to the node (``block_delivery``).
"""

import math
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog
import trio

from stratum_miner.bitcoin.header import display_hash
from stratum_miner.bitcoin.target import difficulty_from_target
from stratum_miner.downstream.connections import Connection, Connections, ServerCallbacks
from stratum_miner.downstream.endings import ending_of
from stratum_miner.downstream.event_reporter import EventReporter
from stratum_miner.downstream.events import (
    AnsweredWithError,
    AnsweredWithTrue,
    DifficultySet,
    SessionEvent,
    ShareToForward,
    SubscribePending,
    WorkerAdded,
)
from stratum_miner.downstream.extranonces import EXTRANONCE1_SIZE, ExtranonceRegistry
from stratum_miner.downstream.miner_session import MinerSession
from stratum_miner.downstream.server_events import MinerAuthorized, MinerConnected, MinerDisconnected
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.snapshot import session_snapshot
from stratum_miner.downstream.validator import ShareValidator
from stratum_miner.exception_groups import unwrapping_nursery
from stratum_miner.network.accepting import Listener
from stratum_miner.pool import events
from stratum_miner.pool.block_delivery import BlockDelivery
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.job_factory import JobFactory, PoolJob
from stratum_miner.pool.judging import JudgingPolicy, block_of
from stratum_miner.pool.node_follower import NodeFollower
from stratum_miner.pool.nodes.base import Node, NodeError
from stratum_miner.pool.rejection_log import RejectionLog
from stratum_miner.pool.snapshot import PoolSnapshot
from stratum_miner.pool.template import BlockTemplate
from stratum_miner.stratum.errors import RemoteProtocolError
from stratum_miner.work.durations import DurationMeter

TICK_SECONDS = 1.0
"""Seconds between two rounds in which the pool calls ``tick`` of each session."""
SUBMITTERS = 4
"""Number of blocks that are submitted to the node at the same time, so that a slow submission does not delay the
next."""
MAX_WAITING_BLOCKS = 64
"""Maximum number of blocks that wait for one of the tasks that submit blocks to the node. If a miner finds a block
while this number of blocks waits, the pool reads nothing more from this miner until fewer blocks wait. More than one
block waits only on a test chain."""
BLOCK_PAUSE = 1.0
"""Seconds for which the pool reads nothing more from a miner that has found a block, unless the node answers earlier.
On regtest every second hash is a block: without this pause, further blocks of the miner would delay the next job."""

_Session: TypeAlias = MinerSession[PoolJob]
_Miner: TypeAlias = Connection[_Session]
_Block: TypeAlias = ShareToForward[PoolJob]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _WaitingBlock:
    """A share that may be a block, on its way to the node."""

    miner: _Miner
    candidate: _Block
    arrived: float
    """When the share arrived, on trio's clock."""
    done: trio.Event = field(default_factory=trio.Event)


class Pool:
    """A pool that makes its jobs from the templates of one node. ``open_pool`` makes a ``Pool`` and runs it. The
    parameters of ``Pool`` have the same meaning as those of ``open_pool``.

    To run a pool without ``open_pool``, make a ``Pool`` and start its ``serve`` in a nursery.
    """

    def __init__(
        self,
        node: Node,
        config: PoolConfig,
        *,
        on_event: Callable[[events.PoolEvent], None] | None = None,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._node = node
        self._unix_time = unix_time
        self._jobs = JobFactory(
            payout_script=config.payout_script,
            version_mask=config.version_mask,
            extranonce_size=EXTRANONCE1_SIZE + config.extranonce2_size,
            coinbase_tag=config.coinbase_tag,
            first_id=secrets.randbits(32),
        )
        self._validator = ShareValidator(extranonce2_size=config.extranonce2_size, ntime_ahead=config.ntime_ahead)
        leases = ExtranonceRegistry[PoolJob](
            first=secrets.randbits(32), resume_seconds=config.resume_seconds, extranonce2_size=config.extranonce2_size
        )
        self._policy = JudgingPolicy(config, self._jobs, self._validator, leases)
        callbacks = ServerCallbacks(
            open_session=self._open_session,
            connected=self._note_connected,
            received=self._receive,
            disconnected=self._note_disconnected,
            stopping=self._stop_serving,
        )
        self._miners = Connections[_Session](config, config.max_connections, callbacks, unix_time)
        self._events = EventReporter(on_event, self.stop)
        self._shares = DownstreamShareCounts()
        self._answers = DurationMeter()
        self._share_log = _log.bind()
        """A logger for the lines about shares, made once to save time: ``_log`` makes a new logger for each line, even
        if the line is filtered out."""
        self._rejections = RejectionLog()
        self._jobs_published = 0
        self._published_at = -math.inf
        self._started_at = unix_time()
        self._node_error: str | None = None
        self._follower = NodeFollower(
            node, on_template=self._take_template, on_failure=self._note_failure, on_recovery=self._note_recovery
        )
        self._first_job = trio.Event()
        self._delivery = BlockDelivery(node, on_found=self._events.add, refresh=self._follower.refresh)
        self._stopping = trio.Event()
        self._unanswered = 0
        self._all_answered = trio.Event()
        self._send_candidate, self._receive_candidate = trio.open_memory_channel[_WaitingBlock](MAX_WAITING_BLOCKS)

    # ---- for the caller -------------------------------------------------------------------------------------------

    async def serve(
        self,
        listeners: Sequence[Listener] | None = None,
        *,
        task_status: trio.TaskStatus[Sequence[Listener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve miners until ``stop`` is called or the task is cancelled. A pool can serve once.

        ``listeners`` accept the miners' connections. Without ``listeners``, the pool opens TCP listeners on the
        configured host and port. ``task_status.started`` gets the listeners as soon as they accept connections.

        Raises RuntimeError if ``serve`` was called before.
        Raises ValueError if ``listeners`` is empty.
        Raises OSError if the port cannot be opened, ListenerError if a listener breaks, NodeError if the node has a
        permanent error, and whatever ``on_event`` raised.
        """
        listeners = await self._miners.listen(listeners, self.config.host, self.config.port, "Pool")
        try:
            async with unwrapping_nursery() as services:
                services.start_soon(self._follower.run)
                services.start_soon(self._renew_jobs)
                services.start_soon(self._tick)
                for _ in range(SUBMITTERS):
                    services.start_soon(self._submit_candidates, self._receive_candidate.clone())
                self._receive_candidate.close()
                if self.addresses:  # empty behind a tap; the tap itself logs the addresses
                    _log.info("pool_listening", addresses=self.addresses)
                await self._miners.serve(listeners, self._stopping, task_status)
                services.cancel_scope.cancel()
        finally:
            self._delivery.log_lost()
            self._rejections.tick(math.inf)
            _log.info("pool_stopped", sessions=self._miners.total, blocks=self._delivery.accepted)
            self._events.deliver()
            self._events.raise_error()

    def stop(self) -> None:
        """Stop gracefully: accept no more miners, wait up to ``config.stop_grace`` seconds for the node's answers to
        blocks, and close all connections. ``serve`` then returns.
        """
        self._stopping.set()

    @property
    def port(self) -> int:
        """The TCP port of the first listener. Raises RuntimeError if there is no TCP listener, or none yet."""
        if not self._miners.ports:
            raise RuntimeError("Pool.port: expected a TCP listener, got none. Read the port while the pool serves")
        return self._miners.ports[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses on which miners connect, as HOST:PORT; empty before ``serve`` listens."""
        return self._miners.addresses

    async def wait_job(self) -> None:
        """Wait until the pool has its first job from the node. From then on miners get work."""
        await self._first_job.wait()

    def snapshot(self) -> PoolSnapshot:
        """Return the figures of this moment. Call it in the trio thread while the pool serves."""
        now = trio.current_time()
        job = self._jobs.current
        return PoolSnapshot(
            started_at=self._started_at,
            addresses=self.addresses,
            height=None if job is None else job.template.height,
            previous_hash=None if job is None else display_hash(job.content.previous_hash),
            network_difficulty=None if job is None else difficulty_from_target(job.network_target),
            job_id=None if job is None else job.content.job_id,
            jobs_published=self._jobs_published,
            node_error=self._node_error,
            template_age=None if self._follower.template_at is None else now - self._follower.template_at,
            hash_rate=sum(miner.session.hash_rate(now) for miner in self._miners),
            shares=self._shares.copy(),
            connections_total=self._miners.total,
            connections_refused=self._miners.refused,
            connections_ended=Counter(self._miners.ended),
            bytes_received=self._miners.bytes_received,
            bytes_sent=self._miners.bytes_sent,
            answers=self._answers.counts,
            sessions=tuple(session_snapshot(miner, now) for miner in self._miners),
            blocks_found=self._delivery.submitted,
            blocks_refused=self._delivery.refused,
            blocks_accepted=self._delivery.accepted,
            blocks=tuple(self._delivery.found),
        )

    # ---- the node -------------------------------------------------------------------------------------------------

    async def _take_template(self, template: BlockTemplate) -> None:
        if await self._delivery.resubmit(template):
            self._follower.refresh()
        elif (job := self._jobs.update(template, trio.current_time())) is not None:
            self._publish(job)
        self._events.deliver()

    def _note_failure(self, error: NodeError) -> None:
        self._delivery.note_node_failure()
        _log.warning("node_failed", error=str(error), job_kept=self._jobs.current is not None)
        self._node_error = str(error)
        self._events.add(events.NodeFailed(str(error)))
        self._events.deliver()

    def _note_recovery(self) -> None:
        _log.info("node_recovered")
        self._node_error = None
        self._events.add(events.NodeRecovered())  # delivered with the template that follows

    # ---- jobs -----------------------------------------------------------------------------------------------------

    def _publish(self, job: PoolJob) -> None:
        self._validator.set_tip(job.content.previous_hash)
        self._published_at = trio.current_time()
        self._jobs_published += 1
        self._first_job.set()
        miners = [miner for miner in self._miners if miner.session.started]
        for miner in miners:
            miner.session.announce(job, self._published_at)
            miner.flush()
        published = events.JobPublished(job.content.job_id, job.template.height, job.content.clean, len(miners))
        self._events.add(published)
        log = _log.info if published.clean else _log.debug
        log("job_published", job_id=published.job_id, height=published.height, clean=published.clean)
        self._events.deliver()

    async def _renew_jobs(self) -> None:
        interval = self.config.notify_interval
        while True:
            now = trio.current_time()
            if self._jobs.current is not None and now >= self._published_at + interval:
                self._publish(self._jobs.renew(now))
            # Check again one interval after the last publication, but at the earliest half an interval from now.
            await trio.sleep_until(max(self._published_at, now - interval / 2) + interval)

    async def _tick(self) -> None:
        while True:
            await trio.sleep(TICK_SECONDS)
            now = trio.current_time()
            for miner in self._miners:
                miner.session.tick(now)
                miner.flush()
                self._collect_events(miner, miner.last_line_at)
            self._rejections.tick(now)
            self._events.deliver()

    # ---- blocks ---------------------------------------------------------------------------------------------------

    async def _submit_candidates(self, candidates: trio.MemoryReceiveChannel[_WaitingBlock]) -> None:
        async with candidates:
            async for waiting in candidates:
                await self._submit(waiting)
                waiting.done.set()
                self._unanswered -= 1
                if not self._unanswered:
                    self._all_answered.set()

    async def _submit(self, waiting: _WaitingBlock) -> None:
        miner, candidate = waiting.miner, waiting.candidate
        found = await self._delivery.deliver(block_of(candidate.solution), self._found(candidate))
        refusal = None if found.accepted else candidate.refusal
        answered = miner.session.answer(candidate, refusal, trio.current_time())
        miner.flush()
        if answered is not None:
            self._report(miner, answered, waiting.arrived)
        self._events.deliver()

    def _found(self, candidate: _Block) -> events.BlockFound:
        """Return the event for a block that the node has not answered yet."""
        return events.BlockFound(
            height=candidate.solution.job.announced.template.height,
            hash=display_hash(candidate.solution.digest),
            worker_name=candidate.submit.worker_name,
            accepted=False,
            result="",
            explanation="",
            stale=candidate.stale,
            found_at=self._unix_time(),
        )

    # ---- miners ------------------------------------------------------------------------------------------------------

    def _open_session(self, now: float) -> _Session:
        return MinerSession(self._policy, self._shares, now)

    def _note_connected(self, miner: _Miner) -> None:
        _log.info("client_connected", session=miner.number, address=miner.address)
        self._events.add(MinerConnected(miner.number, miner.address))
        self._events.deliver()

    def _note_disconnected(self, miner: _Miner) -> None:
        miner.session.close(trio.current_time())
        _log.info(
            "client_left",
            session=miner.number,
            address=miner.address,
            reason=miner.reason,
            accepted=miner.session.shares.accepted,
            rejected=miner.session.shares.rejected.total(),
        )
        self._events.add(MinerDisconnected(miner.number, miner.address, miner.reason))
        self._events.deliver()

    async def _receive(self, miner: _Miner, data: bytes) -> None:
        miner.session.receive_data(data)
        try:
            while (event := miner.session.next_event(trio.current_time(), self._unix_time())) is not None:
                match event:
                    case ShareToForward():
                        await self._submit_block(miner, event)
                    case SubscribePending():
                        miner.session.subscribe(event, self._policy, trio.current_time())
                    case _:
                        self._report(miner, event, miner.last_line_at)
        except RemoteProtocolError as error:
            miner.finish(str(error), ending_of(error))
        miner.flush()
        self._events.deliver()

    async def _submit_block(self, miner: _Miner, candidate: _Block) -> None:
        waiting = _WaitingBlock(miner, candidate, miner.last_line_at)
        if not self._unanswered:
            self._all_answered = trio.Event()
        self._unanswered += 1
        is_queued = True
        try:
            self._send_candidate.send_nowait(waiting)
        except trio.WouldBlock:
            is_queued = False
        except trio.BrokenResourceError:
            self._log_lost(candidate)
        # report the share before the node has answered: a valid share counts, whatever the answer about its block
        self._collect_events(miner, waiting.arrived)
        miner.flush()
        if not is_queued:
            with trio.CancelScope(shield=True):  # the block must reach the node even if its miner disconnects
                try:
                    await self._send_candidate.send(waiting)
                except trio.BrokenResourceError:
                    self._log_lost(candidate)
        with trio.move_on_after(BLOCK_PAUSE):
            await waiting.done.wait()

    def _log_lost(self, candidate: _Block) -> None:
        _log.error("block_lost", hash=display_hash(candidate.solution.digest), reason="the pool was cancelled")

    def _collect_events(self, miner: _Miner, arrived: float) -> None:
        """Report the events that a session has collected. If one of them is the answer to a share, ``arrived`` is the
        time at which this share arrived. Otherwise ``arrived`` is not used.
        """
        for event in miner.session.take_events():
            self._report(miner, event, arrived)

    def _report(self, miner: _Miner, event: SessionEvent[PoolJob], arrived: float) -> None:
        if isinstance(event, AnsweredWithTrue | AnsweredWithError):
            self._answers.add(trio.current_time() - arrived)
        match event:
            case AnsweredWithTrue(worker_name, solution, difficulty, share_difficulty, is_block):
                job_id = solution.job.job_id
                self._events.add(
                    events.ShareAccepted(miner.number, worker_name, job_id, difficulty, share_difficulty, is_block)
                )
                self._share_log.debug("share_accepted", session=miner.number, worker_name=worker_name, job_id=job_id)
            case AnsweredWithError(worker_name, job_id, reason, message):
                self._events.add(events.ShareRejected(miner.number, worker_name, job_id, reason, message))
                self._share_log.debug("share_rejected", session=miner.number, worker_name=worker_name, reason=message)
                self._rejections.add(miner.number, worker_name, reason, message, trio.current_time())
            case WorkerAdded(worker_name):
                self._events.add(MinerAuthorized(miner.number, worker_name, miner.session.user_agent))
                _log.info("worker_authorized", session=miner.number, worker_name=worker_name)
            case DifficultySet(difficulty):
                self._events.add(events.DifficultyChanged(miner.number, difficulty))
                _log.debug("difficulty_changed", session=miner.number, difficulty=difficulty)

    async def _stop_serving(self) -> None:
        _log.info("pool_stopping", sessions=len(self._miners), unanswered_blocks=self._unanswered)
        if self._unanswered:
            with trio.move_on_after(self.config.stop_grace):
                await self._all_answered.wait()
        for miner in self._miners:
            miner.finish("the pool stops")


@asynccontextmanager
async def open_pool(
    node: Node,
    config: PoolConfig,
    *,
    listeners: Sequence[Listener] | None = None,
    on_event: Callable[[events.PoolEvent], None] | None = None,
    unix_time: Callable[[], float] = time.time,
) -> AsyncIterator[Pool]:
    """Run a pool while the ``async with`` statement is active. At the end of the statement, the pool stops gracefully.

    ``node`` gives the block templates and takes the blocks. It must be open. ``listeners`` accept the miners'
    connections. Without them, the pool opens TCP listeners on ``config.host`` and ``config.port``. ``unix_time``
    returns the Unix time in seconds, with which the ntime of shares is compared.

    ``on_event`` is called with each event, in the trio thread and in the order of the events. The pool acts first: when
    ``on_event`` gets the event of a share, the pool has already answered the share, and a block is already on its way
    to the node. ``on_event`` must return at once. If it raises an exception, the pool stops gracefully and then raises
    that exception. Until then, no event is lost. To get the events as a channel::

        send, receive = trio.open_memory_channel[PoolEvent](math.inf)
        async with open_pool(node, config, on_event=send.send_nowait) as pool:
            async for event in receive: ...

    Raises TypeError if ``on_event`` is a coroutine function.
    Raises ValueError if ``listeners`` is empty.
    Raises OSError if the port cannot be opened, ListenerError if a listener breaks, NodeError if the node has a
    permanent error, and whatever ``on_event`` raises. The body of the ``async with`` statement is then cancelled. A
    single exception is raised as it is, not in an exception group.
    """
    pool = Pool(node, config, on_event=on_event, unix_time=unix_time)
    async with unwrapping_nursery() as nursery:
        await nursery.start(pool.serve, listeners)
        yield pool
        pool.stop()
