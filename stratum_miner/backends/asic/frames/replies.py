"""Decodes the replies that chips send, and finds the next reply if bytes were lost or damaged. Uses no port and no
clock.

There is one decoder for each of the two kinds of replies:

* ``PreambleDecoder`` for BM1397, BM1362, BM1366, BM1368 and BM1370. Their replies start with a preamble and end with a
  CRC5. If the CRC is wrong, the decoder drops only one byte, and searches for the next preamble, so that it finds a
  good reply behind a broken one (docs/reference/asic.md#lost-and-garbled-bytes).
* ``FixedLengthDecoder`` for all other chips. Their replies have a fixed number of bytes, no preamble, and a short
  checksum or none. The caller passes a function ``judge``. The decoder takes as many received bytes as a reply has, and
  passes them to ``judge``. The function returns whether these bytes are a reply. It can, for example, hash the header
  with the nonce in these bytes, and check the hash.

Pass bytes to ``receive`` as they come. When the line has been silent so long that the rest of an incomplete reply will
not come any more, call ``idle``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from stratum_miner.backends.asic.crc import ends_with_crc5

REPLY_PREAMBLE = b"\xaa\x55"
_TYPE_NONCE = 0x80
"""The highest bit of a reply's last byte. It is 1 in a nonce reply. The highest three bits of this byte are the type of
the reply; the lower two of the three are 0 in all known replies (docs/reference/asic.md#replies-of-a-chip)."""


@dataclass(frozen=True, slots=True)
class NonceReply:
    """A nonce that a chip reports."""

    nonce: bytes
    """The four bytes of the nonce, in the order in which the header contains them."""
    tag: bytes = b""
    """The bytes after the nonce, without the byte that contains the CRC: job id, version bits and other values, in an
    order that depends on the chip family."""


@dataclass(frozen=True, slots=True)
class RegisterReply:
    """The value of a register."""

    value: bytes
    """The four bytes of the value, big-endian."""
    tag: bytes = b""
    """The bytes between the value and the byte that contains the CRC. In replies with a preamble, the first two are the
    address of the chip and that of the register; replies of 11 bytes have two more. In replies of BM1387, they are two
    unused bytes. In replies of BM1384, there are none."""


ChipReply = NonceReply | RegisterReply


class ReplyDecoder(ABC):
    """Collects the bytes that come from chips, and returns the replies in them. Counts the frames with a wrong
    checksum, and the bytes that belong to no frame."""

    def __init__(self) -> None:
        self.crc_errors = 0
        """Number of frames that were recognised but had a wrong checksum."""
        self.garbage_bytes = 0
        """Number of bytes outside of all frames."""
        self._buffer = bytearray()
        self._already_counted = 0

    @property
    def pending(self) -> int:
        """Number of bytes that are kept because more may follow."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[ChipReply]:
        """Return the replies that ``data`` completes."""
        self._buffer += data
        return self._drain(final=False)

    def idle(self) -> list[ChipReply]:
        """Stop waiting for the rest of a reply, because the line is silent. Return the replies in the buffer, including
        bytes that are only perhaps a reply (``Judgement.MAYBE``). All other bytes in the buffer count as garbage."""
        replies = self._drain(final=True)
        self._drop(len(self._buffer))
        self._already_counted = 0
        return replies

    def discard(self) -> None:
        """Forget the bytes in the buffer, because the chips were reset. These bytes do not count as garbage."""
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
        """Remove ``count`` bytes from the buffer. Count the removed bytes as garbage, but not the bytes of a frame that
        was already counted as a CRC error."""
        already_counted = min(count, self._already_counted)
        self._already_counted -= already_counted
        self.garbage_bytes += count - already_counted
        del self._buffer[:count]

    def _drop_broken_frame(self, length: int) -> None:
        """Count a CRC error, and remove only one byte of the frame, because the next frame may begin inside this
        one."""
        if not self._already_counted:
            self.crc_errors += 1
            self._already_counted = length
        self._drop(1)


class PreambleDecoder(ReplyDecoder):
    """Decodes replies of 9 or 11 bytes: AA 55, a body, and a last byte, which is type·32 + the CRC5 over body and type
    (docs/reference/asic.md#replies-of-a-chip).

    While a chip changes from one length to the other, both are accepted.
    """

    def __init__(self, lengths: tuple[int, ...] = (9,)) -> None:
        super().__init__()
        self.lengths = lengths
        """Accepted lengths. They may be changed at any time."""

    def _drain(self, final: bool) -> list[ChipReply]:
        replies: list[ChipReply] = []
        while self._find_preamble(final):
            length = self._valid_length()
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
        """Drop bytes until the buffer starts with a preamble or the beginning of one."""
        start = self._buffer.find(REPLY_PREAMBLE)
        if start < 0:
            keep = 1 if not final and self._buffer.endswith(REPLY_PREAMBLE[:1]) else 0
            self._drop(len(self._buffer) - keep)
            return False
        self._drop(start)
        return True

    def _valid_length(self) -> int:
        """Return the length of the valid frame at the start of the buffer; 0 if there is none. The longer of the
        accepted lengths is tried first."""
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
    """Whether a group of received bytes, which has the length of a reply, is a reply."""

    NO = "no"
    """The bytes cannot be a reply."""
    MAYBE = "maybe"
    """The bytes may be a reply with a wrong nonce, or they may start in the middle of a reply."""
    SURE = "sure"
    """The bytes are a reply: their checksum, or the hash for their nonce, proves it."""


ReplyJudge = Callable[[bytes], Judgement]
Parse = Callable[[bytes], ChipReply]


class FixedLengthDecoder(ReplyDecoder):
    """Decodes replies of ``length`` bytes without a preamble. ``judge`` decides whether ``length`` bytes are a reply.

    If they are only perhaps a reply (``Judgement.MAYBE``), the decoder first looks for a sure reply
    (``Judgement.SURE``) that starts at a later one of these bytes. Only if there is none, or if the line has become
    silent, does it return the uncertain reply. After a lost or an additional byte, it therefore finds the start of the
    next reply, and later nonces do not count as hardware errors.
    """

    def __init__(self, length: int, judge: ReplyJudge, parse: Parse, *, has_crc: bool = False) -> None:
        super().__init__()
        self._length = length
        self._judge = judge
        self._parse = parse
        self._has_crc = has_crc
        self._skipped = 0

    def idle(self) -> list[ChipReply]:
        """See ``ReplyDecoder.idle``."""
        replies = super().idle()
        self._count_skipped()
        return replies

    def discard(self) -> None:
        """See ``ReplyDecoder.discard``."""
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
        """Count the bytes that were skipped between two replies. If replies have a CRC, the skipped bytes are divided
        into groups of the length of a reply. Each group counts as one CRC error, and only the bytes that remain count
        as garbage."""
        frames, rest = divmod(self._skipped, self._length) if self._has_crc else (0, self._skipped)
        self.crc_errors += frames
        self.garbage_bytes += rest
        self._skipped = 0

    def _judged_at(self, start: int) -> Judgement:
        group = self._buffer[start : start + self._length]
        return self._judge(bytes(group)) if len(group) == self._length else Judgement.NO

    def _sure_start(self) -> int:
        """Return the first offset from 1 to ``length`` - 1 at which ``length`` bytes of the buffer are surely a reply
        (``Judgement.SURE``). Return 0 if there is no such offset."""
        return next((start for start in range(1, self._length) if self._judged_at(start) is Judgement.SURE), 0)
