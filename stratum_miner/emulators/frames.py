"""Frames of Bitmain's chips from BM1387 on, found in whatever a host sends: checksums, resynchronisation
(docs/reference/asic.md#commands-to-a-chip).

``preamble | header | length | payload | checksum``; the length counts from the header on. Commands end with a CRC5 in a
byte of its own, jobs with a CRC16. A frame whose checksum is wrong is ignored, as chips do, and the search goes on one
byte further.
"""

from collections.abc import Callable, Iterator
from typing import Final

from stratum_miner.emulators.crc import crc5, crc16

JOB: Final = 1
COMMAND: Final = 2
COMMAND_LENGTHS: Final = (5, 9)
REGISTER_REPLY: Final = 0
NONCE_REPLY: Final = 4
SHORTEST: Final = 2
"""Header and length say how long a frame is."""


class FrameParser:
    """Bytes in, frames without preamble out. ``job_size`` makes a job's size of its length byte; None for a bad one."""

    def __init__(self, preamble: bytes, job_size: Callable[[int], int | None]) -> None:
        self._preamble = preamble
        self._job_size = job_size
        self._buffer = bytearray()
        self._lost = False
        self.bad = 0
        """Times that bytes had to be skipped."""

    @property
    def pending(self) -> bool:
        """Whether a frame has begun."""
        return bool(self._buffer)

    def forget(self) -> None:
        """The line was idle: what has begun will not go on."""
        if self._buffer:
            self.bad += 1
        self._buffer.clear()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Frames that are complete and right."""
        self._buffer += data
        while self._buffer:
            size = self._size()
            if size is None:
                self._skip()
                continue
            if len(self._buffer) < size or size == 0:
                return
            frame = bytes(self._buffer[len(self._preamble) : size])
            if not checksum_fits(frame):
                self._skip()
                continue
            del self._buffer[:size]
            self._lost = False
            yield frame

    def _size(self) -> int | None:
        """Bytes of the frame at the front, 0 when that is not known yet, None when no frame begins there."""
        start = len(self._preamble)
        if not self._preamble.startswith(self._buffer[:start]) and self._buffer[:start] != self._preamble:
            return None
        if len(self._buffer) < start + 1:
            return 0
        kind = self._buffer[start] >> 5
        if kind not in (JOB, COMMAND):
            return None
        if len(self._buffer) < start + SHORTEST:
            return 0
        length = self._buffer[start + 1]
        if kind == COMMAND:
            return start + length if length in COMMAND_LENGTHS else None
        size = self._job_size(length)
        return None if size is None else start + size

    def _skip(self) -> None:
        del self._buffer[0]
        if not self._lost:
            self.bad += 1
        self._lost = True


def checksum_fits(frame: bytes) -> bool:
    """Whether the checksum of a frame without its preamble fits."""
    if frame[0] >> 5 == COMMAND:
        return crc5(frame[:-1]) == frame[-1]
    return crc16(frame[:-2]) == int.from_bytes(frame[-2:], "big")


def midstate_job_size(length: int) -> int | None:
    """How long a job with one to four midstates is; None for another length byte."""
    return length if length in (54, 86, 118, 150) else None


def full_job_size(length: int) -> int | None:
    """How long a job with a whole header is: chips take 86 bytes whatever the length byte says
    (docs/reference/asic.md#whole-header-jobs)."""
    del length
    return 86


def reply_with_crc(body: bytes, kind: int) -> bytes:
    """A reply from its body: the last byte is three bits of kind and a CRC5 over the body and those."""
    last = kind << 5
    return body + bytes([last | crc5(body + bytes([last]), 8 * len(body) + 3)])
