"""A transport with a decoder on it: frames out one at a time, replies in, silence noticed."""

from collections.abc import Callable

import trio

from stratum_miner.backends.asic.frames.replies import ChipReply, ReplyDecoder
from stratum_miner.backends.asic.transport import Transport

GAP_S = 0.1
"""Silence inside a reply after which the rest is not coming: USB bridges deliver within 16 ms
(docs/reference/asic.md#gaps-inside-a-reply)."""
MAX_REPLIES = 4096
"""Taken while waiting for an answer; a device that floods gets no more attention than that."""


class Wire:
    """Owns the sending and the receiving side of one port; one reader at a time, any number of senders."""

    def __init__(self, transport: Transport, decoder: ReplyDecoder, baud: int) -> None:
        self.transport = transport
        self.decoder = decoder
        self.baud = baud
        """The host's rate now."""
        self._sending = trio.Lock()

    async def send(self, frame: bytes) -> None:
        """Send a frame whole, after those before it."""
        async with self._sending:
            await self.transport.send(frame)

    async def replies(self) -> list[ChipReply]:
        """Wait for input or for a gap in it; the replies it completed, which may be none."""
        if not self.decoder.pending:
            return self.decoder.receive(await self.transport.receive())
        with trio.move_on_after(GAP_S):
            return self.decoder.receive(await self.transport.receive())
        return self.decoder.idle()

    async def collect(
        self, seconds: float, enough: Callable[[list[ChipReply]], bool] = lambda _: False
    ) -> list[ChipReply]:
        """Replies of the next ``seconds``, or until there are enough."""
        collected: list[ChipReply] = []
        with trio.move_on_after(seconds):
            while not enough(collected) and len(collected) < MAX_REPLIES:
                collected += await self.replies()
            return collected
        return collected + self.decoder.idle()

    async def collect_until_quiet(self, quiet: float) -> list[ChipReply]:
        """Replies until none has come for ``quiet`` seconds."""
        collected: list[ChipReply] = []
        while len(collected) < MAX_REPLIES:
            with trio.move_on_after(quiet) as silence:
                collected += await self.replies()
            if silence.cancelled_caught:
                break
        return collected + self.decoder.idle()

    async def switch_baud(self, baud: int) -> None:
        """Let what was sent leave, go on at another rate, forget what came at the old one."""
        async with self._sending:
            await self.transport.set_baud(baud)
        self.baud = baud
        self.decoder.discard()

    def seconds_of(self, size: int) -> float:
        """How long so many bytes take on the line."""
        return 10 * size / self.baud

    def discard_input(self) -> None:
        """Forget everything received so far."""
        self.transport.discard_input()
        self.decoder.discard()
