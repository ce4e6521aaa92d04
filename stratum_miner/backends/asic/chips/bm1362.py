"""BM1362, as the Compac A1 uses it (docs/reference/asic.md#compac-a1)."""

from stratum_miner.backends.asic.chips.full_header import FullHeaderChain, FullHeaderChip
from stratum_miner.backends.asic.chips.pll import gekko_word_bm1362

PLL0_DIVIDER = 0x70
DIVIDER_BEFORE_CLOCK = 0x0F0F0F00


class Bm1362Chain(FullHeaderChain):
    """The BM1362. Its replies contain the job id in the upper five bits of a byte."""

    chip = FullHeaderChip(
        chip_id=0x1362,
        cores=65,
        job_ids=tuple(range(0x10, 0x80, 8)),
        job_of=lambda byte: byte & 0xF8,
        clock_word=gekko_word_bm1362,
        nonce_chip_bits=True,
        fixed_hash_count=0x12C9,
        length_byte=0x36,
        start_ticket_bits=4,
        max_ticket_bits=4,
    )

    async def set_frequency(self, frequency: float) -> None:
        """Set the clock to ``frequency`` (MHz): first write register 0x70, which holds a divider, and then write the
        PLL dividers to register 0x08."""
        await self.write(PLL0_DIVIDER, DIVIDER_BEFORE_CLOCK)
        await super().set_frequency(frequency)
