"""A simulated Bitcoin node without a block chain. A test supplies the node's templates and its answers to blocks.

If a test needs a node with a block chain that checks blocks, use ``stratum_miner.pool.MemoryNode``.
"""

from collections.abc import Callable
from dataclasses import replace

import trio

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.pool.nodes.base import Node, NodeError, SubmitResult
from stratum_miner.pool.template import BlockTemplate

EASY_BITS = 0x207FFFFF
"""Compact target (nBits) of regtest, which every second hash meets."""
HARD_BITS = 0x1D00FFFF
"""Compact target (nBits) of difficulty 1, which no hash of a test meets by accident."""


def make_template(
    height: int = 101, *, nbits: int = HARD_BITS, curtime: int = 1_700_000_000, fork: int = 0, version: int = 0x20000000
) -> BlockTemplate:
    """Return the template of a block without transactions.

    ``nbits`` is the compact target, ``curtime`` the block time in seconds since 1970. The previous block hash is made
    up; it differs for each pair of ``height`` and ``fork``.
    """
    return BlockTemplate(
        previous_hash=sha256d(f"{height - 1} {fork}".encode()),
        height=height,
        version=version,
        nbits=nbits,
        curtime=curtime,
    )


class ScriptedNode(Node):
    """A node that returns ``template`` until the test pushes another one. The block time in the returned template
    advances with trio's clock.

    ``judge`` is called with the bytes of each submitted block, and returns the answer of the node. Without ``judge``,
    every block is accepted. With ``grows``, the node offers a template of the next height after each accepted block.
    ``submitted`` is the list of submitted blocks. A test may also assign ``template``: later calls of ``get_template``
    return it, but calls of ``wait_template`` that are waiting do not notice it.
    """

    def __init__(
        self,
        template: BlockTemplate | None = None,
        *,
        judge: Callable[[bytes], SubmitResult] | None = None,
        grows: bool = False,
    ) -> None:
        self.template = template or make_template()
        self.submitted: list[bytes] = []
        self.requests = 0
        """Number of calls of ``get_template``."""
        self.error: str | NodeError | None = None
        self._pushed: tuple[BlockTemplate, float] | None = None
        self._judge = judge
        self._grows = grows
        self._changed = trio.Event()

    def push(self, template: BlockTemplate) -> None:
        """Offer this template from now on, also to calls of ``wait_template`` that are waiting."""
        self.template = template
        self._wake()

    def fail(self, error: str | NodeError = "connection refused") -> None:
        """Let every call raise NodeError from now on, also calls that are waiting. ``error`` is the exception or its
        text."""
        self.error = error
        self._wake()

    def recover(self) -> None:
        """Let calls succeed again after ``fail``."""
        self.error = None

    async def get_template(self) -> BlockTemplate:
        """Return the current template. Raises NodeError after ``fail``, until ``recover`` is called."""
        await trio.lowlevel.checkpoint()
        self.requests += 1
        self._check()
        return self._now()

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """Wait until the current template is for another block than the template ``after``, and return the current one.

        Raises NodeError after ``fail``, until ``recover`` is called.
        """
        self._check()
        while self.template.same_block(after):
            await self._changed.wait()
            self._check()
        await trio.lowlevel.checkpoint()
        return self._now()

    async def submit_block(self, block: bytes) -> SubmitResult:
        """Add a serialized block to ``submitted``, and return the result of ``judge``.

        Raises NodeError after ``fail``, until ``recover`` is called.
        """
        await trio.lowlevel.checkpoint()
        self._check()
        self.submitted.append(block)
        result = SubmitResult(True, "accepted") if self._judge is None else self._judge(block)
        if result.accepted and self._grows:
            self.push(make_template(self.template.height + 1, nbits=self.template.nbits))
        return result

    def _now(self) -> BlockTemplate:
        now = trio.current_time()
        if self._pushed is None or self._pushed[0] is not self.template:
            self._pushed = self.template, now
        return replace(self.template, curtime=self.template.curtime + int(now - self._pushed[1]))

    def _check(self) -> None:
        if self.error is not None:
            raise self.error if isinstance(self.error, NodeError) else NodeError(self.error)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
