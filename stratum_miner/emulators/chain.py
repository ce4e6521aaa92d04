"""Emulates a chip chain of Bitmain's chips from BM1387 on: addresses, registers, broadcasts
(docs/reference/asic.md#bm13xx-chips).

Each command of the host reaches every chip. A chip performs only broadcasts and the commands with its own address. The
one exception is the command that sets a new address: it is performed by the first chip of the chain that has no address
yet. Every chip has its own registers. Each subclass emulates one chip family: it defines the power-on values, the
effects of the registers, the jobs and the replies.
"""

from abc import abstractmethod
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar, Final

from stratum_miner.emulators.faults import Faults
from stratum_miner.emulators.frames import JOB, FrameParser
from stratum_miner.emulators.model import EmulatedDevice, Settings
from stratum_miner.emulators.sweep import Searcher

CHIP_ADDRESS: Final = 0x00
TICKET_MASK: Final = 0x14
IDLE_GAP_S: Final = 0.05
"""Seconds of silence after which an incomplete frame is forgotten. The real value is not documented; this one is taken
from the module ``icarus``."""
BROADCAST: Final = 0x10
REFERENCE_HZ: Final = 25e6
WRONG_CHIP_ID: Final = 0x1385


@dataclass(slots=True)
class Chip:
    """One chip of a chip chain."""

    number: int
    registers: dict[int, int] = field(default_factory=dict)
    """The 32-bit value of each register, by register number. Until a register is written, its value is the power-on
    value."""
    core_registers: dict[int, int] = field(default_factory=dict)
    address: int = 0
    addressed: bool = False


