"""What all emulated devices share: UARTs, a clock, faults, and engines that search.

An ``EmulatedDevice`` is sans-IO. It gets the bytes that the host sent, and returns transmissions with their times;
``now`` is an argument. The *host* is the computer whose driver uses the device. Bytes take time on the line in both
directions, ten bits each. A subclass parses the host's bytes and decides what the device answers. What faults do to the
answers happens here, for all devices.
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
"""Start bit, eight data bits, stop bit."""
BAUD_TOLERANCE: Final = 0.045
"""Largest difference between the rates of the two ends of a UART, as a fraction. A difference of 4 % works on real
devices (docs/reference/asic.md#baud-rate)."""
SLOW_ANSWER_S: Final = (0.5, 2.0)
"""Shortest and longest delay in seconds of an answer that the fault "slow-answers" delays."""
ROUNDING_S: Final = 1e-6
"""The start of a fault, added to the start of the device, may be rounded to a time before the fault begins. The device
then checks again after this many seconds."""
MAX_BACKLOG_S: Final = 1.0
"""Seconds of the line's time for which a device can store answers. Picked by feel."""
ACHIEVABLE_FRACTION: Final = 0.8
"""Fraction of a kernel's rate up to which a driver can raise the rate of a device by its clock, unless the configured
rate is higher."""
MOST_OVERDUE_SLICES: Final = 250
"""Slices that a device searches at once to catch up. They take at most half a second of one processor."""
OVERHEATED_AFTER_S: Final = 5.0
"""Seconds of overheating after which a device without a sensor reports no more nonces. Before that its nonces are
wrong. Picked by feel."""


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
    """Bytes on one of the device's ports that have arrived at the host at the time ``at``."""

    at: float
    port: str
    data: bytes


@dataclass(slots=True)
class Counts:
    """Totals for the statistics."""

    works: int = 0
    commands: int = 0
    bad_frames: int = 0
    """Frames with a wrong checksum, unknown frames and incomplete ones. They are ignored, as a chip ignores them."""
    nonces: int = 0
    overruns: int = 0
    """Answers that did not fit on the line."""
    bytes_received: int = 0
    bytes_sent: int = 0
    hashes: float = 0.0
    """Number of hashes of the works that have ended."""


@dataclass(slots=True)
class Uart:
    """One port: its rate, and the time until which each direction is busy."""

    baud: int | None = 115200
    """None for a USB port without a real rate."""
    receiving_until: float = -inf
    sending_until: float = -inf

    def duration(self, size: int) -> float:
        """Return the seconds that ``size`` bytes take."""
        return size * BITS_PER_BYTE / self.baud if self.baud else 0.0


@dataclass(order=True, slots=True)
class _Answer:
    at: float
    order: int
    port: str = field(compare=False)
    data: bytes = field(compare=False)
    """A frame, or a nonce from which ``encode`` makes a frame."""
    encode: Callable[[bytes], bytes] | None = field(compare=False, default=None)
    chip: int = field(compare=False, default=0)


class EmulatedDevice(ABC):
    """A device that answers on its ports. The times of faults count from ``started``."""

    ports: ClassVar[tuple[str, ...]] = ("",)
    work_port: ClassVar[str] = ""
    has_sensor: ClassVar[bool] = False
    """Whether the host can read its temperature."""
    has_checksums: ClassVar[bool] = False
    """Whether its nonce replies have a checksum."""

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
        """Whether the device has a supply. A brown-out takes it away."""
        self.deadline = inf
        """Time at which to call ``tick``."""

    # ---- what a subclass implements -----------------------------------------------------------------------------

    @abstractmethod
    def reset(self, now: float) -> None:
        """Forget all state, as when the power comes back."""

    @abstractmethod
    def parse(self, port: str, data: bytes, now: float) -> None:
        """Handle bytes whose last bit arrived at ``now``."""

    @abstractmethod
    def report(self, engine: int, hit: SweepHit) -> None:
        """Handle a hit of an engine. Send it with ``send_nonce`` if the device would report it."""

    def tick(self, now: float) -> None:
        """Do what was postponed until ``deadline``. The subclass sets the next deadline."""
        self.deadline = inf

    def port_closed(self, port: str, now: float) -> None:  # noqa: B027  most devices do not notice it
        """Handle that the last driver has closed a port."""

    def supply_lost(self, now: float) -> None:
        """Handle the beginning of a brown-out: everything on this supply stops."""
        self.stop_searching(now)

    def supply_back(self, now: float) -> None:
        """Handle the end of a brown-out: all state is lost."""
        self.reset(now)

    # ---- the serial line ----------------------------------------------------------------------------------------

    def age(self, now: float) -> float:
        """Return the seconds since the start of the device, from which faults count."""
        return now - self.started

    def power_cycle(self, now: float) -> None:
        """Forget all state and all pending answers, because the device was plugged in again."""
        self.stop_searching(now)
        self._answers.clear()
        self._sent.clear()
        for uart in self.uarts.values():
            uart.receiving_until = uart.sending_until = -inf
        self.reset(now)

    def receive(self, data: bytes, now: float, *, port: str = "", host_baud: int | None = None) -> None:
        """Handle bytes that the host wrote at ``now`` with the rate ``host_baud``. Another rate than the device's
        garbles them."""
        uart = self.uarts[port]
        self.counts.bytes_received += len(data)
        uart.receiving_until = max(uart.receiving_until, now) + uart.duration(len(data))
        self.catch_up(uart.receiving_until)  # the device continues its old work until the last bit has arrived
        if not self._same_speed(uart, host_baud):
            data = self.faults.random_other_bytes(data)
        if self.listens(port):
            self.parse(port, data, uart.receiving_until)

    def listens(self, port: str) -> bool:
        """Return whether the device behind a port can receive."""
        return self.powered

    def send(self, data: bytes, at: float, *, port: str = "") -> None:
        """Send an answer, which the device has ready at the time ``at``."""
        self._order += 1
        heapq.heappush(self._answers, _Answer(at, self._order, port, data))

    def send_nonce(self, nonce: bytes, at: float, chip: int, encode: Callable[[bytes], bytes]) -> None:
        """Report a nonce on the port that carries work. ``encode`` makes the frame."""
        self._order += 1
        heapq.heappush(self._answers, _Answer(at, self._order, self.work_port, nonce, encode, chip))

    def drop_nonces(self, after: float) -> None:
        """Drop the nonces that would have been found after the time ``after``, because new work has come."""
        self._answers = [answer for answer in self._answers if answer.at <= after or answer.encode is None]
        heapq.heapify(self._answers)

    def take(self, now: float, host_baud: Callable[[str], int | None] = lambda _port: None) -> list[Transmission]:
        """Return what has arrived at the host since the last call. Another rate of the host than the device's garbles
        it."""
        while self._answers and self._answers[0].at <= now:
            self._answer(heapq.heappop(self._answers))
        taken = []
        while self._sent and self._sent[0].at <= now:
            item = heapq.heappop(self._sent)
            self.counts.bytes_sent += len(item.data)
            if not self._same_speed(self.uarts[item.port], host_baud(item.port)):
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

    @staticmethod
    def _same_speed(uart: Uart, host_baud: int | None) -> bool:
        if uart.baud is None or host_baud is None:
            return True
        return abs(host_baud - uart.baud) <= uart.baud * BAUD_TOLERANCE

    # ---- searching ----------------------------------------------------------------------------------------------

    def search(self, engines: Iterable[EmulatedEngine], now: float) -> None:
        """Begin to search with these engines, instead of the present ones."""
        self.stop_searching(now)
        self.engines = list(engines)
        self.advance(now)

    def stop_searching(self, now: float) -> None:
        """Stop searching. Answers that are already sent still arrive."""
        self.counts.hashes += sum(engine.hashes(now) for engine in self.engines)
        self.engines = []
        self.drop_nonces(now)

    def hashes(self, now: float) -> float:
        """Return how many nonces its engines have tried."""
        return self.counts.hashes + sum(engine.hashes(now) for engine in self.engines)

    def achievable_rate(self, rate: float) -> float:
        """Return the rate, limited to what this computer can search, unless the configured rate is higher."""
        return min(rate, max(self.settings.hash_rate, self.searcher.hash_rate * ACHIEVABLE_FRACTION))

    def advance(self, now: float) -> None:
        """Do what is due now. Each engine searches at most one slice."""
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
        """Search what the counters have passed, so that a busy computer does not make the device find less.

        The amount is limited, so that a computer that is too slow does not block. What is left out is not counted.
        """
        self.advance(now)
        for _ in range(MOST_OVERDUE_SLICES):
            if not any(engine.next_search_at(now) <= now for engine in self.engines):
                break
            self.advance(now)
        if self.deadline <= now:
            self.tick(now)

    def due(self, now: float) -> float:
        """Return the time at which ``advance`` or ``take`` has something to do. It lies in the past if that is now."""
        searching = (engine.next_search_at(now) for engine in self.engines)
        sending = (self._answers[0].at if self._answers else inf, self._sent[0].at if self._sent else inf)
        change = max(self.started + self.faults.next_change(self.age(now)), now + ROUNDING_S)
        return min(self.deadline, change, *searching, *sending)
