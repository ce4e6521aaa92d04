"""Emulates an Antminer U1 (chip BM1380). It takes the work frames of the Icarus protocol (``icarus``), and also
commands of four bytes. Its replies have a fifth byte, which follows the nonce
(docs/reference/asic.md#antminer-u1-and-u2)."""

from collections.abc import Callable
from math import inf
from typing import ClassVar, Final

from stratum_miner.emulators.crc import crc5
from stratum_miner.emulators.icarus import WORK_SIZE, ErupterDevice
from stratum_miner.emulators.kind import DeviceKind, UsbTexts

COMMAND_SIZE: Final = 4
COMMAND_GAP_S: Final = 0.003
"""Seconds of silence after which the received bytes count as commands, not as the beginning of work. How the real chip
tells commands from work is not documented
(docs/reference/asic.md#antminer-u1-and-u2)."""
COMMANDS: Final = frozenset((0x82, 0x84, 0x85, 0x04, 0x01, 0xAA))
LED_FRAME: Final = bytes(32) + bytes.fromhex("80010112")
WORK_ID_OFFSET: Final = 51
POWER_ON_CLOCK: Final = 0x0781
"""Value of the PLL, the clock generator, after power-on. It sets the clock to 200 MHz."""
POWER_ON_MHZ: Final = 200.0


def checksum_fits(frame: bytes) -> bool:
    """Return whether the low five bits of a command are the CRC of all bits before them.

    In a voltage command (first byte 0xAA), the three bits before the CRC count as zero. The host computes the CRC while
    these bits are zero. It then sets two of them: it adds 0xC0 to the last byte.
    """
    last = frame[-1] & 0x1F if frame[0] == 0xAA else frame[-1]
    return frame[-1] & 0x1F == crc5(frame[:-1] + bytes([last]), 8 * len(frame) - 5)


def clock_mhz(word: int) -> float:
    """Return the clock frequency in MHz that a BM1380's PLL word sets: 25 (m + 1) / ((n + 1) 2^od).

    The word is m 2^7 + n 2^2 + od; higher bits have no effect on the frequency.
    """
    m, n, od = word >> 7 & 0x7F, word >> 2 & 0x1F, word & 3
    return 25.0 * (m + 1) / ((n + 1) * (1 << od))


class AntminerU1Device(ErupterDevice):
    """One chip, which computes eight hashes per clock cycle. The setting ``hash_rate`` is the rate at 200 MHz."""

    real_hash_rate: ClassVar[float] = 8 * POWER_ON_MHZ * 1e6

    def reset(self, now: float) -> None:
        """Set the power-on state: a clock of 200 MHz, an empty receive buffer, and work id 0."""
        super().reset(now)
        self.clock_word = POWER_ON_CLOCK
        self.led_flashes = 0
        self._work_id = 0

    @property
    def mhz(self) -> float:
        """Clock frequency in MHz."""
        return clock_mhz(self.clock_word)

    @property
    def clock_rate(self) -> float:
        """Hash rate in H/s at the current clock frequency."""
        return self.settings.hash_rate * self.mhz / POWER_ON_MHZ

    def parse(self, port: str, data: bytes, now: float) -> None:
        """Handle the received bytes: work frames of 64 bytes, and commands of four bytes.

        Commands come directly before a work frame, or alone. If they come alone, the silence after them shows that no
        work follows."""
        del port
        self.append(data, now)
        excess = len(self._buffer) % WORK_SIZE
        if len(self._buffer) > WORK_SIZE and excess % COMMAND_SIZE == 0:
            self._obey(bytes(self._buffer[:excess]), now)
        self.take_works(now)
        self.deadline = now + COMMAND_GAP_S if len(self._buffer) % COMMAND_SIZE == 0 and self._buffer else inf

    def take_work(self, frame: bytes, now: float) -> None:
        """Start to search new work, and keep its work id for the replies."""
        self._work_id = frame[WORK_ID_OFFSET] & 0x1F
        super().take_work(frame, now)

    def tick(self, now: float) -> None:
        """Handle the received bytes as commands, because the line has been silent long enough."""
        del now
        at, self.deadline = self.deadline, inf
        if bytes(self._buffer) == LED_FRAME:
            self.led_flashes += 1
            self.counts.commands += 1
            self._buffer.clear()
        else:
            self._obey(bytes(self._buffer), at)

    def _obey(self, data: bytes, now: float) -> None:
        """Perform the commands in ``data``. If ``data`` is not a sequence of valid commands, leave it in the buffer."""
        frames = [data[at : at + COMMAND_SIZE] for at in range(0, len(data), COMMAND_SIZE)]
        if all(frame[0] in COMMANDS and checksum_fits(frame) for frame in frames):
            del self._buffer[: len(data)]
            self.counts.commands += len(frames)
            for frame in frames:
                self.command(frame, now)

    def command(self, frame: bytes, now: float) -> None:
        """Perform a command. A command that sets the clock has an effect. All other commands (they set the voltage, or
        read registers that only later chip models have) are accepted, but have no effect and no answer."""
        if frame[0] == 0x82:
            self.clock_word = frame[1] << 8 | frame[2]
            for engine in self.engines:
                engine.set_rate(self.achievable_rate(self.clock_rate) / len(self.engines), now)

    def encoder(self) -> Callable[[bytes], bytes]:
        """Return a function that makes a reply from a nonce: it appends a byte that contains the work id and has its
        top bit set."""
        last = bytes([0x80 | self._work_id])
        return lambda nonce: nonce + last


ANTMINER_U1 = DeviceKind(
    "antminer-u1",
    "Antminer U1",
    AntminerU1Device,
    AntminerU1Device.real_hash_rate,
    UsbTexts(0x10C4, 0xEA60, product="Antminer U1"),
)
