"""Computes the two checksums of mining devices, for the emulators. The drivers compute them with code of their
own, so a test of a driver against an emulator shows a mistake in either code.

Both checksums take the most significant bit of each byte first, without reflection and without a final XOR.
"""

CRC5_START = 0x1F
CRC5_POLYNOMIAL = 0x05
CRC16_START = 0xFFFF
CRC16_POLYNOMIAL = 0x1021


def crc5(data: bytes, bits: int | None = None) -> int:
    """Return the CRC5 (x^5 + x^2 + 1) of the first ``bits`` bits of the data; None means all bits.

    ``bits`` is needed for frames whose CRC begins in the middle of a byte."""
    value = int.from_bytes(data, "big")
    length = 8 * len(data)
    wanted = length if bits is None else bits
    state = CRC5_START
    for index in range(wanted):
        carry = (state >> 4) ^ (value >> (length - 1 - index) & 1)
        state = (state << 1 & 0x1F) ^ (CRC5_POLYNOMIAL if carry & 1 else 0)
    return state


def crc16(data: bytes) -> int:
    """Return the CRC-16/CCITT-FALSE of the data. On the line, the high byte of the CRC comes first."""
    state = CRC16_START
    for byte in data:
        state ^= byte << 8
        for _ in range(8):
            state = (state << 1 & 0xFFFF) ^ (CRC16_POLYNOMIAL if state & 0x8000 else 0)
    return state
