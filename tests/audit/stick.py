"""A tap between a stick and its driver: every byte is written down, and each nonce hashed again.

The stick is an emulated Block Erupter, which speaks the Icarus protocol: 64 bytes of work go in (the state after the
first 64 header bytes, its words last to first; twenty bytes of filler; nBits, time and the end of the merkle root),
four bytes of nonce come out as they stand in the header. There is no checksum: a wrong nonce is known by its hash.
"""

import contextlib
import os
import select
import termios
import threading
import time
import tty
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tests.audit import bitcoin

WORK_SIZE, NONCE_SIZE = 64, 4
REMEMBERED = 5
"""Works that an answer may still be to: the driver's way of telling a late nonce from a wrong one."""
PAUSE_S = 3.0
"""After which a driver must have looked, on a busy machine too: it waits for a tenth of a second."""
GOLDEN_WORK = bytes.fromhex(
    "4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a"
    "0000000000000000000000000000000000000000"
    "87320b1a1426674f2fa722ce"
)
"""Block 171874, with which every Icarus driver asks a port whether it is one; the answer is no find."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work as the driver gave it."""

    at: float
    state: bytes
    """After the first 64 header bytes, in the order of hashing."""
    tail: bytes
    """Header bytes 64 to 75."""
    golden: bool

    def digest(self, nonce: bytes) -> bytes:
        """The hash of the header with a nonce."""
        return bitcoin.sha256d_from(self.state, self.tail + nonce)


@dataclass(frozen=True, slots=True)
class Nonce:
    """Four bytes of the stick's that the driver got."""

    at: float
    at_unix: float
    data: bytes
    work: Work | None
    """Which it solves; None where it solves none: a hardware error."""
    repeated: bool


class Tap:
    """Stands between the two while the block runs; ``link`` is what the driver opens."""

    def __init__(self, stick: str, link: Path, difficulty: float) -> None:
        self.link = link
        self.target = bitcoin.target_of_difficulty(Fraction(difficulty))
        """A hash above it the stick does not report."""
        self.works: list[Work] = []
        self.nonces: list[Nonce] = []
        self._held_until: float | None = None
        self.muted = False
        """While it is, the stick says nothing to the driver."""
        self._stick = os.open(stick, os.O_RDWR | os.O_NOCTTY)
        _raw(self._stick)
        self._master, self._slave = os.openpty()
        _raw(self._slave)
        link.symlink_to(os.ttyname(self._slave))
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Tap":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        os.write(self._waker, b"!")
        self._thread.join()
        for end in (self._stick, self._master, self._slave, self._wake, self._waker):
            os.close(end)

    @property
    def errors(self) -> list[Nonce]:
        """Nonces that solve nothing."""
        return [item for item in self.nonces if item.work is None]

    @property
    def good(self) -> list[Nonce]:
        """Those that solve something, each once."""
        return [item for item in self.nonces if item.work is not None and not item.repeated]

    @property
    def repeated(self) -> list[Nonce]:
        """Those that had come before."""
        return [item for item in self.nonces if item.repeated]

    def _run(self) -> None:
        down, up = b"", b""
        while True:
            ready, _, _ = select.select([self._stick, self._master, self._wake], [], [], self._patience())
            if self._wake in ready:
                return
            with contextlib.suppress(OSError):  # a stick that was pulled out says nothing more
                if self._master in ready:
                    data = os.read(self._master, 4096)
                    down = self._note_work(down + data)
                    os.write(self._stick, data)
                if self._stick in ready:
                    up += os.read(self._stick, 4096)
                up = self._pass_nonces(up)

    def _patience(self) -> float | None:
        return None if self._held_until is None else max(0.0, self._held_until - time.monotonic())

    def _note_work(self, data: bytes) -> bytes:
        while len(data) >= WORK_SIZE:
            frame, data = data[:WORK_SIZE], data[WORK_SIZE:]
            state = b"".join(frame[at : at + 4] for at in range(28, -4, -4))
            tail = frame[60:64] + frame[56:60] + frame[52:56]
            self.works.append(Work(time.monotonic(), state, tail, frame == GOLDEN_WORK))
        return data

    def _pass_nonces(self, data: bytes) -> bytes:
        """Nonces one by one. A driver that gets a wrong one and the next together may take four bytes across the two
        for a reply, where those happen to solve something: then there is a pause between the two.
        """
        while len(data) >= NONCE_SIZE:
            nonce, rest = data[:NONCE_SIZE], data[NONCE_SIZE:]
            if self.muted:
                data = rest
                continue
            if self._held_until is None and self._is_doubtful(nonce):
                self._held_until = time.monotonic() + PAUSE_S
            if self._held_until is not None and time.monotonic() < self._held_until:
                return data
            self._held_until = None
            self._note_nonce(nonce)
            os.write(self._master, nonce)
            data = rest
        return data

    def _note_nonce(self, nonce: bytes) -> None:
        if self.works and not self.works[-1].golden:
            work = self._solved(nonce)
            repeated = work is not None and any((item.work, item.data) == (work, nonce) for item in self.nonces)
            self.nonces.append(Nonce(time.monotonic(), time.time(), nonce, work, repeated))

    def _solved(self, nonce: bytes) -> Work | None:
        """The newest work that a nonce solves."""
        given = [work for work in reversed(self.works[-REMEMBERED:]) if not work.golden]
        return next((work for work in given if bitcoin.hash_number(work.digest(nonce)) <= self.target), None)

    def _is_doubtful(self, nonce: bytes) -> bool:
        if not self.nonces or self.nonces[-1].work is not None:
            return False
        both = self.nonces[-1].data + nonce
        return any(self._solved(both[start : start + NONCE_SIZE]) is not None for start in range(1, NONCE_SIZE))


def _raw(terminal: int) -> None:
    tty.setraw(terminal)
    attributes = termios.tcgetattr(terminal)
    attributes[4] = attributes[5] = termios.B115200
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
