"""BM1384, the chip of the Compac and the 2Pac. It takes commands of four bytes, and the work frame of the Icarus
protocol with an added job id. Each chip searches a part of the nonce range (docs/reference/asic.md#compac-and-2pac)."""

import trio

from stratum_miner.backends.asic import bringup
from stratum_miner.backends.asic.bringup import BringupStep
from stratum_miner.backends.asic.chain import ChipChain, ProbeKind
from stratum_miner.backends.asic.chips.pll import bm1384_word
from stratum_miner.backends.asic.crc import ends_with_crc5
from stratum_miner.backends.asic.errors import WrongChip
from stratum_miner.backends.asic.frames import commands, jobs
from stratum_miner.backends.asic.frames.replies import (
    ChipReply,
    FixedLengthDecoder,
    Judgement,
    NonceReply,
    RegisterReply,
    ReplyDecoder,
)
from stratum_miner.backends.asic.work_history import ChipWork, ReportedNonce

CHIP_ID_FIRST_BYTE = 0x13
"""First byte of the answer to ``COUNT_CHIPS``. Only this byte is checked, as in the driver of GekkoScience, the maker
of the Compac. The whole answer is probably the bytes 13 84 00 00 (hexadecimal); that is inferred."""
CLOCK_ANSWER_FIRST_BYTE = 0x80
OPEN_CORE_ANSWERS_S = 0.2
"""Seconds for which replies are dropped after the step ``OpenCores``, which sends empty work: nonces for empty work
belong to no work unit."""


class Bm1384Chain(ChipChain):
    """The single BM1384 of a Compac, or the two BM1384 of a 2Pac. Each chip searches its part of the nonce range."""

    probe_kind = ProbeKind.CHECKSUM
    job_ids = tuple(range(0x10, 0x20))

    def _make_decoder(self) -> ReplyDecoder:
        return FixedLengthDecoder(5, self._judge, _parse)

    def _judge(self, group: bytes) -> Judgement:
        if not 0x80 <= group[4] <= 0x9F:
            is_register = group[0] in (CHIP_ID_FIRST_BYTE, CLOCK_ANSWER_FIRST_BYTE) and group[4] <= 0x1F
            return Judgement.SURE if is_register and ends_with_crc5(group) else Judgement.NO
        return (
            Judgement.SURE
            if self.history.matches(self.reported_nonce(NonceReply(group[:4], group[4:])))
            else Judgement.MAYBE
        )

    def job_frame(self, work: ChipWork) -> bytes:
        """See ``jobs.bm1384_job``."""
        return jobs.bm1384_job(work.unit.header, job_id=work.job_id, chips=self.chips)

    def reported_nonce(self, reply: NonceReply) -> ReportedNonce:
        """Decode a reply. The last byte is 0x80 | job id. The first byte of the nonce shows which chip found the
        nonce."""
        chip = min(reply.nonce[0] // (256 // self.chips), self.chips - 1)
        return ReportedNonce(reply.nonce, ((reply.tag[0] & 0x1F, 0),), chip=chip)

    async def count(self, seconds: float) -> int:
        """Count the chips: send command 0x84, which each chip answers once with its id. Return the number of answers.
        Raises WrongChip if an id is not that of a BM1384."""
        answers = await self.ask(commands.COUNT_CHIPS, seconds, self.settings.chips)
        for answer in answers:
            if answer.value[0] != CHIP_ID_FIRST_BYTE:
                raise WrongChip(f"{self.path}: chip id: expected 1384, got {answer.value[:2].hex()}")
        return len(answers)

    async def set_frequency(self, frequency: float) -> None:
        """Set the clock (MHz): send command 0x82 with the PLL dividers."""
        await self.wire.send(commands.set_clock(bm1384_word(frequency)))

    async def perform(self, step: BringupStep) -> None:
        """Perform one step of bring-up. ``Deactivate``, ``AssignAddresses`` and ``OpenCores`` need frames of this chip
        family; ``ChipChain`` performs all other steps."""
        match step:
            case bringup.Deactivate(times, pause):
                for _ in range(times):
                    await self.wire.send(commands.CHAIN_INACTIVE)
                    await trio.sleep(pause)
            case bringup.AssignAddresses(pause):
                for chip in range(self.chips):
                    await self.wire.send(commands.set_short_address(256 // self.chips * chip))
                    await trio.sleep(pause)
            case bringup.OpenCores(frames, pause):
                for index in range(frames):
                    await self.wire.send(bytes(51) + bytes([index % 32]) + bytes(12))
                    await trio.sleep(pause)
                await self.wire.collect(OPEN_CORE_ANSWERS_S)
            case _:
                await super().perform(step)

    async def _read_clock(self) -> bool | None:
        answers = await self.ask(commands.READ_CLOCK, 0.5, self.chips)
        clocks = [_clock(answer.value) for answer in answers if answer.value[0] == CLOCK_ANSWER_FIRST_BYTE]
        assert self.frequency is not None
        # 3.2 MHz is half a step of the PLL
        return all(abs(clock - self.frequency) < 3.2 for clock in clocks) if clocks else None


def _clock(value: bytes) -> float:
    """Return the frequency in MHz. ``value`` has the four bytes 0x80, m, n and od, where m, n and od are the dividers
    of the PLL."""
    m, n, od = value[1:4]
    divider = (n + 1) & 15
    return 6.25 * (m + 1) * 2 ** (3 - min(od, 3)) / divider + 6.25 * (n >> 4) if divider else 0.0


def _parse(group: bytes) -> ChipReply:
    return RegisterReply(group[:4]) if group[4] <= 0x1F else NonceReply(group[:4], group[4:])
