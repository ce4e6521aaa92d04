"""The Icarus protocol: 64 bytes in, 4 out, and silence (docs/reference/asic.md#icarus-and-block-erupter). Icarus
itself, and ASICMINER's Block Erupter.

Work is the midstate with its words from last to first, 20 bytes of filler, then nbits, ntime and the last four bytes of
the merkle root. A nonce comes back as its header bytes. Work is told from noise by counting from an idle line alone.
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
"""A frame cut short is forgotten after that; drivers write frames in one call
(docs/reference/asic.md#icarus-frames)."""
NONCES: Final = 1 << 32


def midstate_from_wire(wire: bytes) -> bytes:
    """h0 to h7 from the bytes that chips take, h7 to h0: the words reversed, each as it is."""
    return b"".join(wire[at : at + 4] for at in range(28, -4, -4))


def tail_from_wire(wire: bytes) -> bytes:
    """Header bytes 64 to 75 from nbits, ntime, merkle root: the three reversed, each as it is."""
    return wire[8:12] + wire[4:8] + wire[0:4]


def load_midstate(search: kernels.Search, midstate: bytes, tail: bytes, target: int) -> None:
    """Have a kernel search this work, given as on the wire."""
    search.load_midstate(midstate_from_wire(midstate), tail_from_wire(tail), target)


class IcarusDevice(EmulatedDevice):
    """Engines that divide the nonces among them and sweep upwards in parallel.

    A subclass says whether they go on after a nonce, and how fast the real device is: detection takes that time.
    """

    real_hash_rate: ClassVar[float] = 1 / 2.6316e-9
    continues_after_nonce: ClassVar[bool] = False
    """Whether the search continues when a nonce has been reported."""

    def reset(self, now: float) -> None:
        """No state but the work and what has arrived of the next."""
        del now
        self._buffer = bytearray()
        self._last_byte = -inf

    def parse(self, port: str, data: bytes, now: float) -> None:
        """Count 64 bytes from idle."""
        del port
        self.append(data, now)
        self.take_works(now)

    def append(self, data: bytes, now: float) -> None:
        """To what has come since the line was idle."""
        if now - self.uarts[""].duration(len(data)) - self._last_byte > IDLE_GAP_S and self._buffer:
            self.counts.bad_frames += 1
            self._buffer.clear()
        self._last_byte = now
        self._buffer += data

    def take_works(self, now: float) -> None:
        """Every 64 bytes."""
        while len(self._buffer) >= WORK_SIZE:
            frame = bytes(self._buffer[:WORK_SIZE])
            del self._buffer[:WORK_SIZE]
            self.take_work(frame, now)

    def take_work(self, frame: bytes, now: float) -> None:
        """New work ends the old at once."""
        self.counts.works += 1
        self.load_work(frame[:32], frame[52:64], now)

    def load_work(self, midstate: bytes, tail: bytes, now: float) -> None:
        """Have all engines begin to search."""
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
        """Hashes a second at the current clock."""
        return self.settings.hash_rate

    def report(self, engine: int, hit: SweepHit) -> None:
        """Send it; an Icarus then waits for new work."""
        self.send_nonce(hit.nonce.to_bytes(4, "big"), hit.at, engine, self.encoder())
        if not self.continues_after_nonce:
            self.deadline = min(self.deadline, hit.at)

    def tick(self, now: float) -> None:
        """The moment of the first nonce: all engines stop."""
        del now
        stopped, self.deadline = self.deadline, inf
        self.stop_searching(stopped)

    def encoder(self) -> Callable[[bytes], bytes]:
        """What makes a reply of a nonce of the work at hand: here nothing is added."""
        return bytes


def nonce_range(
    load: Callable[[kernels.Search], None], first: int, end: int, known: tuple[int, ...] | None
) -> NonceRange:
    """Nonces from ``first`` to before ``end``, of them the known ones if all are."""
    hits = None if known is None else tuple(nonce for nonce in known if first <= nonce < end)
    return NonceRange(load, first, end - first, known=hits)


class ErupterDevice(IcarusDevice):
    """ASICMINER's Block Erupter: one engine, which goes on to the end of the range."""

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
