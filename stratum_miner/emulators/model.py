"""The base class of all emulated devices, with serial ports, faults, and engines. An engine is a part of a device that
searches nonces by itself.

The *host* is the computer whose driver uses the device. An ``EmulatedDevice`` does no input and output itself: it gets
the bytes that the host sent and the current time ``now``, and returns its answers with the times at which they arrive
at the host. A byte takes the time of ten bits on the line, in both directions. A subclass parses the host's bytes and
decides what the device answers. The base class applies the faults to the answers.
"""

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar, Final

from stratum_miner.emulators.faults import Faults
from stratum_miner.emulators.sweep import EmulatedEngine, Searcher, SweepHit

BITS_PER_BYTE: Final = 10
"""Bits on a serial line for each byte: a start bit, eight data bits and a stop bit."""
BAUD_TOLERANCE: Final = 0.045
"""Largest difference between the baud rates of device and host at which bytes arrive intact, as a fraction of the
device's baud rate. A difference of 4 % works on real devices (docs/reference/asic.md#baud-rate)."""
SLOW_ANSWER_S: Final = (0.5, 2.0)
"""Shortest and longest delay in seconds of an answer that the fault "slow-answers" delays."""
ROUNDING_S: Final = 1e-6
"""Minimum seconds until the next check whether a fault has begun or ended. The check is due when the next fault begins
or ends, but because of rounding, the computed time may be slightly too early. The check then finds no change, and
without this minimum, it would be repeated many times."""
MAX_BACKLOG_S: Final = 1.0
"""Maximum seconds that an answer waits because the line is busy; an answer that would wait longer is lost. The value is
a guess."""
ACHIEVABLE_FRACTION: Final = 0.8
"""When a driver raises the clock of an emulated device, the hash rate of the device is limited to this fraction of the
hash rate that the kernel reaches on this computer. If the hash rate in the device's settings is higher than this limit,
the hash rate in the settings is the limit instead."""
MOST_OVERDUE_SLICES: Final = 250
"""If the search of an engine has fallen behind the counter of the emulated chip, the engine catches up: it calls the
kernel several times without a pause. This is the maximum number of these calls. For one engine, they take at most half
a second of one processor."""
OVERHEATED_AFTER_S: Final = 5.0
"""Seconds of overheating after which a device without a temperature sensor reports no more nonces. Until then, it
reports wrong nonces. The value is a guess."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration of an emulated device."""

    hash_rate: float
    """Hash rate of the whole device in H/s at its usual clock."""
    chips: int
    nonce_difficulty: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Transmission:
    """Bytes that the device has sent on the port ``port``, and that have arrived at the host at the time ``at``."""

    at: float
    port: str
    data: bytes


@dataclass(slots=True)
class Counts:
    """Totals of an emulated device since it was started."""

    works: int = 0
    commands: int = 0
    bad_frames: int = 0
    """Number of frames that were incomplete or unknown, or that had a wrong checksum. The device ignores such frames,
    as a real chip does."""
    nonces: int = 0
    overruns: int = 0
    """Number of answers that were lost because the line was busy for too long, or the host did not read."""
    bytes_received: int = 0
    bytes_sent: int = 0
    hashes: float = 0.0
    """Number of hashes that were computed for works whose search has ended."""


@dataclass(slots=True)
class Uart:
    """One serial port: its baud rate, and the time until which each direction is busy."""

    baud: int | None = 115200
    """Baud rate; None for a USB port, on which bytes take no time."""
    receiving_until: float = -inf
    sending_until: float = -inf

    def duration(self, size: int) -> float:
        """Return the seconds that ``size`` bytes take on the line."""
        return size * BITS_PER_BYTE / self.baud if self.baud else 0.0


@dataclass(order=True, slots=True)
class _Answer:
    at: float
    order: int
    port: str = field(compare=False)
    data: bytes = field(compare=False)
    """The bytes of a frame. If ``encode`` is not None, they are the bytes of a nonce, and ``encode`` makes the frame
    from them."""
    encode: Callable[[bytes], bytes] | None = field(compare=False, default=None)
    chip: int = field(compare=False, default=0)


