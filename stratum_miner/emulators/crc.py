"""The two checksums of mining devices, written for the emulators alone: a driver's own are checked against these.

Both take bytes most significant bit first, unreflected and without a final XOR.
"""

CRC5_START = 0x1F
CRC5_POLYNOMIAL = 0x05
CRC16_START = 0xFFFF
CRC16_POLYNOMIAL = 0x1021


def crc5(data: bytes, bits: int | None = None) -> int:
    """CRC5 (x^5 + x^2 + 1) of the first ``bits`` bits, by default of all: some frames end inside a byte."""
    value = int.from_bytes(data, "big")
    length = 8 * len(data)
    wanted = length if bits is None else bits
    state = CRC5_START
    for index in range(wanted):
        carry = (state >> 4) ^ (value >> (length - 1 - index) & 1)
        state = (state << 1 & 0x1F) ^ (CRC5_POLYNOMIAL if carry & 1 else 0)
    return state


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE; sent big-endian."""
    state = CRC16_START
    for byte in data:
        state ^= byte << 8
        for _ in range(8):
            state = (state << 1 & 0xFFFF) ^ (CRC16_POLYNOMIAL if state & 0x8000 else 0)
    return state
