"""BM1397, the chip of the Compac F. It takes midstate jobs with a preamble, sends nine-byte replies, and has a ticket
mask, a register that says how hard a nonce must be to be reported (docs/reference/asic.md#compac-f)."""

from collections.abc import Sequence

import trio

from stratum_miner.backends.asic.chips.pll import gekko_bm1397
from stratum_miner.backends.asic.chips.registers import LOCKED, PLL0, PreambleChain, midstate_versions
from stratum_miner.backends.asic.frames import jobs
from stratum_miner.backends.asic.frames.commands import PREAMBLE
from stratum_miner.backends.asic.frames.replies import NonceReply
from stratum_miner.backends.asic.work_history import ChipWork, ReportedNonce
from stratum_miner.work.unit import WorkUnit
from stratum_miner.work.versions import ALL_BITS

PLL0_DIVIDER = 0x70
DIVIDER_BEFORE_CLOCK = 0x0F0F0F00
BETWEEN_WRITES_S = 0.01
"""Seconds to wait after each write of a clock register."""


class Bm1397Chain(PreambleChain):
    """The single BM1397 of a Compac F."""

    chip_id = 0x1397
    rolls = (ALL_BITS, 2)  # all version bits may be rolled, at most 2 at a time: a job has up to 4 midstates
    job_ids = tuple(range(0x10, 0x80, 4))
    """Multiples of 4. A reply contains the sum of the job id and the number of the midstate (0 to 3), so the low two
    bits of the sum are the number of the midstate."""
    start_ticket_bits = 4
    max_ticket_bits = 4
    """With four bits, the chip reports only nonces of at least difficulty 16. GekkoScience's driver of the Compac F
    uses this value, too. The 672 cores of the chip still find some such nonces a second."""

    def versions(self, unit: WorkUnit) -> Sequence[int]:
        """Return the header versions to search: one version for a unit without version bits, two for one version bit,
        and four for two."""
        return midstate_versions(unit)

    def job_frame(self, work: ChipWork) -> bytes:
        """See ``jobs.midstate_job``."""
        return jobs.midstate_job(work.unit.header, job_id=work.job_id, versions=work.versions, preamble=PREAMBLE)

    def reported_nonce(self, reply: NonceReply) -> ReportedNonce:
        """Decode a reply, which contains the nonce, an unused byte, and the sum of job id and midstate number."""
        identifier = reply.tag[1]
        return ReportedNonce(reply.nonce, ((identifier & 0xFC, identifier & 3),))

    async def set_frequency(self, frequency: float) -> None:
        """Set the clock to ``frequency`` (MHz): write the divider register and then the PLL register, each twice, as
        other miners do."""
        word = gekko_bm1397(frequency).word_bm1397()
        for register, value in ((PLL0_DIVIDER, DIVIDER_BEFORE_CLOCK), (PLL0, word)):
            for _ in range(2):
                await self.write(register, value)
                await trio.sleep(BETWEEN_WRITES_S)

    async def _read_clock(self) -> bool | None:
        assert self.frequency is not None
        wish = (LOCKED | gekko_bm1397(self.frequency).word_bm1397()).to_bytes(4, "big")
        answers = await self.ask(self.dialect.read(PLL0), 0.5, self.chips)
        confirmed = [answer.value == wish for answer in answers if self.is_answer_to(answer, PLL0)]
        return all(confirmed) if confirmed else None
