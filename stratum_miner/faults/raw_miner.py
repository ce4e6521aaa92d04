"""A miner for tests: it sends what its caller asks for, valid or not, and finds real shares with the C kernel.

Tests use it to send what stratum-miner's own client never sends. It ignores invalid lines of the pool, supports one
session only, and does not judge the pool.
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, TypeAlias

import trio

from stratum_miner.backends.cpu.choice import MEASURE_AGAIN_HINT, TOO_LONG_FACTOR, Choice, choose
from stratum_miner.backends.cpu.kernels import Search
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK, BlockHeader
from stratum_miner.bitcoin.target import MAX_TARGET, expected_hashes, hash_value, target_from_difficulty
from stratum_miner.capture.lines import LineSplitter
from stratum_miner.faults.share_faults import FaultNotPossible, GoodShare
from stratum_miner.faults.wire_faults import WireFault
from stratum_miner.quantities import hash_rate_text
from stratum_miner.stratum import envelope
from stratum_miner.stratum.client_messages import Authorize, ClientMessage, Configure, Submit, Subscribe
from stratum_miner.stratum.errors import FieldError, error_reply_from
from stratum_miner.stratum.extensions import VersionRolling
from stratum_miner.stratum.pool_messages import Notify, SetDifficulty
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.stratum_job import job_of
from stratum_miner.work.job import CoinbaseBody, Job, Origin, PoolKey
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NONCE_SPACE

PATIENCE = 10.0
"""Seconds to wait for a reply."""
MOST_SECONDS = 60.0
"""Finding one share should take at most this many seconds on average. The miner also searches if the expected
time is up to TOO_LONG_FACTOR times as long, because the measured hash rate may be too low."""
NEAR_SECONDS = 10.0
"""Finding a hash just above the target should take at most this many seconds on average."""
SLICE_SECONDS = 0.1
RECEIVE_SIZE = 64 << 10
USER_AGENT = "stratum_miner-misbehave/1"

Dial: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMinerPlan:
    """How to reach the pool and log in, how long the faults take, and the seed of their random choices."""

    dial: Dial
    """A function that opens a stream to the pool."""
    worker_name: str
    password: str = "x"
    seed: int = 0
    """Seed of the random choices."""
    hold: float = 10.0
    """Seconds for which the faults slow-reader and half-open keep their connection open."""
    new_block: float = 30.0
    """Seconds to wait for the first job, and for a new block that makes a share stale."""


class RawMiner:
    """One connection to a pool. If the attribute ``fault`` is set, requests are sent with this fault. Callers may set
    the attribute at any time."""

    def __init__(self, plan: RawMinerPlan, stream: trio.abc.Stream, fault: WireFault | None, rng: Random) -> None:
        self.fault = fault
        self._plan = plan
        self._stream = stream
        self._rng = rng
        self._replies: dict[int, dict[str, Any]] = {}
        self._next_id = 0
        self._closed = False
        self._changed = trio.Event()
        self._extranonce1 = b""
        self._extranonce2_size = 0
        self._difficulty = 1.0
        self._mask: int | None = None
        self._notified: tuple[Notify, float] | None = None
        """The newest mining.notify, and the difficulty before it."""
        self._job: Job | None = None
        self._searched: Job | None = None
        self._space = SearchSpace()
        self._listening = trio.CancelScope()

    async def listen(self) -> None:
        """Receive lines until the pool ends the connection or ``stop_listening`` is called."""
        splitter = LineSplitter()
        with self._listening:
            while not self._closed:
                try:
                    data = await self._stream.receive_some(RECEIVE_SIZE)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    data = b""
                self._closed = not data
                for line in splitter.feed(bytes(data)):
                    self._take(line)
                self._changed.set()
                self._changed = trio.Event()

    async def log_in(self) -> None:
        """Send mining.configure, mining.subscribe and mining.authorize.

        Raises FaultNotPossible if the pool refuses the subscription or the worker.
        """
        granted = await self.ask(Configure((VersionRolling(GENERAL_PURPOSE_MASK),)), patience=5)
        match granted:
            case {"result": {"version-rolling": True, "version-rolling.mask": str(mask)}}:
                self._mask = int(mask, 16) & GENERAL_PURPOSE_MASK
        subscribed = await self.ask(Subscribe(USER_AGENT))
        try:
            result = SubscribeResult.from_result((subscribed or {}).get("result"))
        except FieldError as error:
            raise FaultNotPossible(f"expected a valid reply to mining.subscribe: {error}") from None
        self._extranonce1, self._extranonce2_size = result.extranonce1, result.extranonce2_size
        if self._notified is not None:  # a job that came together with the reply was made without the extranonce
            self._job = self._job_of(*self._notified)
        authorized = await self.ask(Authorize(self._plan.worker_name, self._plan.password))
        if not is_accepted(authorized):
            raise FaultNotPossible(f"expected the pool to authorize the worker, got {reply_text(authorized)}")

    async def ask(self, message: ClientMessage, patience: float = PATIENCE) -> dict[str, Any] | None:
        """Send a request, and wait up to ``patience`` seconds for the reply. If ``fault`` is set, the
        request is sent with this fault.

        Return the ``result``, ``error`` and ``reject-reason`` of the reply. Return ``{"closed": True}`` if the pool
        closed the connection, and None if no reply came.
        """
        self._next_id += 1
        number = self._next_id
        lines = [envelope.encode_request(number, message.method, message.to_params())]
        pieces = lines if self.fault is None or self.fault.pieces is None else self.fault.pieces(lines, self._rng)
        with trio.move_on_after(patience):
            try:
                for piece in pieces:
                    await self._stream.send_all(piece)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._closed = True
            await self._until(lambda: number in self._replies or self._closed)
        return self._replies.get(number) or ({"closed": True} if self._closed else None)

    async def good_share(self) -> GoodShare:
        """Find a share for the current job, and return it without sending it.

        Raises FaultNotPossible if no job comes within ``RawMinerPlan.new_block`` seconds, or if the search would take
        too long.
        """
        with trio.move_on_after(self._plan.new_block):
            await self._until(lambda: self._job is not None or self._closed)
        if self._job is None:
            raise FaultNotPossible(f"expected a job within {self._plan.new_block:g} s, got none")
        job = self._job
        submit = await self._find(job, job.share_target)
        choice = await trio.to_thread.run_sync(choose)
        return GoodShare(submit=submit, job=job, search=partial(_nonce_of, choice, job.share_target))

    async def near_miss(self) -> Submit | None:
        """Find a share of the current job that is valid except for its hash, which lies between 65/64 and 17/16 of the
        target. Return None if there is no such hash, or if the search would take more than ``NEAR_SECONDS``.

        A pool whose target is somewhat too wide accepts such a share. One part in 64 is tolerated, because NOMP
        deliberately accepts one percent more.
        """
        job = self._job
        if job is None:
            return None
        above, at_most = job.search_target * 65 // 64, min(job.search_target * 17 // 16, MAX_TARGET)
        choice = await trio.to_thread.run_sync(choose)
        if at_most <= above or 2**256 / (at_most - above) > NEAR_SECONDS * choice.hash_rate:
            return None
        while True:
            found = await self._find(job, at_most)
            version = job.version & ~job.version_mask | (found.version_bits or 0)
            header = job.header(found.extranonce2, found.ntime, found.nonce, version)
            if hash_value(header.digest()) > above:
                return found

    @property
    def work(self) -> tuple[bytes, bytes, bytes, bytes] | None:
        """The previous block, the coinbase before the extranonces, the extranonce1 and the coinbase after them, of the
        current job. Two miners with the same work compute the same hashes. None if there is no job yet."""
        match self._job:
            case Job(body=CoinbaseBody() as body, previous_hash=previous):
                return previous, body.prefix, body.extranonce1, body.suffix
        return None

    async def wait_for_work(self, seconds: float) -> None:
        """Wait up to ``seconds`` for the first job, or for the end of the connection."""
        with trio.move_on_after(seconds):
            await self._until(lambda: self._job is not None or self._closed)

    async def _find(self, job: Job, target: int) -> Submit:
        if job is not self._searched:
            self._searched = job
            self._space.set_job(job)
        return await _search(job, self._space, self._plan.worker_name, target)

    async def next_block(self, seconds: float) -> None:
        """Try to find a block and submit it, then wait up to ``seconds`` for a job with another previous block.

        Raises FaultNotPossible if no such job comes.
        """
        before = None if self._job is None else self._job.previous_hash
        if self._job is not None:
            # if blocks are easy to find, finding one is faster than waiting for another miner's block
            with suppress(FaultNotPossible):
                await self.ask(await self._find(self._job, min(self._job.share_target, self._job.network_target)))
        with trio.move_on_after(seconds):
            await self._until(lambda: self._closed or (self._job is not None and self._job.previous_hash != before))
        if self._closed or self._job is None or self._job.previous_hash == before:
            raise FaultNotPossible(f"stale: expected a job on a new block within {seconds:g} s, got none")

    def stop_listening(self) -> None:
        """Stop receiving lines, so that ``listen`` returns."""
        self._listening.cancel()

    async def is_closed(self) -> bool:
        """Read for up to 1 s, and return whether the pool has closed the connection."""
        with trio.move_on_after(1):
            while True:
                try:
                    if not await self._stream.receive_some(RECEIVE_SIZE):
                        return True
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return True
        return False

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    def _take(self, line: bytes) -> None:
        try:
            message = envelope.decode(line.rstrip(b"\r\n"))
            if isinstance(message, envelope.Reply):
                # a reply with an id that was never sent belongs to no request; keeping such replies could fill the
                # memory
                if isinstance(message.id, int) and 0 < message.id <= self._next_id:
                    reply = {"result": message.result, "error": message.error, "reject-reason": message.reject_reason}
                    self._replies[message.id] = reply
            elif message.method == Notify.method and isinstance(message.params, list):
                self._notified = Notify.from_params(message.params), self._difficulty
                self._job = self._job_of(*self._notified)
            elif message.method == SetDifficulty.method and isinstance(message.params, list):
                self._difficulty = SetDifficulty.from_params(message.params).difficulty
        except (FieldError, ValueError):
            pass  # invalid lines are ignored, because this class does not judge the pool

    def _job_of(self, notify: Notify, difficulty: float) -> Job:
        return job_of(
            notify,
            Origin(PoolKey("the pool"), self._plan.worker_name, 1),
            extranonce1=self._extranonce1,
            extranonce2_size=self._extranonce2_size,
            share_target=target_from_difficulty(difficulty),
            version_mask=self._mask or 0,
            version_rolling=self._mask is not None,
            received_at=time.monotonic(),
        )


async def _search(job: Job, space: SearchSpace, worker_name: str, target: int) -> Submit:
    choice: Choice = await trio.to_thread.run_sync(choose)
    seconds = float(expected_hashes(target)) / choice.hash_rate
    if seconds > MOST_SECONDS * TOO_LONG_FACTOR:
        raise FaultNotPossible(
            f"expected a share difficulty at which a share takes at most {MOST_SECONDS:g} s on average, but at the "
            f"pool's share difficulty it takes {seconds:,.0f} s. Lower the share difficulty of the pool. The hash rate "
            f"measured on {choice.plain.measured_on} is {hash_rate_text(choice.hash_rate)}; {MEASURE_AGAIN_HINT}"
        )
    action = max(1, int(choice.hash_rate * SLICE_SECONDS))
    while (unit := space.next_unit(time.monotonic())) is not None:
        search = Search(choice.kernel, capacity=1)
        search.load(unit.header, target)
        position = 0
        while position < NONCE_SPACE:
            result = await trio.to_thread.run_sync(search.run, position, min(action, NONCE_SPACE - position))
            position += result.done
            if result.hits:
                bits = unit.version & job.version_mask if job.version_rolling else None
                return Submit(worker_name, job.job_id, unit.extranonce2, unit.ntime, result.hits[0].nonce, bits)
    raise FaultNotPossible("expected a job with enough extranonce2 values to find a share, but all were searched")


def _nonce_of(choice: Choice, target: int, header: BlockHeader) -> int | None:
    """Return a nonce with which the hash of the header meets the target; None if there is none. This function runs in a
    worker thread of trio, and ends early if the task that waits for it is cancelled."""
    search = Search(choice.kernel, capacity=1)
    points = search.load(header.to_bytes(), target)
    step, position = max(1, int(choice.hash_rate * SLICE_SECONDS)), 0
    while position < points:
        trio.from_thread.check_cancelled()
        result = search.run(position, min(step, points - position))
        position += result.done
        if result.hits:
            return result.hits[0].nonce
    return None


@asynccontextmanager
async def open_raw_miner(
    plan: RawMinerPlan, fault: WireFault | None = None, rng: Random | None = None
) -> AsyncIterator[RawMiner]:
    """Open a connection, and close it at the end of the ``async with`` block. If ``fault`` is given, the
    requests on this connection are sent with this fault.

    Raises the error of ``RawMinerPlan.dial`` if the pool cannot be reached.
    """
    stream = await plan.dial()
    wire = RawMiner(plan, stream, fault, rng or Random(plan.seed))
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.listen)
        try:
            yield wire
        except Exception as error:
            failure = error
        nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(stream)
    if failure is not None:
        raise failure


@asynccontextmanager
async def open_logged_in_miner(plan: RawMinerPlan, *, listen: bool = True) -> AsyncIterator[RawMiner]:
    """Open a connection and log in. If ``listen`` is false, nothing is received after the login.

    Raises FaultNotPossible if the pool refuses the subscription or the worker. Raises the error of
    ``RawMinerPlan.dial`` if the pool cannot be reached.
    """
    async with open_raw_miner(plan) as wire:
        await wire.log_in()
        if not listen:
            wire.stop_listening()
        yield wire


def is_accepted(answer: "dict[str, Any] | None") -> bool:
    """Return whether the reply has the result true and no error."""
    return answer is not None and answer.get("result") is True and not answer.get("error")


def reply_text(answer: "dict[str, Any] | None") -> str:
    """Return a short text for people that describes a reply."""
    if answer is None:
        return "no reply"
    if "closed" in answer:
        return "connection closed"
    if answer.get("error") or answer.get("reject-reason"):
        return str(error_reply_from(answer.get("error"), answer.get("reject-reason")))
    return "accepted" if answer.get("result") is True else json.dumps(answer.get("result"))[:80]
