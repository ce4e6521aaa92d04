"""Emulates BM1387 and BM1397. A job for these chips contains up to four midstates, and each chip searches with all of
them at the same time (docs/reference/asic.md#midstate-jobs)."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain as joined
from typing import ClassVar

from stratum_miner.emulators.chain import REFERENCE_HZ, TICKET_MASK, ChainDevice, Chip, ticket_bits
from stratum_miner.emulators.frames import NONCE_REPLY, REGISTER_REPLY, midstate_job_size, reply_with_crc
from stratum_miner.emulators.icarus import NONCES, load_midstate, nonce_range
from stratum_miner.emulators.kind import DeviceKind, UsbTexts
from stratum_miner.emulators.known_work import known_nonces
from stratum_miner.emulators.sweep import EmulatedEngine, NonceRange, SweepHit, nonce_target


class MidstateDevice(ChainDevice):
    """A chip chain whose chips each search a part of the nonces, with all midstates of a job at the same time."""

    real_hash_rate: ClassVar[float]
    """Hash rate of one real chip in H/s at its usual clock frequency."""

    @staticmethod
    def job_size(length: int) -> int | None:
        """Return the size of a job in bytes: 22, and 32 more for each midstate."""
        return midstate_job_size(length)

    def ranges(self, chip: Chip) -> list[tuple[int, int]]:
        """Return the ranges of nonces that a chip searches. Each is a pair: the first nonce, and the last one plus 1.

        The first byte of a nonce decides which chip searches it."""
        first, end = (-(-number * 256 // len(self.chain)) << 24 for number in (chip.number, chip.number + 1))
        return [(first, end)]

    def ticket(self, chip: Chip) -> int:
        """Return how many zero bits the chip's ticket mask requires of a hash, in addition to the zero bits that the
        nonce difficulty requires."""
        return ticket_bits(chip.registers.get(TICKET_MASK, 0))

    def job(self, frame: bytes, now: float) -> None:
        """Start to search a new job.

        The frame contains the job id, the number of midstates, the start nonce, the tail (header bytes 64 to 75) and
        the midstates. If the frame contains more midstates than their number says, the additional ones are not
        searched."""
        self._job_id = frame[2]
        count = min(max(1, frame[3]), (len(frame) - 22) // 32)
        start, tail = int.from_bytes(frame[4:8], "big"), frame[8:20]
        midstates = [frame[20 + 32 * index : 52 + 32 * index] for index in range(count)]
        engines, self.engine_shares, self._indexes = list[EmulatedEngine](), [], []
        for chip in self.working_chips(now):
            target = nonce_target(self.settings.nonce_difficulty) >> self.ticket(chip)
            for index, midstate in enumerate(midstates):
                known = known_nonces(midstate, tail)
                rate = self.rate(chip) / count if known is None else self.real_hash_rate / count
                load = partial(load_midstate, midstate=midstate, tail=tail, target=target)
                parts = self._parts(chip, load, start, known)
                engines.append(EmulatedEngine(self.searcher, parts, rate, now))
                self.engine_shares.append((chip, 1 / count))
                self._indexes.append(index)
        self.search(engines, now)

    def _parts(
        self, chip: Chip, load: Callable[..., None], start: int, known: tuple[int, ...] | None
    ) -> Iterator[NonceRange]:
        """Return the chip's ranges of nonces in the order in which the chip searches them: first the nonces from
        ``start`` upwards, then those below ``start``."""
        ranges = self.ranges(chip)
        after = ((max(first, start), end) for first, end in ranges if end > start)
        before = ((first, min(end, start)) for first, end in ranges if first < start)
        return (nonce_range(load, first, end, known) for first, end in joined(after, before))

    def report(self, engine: int, hit: SweepHit) -> None:
        """Send a nonce with the job id and the index of the midstate."""
        chip, _ = self.engine_shares[engine]
        encode = self.encoder(self._job_id, self._indexes[engine])
        self.send_nonce(hit.nonce.to_bytes(4, "big"), hit.at, chip.number, encode)

    def encoder(self, job_id: int, index: int) -> Callable[[bytes], bytes]:
        """Return a function that makes a reply from a nonce, which was found with midstate number ``index`` of the
        job."""
        raise NotImplementedError


class Bm1387Device(MidstateDevice):
    """BM1387: frames have no preamble, and replies have seven bytes. A NewPac has two of these chips at 100 MHz."""

    chip_id: ClassVar[int] = 0x13879000
    preamble: ClassVar[bytes] = b""
    operations: ClassVar[dict[int, str]] = {1: "address", 8: "write", 4: "read", 5: "inactive"}
    usual_mhz: ClassVar[float] = 100.0
    real_hash_rate: ClassVar[float] = 114 * 100e6
    clock_register: ClassVar[int] = 0x0C
    baud_register: ClassVar[int] = 0x1C

    def mhz(self, chip: Chip) -> float:
        """Return the clock frequency in MHz: 25 fb / (ref p1 p2), or 0 if a divider is 0.

        The PLL register contains the multiplier fb and the dividers ref, p1 and p2. Until the host has set it, the
        frequency is ``power_on_mhz``.
        """
        value = chip.registers.get(self.clock_register)
        if value is None:
            return self.power_on_mhz
        fb, ref, p1, p2 = value >> 16 & 0xFF, value >> 8 & 0xFF, value >> 4 & 15, value & 15
        return 25.0 * fb / (ref * p1 * p2) if ref and p1 and p2 else 0.0

    def written(self, chip: Chip, register: int, value: int, now: float) -> None:
        """Apply a new clock or baud rate."""
        if register == self.clock_register:
            self.set_rates(now)
        elif register == self.baud_register:
            self.uarts[""].baud = round(REFERENCE_HZ / 8 / ((value >> 8 & 0x7F) + 1))

    def answer(self, chip: Chip, register: int, value: int) -> bytes:
        """Return the reply: the value in four bytes, two bytes without a known meaning, and the CRC."""
        if register == self.clock_register:
            value |= 0x80000000  # the bit that says that the PLL is locked
        return reply_with_crc(value.to_bytes(4, "big") + bytes(2), REGISTER_REPLY)

    def encoder(self, job_id: int, index: int) -> Callable[[bytes], bytes]:
        """Return a function that makes a reply from a nonce. The reply contains the nonce, and the sum of the job id
        and the index of the midstate."""
        return lambda nonce: reply_with_crc(nonce + bytes([0, (job_id + index) & 0xFF]), NONCE_REPLY)


class R606Device(Bm1387Device):
    """The chip chain of an R606, which is sold with twelve BM1387. Their usual clock is 550 MHz."""

    usual_mhz: ClassVar[float] = 550.0
    real_hash_rate: ClassVar[float] = 114 * 550e6


class Bm1397Device(MidstateDevice):
    """BM1397: frames have a preamble, and replies have nine bytes. A Compac F has one of these chips at 200 MHz."""

    chip_id: ClassVar[int] = 0x13971800
    usual_mhz: ClassVar[float] = 200.0
    real_hash_rate: ClassVar[float] = 672 * 200e6
    power_on: ClassVar[dict[int, int]] = {
        0x04: 0x80000000,
        0x08: 0xC0600161,
        0x18: 0x00003A01,
        0x20: 0x0000FFFF,
        0x28: 0x0600000F,
        0x2C: 0x000F0000,
        0x3C: 0x00004000,
        0x44: 0x00000100,
        0x48: 0xFF000000,
        0x58: 0x02112111,
        0x5C: 0x0000FFFF,
        0x60: 0x00640111,
        0x64: 0x00680111,
        0x68: 0x00700111,
        0x70: 0x03040607,
        0x74: 0x03040506,
        0x78: 0x03040506,
        0x7C: 0x03040506,
        0x80: 0xD95C8410,
        0x84: 0xFB73EA62,
        0x90: 0x00000070,
        0x94: 0x00376400,
        0x98: 0x30303030,
        0x9C: 0x0000FFFF,
    }

    def ranges(self, chip: Chip) -> list[tuple[int, int]]:
        """Return the ranges of nonces that a chip searches. Each is a pair: the first nonce, and the last one plus 1.

        The low six bits of the second byte of a nonce decide which chip searches it."""
        count = len(self.chain)
        if count == 1:
            return [(0, NONCES)]
        first, end = chip.number * 64 // count, (chip.number + 1) * 64 // count
        return [(high << 22 | first << 16, high << 22 | end << 16) for high in range(1024)]

    def mhz(self, chip: Chip) -> float:
        """Return the clock frequency in MHz: 25 fb / (ref p1 p2), or 0 if the PLL is off or a divider is 0.

        The PLL register contains the multiplier fb and the dividers ref, p1 and p2.
        """
        value = chip.registers[0x08]
        fb, ref, p1, p2 = value >> 16 & 0xFF, value >> 8 & 0xFF, value >> 4 & 15, value & 15
        return 25.0 * fb / (ref * p1 * p2) if ref and p1 and p2 and value & 0x40000000 else 0.0

    def written(self, chip: Chip, register: int, value: int, now: float) -> None:
        """Apply a new clock frequency or baud rate. Bit 31 of the PLL register says that the PLL is locked; the host
        cannot write it."""
        if register == 0x08:
            locked = 0x80000000 if value & 0x40000000 else 0
            chip.registers[0x08] = value & 0x7FFFFFFF | locked
            self.set_rates(now)
        elif register == 0x18 and not value & 0x10000:
            divider = value >> 8 & 0x1F | (value >> 24 & 0x0F) << 5
            self.uarts[self.work_port].baud = round(REFERENCE_HZ / 8 / (divider + 1))

    def answer(self, chip: Chip, register: int, value: int) -> bytes:
        """Return the reply: preamble, value, chip address, register number and CRC."""
        return b"\xaa\x55" + reply_with_crc(value.to_bytes(4, "big") + bytes([chip.address, register]), REGISTER_REPLY)

    def encoder(self, job_id: int, index: int) -> Callable[[bytes], bytes]:
        """Return a function that makes a reply from a nonce. The low two bits of the job id in the reply are the index
        of the midstate."""
        return lambda nonce: b"\xaa\x55" + reply_with_crc(nonce + bytes([0, job_id & 0xFC | index]), NONCE_REPLY)


NEWPAC = DeviceKind(
    "newpac",
    "GekkoScience NewPac, two BM1387",
    Bm1387Device,
    2 * Bm1387Device.real_hash_rate,
    UsbTexts(0x0403, 0x6015, "GekkoScience", "NewPac Bitcoin Miner"),
    chips=2,
    chip_counts=(1, 2),
)
R606 = DeviceKind(
    "r606",
    "GekkoScience R606, twelve BM1387",
    R606Device,
    12 * R606Device.real_hash_rate,
    UsbTexts(0x0403, 0x6015, "GekkoScience", "R606 Bitcoin Miner"),
    chips=12,
    chip_counts=tuple(range(1, 13)),
)
COMPAC_F = DeviceKind(
    "compac-f",
    "GekkoScience Compac F, BM1397",
    Bm1397Device,
    Bm1397Device.real_hash_rate,
    UsbTexts(0x0403, 0x6015, "GekkoScience", "CompacF Bitcoin Miner"),
    chip_counts=tuple(range(1, 7)),
)
