"""Commands to chips: registers, addresses, clocks. All numbers in frames are big-endian.

Three dialects (docs/reference/asic.md#commands-to-a-chip): BM1380 and BM1384 take four bytes whose last five bits are
the CRC5 of the 27 before them; BM1387 takes longer frames, closed by a CRC5 byte over all before; from BM1397 on the
same frames follow a preamble.
"""

from dataclasses import dataclass

from stratum_miner.backends.asic.crc import crc5, put_crc5_in_last_byte

PREAMBLE = b"\x55\xaa"


@dataclass(frozen=True, slots=True)
class RegisterDialect:
    """Frames of BM1387 and later: header, length (counted after the preamble, with CRC), payload, CRC5."""

    preamble: bytes = PREAMBLE

    def write(self, register: int, value: int, chip: int | None = None) -> bytes:
        """Write 32 bits to a register of one chip by address, or of all."""
        header = 0x51 if chip is None else 0x41
        return self._with_crc(bytes([header, 9, chip or 0, register]) + value.to_bytes(4, "big"))

    def read(self, register: int, chip: int | None = None) -> bytes:
        """Ask one chip, or all, for a register."""
        return self._with_crc(bytes([0x52 if chip is None else 0x42, 5, chip or 0, register]))

    def chain_inactive(self) -> bytes:
        """Forget all addresses."""
        return self._with_crc(bytes([0x53, 5, 0, 0]))

    def set_address(self, address: int) -> bytes:
        """Give an address to the first chip that has none."""
        return self._with_crc(bytes([0x40, 5, address, 0]))

    def _with_crc(self, body: bytes) -> bytes:
        return self.preamble + body + bytes([crc5(body)])


BM13XX = RegisterDialect()


class Bm1387Dialect(RegisterDialect):
    """The same without preamble; headers differ by where the broadcast bit and the type bits lie
    (docs/reference/asic.md#newpac-and-r606)."""

    def write(self, register: int, value: int, chip: int | None = None) -> bytes:
        """Write 32 bits to a register of one chip by address, or of all."""
        header = 0x58 if chip is None else 0x48
        return self._with_crc(bytes([header, 9, chip or 0, register]) + value.to_bytes(4, "big"))

    def read(self, register: int, chip: int | None = None) -> bytes:
        """Ask one chip, or all, for a register."""
        return self._with_crc(bytes([0x54 if chip is None else 0x44, 5, chip or 0, register]))

    def chain_inactive(self) -> bytes:
        """Forget all addresses."""
        return self._with_crc(bytes([0x55, 5, 0, 0]))

    def set_address(self, address: int) -> bytes:
        """Give an address to the first chip that has none."""
        return self._with_crc(bytes([0x41, 5, address, 0]))


BM1387 = Bm1387Dialect(preamble=b"")


def short_command(code: int, first: int = 0, second: int = 0) -> bytes:
    """A four-byte command of BM1380 and BM1384. The CRC is OR-ed into the last byte, whose upper bits are zero."""
    return put_crc5_in_last_byte(bytes([code, first, second, 0]))


def set_clock(word: int) -> bytes:
    """Set the PLL of all chips (82); docs/reference/asic.md knows no form for a single one."""
    return short_command(0x82, word >> 8, word & 0xFF)


COUNT_CHIPS = short_command(0x84)
READ_CLOCK = short_command(0x84, 0, 4)
CHAIN_INACTIVE = short_command(0x85)


def set_short_address(address: int) -> bytes:
    """Give an address to the first BM1384 that has none (01)."""
    return short_command(0x01, address)


FLASH_LED = bytes(32) + bytes.fromhex("80010112")
"""Antminer U1. The last byte is a CRC over 36 zero bits, a length bug that became the protocol
(docs/reference/asic.md#antminer-u1-and-u2)."""
