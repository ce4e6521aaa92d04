"""The checksums of mining chips, computed bit by bit, because frames are short and rare
(docs/reference/asic.md#checksums).

A CRC5 covers a number of *bits*, which in the frames of several devices is not a multiple of eight.
"""


def crc5(data: bytes, bits: int | None = None) -> int:
    """Return the CRC5 (0 to 31) of the first ``bits`` bits of ``data``. None means all bits.

    Polynomial x⁵+x²+1, initial value 0x1f, most significant bit first. Raises ValueError if ``data`` has fewer bits.
    """
    total = 8 * len(data) if bits is None else bits
    if not 0 <= total <= 8 * len(data):
        raise ValueError(f"crc5: expected at most {8 * len(data)} bits, got {total}")
    crc = 0x1F
    for index in range(total):
        bit = data[index >> 3] >> (7 - (index & 7)) & 1
        feedback = (crc >> 4 & 1) ^ bit
        crc = (crc << 1 & 0x1F) ^ (0x05 if feedback else 0)
    return crc


def ends_with_crc5(frame: bytes) -> bool:
    """Return whether the last five bits of ``frame`` are the CRC5 of all bits before them."""
    return crc5(frame) == 0


def put_crc5_in_last_byte(frame: bytes) -> bytes:
    """Return ``frame`` with its last five bits replaced by the CRC5 of all bits before them.

    The upper three bits of the last byte are kept: they are data, which the CRC5 covers, too.
    """
    top = frame[-1] & 0xE0
    unsealed = frame[:-1] + bytes([top])
    return frame[:-1] + bytes([top | crc5(unsealed, 8 * len(frame) - 5)])


def crc16(data: bytes) -> int:
    """Return the CRC-16/CCITT-FALSE: polynomial 0x1021, initial value 0xffff, no reflection, no final XOR.

    Frames contain it in big-endian order.
    """
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc
