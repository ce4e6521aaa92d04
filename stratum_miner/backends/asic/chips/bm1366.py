"""BM1366, the chip of the Bitaxe Ultra (docs/reference/asic.md#gamma-supra-and-ultra)."""

from stratum_miner.backends.asic.chips.full_header import FullHeaderChain, FullHeaderChip
from stratum_miner.backends.asic.chips.pll import nearest


class Bm1366Chain(FullHeaderChain):
    """The BM1366. Its replies contain the job id in the upper five bits of a byte, so job ids are multiples of 8."""

    chip = FullHeaderChip(
        chip_id=0x1366,
        cores=112,
        job_ids=tuple(range(0x00, 0x80, 8)),
        job_of=lambda byte: byte & 0xF8,
        clock_word=lambda frequency: nearest(frequency, 144, 235).word(),
        nonce_chip_bits=True,
    )
