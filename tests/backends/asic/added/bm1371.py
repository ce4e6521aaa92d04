"""A chip that does not exist, in the file that a new chip takes."""

from stratum_miner.backends.asic.chips.full_header import FullHeaderChain, FullHeaderChip
from stratum_miner.backends.asic.chips.pll import nearest


class Bm1371Chain(FullHeaderChain):
    """A BM1370 under another number."""

    chip = FullHeaderChip(
        chip_id=0x1371,
        cores=128,
        job_ids=tuple(24 * index % 128 for index in range(1, 17)),
        job_of=lambda byte: (byte & 0xF0) >> 1,
        clock_word=lambda frequency: nearest(frequency, 160, 239).word(),
        nonce_chip_bits=False,
    )
