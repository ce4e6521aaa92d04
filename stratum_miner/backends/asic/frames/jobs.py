"""Work for chips: what each family wants to be told of a header.

Header bytes are those that get hashed (docs/reference/asic.md#byte-orders-of-work). Every byte order here is one of
two: as in the header, or with the 4-byte groups last to first (``reverse_words``), bytes inside a group untouched.
"""

from collections.abc import Sequence

from stratum_miner.backends.asic.crc import crc16
from stratum_miner.backends.asic.frames.commands import PREAMBLE
from stratum_miner.bitcoin.midstate import midstate

ICARUS_SIZE = 64
MAX_MIDSTATES = 4


def reverse_words(data: bytes) -> bytes:
    """The 4-byte groups of ``data`` last to first."""
    return b"".join(data[index : index + 4] for index in range(len(data) - 4, -1, -4))


def wire_midstate(header: bytes, version: int | None = None) -> bytes:
    """State after the first 64 header bytes, h7 first, each word big-endian; optionally under another version."""
    start = header[:4] if version is None else version.to_bytes(4, "little")
    return reverse_words(midstate(start + header[4:64]))


def tail(header: bytes) -> bytes:
    """nbits, ntime, last four bytes of the merkle root: the header words before the nonce, last first."""
    return reverse_words(header[64:76])


def icarus_job(header: bytes, *, job_id: int = 0, extras: bytes = bytes(19)) -> bytes:
    """64 bytes (docs/reference/asic.md#icarus-frames). ``extras`` are bytes 32 to 50, ``job_id`` is byte 51: both zero
    but for U1 and BM1384."""
    if len(extras) != 19:
        raise ValueError(f"icarus job: expected 19 extra bytes, got {len(extras)}")
    return wire_midstate(header) + extras + bytes([job_id]) + tail(header)


def bm1384_job(header: bytes, *, job_id: int, chips: int) -> bytes:
    """The Icarus frame without a ticket mask, with each chip's share of the range in 40 to 43
    (docs/reference/asic.md#compac-and-2pac)."""
    extras = bytes(8) + (0xFFFFFFFF // chips).to_bytes(4, "big") + bytes(7)
    return icarus_job(header, job_id=job_id, extras=extras)


def midstate_job(header: bytes, *, job_id: int, versions: Sequence[int], preamble: bytes = b"") -> bytes:
    """One midstate for each version (docs/reference/asic.md#midstate-jobs): BM1387, and with the preamble BM1397."""
    body = midstate_body(job_id, tail(header), [wire_midstate(header, version) for version in versions])
    return preamble + body


def midstate_body(job_id: int, last_words: bytes, midstates: Sequence[bytes]) -> bytes:
    """The frame from 0x21 to its CRC16; the length byte counts all of it."""
    if not 1 <= len(midstates) <= MAX_MIDSTATES:
        raise ValueError(f"midstate job: expected 1 to {MAX_MIDSTATES} midstates, got {len(midstates)}")
    start_nonce = bytes(4)
    length = 22 + 32 * len(midstates)
    body = bytes([0x21, length, job_id, len(midstates)]) + start_nonce + last_words + b"".join(midstates)
    return body + crc16(body).to_bytes(2, "big")


def full_job(header: bytes, *, job_id: int, length: int = 0x56, midstates: int = 1) -> bytes:
    """A whole header in 88 bytes, for chips that roll the version themselves
    (docs/reference/asic.md#whole-header-jobs).

    ``length`` and ``midstates`` are what a product's own driver writes there; chips take 88 bytes whatever they say.
    """
    body = (
        bytes([0x21, length, job_id, midstates])
        + bytes(4)  # start nonce
        + header[72:76]
        + header[68:72]
        + reverse_words(header[36:68])
        + reverse_words(header[4:36])
        + header[0:4]
    )
    return PREAMBLE + body + crc16(body).to_bytes(2, "big")
