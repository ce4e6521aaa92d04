"""The Icarus protocol: 64 bytes of work in, 4 bytes of nonce out (docs/reference/asic.md#icarus-and-block-erupter).

This module emulates Icarus itself and ASICMINER's Block Erupter. Work consists of the midstate with its words from last
to first, 20 unused bytes, nbits, ntime, and the last four bytes of the merkle root. The device sends the four bytes of
a nonce in the order in which they are in the header. Nothing marks the start of a frame: a device recognises work only
by counting bytes after a silence.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import inf
from typing import ClassVar, Final

from stratum_miner.backends.cpu import kernels
from stratum_miner.emulators.kind import DeviceKind, UsbTexts
from stratum_miner.emulators.known_work import known_nonces
from stratum_miner.emulators.model import EmulatedDevice
from stratum_miner.emulators.sweep import EmulatedEngine, NonceRange, SweepHit, nonce_target

WORK_SIZE: Final = 64
IDLE_GAP_S: Final = 0.05
"""Seconds of silence after which an incomplete frame is dropped. A driver writes each frame in one call, so there is no
such silence within a frame (docs/reference/asic.md#icarus-frames)."""
NONCES: Final = 1 << 32


def midstate_from_wire(wire: bytes) -> bytes:
    """Reverse the order of the eight words of a midstate: on the line, the last word (h7) comes first. The bytes of a
    word keep their order."""
    return b"".join(wire[at : at + 4] for at in range(28, -4, -4))


def tail_from_wire(wire: bytes) -> bytes:
    """Return header bytes 64 to 75 from the bytes on the line.

    The order of the three words (nbits, ntime, merkle root) is reversed. The bytes of a word keep their order."""
    return wire[8:12] + wire[4:8] + wire[0:4]


def load_midstate(search: kernels.Search, midstate: bytes, tail: bytes, target: int) -> None:
    """Load a work into ``search``, the object with which a kernel searches. ``midstate`` and ``tail`` (header bytes 64
    to 75) are in the order of the bytes on the line."""
    search.load_midstate(midstate_from_wire(midstate), tail_from_wire(tail), target)


class IcarusDevice(EmulatedDevice):
    """A device whose engines search at the same time, each upwards through its own part of the nonces.

    A subclass says whether the engines continue after a nonce was found, and how fast the real device is. If the nonces
    of a work are known, the emulator reports each at the time at which the real device would report it.
    """

    real_hash_rate: ClassVar[float] = 1 / 2.6316e-9
    continues_after_nonce: ClassVar[bool] = False
    """Whether the search continues after a nonce was reported."""

    def reset(self, now: float) -> None:
        """Forget the received bytes of a work frame that is not complete."""
        del now
        self._buffer = bytearray()
        self._last_byte = -inf

    def parse(self, port: str, data: bytes, now: float) -> None:
        """Handle the received bytes. Every 64 bytes are one work frame. A silence of the line begins a new frame."""
        del port
        self.append(data, now)
        self.take_works(now)

    def append(self, data: bytes, now: float) -> None:
        """Append the data to the buffer. If the line was silent before the data, first drop the incomplete work frame
        that is in the buffer."""
        if now - self.uarts[""].duration(len(data)) - self._last_byte > IDLE_GAP_S and self._buffer:
            self.counts.bad_frames += 1
            self._buffer.clear()
        self._last_byte = now
        self._buffer += data

    def take_works(self, now: float) -> None:
        """Take each complete work frame from the buffer, and start to search its work."""
        while len(self._buffer) >= WORK_SIZE:
            frame = bytes(self._buffer[:WORK_SIZE])
            del self._buffer[:WORK_SIZE]
            self.take_work(frame, now)

    def take_work(self, frame: bytes, now: float) -> None:
        """Start to search new work. The search of the old work ends at once."""
        self.counts.works += 1
        self.load_work(frame[:32], frame[52:64], now)

    def load_work(self, midstate: bytes, tail: bytes, now: float) -> None:
        """Start the search of all engines. ``midstate`` and ``tail`` (header bytes 64 to 75) are in the order of the
        bytes on the line."""
        known = known_nonces(midstate, tail)
        rate = self.achievable_rate(self.clock_rate) if known is None else self.real_hash_rate
        if known and self.faults.active("wrong-chip-id", self.age(now)):
            known = tuple(nonce ^ 1 for nonce in known)
        engines = self.settings.chips
        bounds = [engine * NONCES // engines for engine in range(engines + 1)]
        target = nonce_target(self.settings.nonce_difficulty)
        load = partial(load_midstate, midstate=midstate, tail=tail, target=target)
        parts = [nonce_range(load, first, end, known) for first, end in pairwise(bounds)]
        dead = self.faults.active("dead-chip", self.age(now))
        if dead is not None:
            parts.pop(self.faults.affected_chip(dead, engines))
        self.deadline = inf
        self.search((EmulatedEngine(self.searcher, iter([part]), rate / engines, now) for part in parts), now)

    @property
    def clock_rate(self) -> float:
        """Hash rate in H/s at the current clock frequency."""
        return self.settings.hash_rate

    def report(self, engine: int, hit: SweepHit) -> None:
        """Send a nonce. Unless ``continues_after_nonce`` is true, all engines then stop until new work comes."""
        self.send_nonce(hit.nonce.to_bytes(4, "big"), hit.at, engine, self.encoder())
        if not self.continues_after_nonce:
            self.deadline = min(self.deadline, hit.at)

    def tick(self, now: float) -> None:
        """Stop all engines because a nonce was found. They count as stopped at ``deadline``, the time of this nonce,
        even if this method is called later."""
        del now
        stopped, self.deadline = self.deadline, inf
        self.stop_searching(stopped)

    def encoder(self) -> Callable[[bytes], bytes]:
        """Return a function that makes a reply from a nonce. An Icarus sends the nonce alone."""
        return bytes


def nonce_range(
    load: Callable[[kernels.Search], None], first: int, end: int, known: tuple[int, ...] | None
) -> NonceRange:
    """Return a ``NonceRange`` object for the nonces from ``first`` to ``end - 1``.

    ``known`` contains all nonces of the work that meet the target, so that no search is needed; None if they are not
    known.
    """
    hits = None if known is None else tuple(nonce for nonce in known if first <= nonce < end)
    return NonceRange(load, first, end - first, known=hits)


class ErupterDevice(IcarusDevice):
    """ASICMINER's Block Erupter: one engine, which continues after a nonce until it has tried all nonces."""

    real_hash_rate: ClassVar[float] = 1 / 2.9761e-9
    continues_after_nonce: ClassVar[bool] = True


ICARUS = DeviceKind(
    "icarus",
    "Icarus, two FPGAs",
    IcarusDevice,
    IcarusDevice.real_hash_rate,
    UsbTexts(0x067B, 0x2303),
    chips=2,
    chip_counts=(1, 2, 4, 8),
)
ERUPTER = DeviceKind(
    "erupter",
    "ASICMINER Block Erupter USB",
    ErupterDevice,
    ErupterDevice.real_hash_rate,
    UsbTexts(0x10C4, 0xEA60, product="Block Erupter Emerald"),
)
