"""BM1368, the chip of the Bitaxe Supra (docs/reference/asic.md#gamma-supra-and-ultra)."""

from stratum_miner.backends.asic.chips.full_header import FullHeaderChain, FullHeaderChip
from stratum_miner.backends.asic.chips.pll import nearest


class Bm1368Chain(FullHeaderChain):
    """The BM1368. In its replies, the upper four bits of one byte are bits 6 to 3 of the job id. Each job id is the
    previous one plus 24, modulo 128, so that consecutive ids differ in several bits."""

    chip = FullHeaderChip(
        chip_id=0x1368,
        cores=80,
        job_ids=tuple(24 * index % 128 for index in range(1, 17)),
        job_of=lambda byte: (byte & 0xF0) >> 1,
        clock_word=lambda frequency: nearest(frequency, 144, 235).word(),
        nonce_chip_bits=False,
    )
