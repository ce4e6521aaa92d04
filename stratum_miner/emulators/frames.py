"""Finds frames in the bytes that a host sends to Bitmain's chips from BM1387 on
(docs/reference/asic.md#commands-to-a-chip).

A frame is ``preamble | header | length | payload | checksum``. The length is the number of bytes from the header to the
end of the checksum. The checksum of a command is a CRC5 in a byte of its own, that of a job a CRC16. As in a real chip,
a frame with a wrong checksum is ignored, and the search for a frame continues at the next byte.
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
"""Number of bytes after the preamble that must have arrived before the size of a frame is known: header and length."""


class FrameParser:
    """Finds frames in the bytes received, and returns them without their preamble.

    ``job_size`` is a function that takes a length byte and returns the size, in bytes, of a job that has this length
    byte; None if no job has it.
    """

    def __init__(self, preamble: bytes, job_size: Callable[[int], int | None]) -> None:
        self._preamble = preamble
        self._job_size = job_size
        self._buffer = bytearray()
        self._lost = False
        self.bad = 0
        """Number of times that bytes were dropped. All invalid bytes between two valid frames count as one time. Each
        incomplete frame counts as one time, too."""

    @property
    def pending(self) -> bool:
        """Whether an incomplete frame is in the buffer."""
        return bool(self._buffer)

    def forget(self) -> None:
        """Drop an incomplete frame from the buffer, because the line was silent."""
        if self._buffer:
            self.bad += 1
        self._buffer.clear()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add the data to the buffer, and yield the frames that are now complete and have the right checksum."""
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
        """Return the size of the frame at the start of the buffer, in bytes.

        Return 0 if the size is not known yet, and None if no frame begins there."""
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
    """Return whether the checksum of a frame is right. ``frame`` is the frame without its preamble."""
    if frame[0] >> 5 == COMMAND:
        return crc5(frame[:-1]) == frame[-1]
    return crc16(frame[:-2]) == int.from_bytes(frame[-2:], "big")


def midstate_job_size(length: int) -> int | None:
    """Return the size in bytes of a job that contains one to four midstates. This size is the length byte itself.

    Return None for a length byte that no such job has.
    """
    return length if length in (54, 86, 118, 150) else None


def full_job_size(length: int) -> int | None:
    """Return the size in bytes of a job with a whole header. Chips take 86 bytes, whatever the length byte is
    (docs/reference/asic.md#whole-header-jobs)."""
    del length
    return 86


def reply_with_crc(body: bytes, kind: int) -> bytes:
    """Return a reply: the body and one more byte. The high three bits of this byte are the kind of reply, its low five
    bits a CRC5 of the body and the kind."""
    last = kind << 5
    return body + bytes([last | crc5(body + bytes([last]), 8 * len(body) + 3)])
