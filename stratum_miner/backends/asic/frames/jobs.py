"""Frames with work for chips: the parts of a block header, in the byte order of each chip family.

A frame contains a part of the header either with its bytes in the order in which they are hashed, or with its 4-byte
groups from last to first (``reverse_words``). Inside a group, the order of the bytes stays the same
(docs/reference/asic.md#byte-orders-of-work).
"""

from collections.abc import Sequence

from stratum_miner.backends.asic.crc import crc16
from stratum_miner.backends.asic.frames.commands import PREAMBLE
from stratum_miner.bitcoin.midstate import midstate

ICARUS_SIZE = 64
MAX_MIDSTATES = 4


def reverse_words(data: bytes) -> bytes:
    """Return the 4-byte groups of ``data`` from last to first."""
    return b"".join(data[index : index + 4] for index in range(len(data) - 4, -1, -4))


def wire_midstate(header: bytes, version: int | None = None) -> bytes:
    """Return the SHA-256 state after the first 64 header bytes: its eight words, the last one first, each big-endian.

    ``version`` is used instead of the version in the header, unless it is None.
    """
    start = header[:4] if version is None else version.to_bytes(4, "little")
    return reverse_words(midstate(start + header[4:64]))


def tail(header: bytes) -> bytes:
    """Return nbits, ntime and the last four bytes of the merkle root: the header words before the nonce, the last one
    first."""
    return reverse_words(header[64:76])


def icarus_job(header: bytes, *, job_id: int = 0, extras: bytes = bytes(19)) -> bytes:
    """Return 64 bytes of work (docs/reference/asic.md#icarus-frames).

    ``extras`` are bytes 32 to 50 and ``job_id`` is byte 51. Both are zero except for the Antminer U1 and U2 and the
    BM1384. Raises ValueError unless ``extras`` has 19 bytes.
    """
    if len(extras) != 19:
        raise ValueError(f"icarus job: expected 19 extra bytes, got {len(extras)}")
    return wire_midstate(header) + extras + bytes([job_id]) + tail(header)


def bm1384_job(header: bytes, *, job_id: int, chips: int) -> bytes:
    """Return an Icarus frame for BM1384. Bytes 40 to 43 contain the number of nonces that each chip searches; ``chips``
    is the number of chips (docs/reference/asic.md#compac-and-2pac)."""
    extras = bytes(8) + (0xFFFFFFFF // chips).to_bytes(4, "big") + bytes(7)
    return icarus_job(header, job_id=job_id, extras=extras)


def midstate_job(header: bytes, *, job_id: int, versions: Sequence[int], preamble: bytes = b"") -> bytes:
    """Return a job with one midstate for each version (docs/reference/asic.md#midstate-jobs): without a preamble for
    BM1387, with one for BM1397."""
    body = midstate_body(job_id, tail(header), [wire_midstate(header, version) for version in versions])
    return preamble + body


def midstate_body(job_id: int, last_words: bytes, midstates: Sequence[bytes]) -> bytes:
    """Return a midstate job without the preamble. The result starts with the byte 0x21 and ends with the CRC16. The
    byte after 0x21 is the length of the whole result, in bytes.

    Raises ValueError unless there are 1 to 4 midstates.
    """
    if not 1 <= len(midstates) <= MAX_MIDSTATES:
        raise ValueError(f"midstate job: expected 1 to {MAX_MIDSTATES} midstates, got {len(midstates)}")
    start_nonce = bytes(4)
    length = 22 + 32 * len(midstates)
    body = bytes([0x21, length, job_id, len(midstates)]) + start_nonce + last_words + b"".join(midstates)
    return body + crc16(body).to_bytes(2, "big")


def full_job(header: bytes, *, job_id: int, length: int = 0x56, midstates: int = 1) -> bytes:
    """Return a job of 88 bytes with a whole header, for chips that roll the version themselves
    (docs/reference/asic.md#whole-header-jobs).

    ``length`` and ``midstates`` are two bytes of the frame. Each product gets the values that its maker's driver sends.
    The chips read 88 bytes, whatever these two bytes contain.
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
