"""BM1387, the chip of the NewPac and the R606. Its jobs contain several midstates, its replies have seven bytes and no
preamble, and its register commands differ from those of all other chips (docs/reference/asic.md#newpac-and-r606)."""

from collections.abc import Sequence

import trio

from stratum_miner.backends.asic import bringup
from stratum_miner.backends.asic.bringup import BringupStep
from stratum_miner.backends.asic.chips.pll import bm1387_word
from stratum_miner.backends.asic.chips.registers import LOCKED, RegisterChain, midstate_versions
from stratum_miner.backends.asic.crc import ends_with_crc5
from stratum_miner.backends.asic.frames import jobs
from stratum_miner.backends.asic.frames.commands import BM1387
from stratum_miner.backends.asic.frames.replies import (
    ChipReply,
    FixedLengthDecoder,
    Judgement,
    NonceReply,
    RegisterReply,
    ReplyDecoder,
)
from stratum_miner.backends.asic.work_history import ChipWork, ReportedNonce
from stratum_miner.work.unit import WorkUnit
from stratum_miner.work.versions import ALL_BITS

PLL = 0x0C
OPEN_CORE_NONCES = (bytes.fromhex("7203ea83"), bytes.fromhex("e16bf809"))
"""The step ``OpenCores`` sends empty work. Working cores report these two nonces for it."""
OPEN_CORE_ANSWERS_S = 0.2
_REGISTER = 0x1F
"""Largest possible last byte of a register reply. The last byte of a nonce reply is always larger."""
_REGISTER_STARTS = (0x13, 0x80)
"""The possible first bytes of a register reply. A reply with the chip id begins with 0x13. A reply with the value of
the clock register begins with 0x80 while the PLL is locked. No other register is read."""


class Bm1387Chain(RegisterChain):
    """The two BM1387 of a NewPac, or the twelve BM1387 of an R606."""

    dialect = BM1387
    chip_id = 0x1387
    rolls = (ALL_BITS, 2)  # all version bits may be rolled, at most 2 at a time: a job has up to 4 midstates
    # multiples of 4, because a reply contains only the sum of the job id and the number of the midstate (0 to 3): with
    # multiples of 4, the sum shows both. The maker's driver uses consecutive job ids, so it has to try several jobs for
    # each reply (docs/reference/asic.md#newpac-and-r606)
    job_ids = tuple(range(0x10, 0x7D, 4))

    def _make_decoder(self) -> ReplyDecoder:
        return FixedLengthDecoder(7, self._judge, _parse, has_crc=True)

    def _judge(self, group: bytes) -> Judgement:
        if not ends_with_crc5(group):
            return Judgement.NO
        if (group[6] <= _REGISTER and group[0] in _REGISTER_STARTS) or group[:4] in OPEN_CORE_NONCES:
            return Judgement.SURE
        return Judgement.SURE if self.history.matches(self.reported_nonce(_nonce(group))) else Judgement.MAYBE

    def versions(self, unit: WorkUnit) -> Sequence[int]:
        """Return the header versions to search: one version for a unit without version bits, two for one version bit,
        and four for two."""
        return midstate_versions(unit)

    def job_frame(self, work: ChipWork) -> bytes:
        """See ``jobs.midstate_job``."""
        return jobs.midstate_job(work.unit.header, job_id=work.job_id, versions=work.versions)

    def reported_nonce(self, reply: NonceReply) -> ReportedNonce:
        """Decode a reply. The id in the reply is the sum of job id and midstate number."""
        identifier = reply.tag[1]
        candidates = tuple((identifier - index, index) for index in range(jobs.MAX_MIDSTATES))
        # the first byte of a nonce shows which of the N chips found it: in the nonces of chip i, this byte is at least
        # the address of the chip, i·floor(256/N). The byte is divided by floor(256/N). A division by 256/N would
        # attribute the first nonces of a chip to the chip before it (docs/reference/asic.md#newpac-and-r606)
        chip = min(reply.nonce[0] // self.address(1), self.chips - 1) if self.chips > 1 else 0
        return ReportedNonce(reply.nonce, candidates, chip=chip)

    def is_answer_to(self, answer: RegisterReply, register: int) -> bool:
        """Return whether ``answer`` can be the reply to a command that reads this register.

        A reply does not name its register, so the highest bit of the value decides. In the clock register, this bit is
        1 while the PLL is locked. In a chip id, it is always 0.
        """
        return (answer.value[0] & 0x80 == 0) == (register != PLL)

    async def set_frequency(self, frequency: float) -> None:
        """Set the clock (MHz): write the PLL dividers to register 0x0C."""
        await self.write(PLL, bm1387_word(frequency))

    async def perform(self, step: BringupStep) -> None:
        """Perform one step of bring-up. This class performs the step ``OpenCores`` itself. ``RegisterChain`` performs
        all other steps."""
        if not isinstance(step, bringup.OpenCores):
            await super().perform(step)
            return
        for index in range(step.frames):
            await self.wire.send(jobs.midstate_body(index % 128, b"\xff" * 12, [bytes(32)]))
            await trio.sleep(step.pause)
        await self.wire.collect(OPEN_CORE_ANSWERS_S)

    async def _read_clock(self) -> bool | None:
        assert self.frequency is not None
        confirmed: list[bool] = []
        wish = (LOCKED | bm1387_word(self.frequency)).to_bytes(4, "big")
        for chip in range(self.chips):
            answers = await self.ask(self.dialect.read(PLL, self.address(chip)), 0.5, 1)
            confirmed += [answer.value == wish for answer in answers if self.is_answer_to(answer, PLL)]
        return all(confirmed) if confirmed else None


def _nonce(group: bytes) -> NonceReply:
    return NonceReply(group[:4], group[4:6])


def _parse(group: bytes) -> ChipReply:
    return RegisterReply(group[:4], group[4:6]) if group[6] <= _REGISTER else _nonce(group)
