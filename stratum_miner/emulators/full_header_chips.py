"""Emulates chips to which the host sends whole block headers, and which roll the version themselves
(docs/reference/asic.md#whole-header-jobs).

Each core of a chip searches its range of nonces with one version. Register 0x10 contains a number of ticks of a 25 MHz
clock. After this time, the core searches the same range again with another version. Replies to register reads have nine
bytes, or eleven once register 0xA4 enables version rolling.
"""

from collections.abc import Iterator
from functools import cache, partial
from typing import ClassVar, Final

from stratum_miner.backends.cpu import kernels
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.emulators.chain import REFERENCE_HZ, TICKET_MASK, ChainDevice, Chip, ticket_bits
from stratum_miner.emulators.frames import NONCE_REPLY, REGISTER_REPLY, full_job_size, reply_with_crc
from stratum_miner.emulators.known_work import known_rolled
from stratum_miner.emulators.sweep import CANDIDATE_TARGET, EmulatedEngine, NonceRange, SweepHit, nonce_target

PLL0, HASH_COUNT, MISC_CONTROL, FAST_UART, CORE_CONTROL, VERSION_ROLLING = 0x08, 0x10, 0x18, 0x28, 0x3C, 0xA4
NONCE_OFFSET: Final = 0x0C
CORE_ENABLE: Final = 2
ENABLED: Final = 0xAA
VERSION_SHIFT: Final = 13
NONCES_PER_TICK_AND_MHZ: Final = 2 / 25
"""Number of nonces that a core tries per tick and per MHz of its clock. A core tries two nonces per clock cycle, and
the ticks in register 0x10 have a frequency of 25 MHz."""
CORE_BITS: Final = 25
"""Number of low bits of a nonce that a core changes. The higher bits are the number of the core."""
POWER_ON_PLL: Final = 0x40A80265
"""Value of the PLL register after power-on, which sets the clock to 50 MHz. The value of a real chip is not documented.
It matters little, because every driver then raises the clock."""


