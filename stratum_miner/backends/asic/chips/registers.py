"""Control of BM1387, BM1397, BM1362, BM1366, BM1368 and BM1370 by their registers. A register can be written on one
chip, which its address selects, or on all chips of a chain (docs/reference/asic.md#bm13xx-chips)."""

from typing import ClassVar

import trio

from stratum_miner.backends.asic import bringup
from stratum_miner.backends.asic.bringup import BringupStep
from stratum_miner.backends.asic.chain import ChipChain, ProbeKind
from stratum_miner.backends.asic.errors import WrongChip
from stratum_miner.backends.asic.frames.commands import BM13XX, RegisterDialect
from stratum_miner.backends.asic.frames.replies import PreambleDecoder, RegisterReply, ReplyDecoder
from stratum_miner.work.unit import WorkUnit

CHIP_ADDRESS = 0x00
PLL0 = 0x08
TICKET_MASK = 0x14
LOCKED = 1 << 31
"""Bit of a PLL register that is set while the PLL is locked; read only."""


class RegisterChain(ChipChain):
    """A chip chain that is controlled by reading and writing registers of its chips."""

    probe_kind = ProbeKind.CHECKSUM
    dialect: ClassVar[RegisterDialect] = BM13XX
    chip_id: ClassVar[int]
    """Id of the chip family: the first two bytes of register 0x00."""
    start_ticket_bits: ClassVar[int] = 8
    """How many bits are 1 in the ticket mask that bring-up writes."""

    async def write(self, register: int, value: int, chip: int | None = None) -> None:
        """Write a register of the chip at address ``chip``, or of all chips if ``chip`` is None."""
        await self.wire.send(self.dialect.write(register, value, chip))

    async def count(self, seconds: float) -> int:
        """Count the chips. Ask all chips for the value of register 0x00, which contains the chip id. Each chip answers
        once. Return the number of answers. Raises WrongChip if an answer contains the id of another chip family."""
        answers = await self.ask(self.dialect.read(CHIP_ADDRESS), seconds, self.settings.chips)
        ids = [answer.value[:2] for answer in answers if self.is_answer_to(answer, CHIP_ADDRESS)]
        for found in ids:
            if found != self.chip_id.to_bytes(2, "big"):
                raise WrongChip(f"{self.path}: chip id: expected {self.chip_id:04x}, got {found.hex()}")
        return len(ids)

    def is_answer_to(self, answer: RegisterReply, register: int) -> bool:
        """Return whether ``answer`` contains the value of ``register``. Chips also send values of registers that were
        not requested (docs/reference/asic.md#unrequested-register-values)."""
        return len(answer.tag) >= 2 and answer.tag[1] == register

    def address(self, chip: int) -> int:
        """Return the address of chip number ``chip``, where the first chip has the number 0."""
        return 256 // self.chips * chip

    async def set_ticket(self, bits: int) -> None:
        """Write the ticket mask, which is 2^bits - 1 with the bits of each byte reversed
        (docs/reference/asic.md#ticket-mask)."""
        await self.write(TICKET_MASK, ticket_mask(bits))

    async def recover(self) -> None:
        """Switch the chips back to the first baud rate, by a command that is sent at the fast rate. Chips without a
        reset line may still use the fast rate of an earlier run (docs/reference/asic.md#chips-at-another-baud-rate)."""
        for step in self.board.bring_up:
            if isinstance(step, bringup.SwitchBaud) and step.back is not None:
                await self.wire.switch_baud(step.host_baud)
                await self._slow_baud(step, step.back)
                await self.wire.switch_baud(self.first_baud)

    async def make_idle(self) -> None:
        """Hold the chips in reset if they have a reset line. Otherwise make them idle, and switch them back to the
        first baud rate, because perhaps nothing resets them before the next run."""
        if await self.wire.transport.hold_reset(True):
            return
        await super().make_idle()
        for step in self.board.bring_up:
            if isinstance(step, bringup.SwitchBaud) and step.back is not None and self.wire.baud == step.host_baud:
                await self._slow_baud(step, step.back)

    async def _slow_baud(self, step: bringup.SwitchBaud, back: int) -> None:
        await self.write(step.register, back)
        await self.wire.transport.drain()
        await trio.sleep(step.pause)

    async def perform(self, step: BringupStep) -> None:
        """Perform one step of bring-up. This class itself performs the steps that write registers or addresses.
        ``ChipChain`` performs all other steps."""
        match step:
            case bringup.Write(register, value, times, pause):
                for _ in range(times):
                    await self.write(register, value)
                    await trio.sleep(pause)
            case bringup.WriteTo(address, register, value):
                await self.write(register, value, address)
            case bringup.WriteEach(values, pause):
                for chip in range(self.chips):
                    for register, value in values:
                        await self.write(register, value, self.address(chip))
                    await trio.sleep(pause)
            case bringup.Deactivate(times, pause):
                for _ in range(times):
                    await self.wire.send(self.dialect.chain_inactive())
                    await trio.sleep(pause)
            case bringup.AssignAddresses(pause):
                for chip in range(self.chips):
                    await self.wire.send(self.dialect.set_address(self.address(chip)))
                    await trio.sleep(pause)
            case bringup.SetTicket(pause):
                await self.set_ticket(self.start_ticket_bits)
                self.ticket_bits = self.start_ticket_bits
                await trio.sleep(pause)
            case bringup.SwitchBaud(register, value, baud, _, pause):
                await self.write(register, value)
                await trio.sleep(pause)
                await self.wire.switch_baud(baud)
                await trio.sleep(pause)
            case _:
                await super().perform(step)


class PreambleChain(RegisterChain):
    """Chips whose commands start with 55 AA and whose replies start with AA 55: BM1397, BM1362, BM1366, BM1368 and
    BM1370."""

    probe_kind = ProbeKind.PREAMBLE

    def _make_decoder(self) -> ReplyDecoder:
        return PreambleDecoder((9,))


def ticket_mask(bits: int) -> int:
    """Return the value of register 0x14, the ticket mask. With this mask, chips report only nonces whose hash has at
    least 32 + ``bits`` leading zero bits. If ``bits`` is 8, the value is 0x000000FF; if it is 9, the value is
    0x000080FF."""
    mask = (1 << bits) - 1
    return sum(int(f"{mask >> 8 * index & 0xFF:08b}"[::-1], 2) << 8 * index for index in range(4))


def midstate_versions(unit: WorkUnit) -> tuple[int, ...]:
    """Return all header versions with which a work unit is to be searched. The version mask of the work unit has at
    most two bits. The first version is the one in the work unit. Each further version is this version with one or both
    bits of the mask set."""
    bits = [1 << position for position in range(32) if unit.version_mask >> position & 1]
    versions = [unit.version]
    for bit in bits:
        versions += [version | bit for version in versions]
    return tuple(versions)
