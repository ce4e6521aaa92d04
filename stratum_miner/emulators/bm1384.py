"""Emulates the BM1384 chips of a GekkoScience Compac or 2Pac. The chips have addresses. They take the work frames of
the Icarus protocol (``icarus``), and commands of four bytes (docs/reference/asic.md#compac-and-2pac)."""

from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import ClassVar, Final

from stratum_miner.emulators.antminer import AntminerU1Device
from stratum_miner.emulators.crc import crc5
from stratum_miner.emulators.icarus import NONCES, load_midstate, nonce_range
from stratum_miner.emulators.kind import DeviceKind, UsbTexts
from stratum_miner.emulators.known_work import known_nonces
from stratum_miner.emulators.sweep import EmulatedEngine, SweepHit, nonce_target

CORES: Final = 55
ID_REGISTER: Final = 0
CLOCK_REGISTER: Final = 4
HASH_COUNT: Final = slice(40, 44)
TICKET_OFFSET: Final = 39
POWER_ON_CLOCK: Final = 0x0783
"""Value of the PLL, the clock generator, after power-on. It sets the clock to 100 MHz. The real value is not
documented."""
CHIP_ID: Final = bytes.fromhex("13840000")


class Bm1384Command(IntEnum):
    """The first byte of a command, which says what the command does."""

    ADDRESS = 0x01
    READ_ONE = 0x04
    CLOCK = 0x82
    READ_ALL = 0x84
    INACTIVE = 0x85


def clock_mhz(word: int) -> float:
    """Return the clock frequency in MHz that a PLL word sets: 50 (m + 1) / ((n + 1) 2^od).

    The word is m 2^7 + n 2^2 + od; higher bits have no effect on the frequency.
    """
    m, n, od = word >> 7 & 0x7F, word >> 2 & 0x1F, word & 3
    return 50.0 * (m + 1) / ((n + 1) * (1 << od))


def register_reply(body: bytes) -> bytes:
    """Return the reply to a register read: four bytes, and a byte with a CRC5 in its low five bits.

    The CRC5 covers 35 bits: the four bytes and the three zero bits before the CRC."""
    return body + bytes([crc5(body + b"\0", 35)])


@dataclass(slots=True)
class Bm1384Chip:
    """One BM1384 of a chip chain."""

    number: int
    address: int = 0
    addressed: bool = False


class Bm1384Device(AntminerU1Device):
    """A chip chain of BM1384 chips. The setting ``hash_rate`` is the rate of all chips together at a clock of
    ``usual_mhz``."""

    usual_mhz: ClassVar[float] = 150.0
    real_hash_rate: ClassVar[float] = CORES * 150e6

    def reset(self, now: float) -> None:
        """Set the power-on state: a clock of 100 MHz, an empty receive buffer, and chips without addresses."""
        super().reset(now)
        self.clock_word = POWER_ON_CLOCK
        self.chain = [Bm1384Chip(number) for number in range(self.settings.chips)]

    @property
    def mhz(self) -> float:
        """Clock frequency of all chips in MHz."""
        return clock_mhz(self.clock_word)

    @property
    def clock_rate(self) -> float:
        """Hash rate in H/s at the current clock frequency."""
        return self.settings.hash_rate * self.mhz / self.usual_mhz

    def working_chips(self, now: float) -> list[Bm1384Chip]:
        """Return the chips that no "dead-chip" fault affects."""
        dead = self.faults.active("dead-chip", self.age(now))
        gone = None if dead is None else self.faults.affected_chip(dead, len(self.chain))
        return [chip for chip in self.chain if chip.number != gone]

    def command(self, frame: bytes, now: float) -> None:
        """Perform a command: set the clock, set addresses, read registers."""
        match frame[0]:
            case Bm1384Command.CLOCK:
                self.clock_word = frame[1] << 8 | frame[2]
                for engine in self.engines:
                    engine.set_rate(self.achievable_rate(self.clock_rate) / len(self.chain), now)
            case Bm1384Command.INACTIVE:
                for chip in self.chain:
                    chip.address, chip.addressed = 0, False
            case Bm1384Command.ADDRESS:
                for chip in self.working_chips(now):
                    if not chip.addressed:
                        chip.address, chip.addressed = frame[1], True
                        break
            case Bm1384Command.READ_ALL:
                for _ in self.working_chips(now):
                    self._send_register(frame[2], now)
            case Bm1384Command.READ_ONE:
                for chip in self.working_chips(now):
                    if chip.address == frame[1]:
                        self._send_register(frame[2], now)

    def _send_register(self, register: int, now: float) -> None:
        if register == ID_REGISTER:
            wrong = self.faults.active("wrong-chip-id", self.age(now))
            self.send(register_reply(bytes.fromhex("14850000") if wrong else CHIP_ID), now)
        elif register == CLOCK_REGISTER:
            word = self.clock_word
            self.send(register_reply(bytes([0x80, word >> 7 & 0x7F, word >> 2 & 0x1F, word & 3])), now)

    def take_work(self, frame: bytes, now: float) -> None:
        """Start to search new work. Each chip searches its own part of the nonces.

        Bytes 40 to 43 of the frame contain the maximum number of nonces that each chip tries; 0 means no limit."""
        self._reach = int.from_bytes(frame[HASH_COUNT], "big") or NONCES
        self._ticket_bits = frame[TICKET_OFFSET].bit_length()
        super().take_work(frame, now)

    def load_work(self, midstate: bytes, tail: bytes, now: float) -> None:
        """Start the search of every working chip. ``midstate`` and ``tail`` (header bytes 64 to 75) are in the order of
        the bytes on the line."""
        known = known_nonces(midstate, tail)
        share = self.achievable_rate(self.clock_rate) / len(self.chain) if known is None else self.real_hash_rate
        target = nonce_target(self.settings.nonce_difficulty) >> self._ticket_bits
        load = partial(load_midstate, midstate=midstate, tail=tail, target=target)
        size = NONCES // len(self.chain)
        self._searching = self.working_chips(now)
        engines = []
        for chip in self._searching:
            first = chip.number * NONCES // len(self.chain) if chip.addressed else 0
            part = nonce_range(load, first, min(first + min(size, self._reach), NONCES), known)
            engines.append(EmulatedEngine(self.searcher, iter([part]), share, now))
        self.search(engines, now)

    def report(self, engine: int, hit: SweepHit) -> None:
        """Send a nonce. The reply has no chip number, because the value of the nonce shows which chip found it."""
        self.send_nonce(hit.nonce.to_bytes(4, "big"), hit.at, self._searching[engine].number, self.encoder())


class TwoPacDevice(Bm1384Device):
    """The chips of a GekkoScience 2Pac, whose usual clock is 100 MHz."""

    usual_mhz: ClassVar[float] = 100.0
    real_hash_rate: ClassVar[float] = CORES * 100e6


COMPAC = DeviceKind(
    "compac",
    "GekkoScience Compac, BM1384",
    Bm1384Device,
    Bm1384Device.real_hash_rate,
    UsbTexts(0x10C4, 0xEA60, "GekkoScience", "Compac BM1384 Bitcoin Miner"),
)
TWO_PAC = DeviceKind(
    "2pac",
    "GekkoScience 2Pac, two BM1384",
    TwoPacDevice,
    2 * TwoPacDevice.real_hash_rate,
    UsbTexts(0x10C4, 0xEA60, "GekkoScience", "2Pac BM1384 Bitcoin Miner"),
    chips=2,
    chip_counts=(1, 2),
)
