"""Checksums of the emulators, by docs/reference/asic.md#checksums."""

import pytest

from stratum_miner.emulators.crc import crc5, crc16


@pytest.mark.parametrize(
    ("data", "bits", "expected"),
    [
        ("52050000", None, 0x0A),
        ("53050000", None, 0x03),
        ("51 09 00 A4 90 00 FF FF", None, 0x1C),
        ("82 07 81 00", 27, 0x06),
        ("13 97 18 00 00 00 00", 51, 0x06),
        ("4C 03 52 75 0C D2 05 A2 80", 67, 0x1C),
    ],
)
def test_crc5(data: str, bits: int | None, expected: int) -> None:
    assert crc5(bytes.fromhex(data), bits) == expected


def test_crc16() -> None:
    assert crc16(b"123456789") == 0x29B1
