"""Checksums against the values of docs/reference/asic.md#checksums and frames captured from devices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.backends.asic.crc import crc5, crc16, ends_with_crc5, put_crc5_in_last_byte


@pytest.mark.parametrize(
    ("data", "bits", "expected"),
    [
        ("52050000", 32, 0x0A),
        ("53050000", 32, 0x03),
        ("510900A49000FFFF", 64, 0x1C),
        ("82078100", 27, 0x06),
        ("13971800000000", 51, 0x06),
        ("4C0352750CD205A280", 67, 0x1C),
    ],
)
def test_crc5(data: str, bits: int, expected: int) -> None:
    assert crc5(bytes.fromhex(data), bits) == expected


def test_crc5_takes_no_more_bits_than_there_are() -> None:
    with pytest.raises(ValueError, match="expected at most 8 bits, got 9"):
        crc5(b"\0", 9)


@pytest.mark.parametrize(
    "body",
    ["137000000000000010", "4C0352750CD205A29C", "18A640029922F991", "139718000000 06", "82078106", "84000011"],
)
def test_captured_frames_are_sealed(body: str) -> None:
    frame = bytes.fromhex(body)
    if body != "18A640029922F991":  # a byte short: no seal
        assert ends_with_crc5(frame)
        assert put_crc5_in_last_byte(frame) == frame
    else:
        assert not ends_with_crc5(frame)


def test_crc16_check_value() -> None:
    assert crc16(b"123456789") == 0x29B1


@given(st.binary(min_size=1, max_size=80), st.integers(min_value=0))
def test_any_flipped_bit_breaks_the_seal(data: bytes, position: int) -> None:
    sealed = put_crc5_in_last_byte(data)
    assert ends_with_crc5(sealed)
    bit = position % (8 * len(sealed))
    flipped = bytearray(sealed)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not ends_with_crc5(bytes(flipped))
