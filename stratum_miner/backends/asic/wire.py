"""A transport with a reply decoder: sends whole frames, receives replies, and notices silence."""

from collections.abc import Callable

import trio

from stratum_miner.backends.asic.frames.replies import ChipReply, ReplyDecoder
from stratum_miner.backends.asic.transport import Transport

GAP_S = 0.1
"""If no byte comes for this many seconds inside a reply, the rest of the reply will not come. USB bridges deliver
within 16 ms (docs/reference/asic.md#gaps-inside-a-reply)."""
MAX_REPLIES = 4096
"""Largest number of replies to accept while waiting for an answer. A faulty device may send replies without end."""


class Wire:
    """Sends and receives on one port. Only one task may read at a time; any number of tasks may send."""

    def __init__(self, transport: Transport, decoder: ReplyDecoder, baud: int) -> None:
        self.transport = transport
        self.decoder = decoder
        self.baud = baud
        """Baud rate that the computer uses now."""
        self._sending = trio.Lock()

    async def send(self, frame: bytes) -> None:
        """Send a whole frame. If another task is sending a frame, wait until that frame is sent."""
        async with self._sending:
            await self.transport.send(frame)

    async def replies(self) -> list[ChipReply]:
        """Wait for input, and return the replies that are then complete; the list can be empty. If a part of a reply
        has already come, wait for at most ``GAP_S`` seconds."""
        if not self.decoder.pending:
            return self.decoder.receive(await self.transport.receive())
        with trio.move_on_after(GAP_S):
            return self.decoder.receive(await self.transport.receive())
        return self.decoder.idle()

    async def collect(
        self, seconds: float, enough: Callable[[list[ChipReply]], bool] = lambda _: False
    ) -> list[ChipReply]:
        """Return the replies that come within ``seconds``. Return earlier if ``enough``, called with the replies so
        far, returns True."""
        collected: list[ChipReply] = []
        with trio.move_on_after(seconds):
            while not enough(collected) and len(collected) < MAX_REPLIES:
                collected += await self.replies()
            return collected
        return collected + self.decoder.idle()

    async def collect_until_quiet(self, quiet: float) -> list[ChipReply]:
        """Collect replies until none has come for ``quiet`` seconds, and return them."""
        collected: list[ChipReply] = []
        while len(collected) < MAX_REPLIES:
            with trio.move_on_after(quiet) as silence:
                collected += await self.replies()
            if silence.cancelled_caught:
                break
        return collected + self.decoder.idle()

    async def switch_baud(self, baud: int) -> None:
        """Wait until everything is sent, switch the rate, and forget what arrived at the old rate."""
        async with self._sending:
            await self.transport.set_baud(baud)
        self.baud = baud
        self.decoder.discard()

    def seconds_of(self, size: int) -> float:
        """Return the seconds that ``size`` bytes take on the line."""
        return 10 * size / self.baud

    def discard_input(self) -> None:
        """Forget everything received so far."""
        self.transport.discard_input()
        self.decoder.discard()