class ChainDevice(EmulatedDevice):
    """Chips behind one UART, which runs at 115200 baud after a reset."""

    has_checksums: ClassVar[bool] = True
    chip_id: ClassVar[int]
    power_on: ClassVar[dict[int, int]] = {}
    preamble: ClassVar[bytes] = b"\x55\xaa"
    operations: ClassVar[dict[int, str]] = {0: "address", 1: "write", 2: "read", 3: "inactive"}
    """Name of each operation, by the low four bits of the header byte of a command."""
    has_reset_line: ClassVar[bool] = True
    usual_mhz: ClassVar[float]
    power_on_mhz: ClassVar[float] = 50.0
    """Clock frequency in MHz until the host sets the PLL. The real value is not documented."""

    def __init__(self, settings: Settings, faults: Faults, searcher: Searcher, now: float = 0.0) -> None:
        super().__init__(settings, faults, searcher, now)
        self.in_reset = False
        self.chain: list[Chip] = []
        self.engine_shares: list[tuple[Chip, float]] = []
        """For each engine (a part of a chip that searches by itself): its chip, and the fraction of the chip's hash
        rate that the engine provides."""
        self._last_byte = -inf
        self._bad_before = 0

    # ---- what a family implements -------------------------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def job_size(length: int) -> int | None:
        """Return the size in bytes of a job with this length byte; None if no job has this length byte."""

    @abstractmethod
    def job(self, frame: bytes, now: float) -> None:
        """Start to search the job in this frame."""

    @abstractmethod
    def written(self, chip: Chip, register: int, value: int, now: float) -> None:
        """Apply the new value of a register to the chip."""

    @abstractmethod
    def answer(self, chip: Chip, register: int, value: int) -> bytes:
        """Return the reply with the value of a register."""

    @abstractmethod
    def mhz(self, chip: Chip) -> float:
        """Return the clock frequency of a chip in MHz."""

    # ---- commands -----------------------------------------------------------------------------------------------

    def reset(self, now: float) -> None:
        """Set the power-on state: no addresses, no job, 115200 baud."""
        self.stop_searching(now)
        self.engine_shares = []
        self._bad_before = self.counts.bad_frames
        self.chain = [Chip(number, dict(self.power_on)) for number in range(self.settings.chips)]
        self.parser = FrameParser(self.preamble, self.job_size)
        self.uarts[self.work_port].baud = 115200
        self.deadline = inf

    def port_closed(self, port: str, now: float) -> None:
        """Reset the chips if the real device has a reset line.

        A driver uses the reset line of a real device to reset the chips before it sends anything. It cannot do so here,
        because the port is a pseudo-terminal, which has no reset line. Instead, the emulator resets the chips when a
        driver closes the port, so that the next driver finds them reset.
        """
        if port == self.work_port and self.has_reset_line:
            self.reset(now)

    def parse(self, port: str, data: bytes, now: float) -> None:
        """Handle frames for the chips. While the chips are held in reset, drop the received bytes."""
        uart = self.uarts[port]
        if now - uart.duration(len(data)) - self._last_byte > IDLE_GAP_S:
            self.parser.forget()
        self._last_byte = now
        if self.in_reset:
            return
        for frame in self.parser.feed(data):
            if frame[0] >> 5 == JOB:
                self.counts.works += 1
                self.job(frame, now)
            else:
                self.counts.commands += 1
                self._command(frame, now)
        self.counts.bad_frames = self._bad_before + self.parser.bad

    def working_chips(self, now: float) -> list[Chip]:
        """Return the chips without a "dead-chip" fault, in the order of the chip chain from the host."""
        dead = self.faults.active("dead-chip", self.age(now))
        gone = None if dead is None else self.faults.affected_chip(dead, len(self.chain))
        return [chip for chip in self.chain if chip.number != gone]

    def _command(self, frame: bytes, now: float) -> None:
        broadcast, kind = bool(frame[0] & BROADCAST), frame[0] & 0x0F
        chips = [chip for chip in self.working_chips(now) if broadcast or chip.address == frame[2]]
        match self.operations.get(kind), len(frame):
            case ("address", 5):
                self._set_address(frame[2], now)
            case ("write", 9):
                value = int.from_bytes(frame[4:8], "big")
                for chip in chips:
                    self.write(chip, frame[3], value, now)
            case ("read", 5):
                for chip in chips:
                    self.send(self.answer(chip, frame[3], self.read(chip, frame[3], now)), now, port=self.work_port)
            case ("inactive", 5):
                for chip in self.chain:
                    chip.address, chip.addressed = 0, False
            case _:
                self.counts.commands -= 1
                self.parser.bad += 1

    def _set_address(self, address: int, now: float) -> None:
        for chip in self.working_chips(now):
            if not chip.addressed:
                chip.address, chip.addressed = address, True
                return

    def write(self, chip: Chip, register: int, value: int, now: float) -> None:
        """Set a register of a chip, and apply the new value. Register 0 cannot be written."""
        if register == CHIP_ADDRESS:
            return
        chip.registers[register] = value
        self.written(chip, register, value, now)

    def read(self, chip: Chip, register: int, now: float) -> int:
        """Return the value of a register. Register 0 contains the chip's id and its address."""
        if register != CHIP_ADDRESS:
            return chip.registers.get(register, 0)
        value = self.chip_id | chip.address
        if self.faults.active("wrong-chip-id", self.age(now)):
            value = value & 0xFFFF | WRONG_CHIP_ID << 16
        return value

    # ---- clocks -------------------------------------------------------------------------------------------------

    def rate(self, chip: Chip) -> float:
        """Return the hash rate of one chip in H/s."""
        return self.achievable_rate(self.settings.hash_rate * self.mhz(chip) / self.usual_mhz) / len(self.chain)

    def set_rates(self, now: float) -> None:
        """Set the rates of the engines, because the clock has changed."""
        # not strict: a brown-out removes the engines, but not their entries in engine_shares
        for engine, (chip, share) in zip(self.engines, self.engine_shares, strict=False):
            engine.set_rate(self.rate(chip) * share, now)


def ticket_bits(value: int) -> int:
    """Return how many zero bits, in addition to the usual 32, a hash must have for the chip to report its nonce.

    ``value`` is the ticket mask (register 0x14). It has one set bit for each of these additional zero bits. The bits
    are set in this order: the least significant byte comes first, and within each byte, the highest bit comes first
    (docs/reference/asic.md#ticket-mask)."""
    bits = "".join(f"{value >> 8 * index & 0xFF:08b}" for index in range(4))
    return len(bits) - len(bits.lstrip("1"))
