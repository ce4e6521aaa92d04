"""Antminer U1 (BM1380): Icarus with a fifth reply byte and commands of four bytes (asic.md 1.8)."""

from math import inf
from typing import ClassVar, Final

from stratum_miner.testing.emulators.crc import crc5
from stratum_miner.testing.emulators.icarus import ErupterDevice

COMMAND_SIZE: Final = 4
COMMAND_GAP_S: Final = 0.005
"""Silence that tells a command from the start of work; nobody says how the chip does it (asic.md 1.8)."""
COMMANDS: Final = frozenset((0x82, 0x84, 0x85, 0x04, 0x01, 0xAA))
LED_FRAME: Final = bytes(32) + bytes.fromhex("80010112")
WORK_ID_OFFSET: Final = 51
POWER_ON_CLOCK: Final = 0x0781
"""200 MHz."""
POWER_ON_MHZ: Final = 200.0


def checksum_fits(frame: bytes) -> bool:
    """Whether the low five bits of a command are the CRC of all bits before; of a voltage, C0 is added after that."""
    last = frame[-1] & 0x1F if frame[0] == 0xAA else frame[-1]
    return frame[-1] & 0x1F == crc5(frame[:-1] + bytes([last]), 8 * len(frame) - 5)


def clock_mhz(word: int) -> float:
    """Of a BM1380's PLL word: 25 (m + 1) / ((n + 1) 2^od)."""
    m, n, od = word >> 7 & 0x7F, word >> 2 & 0x1F, word & 3
    return 25.0 * (m + 1) / ((n + 1) * (1 << od))


class AntminerU1Device(ErupterDevice):
    """One chip that hashes eight times per clock; ``hash_rate`` is at 200 MHz."""

    real_hash_rate: ClassVar[float] = 8 * POWER_ON_MHZ * 1e6

    def reset(self, now: float) -> None:
        """200 MHz, no work."""
        super().reset(now)
        self.clock_word = POWER_ON_CLOCK
        self.led_flashes = 0
        self._work_id = 0

    @property
    def mhz(self) -> float:
        """The clock."""
        return clock_mhz(self.clock_word)

    @property
    def clock_rate(self) -> float:
        """In proportion to the clock."""
        return self.settings.hash_rate * self.mhz / POWER_ON_MHZ

    def parse(self, port: str, data: bytes, now: float) -> None:
        """As work; what is left may be a command, when nothing follows."""
        super().parse(port, data, now)
        self.deadline = now + COMMAND_GAP_S if len(self._buffer) in (COMMAND_SIZE, len(LED_FRAME)) else inf

    def take_work(self, frame: bytes, now: float) -> None:
        """With a work id that comes back."""
        self._work_id = frame[WORK_ID_OFFSET] & 0x1F
        super().take_work(frame, now)

    def tick(self, now: float) -> None:
        """The line was idle long enough: what came is a command, if its checksum fits."""
        del now
        self.deadline = inf
        frame = bytes(self._buffer)
        if frame == LED_FRAME:
            self.led_flashes += 1
        elif len(frame) != COMMAND_SIZE or frame[0] not in COMMANDS or not checksum_fits(frame):
            return
        self._buffer.clear()
        self.counts.commands += 1
        self.command(frame, self._last_byte + COMMAND_GAP_S)

    def command(self, frame: bytes, now: float) -> None:
        """Set the clock; voltage and register reads of later chips are taken and not answered."""
        if frame[0] == 0x82:
            self.clock_word = frame[1] << 8 | frame[2]
            for lane in self.lanes:
                lane.set_rate(self.clock_rate / len(self.lanes), now)

    def encode(self, nonce: bytes) -> bytes:
        """Nonce, then the work id with the top bit set."""
        return nonce + bytes([0x80 | self._work_id])
