"""Chips that get a whole header and roll its version themselves: BM1362, BM1366, BM1368, BM1370
(docs/reference/asic.md#whole-header-jobs).

The families differ only in data (``FullHeaderChip``). A chip searches the nonces with one version, then with the next
version, and so on. Its hash count register says after how many ticks of the reference clock it takes the next version.
A work unit therefore contains 2^(32 + number of version bits) hashes, for which one chip needs minutes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from stratum_miner.backends.asic import bringup
from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.bringup import BringupStep
from stratum_miner.backends.asic.chain import ChainSettings
from stratum_miner.backends.asic.chips.pll import REFERENCE
from stratum_miner.backends.asic.chips.registers import PLL0, PreambleChain
from stratum_miner.backends.asic.frames import jobs
from stratum_miner.backends.asic.frames.replies import NonceReply, PreambleDecoder, ReplyDecoder
from stratum_miner.backends.asic.transport import Transport
from stratum_miner.backends.asic.work_history import ChipWork, ReportedNonce
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.work.unit import WorkUnit

HASH_COUNT = 0x10
VERSION_ROLLING = 0xA4
VERSION_SHIFT = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class FullHeaderChip:
    """The data in which the families BM1362, BM1366, BM1368 and BM1370 differ."""

    chip_id: int
    cores: int
    job_ids: tuple[int, ...]
    job_of: Callable[[int], int]
    """Converts one byte of a reply to the job id that was sent. The byte contains the job id and the sub-core (the part
    of a core) that found the nonce."""
    clock_word: Callable[[float], int]
    """Converts a frequency in MHz to the value of register 0x08."""
    nonce_chip_bits: bool
    """Whether bits 24 to 17 of a nonce show which chip found it. True for a chip family in which each chip counts these
    bits up from its own address. False if it is not known from which value a chip counts
    (docs/reference/asic.md#whole-header-jobs)."""
    hash_count_guard: int = 0
    """Ticks to subtract from the computed hash count, because the chip counts wrongly. The hash count is the number of
    ticks of the 25 MHz reference clock after which a core takes the next version
    (docs/reference/asic.md#hash-count)."""
    fixed_hash_count: int | None = None
    """The fixed hash count of a chip for which the driver of the product's maker always writes the same number. None if
    the hash count is to be computed."""
    length_byte: int = 0x56
    midstates_byte: int = 1
    version_enable: int = 0x9000
    """Upper 16 bits of the value that is written to register 0xA4. They switch on version rolling in the chip."""
    start_ticket_bits: int = 8
    max_ticket_bits: int = 8


class FullHeaderChain(PreambleChain):
    """A chip chain of BM1362, BM1366, BM1368 or BM1370."""

    # the version bits begin at bit 13, as test vector A proves (docs/reference/asic.md#test-vectors)
    rolls = (GENERAL_PURPOSE_MASK, 16)
    chip: ClassVar[FullHeaderChip]

    def __init__(self, transport: Transport, board: Board, settings: ChainSettings) -> None:
        super().__init__(transport, board, settings)
        self._version_mask, _ = self.rolls

    def __init_subclass__(cls) -> None:
        cls.chip_id = cls.chip.chip_id
        cls.job_ids = cls.chip.job_ids
        cls.start_ticket_bits = cls.chip.start_ticket_bits
        cls.max_ticket_bits = cls.chip.max_ticket_bits

    def _make_decoder(self) -> ReplyDecoder:
        return PreambleDecoder((9, 11))  # a reply has 9 bytes until register 0xA4 is written, and 11 from then on

    def job_frame(self, work: ChipWork) -> bytes:
        """See ``jobs.full_job``."""
        chip = self.chip
        return jobs.full_job(
            work.unit.header, job_id=work.job_id, length=chip.length_byte, midstates=chip.midstates_byte
        )

    def reported_nonce(self, reply: NonceReply) -> ReportedNonce:
        """Decode a reply. It contains the nonce, an unused byte, a byte from which ``FullHeaderChip.job_of`` gets the
        job id, and sixteen version bits."""
        if len(reply.tag) < 4:
            return ReportedNonce(reply.nonce)
        rolled = int.from_bytes(reply.tag[2:4], "big") << VERSION_SHIFT
        return ReportedNonce(reply.nonce, ((self.chip.job_of(reply.tag[1]), 0),), rolled, self._chip_of(reply.nonce))

    async def prepare(self, unit: WorkUnit) -> None:
        """Write the ticket mask, which says how hard a nonce must be for a chip to report it. If the version mask of
        the work unit differs from that of the work unit before, write the version mask, too: a pool can grant fewer
        version bits than the chip can roll, and can change them."""
        await super().prepare(unit)
        if unit.version_mask != self._version_mask:
            await self.write(VERSION_ROLLING, self.chip.version_enable << 16 | unit.version_mask >> VERSION_SHIFT)
            self._version_mask = unit.version_mask

    async def set_frequency(self, frequency: float) -> None:
        """Set the clock (MHz): write the PLL dividers to register 0x08."""
        await self.write(PLL0, self.chip.clock_word(frequency))

    def hash_count(self) -> int:
        """Return the hash count: the number of ticks of the 25 MHz reference clock in which a core searches its part of
        the nonces. A core searches two nonces in each cycle of the chip's clock (docs/reference/asic.md#hash-count).
        """
        if self.chip.fixed_hash_count is not None:
            return self.chip.fixed_hash_count
        assert self.frequency is not None
        share = 2**32 // _power_of_two(self.chip.cores) // _power_of_two(self.chips)
        return int(share * REFERENCE / self.frequency * 0.5) - self.chip.hash_count_guard

    async def perform(self, step: BringupStep) -> None:
        """Perform one step of bring-up. This class performs the step ``SetHashCount`` itself. ``RegisterChain``
        performs all other steps."""
        match step:
            case bringup.SetHashCount():
                await self.write(HASH_COUNT, self.hash_count())
            case _:
                await super().perform(step)

    async def ramp_to(self, frequency: float) -> None:
        """Change the clock to ``frequency`` (MHz), and then write the hash count, which depends on the clock."""
        await super().ramp_to(frequency)
        if any(isinstance(step, bringup.SetHashCount) for step in self.board.bring_up):
            await self.write(HASH_COUNT, self.hash_count())

    async def bring_up(self) -> None:
        """Bring the chips up. Afterwards only replies of 11 bytes are accepted."""
        await super().bring_up()
        self._version_mask, _ = self.rolls
        decoder = self.wire.decoder
        assert isinstance(decoder, PreambleDecoder)
        decoder.lengths = (11,)

    def _chip_of(self, nonce: bytes) -> int:
        if self.chips == 1 or not self.chip.nonce_chip_bits:
            return 0
        return min((int.from_bytes(nonce, "big") >> 17 & 0xFF) * self.chips >> 8, self.chips - 1)


def _power_of_two(number: int) -> int:
    """Return the smallest power of two that is at least ``number``."""
    return 1 << (number - 1).bit_length()
