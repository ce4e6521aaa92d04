"""Faults of emulated devices. Each fault has a name, and is counted when it is injected. A seed decides the random
choices.

A fault is written ``NAME[=VALUE][@START[+SECONDS]]``. If the fault damages single frames, VALUE is the probability with
which it damages a frame. If the fault concerns one chip, VALUE is the number of the chip. The fault begins START
seconds after the start of the emulator and lasts SECONDS seconds. Both times may have a unit, as in 1m30s. The table
``FAULTS`` has the default values; most faults never end by default.

This module does not depend on the models of the devices. The models ask it which faults are active, and carry them out.
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Final

from stratum_miner.quantities import parse_duration
from stratum_miner.spelling import did_you_mean


class FaultError(ValueError):
    """The text of a fault is invalid, or the device cannot have the fault. The text of the error is one line that says
    what was expected."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault: its meaning, and the default values of its settings."""

    meaning: str
    probability: float | None = None
    """Default probability with which each frame is damaged; None if the fault does not damage single frames but is a
    state of the device, such as "unplug"."""
    start: float = 0.0
    seconds: float = inf
    of_chip: bool = False


FAULTS: Final[dict[str, FaultKind]] = {
    "crc-errors": FaultKind("one bit of an answer is flipped on the wire", 0.05),
    "garbage": FaultKind("random bytes come before an answer", 0.05),
    "dropped-nonces": FaultKind("a nonce is not reported", 0.1),
    "duplicate-nonces": FaultKind("a nonce is reported twice", 0.1),
    "wrong-nonces": FaultKind("a nonce is wrong though its frame is right", 0.1),
    "slow-answers": FaultKind("an answer comes half a second to two seconds late", 0.1),
    "i2c-errors": FaultKind("a sensor or regulator does not answer", 0.05),
    "dead-chip": FaultKind("one chip neither answers nor hashes", of_chip=True),
    "silent-chip": FaultKind("one chip answers commands but reports no nonces", of_chip=True),
    "wrong-chip-id": FaultKind("the device answers as another product would"),
    "overheating": FaultKind("the device gets too hot: its sensor or its wrong nonces show it", start=5.0),
    "brown-out": FaultKind("the supply fails: the device does not answer and forgets all", start=5.0, seconds=3.0),
    "unplug": FaultKind("the port disappears and comes back", start=5.0, seconds=3.0),
}
"""The faults of emulated devices by name, with their meanings and default values. To add a fault, add a row here, and
implement the effect of the fault in ``model``."""

LONGEST: Final = 1e9
"""Largest start and largest length of a fault, in seconds."""
_SPELLING = re.compile(r"([a-z0-9-]+)(?:=([0-9.eE+-]+?))?(?:@([^+]+)(?:\+([^+]+))?)?")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one device, which begins ``start`` seconds after the start of the device and lasts ``seconds``
    seconds.

    ``probability`` is the probability with which the fault damages a frame; None if the fault is a state of the
    device."""

    name: str
    probability: float | None
    start: float
    seconds: float
    chip: int | None = None

    def is_active(self, age: float) -> bool:
        """Return whether the fault is active in a device that was started ``age`` seconds ago."""
        return self.start <= age < self.start + self.seconds


def parse_fault(text: str) -> Fault:
    """Parse ``crc-errors``, ``crc-errors=0.01``, ``dead-chip=2``, ``unplug@10+3`` and so on.

    Raises FaultError if the text does not have this form, the name is unknown, or a value is out of its range.
    """
    match = _SPELLING.fullmatch(text.strip())
    if match is None:
        raise FaultError(f"fault: expected NAME[=VALUE][@START[+SECONDS]], got {text!r}")
    name, value, start, seconds = match.groups()
    kind = FAULTS.get(name)
    if kind is None:
        hint = did_you_mean(name, FAULTS, f"; expected one of {', '.join(FAULTS)}")
        raise FaultError(f"fault: unknown name {name!r}{hint}")
    probability, chip = kind.probability, None
    if value is not None and kind.of_chip:
        chip = int(_number(name, "chip's number", value, 255, whole=True))
    elif value is not None and probability is not None:
        probability = _number(name, "probability", value, 1.0)
    elif value is not None:
        raise FaultError(f"fault {name}: expected no value, got {value!r}")
    return Fault(
        name,
        probability,
        kind.start if start is None else _time(name, "start", start),
        kind.seconds if seconds is None else _time(name, "length", seconds),
        chip,
    )


def _number(name: str, what: str, text: str, most: float, *, whole: bool = False) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most or (whole and value != int(value)):
        raise FaultError(f"fault {name}: expected a {what} from 0 to {most:g}, got {text!r}")
    return value


def _time(name: str, what: str, text: str) -> float:
    try:
        return parse_duration(text, 0, LONGEST)
    except ValueError as error:
        raise FaultError(f"fault {name}: {what}: {error}") from None


class Faults:
    """The faults of one device, and how often each was injected. The same seed gives the same random choices."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self.faults = list(faults)
        self.injected: dict[str, int] = {}
        """How often each fault was injected, by its name. This is the number of frames that the fault damaged or, if
        the fault is a state of the device, the number of times that the state began."""
        self._random = random.Random(f"faults {seed}")
        self._begun: set[int] = set()

    def add(self, fault: Fault) -> None:
        """Add a fault. If its start has already passed, it is active at once."""
        self.faults.append(fault)

    def count(self, name: str) -> None:
        """Add one to the number of times that this fault was injected."""
        self.injected[name] = self.injected.get(name, 0) + 1

    def damages(self, name: str, age: float) -> bool:
        """Decide at random whether this fault damages a frame; return the decision. If it does, count the damage."""
        for fault in self.faults:
            if fault.name == name and fault.is_active(age) and self._random.random() < (fault.probability or 0):
                self.count(name)
                return True
        return False

    def active(self, name: str, age: float) -> Fault | None:
        """Return an active fault with this name, or None. The first call that finds a fault active also counts it as
        injected."""
        for fault in self.faults:
            if fault.name == name and fault.is_active(age):
                if id(fault) not in self._begun:
                    self._begun.add(id(fault))
                    self.count(name)
                return fault
        return None

    def affected_chip(self, fault: Fault, chips: int) -> int:
        """Return the number of the chip that the fault affects: the one that the user named, otherwise the last one."""
        return chips - 1 if fault.chip is None else fault.chip

    def next_change(self, age: float) -> float:
        """Return the next age of the device, in seconds, at which a fault begins or ends; infinity if there is none."""
        moments = (at for fault in self.faults for at in (fault.start, fault.start + fault.seconds))
        return min((at for at in moments if at > age), default=inf)

    def flip_bit(self, frame: bytes) -> bytes:
        """Return the frame with one random bit inverted."""
        bit = self._random.randrange(8 * len(frame))
        value = bytearray(frame)
        value[bit // 8] ^= 1 << bit % 8
        return bytes(value)

    def noise(self, most: int = 12) -> bytes:
        """Return one to ``most`` random bytes."""
        return self._random.randbytes(self._random.randint(1, most))

    def random_other_bytes(self, data: bytes) -> bytes:
        """Return random bytes that have the same length as ``data`` but differ from it."""
        while (other := self._random.randbytes(len(data))) == data:
            pass
        return other

    def uniform(self, low: float, high: float) -> float:
        """Return a random number from ``low`` to ``high``."""
        return self._random.uniform(low, high)
