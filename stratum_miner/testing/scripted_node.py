"""A node without a chain, for tests: it hands out the templates it is given and judges blocks as it is told."""

from collections.abc import Callable
from dataclasses import replace

import trio

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.pool.nodes.base import Node, NodeError, SubmitResult
from stratum_miner.pool.template import BlockTemplate

EASY_BITS = 0x207FFFFF
"""Regtest: every second hash is a block."""
HARD_BITS = 0x1D00FFFF
"""Difficulty 1: no hash of a test is a block."""


def make_template(
    height: int = 101, *, nbits: int = HARD_BITS, curtime: int = 1_700_000_000, fork: int = 0, version: int = 0x20000000
) -> BlockTemplate:
    """An empty block's template; previous hashes differ by height and ``fork``."""
    return BlockTemplate(
        previous_hash=sha256d(f"{height - 1} {fork}".encode()),
        height=height,
        version=version,
        nbits=nbits,
        curtime=curtime,
    )


class ScriptedNode(Node):
    """Gives ``template`` to everyone until another is pushed; its ``curtime`` goes on with trio's clock.

    ``judge`` decides over submitted blocks; by default all are accepted. With ``grows`` an accepted block makes the
    node offer a template of the next height. A template put into ``template`` is seen by who asks, not by who waits.
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
        """Templates asked for."""
        self.error: str | NodeError | None = None
        self._pushed: tuple[BlockTemplate, float] | None = None
        self._judge = judge
        self._grows = grows
        self._changed = trio.Event()

    def push(self, template: BlockTemplate) -> None:
        """Offer this template from now on; who waits gets it."""
        self.template = template
        self._wake()

    def fail(self, error: str | NodeError = "connection refused") -> None:
        """Answer everything with NodeError from now on, also calls that wait."""
        self.error = error
        self._wake()

    def recover(self) -> None:
        """Work again."""
        self.error = None

    async def get_template(self) -> BlockTemplate:
        """The current template."""
        await trio.lowlevel.checkpoint()
        self.requests += 1
        self._check()
        return self._now()

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """The current template once it is another than ``after``."""
        self._check()
        while self.template.same_block(after):
            await self._changed.wait()
            self._check()
        await trio.lowlevel.checkpoint()
        return self._now()

    async def submit_block(self, block: bytes) -> SubmitResult:
        """Record and judge a block."""
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
