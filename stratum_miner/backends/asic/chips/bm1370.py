"""BM1370, the chip of the Bitaxe Gamma (docs/reference/asic.md#gamma-supra-and-ultra)."""

from stratum_miner.backends.asic.chips.full_header import FullHeaderChain, FullHeaderChip
from stratum_miner.backends.asic.chips.pll import nearest


class Bm1370Chain(FullHeaderChain):
    """The BM1370. It uses the same job ids as the BM1368, but the limits of its feedback divider differ. The hash count
    is the number of ticks of the 25 MHz reference clock after which a core takes the next version. The driver subtracts
    268 ticks from the computed hash count, because the chip counts wrongly."""

    chip = FullHeaderChip(
        chip_id=0x1370,
        cores=128,
        job_ids=tuple(24 * index % 128 for index in range(1, 17)),
        job_of=lambda byte: (byte & 0xF0) >> 1,
        clock_word=lambda frequency: nearest(frequency, 160, 239).word(),
        nonce_chip_bits=False,
        hash_count_guard=268,
    )
