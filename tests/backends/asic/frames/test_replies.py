"""Decoders: whole input, byte by byte, with garbage, with errors; whatever comes, bounded and without a crash."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.backends.asic.crc import ends_with_crc5, put_crc5_in_last_byte
from stratum_miner.backends.asic.frames.replies import (
    ChipReply,
    FixedLengthDecoder,
    Judgement,
    NonceReply,
    PreambleDecoder,
    RegisterReply,
    ReplyDecoder,
)
from tests.backends.asic.vectors import VECTORS, unhex

ROUNDS = int(os.environ.get("STRATUM_FUZZ_ROUNDS", "300"))
CAPTURED = [unhex(item["frame"]) for item in VECTORS["H"]["results"] if len(item["frame"]) == 22]


def nonce_frame(nonce: bytes, tag: bytes = bytes(4)) -> bytes:
    return b"\xaa\x55" + put_crc5_in_last_byte(nonce + tag + b"\x80")


def test_captured_results() -> None:
    decoder = PreambleDecoder((11,))
    replies = decoder.receive(b"".join(CAPTURED))
    assert replies == [NonceReply(frame[2:6], frame[6:10]) for frame in CAPTURED]
    assert (decoder.crc_errors, decoder.garbage_bytes, decoder.pending) == (0, 0, 0)


@pytest.mark.parametrize("frame", [frame for frames in VECTORS["chip_ids"].values() for frame in frames], ids=str)
def test_chip_ids_of_both_lengths(frame: str) -> None:
    """While register A4 is being written a chip changes from 9 to 11 bytes
    (docs/reference/asic.md#replies-of-a-chip)."""
    data = unhex(frame)
    decoder = PreambleDecoder((9, 11))
    replies = decoder.receive(data) + decoder.idle()
    assert replies == [RegisterReply(data[2:6], data[6:-1])]
    assert decoder.garbage_bytes == decoder.crc_errors == 0


def test_byte_by_byte() -> None:
    decoder = PreambleDecoder((11,))
    replies = [reply for byte in b"".join(CAPTURED) for reply in decoder.receive(bytes([byte]))]
    assert replies == [NonceReply(frame[2:6], frame[6:10]) for frame in CAPTURED]


def test_a_frame_behind_a_broken_one_is_not_lost() -> None:
    broken = bytearray(CAPTURED[0])
    broken[7] ^= 1
    decoder = PreambleDecoder((11,))
    assert decoder.receive(bytes(broken) + CAPTURED[1]) == [NonceReply(CAPTURED[1][2:6], CAPTURED[1][6:10])]
    assert (decoder.crc_errors, decoder.garbage_bytes) == (1, 0)


def test_a_lost_byte_costs_one_frame() -> None:
    """ESP-Miner issue 268: every later read was shifted."""
    decoder = PreambleDecoder((11,))
    whole = [NonceReply(CAPTURED[index][2:6], CAPTURED[index][6:10]) for index in (1, 3)]
    assert decoder.receive(CAPTURED[0][1:] + CAPTURED[1] + CAPTURED[2][:7] + CAPTURED[3]) == whole
    assert decoder.crc_errors == 1
    assert decoder.garbage_bytes > 0


def test_a_reported_issue() -> None:
    decoder = PreambleDecoder((11,))
    assert decoder.receive(unhex("53045e1b2e8faa556c0075") + CAPTURED[0]) == [
        NonceReply(CAPTURED[0][2:6], CAPTURED[0][6:10])
    ]


def test_the_end_of_input_at_every_position() -> None:
    for end in range(len(CAPTURED[0])):
        decoder = PreambleDecoder((11,))
        assert decoder.receive(CAPTURED[0][:end]) + decoder.idle() == []
        assert decoder.garbage_bytes == end
        assert decoder.receive(CAPTURED[1]) == [NonceReply(CAPTURED[1][2:6], CAPTURED[1][6:10])]


@given(st.lists(st.tuples(st.binary(max_size=6), st.binary(min_size=8, max_size=8)), max_size=8), st.randoms())
def test_frames_between_garbage_all_arrive(parts: list[tuple[bytes, bytes]], rng: random.Random) -> None:
    """Garbage without 0xAA cannot be mistaken for the start of a frame: every frame must come out."""
    stream, expected = bytearray(), []
    for garbage, body in parts:
        stream += garbage.replace(b"\xaa", b"")
        stream += nonce_frame(body[:4], body[4:])
        expected.append(NonceReply(body[:4], body[4:]))
    decoder = PreambleDecoder((11,))
    got: list[ChipReply] = []
    while stream:
        count = rng.randint(1, len(stream))
        got += decoder.receive(bytes(stream[:count]))
        del stream[:count]
    assert got + decoder.idle() == expected


WANTED = bytes.fromhex("0faed942")


def judge(group: bytes) -> Judgement:
    return Judgement.SURE if group == WANTED else Judgement.MAYBE


def icarus_decoder() -> FixedLengthDecoder:
    return FixedLengthDecoder(4, judge, NonceReply)


def test_bare_nonces() -> None:
    decoder = icarus_decoder()
    assert decoder.receive(WANTED[:3]) == []
    assert decoder.receive(WANTED[3:] + WANTED) == [NonceReply(WANTED)] * 2


def test_a_wrong_nonce_comes_out_once_the_line_is_silent() -> None:
    decoder = icarus_decoder()
    assert decoder.receive(b"abcd") == []
    assert decoder.idle() == [NonceReply(b"abcd")]
    assert decoder.garbage_bytes == 0


@pytest.mark.parametrize("garbage", [b"x", b"xy", b"xyz"])
def test_garbage_before_a_bare_nonce_is_skipped(garbage: bytes) -> None:
    decoder = icarus_decoder()
    assert decoder.receive(garbage + WANTED) == [NonceReply(WANTED)]
    assert decoder.garbage_bytes == len(garbage)


def test_a_truncated_nonce_does_not_shift_the_next() -> None:
    decoder = icarus_decoder()
    assert decoder.receive(WANTED[:2]) == []
    assert decoder.idle() == []
    assert decoder.receive(WANTED) == [NonceReply(WANTED)]
    assert decoder.garbage_bytes == 2


def test_seven_bytes_with_a_checksum() -> None:
    sealed = put_crc5_in_last_byte(WANTED + b"\x00\x10\x80")
    decoder = bm1387_like()
    broken = bytes([sealed[0] ^ 4]) + sealed[1:]
    assert decoder.receive(b"\x01\x60" + broken + sealed) + decoder.idle() == [NonceReply(WANTED, b"\x00\x10")]
    assert (decoder.crc_errors, decoder.garbage_bytes) == (1, 2)
    decoder = bm1387_like()
    assert decoder.receive(sealed + b"\x01\x60" + sealed) + decoder.idle() == [NonceReply(WANTED, b"\x00\x10")] * 2
    assert (decoder.crc_errors, decoder.garbage_bytes) == (0, 2)


def bm1387_like() -> FixedLengthDecoder:
    return FixedLengthDecoder(
        7,
        lambda group: Judgement.SURE if ends_with_crc5(group) and group.startswith(WANTED) else Judgement.NO,
        lambda group: NonceReply(group[:4], group[4:6]),
        has_crc=True,
    )


@pytest.mark.parametrize("make", [icarus_decoder, bm1387_like, lambda: PreambleDecoder((9, 11)), PreambleDecoder])
def test_fuzz(make: object) -> None:
    """Mutated and random input: no exception, no growth, and every byte is accounted for or forgiven."""
    rng = random.Random(7)
    for _ in range(ROUNDS):
        decoder = make()  # type: ignore[operator]
        assert isinstance(decoder, ReplyDecoder)
        for _ in range(rng.randrange(12)):
            data = bytearray(rng.choice([*CAPTURED, rng.randbytes(rng.randrange(30)), WANTED, b"\xaa", b"\xaa\x55"]))
            if data and rng.random() < 0.5:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            decoder.receive(bytes(data))
            assert decoder.pending <= 14
            if rng.random() < 0.3:
                decoder.idle()
                assert decoder.pending == 0