class FullHeaderDevice(ChainDevice):
    """A chip chain whose chips receive whole block headers."""

    cores: ClassVar[int]
    sub_core_bits: ClassVar[int]
    """How many of the rolled version bits tell the sub-cores of a core apart. These are the lowest of the rolled bits.
    Each sub-core tries only versions in which these bits are equal to the number of the sub-core."""
    units: ClassVar[int]
    """Number of hashes that the whole chip computes per clock cycle."""
    addressed_nonces: ClassVar[bool]
    """Whether the address of a chip alone determines the first nonce that each core tries. If false, the host can set
    this first nonce in register 0x0C."""
    power_on_common: ClassVar[dict[int, int]] = {
        PLL0: POWER_ON_PLL,
        MISC_CONTROL: 0x0000C100,
        FAST_UART: 0x01301A00,
        0x48: 0xFF000000,
        VERSION_ROLLING: 0x0000FFFF,
    }

    @staticmethod
    def job_size(length: int) -> int | None:
        """Return the size of a job, which is 86 bytes, whatever the length byte is."""
        return full_job_size(length)

    # ---- registers ----------------------------------------------------------------------------------------------

    def written(self, chip: Chip, register: int, value: int, now: float) -> None:
        """Apply the new value of a register to the clock, the baud rate or the search."""
        if register == PLL0:
            chip.registers[PLL0] = value & 0x7FFFFFFF
            self.set_rates(now)
        elif register == FAST_UART:
            self.uarts[self.work_port].baud = round(REFERENCE_HZ / 8 / ((value >> 8 & 0xFF) + 1))
        elif register == CORE_CONTROL and value & 0x8000:
            chip.core_registers[value >> 8 & 0x1F] = value & 0xFF
        elif (
            register in (HASH_COUNT, MISC_CONTROL, TICKET_MASK, NONCE_OFFSET, VERSION_ROLLING) and self._job is not None
        ):
            self._begin(now)

    def read(self, chip: Chip, register: int, now: float) -> int:
        """Return the value of a register. The lock bit of the PLL and the counter of hashes are set by the device, not
        by the host."""
        value = super().read(chip, register, now)
        if register == PLL0 and self.mhz(chip):
            return value | 0x80000000
        if register == 0x8C:
            return int(self.hashes(now) / max(1, len(self.chain))) >> 32
        return value

    def mhz(self, chip: Chip) -> float:
        """Return the clock frequency in MHz: 25 fb / (ref p1 p2), or 0 if the PLL is off or ref is 0.

        The four numbers are the multiplier (fb) and the dividers of the PLL. The PLL register contains fb, ref, p1 - 1
        and p2 - 1.
        """
        value = chip.registers[PLL0]
        fb, ref, p1, p2 = value >> 16 & 0xFF, value >> 8 & 0xFF, (value >> 4 & 15) + 1, (value & 15) + 1
        return 25.0 * fb / (ref * p1 * p2) if ref and value & 0x40000000 else 0.0

    def answer(self, chip: Chip, register: int, value: int) -> bytes:
        """Return the reply: value, address, register, and two zero bytes if version rolling is enabled."""
        rolling = chip.registers[VERSION_ROLLING] & 0x80000000
        body = value.to_bytes(4, "big") + bytes([chip.address, register]) + (b"\0\0" if rolling else b"")
        return b"\xaa\x55" + reply_with_crc(body, REGISTER_REPLY)

    def may_report(self, chip: Chip) -> bool:
        """Return whether the chip reports nonces (docs/reference/asic.md#when-a-chip-reports-nonces).

        A chip reports nonces only if the host has enabled reports in register 0x18, has set the ticks in register 0x10,
        and has enabled the cores."""
        registers = chip.registers
        enabled = registers[MISC_CONTROL] >> 28 and registers.get(HASH_COUNT)
        return bool(enabled) and chip.core_registers.get(CORE_ENABLE) == ENABLED

    # ---- jobs ---------------------------------------------------------------------------------------------------

    def reset(self, now: float) -> None:
        """Set the power-on state, in which the chips have no job."""
        super().reset(now)
        self._job: bytes | None = None

    def job(self, frame: bytes, now: float) -> None:
        """Start to search a new job at once, from its first version."""
        self._job = frame
        self._begin(now)

    def _begin(self, now: float) -> None:
        assert self._job is not None
        frame = self._job
        merkle_root, previous = reversed_words(frame[16:48]), reversed_words(frame[48:80])
        self._header = frame[80:84] + previous + merkle_root + frame[12:16] + frame[8:12] + bytes(4)
        self._job_id = frame[2]
        engines, self.engine_shares = list[EmulatedEngine](), []
        for chip in self.working_chips(now):
            if self.may_report(chip):
                engines.append(EmulatedEngine(self.searcher, self._nonce_ranges(chip), self.rate(chip), now))
                self.engine_shares.append((chip, 1.0))
        self.search(engines, now)
        self._report_known(now)

    def slice(self, chip: Chip) -> int:
        """Return how many nonces a core tries with one version. Register 0x10 and the clock determine the number."""
        most = 1 << CORE_BITS
        return max(1, min(most, round(chip.registers.get(HASH_COUNT, 0) * self.mhz(chip) * NONCES_PER_TICK_AND_MHZ)))

    def first_of_slice(self, chip: Chip) -> int:
        """Return the first nonce that each core of a chip tries, minus the lowest nonce of this core."""
        if self.addressed_nonces:
            return chip.address >> 1 << 18 if len(self.chain) > 1 else 0
        offset = chip.registers.get(NONCE_OFFSET, 0)
        if offset & 0x80000000:
            return (offset & 0xFFFF) << 9
        return chip.address << 17

    def versions(self, chip: Chip) -> tuple[int, ...]:
        """Return all values of the rolled version bits that a chip tries, as 16-bit numbers in ascending order."""
        value = chip.registers[VERSION_ROLLING]
        mask = value & 0xFFFF if value & 0x80000000 else 0
        return rolled_numbers(mask)

    def _nonce_ranges(self, chip: Chip) -> Iterator[NonceRange]:
        bits = ticket_bits(chip.registers.get(TICKET_MASK, 0))
        target = nonce_target(self.settings.nonce_difficulty) >> bits
        size, offset, header = self.slice(chip), self.first_of_slice(chip), self._header
        while True:  # after the last version, the chip starts again with the first one, without telling the host
            for rolled in self.versions(chip):
                load = partial(_load, header=with_version(header, rolled), target=target)
                for core in range(self.cores):
                    first = core << CORE_BITS | offset
                    yield NonceRange(load, first, min(size, (core + 1 << CORE_BITS) - first), tag=rolled)

    def report(self, engine: int, hit: SweepHit) -> None:
        """Send a nonce reply: the nonce, the byte that ``excess_byte`` returns, the byte that ``result_byte`` returns,
        and the version bits."""
        chip, _ = self.engine_shares[engine]
        self._report(chip, hit.nonce.to_bytes(4, "big"), hit.tag, hit.at)

    def _report(self, chip: Chip, nonce: bytes, rolled: int, at: float) -> None:
        digest = sha256d(with_version(self._header, rolled)[:76] + nonce)
        excess = max(0, 256 - int.from_bytes(digest, "little").bit_length() - 32 - self._ticket(chip))
        tail = bytes([self.excess_byte(excess), self.result_byte(rolled)]) + rolled.to_bytes(2, "big")
        self.send_nonce(nonce, at, chip.number, partial(_seal_nonce, tail=tail))

    def _ticket(self, chip: Chip) -> int:
        return ticket_bits(chip.registers.get(TICKET_MASK, 0))

    def _report_known(self, now: float) -> None:
        """If the nonces of the job were recorded from a real chip, report them at the times at which that chip would.

        All sub-cores (parts of a core) work at the same time. Each sub-core tries its own versions one after the other.
        A recorded nonce belongs to one of these versions. The time of the nonce depends on how many other versions the
        sub-core tries before this version."""
        known = known_rolled(self._header[:76])
        if not self.engine_shares or not known:
            return
        chip, _ = self.engine_shares[0]
        versions = self.versions(chip)
        sweep = chip.registers.get(HASH_COUNT, 0) / REFERENCE_HZ
        for rolled, nonce in known:
            digest = sha256d(with_version(self._header, rolled)[:76] + nonce)
            if rolled in versions and int.from_bytes(digest, "little") <= CANDIDATE_TARGET >> self._ticket(chip):
                turn = versions.index(rolled) >> self.sub_core_bits
                self._report(chip, nonce, rolled, now + (turn + 1) * sweep)

    def excess_byte(self, bits: int) -> int:
        """Return the byte of a nonce reply that says how many zero bits the hash has beyond the required ones.

        ``bits`` is the number of these zero bits; the byte is twice this number. No driver uses the byte."""
        return min(2 * bits, 0xFF)

    def result_byte(self, rolled: int) -> int:
        """Return the byte of a nonce reply that contains the job id and the number of the sub-core (part of a core)
        that found the nonce."""
        raise NotImplementedError


