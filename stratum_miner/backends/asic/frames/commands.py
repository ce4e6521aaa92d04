"""Commands to chips: registers, addresses, clocks. All numbers in frames are big-endian.

There are three dialects (docs/reference/asic.md#commands-to-a-chip):

* BM1380 and BM1384 take frames of four bytes. The last five bits of a frame are the CRC5 of the 27 bits before them.
* BM1387 takes longer frames. They start with a header byte, and end with a byte that is the CRC5 of all other bytes.
* BM1397, BM1362, BM1366, BM1368 and BM1370 take frames like those of BM1387, but with a preamble before the header byte
  and with other bits in the header byte.
"""

from dataclasses import dataclass

from stratum_miner.backends.asic.crc import crc5, put_crc5_in_last_byte

PREAMBLE = b"\x55\xaa"


@dataclass(frozen=True, slots=True)
class RegisterDialect:
    """Makes the frames of the chips with a preamble. A frame has a preamble, a header byte, a length byte (the number
    of bytes after the preamble), a payload, and a CRC5. The subclass ``Bm1387Dialect`` makes the frames of BM1387."""

    preamble: bytes = PREAMBLE

    def write(self, register: int, value: int, chip: int | None = None) -> bytes:
        """Return the frame that writes 32 bits to a register of the chip at address ``chip``, or of all chips if
        ``chip`` is None."""
        header = 0x51 if chip is None else 0x41
        return self._with_crc(bytes([header, 9, chip or 0, register]) + value.to_bytes(4, "big"))

    def read(self, register: int, chip: int | None = None) -> bytes:
        """Return the frame that reads a register of the chip at address ``chip``, or of all chips if ``chip`` is
        None."""
        return self._with_crc(bytes([0x52 if chip is None else 0x42, 5, chip or 0, register]))

    def chain_inactive(self) -> bytes:
        """Return the frame that makes all chips forget their addresses."""
        return self._with_crc(bytes([0x53, 5, 0, 0]))

    def set_address(self, address: int) -> bytes:
        """Return the frame that gives an address to one chip: the first chip in the chain without an address."""
        return self._with_crc(bytes([0x40, 5, address, 0]))

    def _with_crc(self, body: bytes) -> bytes:
        return self.preamble + body + bytes([crc5(body)])


BM13XX = RegisterDialect()


class Bm1387Dialect(RegisterDialect):
    """Makes the frames of BM1387, which have no preamble. In the header byte, the broadcast bit and the type bits have
    other positions than in frames with a preamble (docs/reference/asic.md#newpac-and-r606)."""

    def write(self, register: int, value: int, chip: int | None = None) -> bytes:
        """See ``RegisterDialect.write``."""
        header = 0x58 if chip is None else 0x48
        return self._with_crc(bytes([header, 9, chip or 0, register]) + value.to_bytes(4, "big"))

    def read(self, register: int, chip: int | None = None) -> bytes:
        """See ``RegisterDialect.read``."""
        return self._with_crc(bytes([0x54 if chip is None else 0x44, 5, chip or 0, register]))

    def chain_inactive(self) -> bytes:
        """See ``RegisterDialect.chain_inactive``."""
        return self._with_crc(bytes([0x55, 5, 0, 0]))

    def set_address(self, address: int) -> bytes:
        """See ``RegisterDialect.set_address``."""
        return self._with_crc(bytes([0x41, 5, address, 0]))


BM1387 = Bm1387Dialect(preamble=b"")


def short_command(code: int, first: int = 0, second: int = 0) -> bytes:
    """Return a four-byte command of BM1380 and BM1384. The CRC is in the low five bits of the last byte."""
    return put_crc5_in_last_byte(bytes([code, first, second, 0]))


def set_clock(word: int) -> bytes:
    """Return command 0x82, which writes ``word`` to the PLL of all chips. No command for a single chip is known."""
    return short_command(0x82, word >> 8, word & 0xFF)


COUNT_CHIPS = short_command(0x84)
READ_CLOCK = short_command(0x84, 0, 4)
CHAIN_INACTIVE = short_command(0x85)


def set_short_address(address: int) -> bytes:
    """Return command 0x01, which gives an address to one BM1384: the first chip in the chain without an address."""
    return short_command(0x01, address)


FLASH_LED = bytes(32) + bytes.fromhex("80010112")
"""Frame that makes the lamp of an Antminer U1 flash. The last byte should contain the CRC of the command, but contains
the CRC of 36 zero bits. The maker's driver sends this wrong CRC, so it became part of the protocol
(docs/reference/asic.md#antminer-u1-and-u2)."""