class EmulatedDevice(ABC):
    """An emulated device, which answers on its ports. The times of faults are counted from the time ``started``."""

    ports: ClassVar[tuple[str, ...]] = ("",)
    work_port: ClassVar[str] = ""
    has_sensor: ClassVar[bool] = False
    """Whether the host can read the temperature of the device."""
    has_checksums: ClassVar[bool] = False
    """Whether the nonce replies of the device have a checksum."""

    def __init__(self, settings: Settings, faults: Faults, searcher: Searcher, now: float = 0.0) -> None:
        self.settings = settings
        self.faults = faults
        self.searcher = searcher
        self.counts = Counts()
        self.started = now
        self.uarts = {port: Uart() for port in self.ports}
        self.engines: list[EmulatedEngine] = []
        self._answers: list[_Answer] = []
        self._sent: list[Transmission] = []
        self._order = 0
        self.powered = True
        """Whether the supply of the device works; false during a brown-out."""
        self.deadline = inf
        """Time at which ``advance`` or ``catch_up`` calls ``tick``."""

    # ---- what a subclass implements -----------------------------------------------------------------------------

    @abstractmethod
    def reset(self, now: float) -> None:
        """Set the power-on state."""

    @abstractmethod
    def parse(self, port: str, data: bytes, now: float) -> None:
        """Handle bytes from the host. Their last bit arrived at the time ``now``."""

    @abstractmethod
    def report(self, engine: int, hit: SweepHit) -> None:
        """Handle a hit (a nonce that meets the target) of an engine. If the real device would report it, send the nonce
        with ``send_nonce``."""

    def tick(self, now: float) -> None:
        """Do what the subclass has planned for the time ``deadline``. The method of a subclass also sets the next
        deadline, if there is one."""
        self.deadline = inf

    def port_closed(self, port: str, now: float) -> None:  # noqa: B027  most devices do not notice it
        """Do what the device does when no driver has the port open any more."""

    def supply_lost(self, now: float) -> None:
        """Handle the beginning of a brown-out: the search stops."""
        self.stop_searching(now)

    def supply_back(self, now: float) -> None:
        """Handle the end of a brown-out: the device is in its power-on state."""
        self.reset(now)

    # ---- the serial line ----------------------------------------------------------------------------------------

    def age(self, now: float) -> float:
        """Return the seconds since the start of the device. A fault begins when this number reaches the START of the
        fault (see ``parse_fault``)."""
        return now - self.started

    def power_cycle(self, now: float) -> None:
        """Set the power-on state, because the device was unplugged or plugged in. Answers that have not arrived at the
        host are lost."""
        self.stop_searching(now)
        self._answers.clear()
        self._sent.clear()
        for uart in self.uarts.values():
            uart.receiving_until = uart.sending_until = -inf
        self.reset(now)

    def receive(self, data: bytes, now: float, *, port: str = "", host_baud: int | None = None) -> None:
        """Handle bytes that the host wrote at the time ``now``.

        ``host_baud`` is the baud rate of the host. If this rate differs too much from the baud rate of the device, the
        device receives random bytes."""
        uart = self.uarts[port]
        self.counts.bytes_received += len(data)
        uart.receiving_until = max(uart.receiving_until, now) + uart.duration(len(data))
        self.catch_up(uart.receiving_until)  # the device continues its old work until the last bit has arrived
        if not self.understands(port, host_baud):
            data = self.faults.random_other_bytes(data)
        if self.listens(port):
            self.parse(port, data, uart.receiving_until)

    def listens(self, port: str) -> bool:
        """Return whether the device receives what the host sends to this port."""
        return self.powered

    def send(self, data: bytes, at: float, *, port: str = "") -> None:
        """Plan an answer. ``at`` is the time at which the device begins to send it, if the line is free then."""
        self._order += 1
        heapq.heappush(self._answers, _Answer(at, self._order, port, data))

    def send_nonce(self, nonce: bytes, at: float, chip: int, encode: Callable[[bytes], bytes]) -> None:
        """Plan the report of a nonce on the work port at the time ``at``. ``encode`` makes the frame from the nonce."""
        self._order += 1
        heapq.heappush(self._answers, _Answer(at, self._order, self.work_port, nonce, encode, chip))

    def drop_nonces(self, after: float) -> None:
        """Drop the nonces that would have been found later than the time ``after``, at which the search ended."""
        self._answers = [answer for answer in self._answers if answer.at <= after or answer.encode is None]
        heapq.heapify(self._answers)

    def take(self, now: float, host_baud: Callable[[str], int | None] = lambda _port: None) -> list[Transmission]:
        """Return what has arrived at the host since the last call.

        ``host_baud`` returns the baud rate of the host on a port. If this rate differs too much from the baud rate of
        the device, random bytes arrive."""
        while self._answers and self._answers[0].at <= now:
            self._answer(heapq.heappop(self._answers))
        taken = []
        while self._sent and self._sent[0].at <= now:
            item = heapq.heappop(self._sent)
            self.counts.bytes_sent += len(item.data)
            if not self.understands(item.port, host_baud(item.port)):
                item = Transmission(item.at, item.port, self.faults.random_other_bytes(item.data))
            taken.append(item)
        return taken

    def _answer(self, answer: _Answer) -> None:
        if not self.listens(answer.port):
            return
        if answer.encode is None:
            self._transmit(answer, answer.data)
            return
        age, faults, nonce = self.age(answer.at), self.faults, answer.data
        for name in ("silent-chip", "dead-chip"):
            fault = faults.active(name, age)
            if fault is not None and faults.affected_chip(fault, self.settings.chips) == answer.chip:
                return
        hot = None if self.has_sensor else faults.active("overheating", age)
        if hot is not None and age >= hot.start + OVERHEATED_AFTER_S:
            return
        if faults.damages("dropped-nonces", age):
            return
        if hot is not None or faults.damages("wrong-nonces", age):
            nonce = faults.random_other_bytes(nonce)
        copies = 2 if faults.damages("duplicate-nonces", age) else 1
        for _ in range(copies):
            self.counts.nonces += 1
            self._transmit(answer, answer.encode(nonce))

    def _transmit(self, answer: _Answer, data: bytes) -> None:
        uart, age, on_wire = self.uarts[answer.port], self.age(answer.at), answer.port == self.work_port
        if uart.sending_until - answer.at > MAX_BACKLOG_S:
            self.counts.overruns += 1
            return
        if on_wire and self.faults.damages("crc-errors", age):
            data = self.faults.flip_bit(data)
        if on_wire and self.faults.damages("garbage", age):
            data = self.faults.noise() + data
        if self.faults.damages("slow-answers", age):
            at = answer.at + self.faults.uniform(*SLOW_ANSWER_S)
        else:
            at = uart.sending_until = max(uart.sending_until, answer.at) + uart.duration(len(data))
        heapq.heappush(self._sent, Transmission(at, answer.port, data))

    def understands(self, port: str, host_baud: int | None) -> bool:
        """Return whether bytes arrive intact, in both directions, if the baud rate of the host is ``host_baud``."""
        baud = self.uarts[port].baud
        if baud is None or host_baud is None:
            return True
        return abs(host_baud - baud) <= baud * BAUD_TOLERANCE

    # ---- searching ----------------------------------------------------------------------------------------------

    def search(self, engines: Iterable[EmulatedEngine], now: float) -> None:
        """Replace the current engines by these engines, which begin to search."""
        self.stop_searching(now)
        self.engines = list(engines)
        self.advance(now)

    def stop_searching(self, now: float) -> None:
        """Stop the search, and drop nonces that would have been found after ``now``. Other answers still arrive."""
        self.counts.hashes += sum(engine.hashes(now) for engine in self.engines)
        self.engines = []
        self.drop_nonces(now)

    def hashes(self, now: float) -> float:
        """Return how many nonces the device has tried so far."""
        return self.counts.hashes + sum(engine.hashes(now) for engine in self.engines)

    def achievable_rate(self, rate: float) -> float:
        """Return ``rate``, limited to the highest hash rate that this computer can emulate or to the hash rate in the
        device's settings, whichever is higher."""
        return min(rate, max(self.settings.hash_rate, self.searcher.hash_rate * ACHIEVABLE_FRACTION))

    def advance(self, now: float) -> None:
        """Do what is due at the time ``now``. Each engine calls the kernel at most once."""
        self._follow_supply(now)
        if self.deadline <= now:
            self.tick(now)
        for index, engine in enumerate(self.engines):
            if engine.next_search_at(now) <= now:
                for hit in engine.advance(now):
                    self.report(index, hit)

    def _follow_supply(self, now: float) -> None:
        powered = self.faults.active("brown-out", self.age(now)) is None
        if self.powered and not powered:
            self.supply_lost(now)
        elif powered and not self.powered:
            self.powered = True
            self.supply_back(now)
        self.powered = powered

    def catch_up(self, now: float) -> None:
        """Search the nonces that the counters of the engines have passed already, so that the device finds every nonce
        that meets the target, even on a busy computer.

        Each engine calls the kernel at most MOST_OVERDUE_SLICES times, so that a slow computer is not blocked. Nonces
        that are not searched do not count as hashes.
        """
        self.advance(now)
        for _ in range(MOST_OVERDUE_SLICES):
            if not any(engine.next_search_at(now) <= now for engine in self.engines):
                break
            self.advance(now)
        if self.deadline <= now:
            self.tick(now)

    def due(self, now: float) -> float:
        """Return the next time at which ``advance`` or ``take`` has something to do; it may be in the past."""
        searching = (engine.next_search_at(now) for engine in self.engines)
        sending = (self._answers[0].at if self._answers else inf, self._sent[0].at if self._sent else inf)
        change = max(self.started + self.faults.next_change(self.age(now)), now + ROUNDING_S)
        return min(self.deadline, change, *searching, *sending)
