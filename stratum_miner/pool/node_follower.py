"""Keeps a pool at its node's newest word, waits while the node's trouble passes, and ends when it cannot pass.

It must not know miners or jobs. Theory of operation: two ways lead to a template. One waits for another tip (a long
poll, where the node has that) and is never cancelled while it may still bring something, because a node keeps a thread
busy for each request that was given up. The other asks at intervals, for what a long poll tells late or never: other
transactions, other bits on chains where they depend on the time. An answer to a request that was sent before another
template came may be older than that one; it is dropped and the node asked again.
"""

from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

from stratum_miner.pool.nodes.base import Node, NodeDownloadingError, NodeError
from stratum_miner.pool.nodes.patience import Patience
from stratum_miner.pool.template import BlockTemplate

ASK_SECONDS = 4.0
"""Seconds between two looks at the template. Core makes a new one at the first look that is more than five whole
seconds after the last, so a transaction waits for at most two looks: eight seconds."""
CHECK_SECONDS = 30.0
"""Seconds between two checks whether the node still can be mined on."""
DROPPED_SECONDS = 1.0
"""Pause after an answer that was dropped, so that a node that does not wait is not asked in a circle."""
LATE_SECONDS = 5.0
"""How long the wait for another tip may go on after the other way brought one; then it is begun anew."""


class NodeFollower:
    """Follows one node for one pool.

    ``tell`` hears what the node says, which it may have said before; ``failed``, once for each change of the reason,
    that it gives nothing to mine on; ``recovered`` that it does again.
    """

    def __init__(
        self,
        node: Node,
        *,
        tell: Callable[[BlockTemplate], Awaitable[None]],
        failed: Callable[[NodeError], None],
        recovered: Callable[[], None],
    ) -> None:
        self._node = node
        self._tell = tell
        self._recovered = recovered
        self._patience = Patience(failed)
        self._last: BlockTemplate | None = None
        self._taken = 0
        """Changes with each template, and whenever the answers on their way may be outdated."""
        self._arrived_at = 0.0
        self._checked_at = 0.0
        self._missing = False
        """Whether the node lacked blocks at the last check."""
        self._wanted = trio.Event()
        self._taking = trio.Lock()
        self._waiting: trio.CancelScope | None = None

    async def run(self) -> NoReturn:
        """Never returns. NodeError when the node's trouble is permanent."""
        while True:
            try:
                await self._node.check_ready()
                self._checked_at, self._missing = trio.current_time(), False
                serial = self._taken
                template = await self._node.get_template()
                if self._patience.over():
                    self._recovered()
                await self._take(template, serial)
                await self._follow()
            except NodeError as error:
                await self._patience.outwait(error)

    @property
    def template_at(self) -> float | None:
        """When the node gave its newest template, on trio's clock; None before the first."""
        return None if self._last is None else self._arrived_at

    def refresh(self) -> None:
        """Ask the node now: what it said before may be outdated, also in answers that are on their way."""
        self._taken += 1
        self._wanted.set()

    # ---- two ways -------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        errors: list[NodeError] = []

        async def run(way: Callable[[], Awaitable[NoReturn]]) -> None:
            try:
                await way()
            except NodeError as error:
                errors.append(error)
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, self._wait_for_tips)
            nursery.start_soon(run, self._ask_at_intervals)
        if errors:
            raise next((error for error in errors if error.permanent), errors[0])

    async def _wait_for_tips(self) -> NoReturn:
        while True:
            last, serial = self._last, self._taken
            assert last is not None, "following begins with a template"
            template = None
            with trio.CancelScope() as self._waiting:
                template = await self._node.wait_template(last)
            if template is not None and not await self._take(template, serial, last):
                await trio.sleep(DROPPED_SECONDS)

    async def _ask_at_intervals(self) -> NoReturn:
        while True:
            with trio.move_on_at(self._ask_at()):
                await self._wanted.wait()
            self._wanted = trio.Event()
            serial = self._taken
            await self._take(await self._node.get_template(), serial)
            await self._check()

    def _ask_at(self) -> float:
        now = trio.current_time()
        left = None if self._last is None else self._last.seconds_left()
        if left is None or self._arrived_at + left <= now:
            return now + ASK_SECONDS
        return min(now + ASK_SECONDS, self._arrived_at + left)

    async def _check(self) -> None:
        """See that the node still can be mined on. A block it lacks for a moment is a new one that is on its way."""
        now = trio.current_time()
        if not self._missing and now < self._checked_at + CHECK_SECONDS:
            return
        self._checked_at = now
        try:
            await self._node.check_ready()
        except NodeDownloadingError as error:
            again, self._missing = self._missing, error.proven and error.missing > 1
            if again and self._missing:
                raise
        else:
            self._missing = False

    # ---- what they bring --------------------------------------------------------------------------------------------

    async def _take(self, template: BlockTemplate, serial: int, after: BlockTemplate | None = None) -> bool:
        """Take a template that was asked for when ``_taken`` was ``serial``, or waited for ``after`` another.

        False when it says something else than what is known and may be older, so that it was dropped.
        """
        async with self._taking:
            last = self._last
            moved = (
                after is not None
                and last is not None
                and last.previous_hash == after.previous_hash != template.previous_hash
            )
            if serial != self._taken and not moved:
                if last is not None and template.same_block(last):
                    return True
                self._wanted.set()
                return False
            self._taken += 1
            self._last = template
            self._arrived_at = trio.current_time()
            if after is None and last is not None and last.previous_hash != template.previous_hash and self._waiting:
                self._waiting.deadline = trio.current_time() + LATE_SECONDS
            await self._tell(template)
            return True
