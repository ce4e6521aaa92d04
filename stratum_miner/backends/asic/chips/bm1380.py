"""BM1380, the chip of the Antminer U1 and U2. It takes the work frame of the Icarus protocol with an added job id, and
sends replies of five bytes. Its clock can be set (docs/reference/asic.md#antminer-u1-and-u2)."""

import trio

from stratum_miner.backends.asic.chain import FEED_AT
from stratum_miner.backends.asic.chips.icarus import IcarusChain
from stratum_miner.backends.asic.chips.pll import bm1380_word
from stratum_miner.backends.asic.frames import jobs
from stratum_miner.backends.asic.frames.commands import FLASH_LED, set_clock
from stratum_miner.backends.asic.frames.replies import FixedLengthDecoder, NonceReply, ReplyDecoder
from stratum_miner.backends.asic.work_history import ChipWork, ReportedNonce

FLASHES, FLASH_EVERY_S = 10, 0.25
"""How many times ``FLASH_LED`` is sent to make the lamp flash, and the seconds to wait after each time."""
CLOCK_STABLE_AFTER_S = 0.5
"""Seconds to wait after a change of the clock, until it is stable. bfgminer waits equally long
(docs/reference/asic.md#antminer-u1-and-u2)."""


class Bm1380Chain(IcarusChain):
    """The single BM1380 of an Antminer U1 or U2."""

    reply_size = 5
    job_ids = tuple(range(31))
    feed_at = FEED_AT

    def _make_decoder(self) -> ReplyDecoder:
        return FixedLengthDecoder(5, self._judge, lambda group: NonceReply(group[:4], group[4:]))

    def job_frame(self, work: ChipWork) -> bytes:
        """Return the Icarus frame with the job id in byte 51."""
        return jobs.icarus_job(work.unit.header, job_id=work.job_id)

    def reported_nonce(self, reply: NonceReply) -> ReportedNonce:
        """Decode a reply. The low five bits of the last byte are the job id. The upper three bits do not belong to the
        job id; this is inferred, not documented."""
        candidates = ((reply.tag[0] & 0x1F, 0),) if reply.tag else ()
        return ReportedNonce(reply.nonce, candidates)

    async def set_frequency(self, frequency: float) -> None:
        """Set the clock (MHz): send command 0x82 with the PLL dividers. The chip sends no acknowledgement."""
        await self.wire.send(set_clock(bm1380_word(frequency)))
        await trio.sleep(CLOCK_STABLE_AFTER_S)
        self.wire.discard_input()

    async def identify(self) -> str:
        """Make the lamp flash: send ``FLASH_LED`` ten times, as bfgminer does. Return what the user should look
        for."""
        for _ in range(FLASHES):
            await self.wire.send(FLASH_LED)
            await trio.sleep(FLASH_EVERY_S)
        return "its lamp flashes"

    async def make_idle(self) -> None:
        """Set the lowest frequency that the board allows."""
        assert self.board.frequency is not None
        await self.wire.send(set_clock(bm1380_word(self.board.frequency.low)))
