"""Follows a Bitcoin node: passes each new template of the node to the pool, waits while the node has a temporary error,
and raises a permanent error.

Two tasks get templates. The first task waits for a new tip (last block) of the block chain, with a long poll if the
node supports it. A long poll that can still bring a new template is not cancelled, because a node keeps a thread busy
for each cancelled long poll. The second task asks for the template at intervals, because a long poll reports some
changes late or never: new transactions, or another nbits on block chains where nbits depends on the time.

The answer to a request may be outdated if a newer template arrived after the request was sent. Such an answer is
dropped, and the node is asked again.
"""

import math
from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

from stratum_miner.exception_groups import unwrapping_nursery
from stratum_miner.pool.nodes.base import Node, NodeDownloadingError, NodeError
from stratum_miner.pool.nodes.retry import NodeRetry
from stratum_miner.pool.template import BlockTemplate

ASK_SECONDS = 4.0
"""Seconds between two requests for the template. Bitcoin Core adds new transactions to its template only if the
template is more than 5 whole seconds old. With requests every 4 s, this is the case at every second request, so a new
transaction waits for at most 8 s."""
CHECK_SECONDS = 30.0
"""Seconds between two checks whether the node is still ready for mining."""
DROPPED_SECONDS = 1.0
"""Seconds to wait after an answer was dropped. Without this pause, a node that answers at once would be asked all the
time."""
LATE_SECONDS = 5.0
"""One task waits for a new tip (last block) of the block chain, and a second task asks for templates at intervals. If
the second task is the first to receive a template on a new tip, the first task stops waiting for this tip after this
number of seconds. The first task then waits for the next tip."""


class NodeFollower:
    """Follows one node for one pool.

    ``on_template`` is called with each template, even if it is the same as the previous template. ``on_failure`` is
    called with the error when the node gives no templates, and again only when the reason changes. ``on_recovery`` is
    called when the node gives templates again.
    """

    def __init__(
        self,
        node: Node,
        *,
        on_template: Callable[[BlockTemplate], Awaitable[None]],
        on_failure: Callable[[NodeError], None],
        on_recovery: Callable[[], None],
    ) -> None:
        self._node = node
        self._on_template = on_template
        self._on_recovery = on_recovery
        self._retry = NodeRetry(on_failure)
        self._last: BlockTemplate | None = None
        self._serial = object()
        """Another object after each template and each call of ``refresh``. If it has changed since a request was sent,
        the answer to that request may be outdated."""
        self._arrived_at = self._checked_at = -math.inf
        self._lacks_blocks = False
        """Whether the last check found that the node lacks more than one block."""
        self._wanted = trio.Event()
        """An event that is set when the node must be asked for its template at once."""
        self._taking = trio.Lock()
        self._tip_wait: trio.CancelScope | None = None
        """Cancel scope of the present or last wait for a new tip (last block of the block chain); None before the first
        wait."""

    async def run(self) -> NoReturn:
        """Follow the node for ever. Raises NodeError if the node has a permanent error."""
        while True:
            try:
                await self._node.check_ready()
                self._checked_at, self._lacks_blocks = trio.current_time(), False
                serial = self._serial
                template = await self._node.get_template()
                if self._retry.succeeded():
                    self._on_recovery()
                await self._take(template, serial)
                await self._follow()
            except NodeError as error:
                await self._retry.pause_after(error)

    @property
    def template_at(self) -> float | None:
        """Time on trio's clock at which the node gave its newest template; None before the first."""
        return None if self._last is None else self._arrived_at

    def refresh(self) -> None:
        """Ask the node for its template now. Answers to earlier requests may be outdated and are dropped."""
        self._serial = object()
        self._wanted.set()

    # ---- the two tasks ----------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        errors: list[NodeError] = []

        async def run(task: Callable[[], Awaitable[NoReturn]]) -> None:
            try:
                await task()
            except NodeError as error:
                errors.append(error)
                nursery.cancel_scope.cancel()

        async with unwrapping_nursery() as nursery:
            nursery.start_soon(run, self._wait_for_tips)
            nursery.start_soon(run, self._ask_at_intervals)
        if errors:
            raise next((error for error in errors if error.permanent), errors[0])

    async def _wait_for_tips(self) -> NoReturn:
        while True:
            last, serial = self._last, self._serial
            assert last is not None, "run takes a template before it follows the node"
            template = None
            with trio.CancelScope() as self._tip_wait:
                template = await self._node.wait_template(last)
            if template is not None and not await self._take(template, serial, last):
                await trio.sleep(DROPPED_SECONDS)

    async def _ask_at_intervals(self) -> NoReturn:
        while True:
            with trio.move_on_at(self._ask_at()):
                await self._wanted.wait()
            self._wanted = trio.Event()
            serial = self._serial
            await self._take(await self._node.get_template(), serial)
            await self._check()

    def _ask_at(self) -> float:
        now = trio.current_time()
        left = None if self._last is None else self._last.seconds_left()
        if left is None or self._arrived_at + left <= now:
            return now + ASK_SECONDS
        return min(now + ASK_SECONDS, self._arrived_at + left)

    async def _check(self) -> None:
        """Check that the node is still ready. Do nothing if the last check was less than ``CHECK_SECONDS`` ago and
        found no missing blocks.

        Raises NodeDownloadingError if two checks in a row find that the node lacks more than one block. If it lacks a
        single block, this block is new and about to arrive. Any other NodeError of the check is raised at once.
        """
        now = trio.current_time()
        if not self._lacks_blocks and now < self._checked_at + CHECK_SECONDS:
            return
        self._checked_at = now
        try:
            await self._node.check_ready()
        except NodeDownloadingError as error:
            lacked_blocks, self._lacks_blocks = self._lacks_blocks, error.proven and error.missing > 1
            if lacked_blocks and self._lacks_blocks:
                raise
        else:
            self._lacks_blocks = False

    # ---- templates --------------------------------------------------------------------------------------------------

    async def _take(self, template: BlockTemplate, serial: object, after: BlockTemplate | None = None) -> bool:
        """Pass a template on to the pool, unless it may be outdated. ``serial`` is the value that ``_serial`` had when
        the template was requested.

        If the template comes from the wait for a new tip, ``after`` is the template that was the newest when the wait
        began. Return False if the template was dropped: it differs from the newest template and may be the older of the
        two.
        """
        async with self._taking:
            last = self._last
            moved = (
                after is not None
                and last is not None
                and last.previous_hash == after.previous_hash != template.previous_hash
            )
            if serial is not self._serial and not moved:
                if last is not None and template.same_block(last):
                    return True
                self._wanted.set()
                return False
            self._serial = object()
            self._last = template
            self._arrived_at = trio.current_time()
            if after is None and last is not None and last.previous_hash != template.previous_hash and self._tip_wait:
                self._tip_wait.deadline = trio.current_time() + LATE_SECONDS
            await self._on_template(template)
            return True
