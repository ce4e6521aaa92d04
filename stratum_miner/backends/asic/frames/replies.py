"""Bytes from chips to replies, whatever else is on the line: resynchronising decoders, without port or clock.

Two kinds. From BM1397 on replies start with a preamble and end in a CRC5: scan for the preamble, check, and on failure
drop one byte only, so that a good frame behind a broken one is found (docs/reference/asic.md#lost-and-garbled-bytes).
Older chips answer in a bare fixed number of bytes, with little or nothing to check them by; there the caller's
``judge`` decides, who can hash.

``receive`` takes bytes as they come; ``idle`` says that the line has been silent for longer than a gap inside a
frame, so that what is incomplete will never be completed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from stratum_miner.backends.asic.crc import ends_with_crc5

REPLY_PREAMBLE = b"\xaa\x55"
_TYPE_NONCE = 0x80
"""Bit of the last byte; the type's other two bits have been seen as zero only
(docs/reference/asic.md#replies-of-a-chip)."""


@dataclass(frozen=True, slots=True)
class NonceReply:
    """A chip claims a nonce."""

    nonce: bytes
    """Four bytes, which go into the header unchanged."""
    tag: bytes = b""
    """What follows it, without the byte that holds the CRC: job id, version bits and such, by family."""


@dataclass(frozen=True, slots=True)
class RegisterReply:
    """A register's value."""

    value: bytes
    """Four bytes, or the three that BM1384 has room for, big-endian."""
    tag: bytes = b""
    """From BM1397 on the chip's address and the register; two more bytes on later chips."""


ChipReply = NonceReply | RegisterReply


class ReplyDecoder(ABC):
    """Collects bytes, hands out replies, counts the rest."""

    def __init__(self) -> None:
        self.crc_errors = 0
        """Frames that were recognisable but for their checksum."""
        self.garbage_bytes = 0
        """Bytes outside of any frame, recognisable or not."""
        self._buffer = bytearray()
        self._already_counted = 0

    @property
    def pending(self) -> int:
        """Bytes held back because more may follow."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[ChipReply]:
        """Return the replies that ``data`` completes."""
        self._buffer += data
        return self._drain(final=False)

    def idle(self) -> list[ChipReply]:
        """Replies that were held back in doubt; the rest of the buffer is garbage."""
        replies = self._drain(final=True)
        self._drop(len(self._buffer))
        self._already_counted = 0
        return replies

    def discard(self) -> None:
        """Forget what is buffered, uncounted: the chips were reset."""
        self._buffer.clear()
        self._already_counted = 0

    @abstractmethod
    def _drain(self, final: bool) -> list[ChipReply]: ...

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._already_counted = 0
        return taken

    def _drop(self, count: int) -> None:
        """Skip bytes; those of a frame already counted as a CRC error are not counted again."""
        already_counted = min(count, self._already_counted)
        self._already_counted -= already_counted
        self.garbage_bytes += count - already_counted
        del self._buffer[:count]

    def _drop_broken_frame(self, length: int) -> None:
        """Count a CRC error and skip one byte of it: the next frame may begin inside."""
        if not self._already_counted:
            self.crc_errors += 1
            self._already_counted = length
        self._drop(1)


class PreambleDecoder(ReplyDecoder):
    """AA 55, body, last = type·32 + CRC5 over body and type (docs/reference/asic.md#replies-of-a-chip); 9 bytes, or 11,
    or while it changes both."""

    def __init__(self, lengths: tuple[int, ...] = (9,)) -> None:
        super().__init__()
        self.lengths = lengths
        """Accepted lengths; may be changed at any time."""

    def _drain(self, final: bool) -> list[ChipReply]:
        replies: list[ChipReply] = []
        while self._find_preamble(final):
            length = self._sealed_length()
            if length:
                replies.append(_parse(self._take(length)))
            elif len(self._buffer) >= max(self.lengths):
                self._drop_broken_frame(max(self.lengths))
            elif final:
                self._drop(1)
            else:
                break
        return replies

    def _find_preamble(self, final: bool) -> bool:
        """Drop bytes until the buffer starts with a preamble, or with what may become one."""
        start = self._buffer.find(REPLY_PREAMBLE)
        if start < 0:
            keep = 1 if not final and self._buffer.endswith(REPLY_PREAMBLE[:1]) else 0
            self._drop(len(self._buffer) - keep)
            return False
        self._drop(start)
        return True

    def _sealed_length(self) -> int:
        """Length of the frame at the start of the buffer, 0 when none is sealed. The longer is the likelier."""
        for length in sorted(self.lengths, reverse=True):
            if len(self._buffer) >= length and ends_with_crc5(bytes(self._buffer[2:length])):
                follower = self._buffer[length : length + 1]
                if length == max(self.lengths) or not follower or follower == REPLY_PREAMBLE[:1]:
                    return length
        return 0


def _parse(frame: bytes) -> ChipReply:
    kind = NonceReply if frame[-1] & _TYPE_NONCE else RegisterReply
    return kind(frame[2:6], frame[6:-1])


class Judgement(Enum):
    """What a group of bytes is, taken as a whole reply."""

    NO = "no"
    """It cannot be one."""
    MAYBE = "maybe"
    """Nothing speaks against it, or for it: a wrong nonce, or the wrong place to start."""
    SURE = "sure"
    """It proves itself, by hashing to something or by its checksum."""


ReplyJudge = Callable[[bytes], Judgement]
Parse = Callable[[bytes], ChipReply]


class FixedLengthDecoder(ReplyDecoder):
    """Groups of ``length`` bytes without preamble; where they start is for ``judge`` to say.

    A group that is no more than possible is held back until the line falls silent or every other place to start has
    been tried, so that one byte too many or too few does not turn all later nonces into hardware errors.
    """

    def __init__(self, length: int, judge: ReplyJudge, parse: Parse, *, has_crc: bool = False) -> None:
        super().__init__()
        self._length = length
        self._judge = judge
        self._parse = parse
        self._has_crc = has_crc
        self._skipped = 0

    def idle(self) -> list[ChipReply]:
        """See ``ReplyDecoder``."""
        replies = super().idle()
        self._count_skipped()
        return replies

    def discard(self) -> None:
        """See ``ReplyDecoder``."""
        super().discard()
        self._skipped = 0

    def _drain(self, final: bool) -> list[ChipReply]:
        replies: list[ChipReply] = []
        while len(self._buffer) >= self._length:
            judgement = self._judged_at(0)
            if judgement is Judgement.SURE:
                replies.append(self._reply())
            elif judgement is Judgement.NO:
                self._drop(1)
            elif later := self._sure_start():
                self._drop(later)
            elif final or len(self._buffer) >= 2 * self._length - 1:
                replies.append(self._reply())
            else:
                break
        return replies

    def _reply(self) -> ChipReply:
        self._count_skipped()
        return self._parse(self._take(self._length))

    def _drop(self, count: int) -> None:
        self._skipped += count
        del self._buffer[:count]

    def _count_skipped(self) -> None:
        """What was skipped between two replies: whole lengths were frames with a wrong checksum, the rest never was
        one."""
        frames, rest = divmod(self._skipped, self._length) if self._has_crc else (0, self._skipped)
        self.crc_errors += frames
        self.garbage_bytes += rest
        self._skipped = 0

    def _judged_at(self, start: int) -> Judgement:
        group = self._buffer[start : start + self._length]
        return self._judge(bytes(group)) if len(group) == self._length else Judgement.NO

    def _sure_start(self) -> int:
        """The nearest place, within a length, where a certain reply starts; 0 for none."""
        return next((start for start in range(1, self._length) if self._judged_at(start) is Judgement.SURE), 0)
