"""BM1368, the chip of the Bitaxe Supra (docs/reference/asic.md#gamma-supra-and-ultra)."""

from stratum_miner.backends.asic.chips.full_header import FullHeaderChain, FullHeaderChip
from stratum_miner.backends.asic.chips.pll import nearest


class Bm1368Chain(FullHeaderChain):
    """The BM1368. A byte of its replies contains four bits of the job id, shifted left by one. The job ids are the
    multiples of 24 modulo 128, so that consecutive ids differ in several bits."""

    chip = FullHeaderChip(
        chip_id=0x1368,
        cores=80,
        job_ids=tuple(24 * index % 128 for index in range(1, 17)),
        job_of=lambda byte: (byte & 0xF0) >> 1,
        clock_word=lambda frequency: nearest(frequency, 144, 235).word(),
        nonce_chip_bits=False,
    )