class FiveBitJobDevice(FullHeaderDevice):
    """BM1362 and BM1366: a nonce reply contains the top five bits of the job id. Each core has eight sub-cores, which
    try different versions."""

    sub_core_bits: ClassVar[int] = 3
    addressed_nonces: ClassVar[bool] = True

    def result_byte(self, rolled: int) -> int:
        """Return the top five bits of the job id, followed by three bits with the number of the sub-core (part of a
        core)."""
        return self._job_id & 0xF8 | rolled & 7


class FourBitJobDevice(FullHeaderDevice):
    """BM1368 and BM1370: a nonce reply contains bits 6 to 3 of the job id. Each core has sixteen sub-cores, which try
    different versions."""

    sub_core_bits: ClassVar[int] = 4
    addressed_nonces: ClassVar[bool] = False

    def result_byte(self, rolled: int) -> int:
        """Return bits 6 to 3 of the job id, followed by four bits with the number of the sub-core (part of a core)."""
        return self._job_id << 1 & 0xF0 | rolled & 15


class Bm1362Device(FiveBitJobDevice):
    """BM1362, the chip of a Compac A1. Its usual clock there is 300 MHz."""

    chip_id: ClassVar[int] = 0x13620300
    cores: ClassVar[int] = 65
    units: ClassVar[int] = 514
    usual_mhz: ClassVar[float] = 300.0
    power_on: ClassVar[dict[int, int]] = FullHeaderDevice.power_on_common

    def excess_byte(self, bits: int) -> int:
        """Return the byte of a nonce reply that says how many zero bits the hash has beyond the required ones.

        ``bits`` is the number of these zero bits. This chip sends the number itself, as far as is known from the only
        job whose reply was recorded."""
        return min(bits, 0xFF)


class Bm1366Device(FiveBitJobDevice):
    """BM1366, the chip of a Bitaxe Ultra."""

    chip_id: ClassVar[int] = 0x13660000
    cores: ClassVar[int] = 112
    units: ClassVar[int] = 894
    usual_mhz: ClassVar[float] = 485.0
    power_on: ClassVar[dict[int, int]] = FullHeaderDevice.power_on_common | {0xA8: 0x00070000, 0x60: 0x20500174}


class Bm1368Device(FourBitJobDevice):
    """BM1368, the chip of a Bitaxe Supra."""

    chip_id: ClassVar[int] = 0x13680000
    cores: ClassVar[int] = 80
    units: ClassVar[int] = 1276
    usual_mhz: ClassVar[float] = 490.0
    power_on: ClassVar[dict[int, int]] = FullHeaderDevice.power_on_common | {0xA8: 0x00070000}


class Bm1370Device(FourBitJobDevice):
    """BM1370, the chip of a Bitaxe Gamma."""

    chip_id: ClassVar[int] = 0x13700000
    cores: ClassVar[int] = 128
    units: ClassVar[int] = 2040
    usual_mhz: ClassVar[float] = 525.0
    power_on: ClassVar[dict[int, int]] = FullHeaderDevice.power_on_common | {0xA8: 0x00070000}


def reversed_words(data: bytes) -> bytes:
    """Return 32 bytes with their eight 4-byte words from last to first. The bytes of a word keep their order."""
    return b"".join(data[at : at + 4] for at in range(28, -4, -4))


def with_version(header: bytes, rolled: int) -> bytes:
    """Return the header with the sixteen bits of ``rolled`` OR-ed into bits 13 to 28 of its version."""
    version = int.from_bytes(header[:4], "little") | rolled << VERSION_SHIFT
    return version.to_bytes(4, "little") + header[4:]


@cache
def rolled_numbers(mask: int) -> tuple[int, ...]:
    """Return all numbers whose bits are all in the 16-bit mask, in ascending order."""
    numbers = [0]
    for bit in range(mask.bit_length()):
        if mask >> bit & 1:
            numbers += [number | 1 << bit for number in numbers]
    return tuple(numbers)


def _load(search: kernels.Search, header: bytes, target: int) -> None:
    search.load(header, target, big_endian_nonces=True)


def _seal_nonce(nonce: bytes, tail: bytes) -> bytes:
    return b"\xaa\x55" + reply_with_crc(nonce + tail, NONCE_REPLY)
