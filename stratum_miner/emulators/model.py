"""What all emulated devices have in common: a UART, a clock, faults, and engines that search.

A `Device` is sans-IO: bytes that the host sent go in, transmissions with their times come out, and ``now`` is an
argument. Bytes take their time on the wire in both directions, ten bits each. A subclass parses the host's bytes and
says what the device answers; what faults do to answers happens here, once for all.
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
"""Start, eight data bits, stop."""
BAUD_TOLERANCE: Final = 0.045
"""How far the two ends of a UART may be apart; 4 % work in the field (docs/reference/asic.md#baud-rate)."""
SLOW_ANSWER_S: Final = (0.5, 2.0)
ROUNDING_S: Final = 1e-6
"""A fault's start, added to the device's, may come out before the age at which it begins: look again, later."""
MAX_BACKLOG_S: Final = 1.0
"""A device has no room for more answers than its wire carries in that time; picked by feel."""
ACHIEVABLE_FRACTION: Final = 0.8
"""Share of one kernel's rate that a driver can clock a device up to, unless its stated rate is higher."""
MOST_OVERDUE_SLICES: Final = 250
"""Half a second of one processor, at most."""
OVERHEATED_AFTER_S: Final = 5.0
"""A stick without a sensor computes wrongly when too hot, and nothing after that long; picked by feel."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a device is told to be."""

    hash_rate: float
    """H/s of the whole device at its usual clock."""
    chips: int
    nonce_difficulty: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Transmission:
    """Bytes that have arrived at the host ``at`` a time, on one of the device's ports."""

    at: float
    port: str
    data: bytes


@dataclass(slots=True)
class Counts:
    """What happened so far, for statistics."""

    works: int = 0
    commands: int = 0
    bad_frames: int = 0
    """Frames with a wrong checksum, unknown or cut short: ignored, as a chip does."""
    nonces: int = 0
    overruns: int = 0
    """Answers for which the wire had no room."""
    bytes_received: int = 0
    bytes_sent: int = 0
    hashes: float = 0.0
    """Hashes of works that are over."""


@dataclass(slots=True)
class Uart:
    """One port: its speed, and until when each direction is busy."""

    baud: int | None = 115200
    """None for a USB port that has no real speed."""
    receiving_until: float = -inf
    sending_until: float = -inf

    def duration(self, size: int) -> float:
        """Seconds that bytes take."""
        return size * BITS_PER_BYTE / self.baud if self.baud else 0.0


@dataclass(order=True, slots=True)
class _Answer:
    at: float
    order: int
    port: str = field(compare=False)
    data: bytes = field(compare=False)
    """A frame, or a nonce of which ``encode`` makes one."""
    encode: Callable[[bytes], bytes] | None = field(compare=False, default=None)
    chip: int = field(compare=False, default=0)


class EmulatedDevice(ABC):
    """A device that answers on its ports; ``started`` is what the times of faults count from."""

    ports: ClassVar[tuple[str, ...]] = ("",)
    work_port: ClassVar[str] = ""
    has_sensor: ClassVar[bool] = False
    """Whether the host can see how hot it is."""
    has_checksums: ClassVar[bool] = False
    """Whether its reports of nonces carry one."""

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
        """Whether there is a supply; a brown-out takes it away."""
        self.deadline = inf
        """When `tick` wants to be called."""

    # ---- what a device is ---------------------------------------------------------------------------------------

    @abstractmethod
    def reset(self, now: float) -> None:
        """Forget everything, as when power comes back."""

    @abstractmethod
    def parse(self, port: str, data: bytes, now: float) -> None:
        """Take bytes whose last bit arrived at ``now``."""

    @abstractmethod
    def report(self, engine: int, hit: SweepHit) -> None:
        """An engine found something; send it with `send_nonce` if the device would."""

    def tick(self, now: float) -> None:
        """Do what was put off until ``deadline``; the subclass sets it anew."""
        self.deadline = inf

    def port_closed(self, port: str, now: float) -> None:  # noqa: B027  most devices cannot tell
        """The last driver closed a port."""

    def supply_lost(self, now: float) -> None:
        """A brown-out began: what lives on the supply stops."""
        self.stop_searching(now)

    def supply_back(self, now: float) -> None:
        """It is over: nothing is left of what was known."""
        self.reset(now)

    # ---- the wire -----------------------------------------------------------------------------------------------

    def age(self, now: float) -> float:
        """Seconds since it was started, what faults go by."""
        return now - self.started

    def power_cycle(self, now: float) -> None:
        """Plugged in again: nothing is left of what it knew or was about to say."""
        self.stop_searching(now)
        self._answers.clear()
        self._sent.clear()
        for uart in self.uarts.values():
            uart.receiving_until = uart.sending_until = -inf
        self.reset(now)

    def receive(self, data: bytes, now: float, *, port: str = "", host_baud: int | None = None) -> None:
        """Bytes that the host wrote at ``now``, at the speed it believes in: another than ours garbles them."""
        uart = self.uarts[port]
        self.counts.bytes_received += len(data)
        uart.receiving_until = max(uart.receiving_until, now) + uart.duration(len(data))
        self.catch_up(uart.receiving_until)  # until the last bit is there it goes on with what it has
        if not self._same_speed(uart, host_baud):
            data = self.faults.random_other_bytes(data)
        if self.listens(port):
            self.parse(port, data, uart.receiving_until)

    def listens(self, port: str) -> bool:
        """Whether something listens behind a port."""
        return self.powered

    def send(self, data: bytes, at: float, *, port: str = "") -> None:
        """Answer; ``at`` is when the device has it ready."""
        self._order += 1
        heapq.heappush(self._answers, _Answer(at, self._order, port, data))

    def send_nonce(self, nonce: bytes, at: float, chip: int, encode: Callable[[bytes], bytes]) -> None:
        """Report a nonce, as ``encode`` makes a frame of it, on the first port that carries work."""
        self._order += 1
        heapq.heappush(self._answers, _Answer(at, self._order, self.work_port, nonce, encode, chip))

    def drop_nonces(self, after: float) -> None:
        """New work came: what would have been found later than ``after`` is not."""
        self._answers = [answer for answer in self._answers if answer.at <= after or answer.encode is None]
        heapq.heapify(self._answers)

    def take(self, now: float, host_baud: Callable[[str], int | None] = lambda _port: None) -> list[Transmission]:
        """What has arrived at the host since it was last asked; another speed than ours garbles it."""
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
        """Begin to search these, in place of what was."""
        self.stop_searching(now)
        self.engines = list(engines)
        self.advance(now)

    def stop_searching(self, now: float) -> None:
        """Stand still; answers that are on their way still come."""
        self.counts.hashes += sum(engine.hashes(now) for engine in self.engines)
        self.engines = []
        self.drop_nonces(now)

    def hashes(self, now: float) -> float:
        """How many nonces its engines have tried."""
        return self.counts.hashes + sum(engine.hashes(now) for engine in self.engines)

    def achievable_rate(self, rate: float) -> float:
        """A rate, or what this machine can do when a driver sets a clock beyond that and beyond the stated rate."""
        return min(rate, max(self.settings.hash_rate, self.searcher.hash_rate * ACHIEVABLE_FRACTION))

    def advance(self, now: float) -> None:
        """Do what is due: one slice of searching at most for each engine."""
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
        """Search what the counters have passed: what follows must not find less because the machine was busy.

        Within bounds: a machine that cannot keep up must not stand still for that. What it leaves out is not counted.
        """
        self.advance(now)
        for _ in range(MOST_OVERDUE_SLICES):
            if not any(engine.next_search_at(now) <= now for engine in self.engines):
                break
            self.advance(now)
        if self.deadline <= now:
            self.tick(now)

    def due(self, now: float) -> float:
        """When `advance` or `take` has something to do; in the past if at once."""
        searching = (engine.next_search_at(now) for engine in self.engines)
        sending = (self._answers[0].at if self._answers else inf, self._sent[0].at if self._sent else inf)
        change = max(self.started + self.faults.next_change(self.age(now)), now + ROUNDING_S)
        return min(self.deadline, change, *searching, *sending)
