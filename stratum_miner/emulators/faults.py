"""What can be wrong with a device: faults by name, struck at random from a seed, counted.

A fault is written ``NAME[=VALUE][@START[+SECONDS]]``. For faults of single frames VALUE is the probability, for those
of one chip its number. START counts from the start of the emulator; without SECONDS a fault that is a state
lasts, and one that is an event takes its usual time. Knows nothing of any device: models ask, and do the damage.
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Final

from stratum_miner.spelling import did_you_mean


class FaultError(ValueError):
    """A fault that cannot be; one line says what was expected."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a name means."""

    meaning: str
    probability: float | None = None
    """How likely it is for each frame, unless told otherwise; None for a state."""
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
    "wrong-chip-id": FaultKind("the device says it is something else"),
    "overheating": FaultKind("it gets too hot: by its sensor, or else by wrong and then no nonces", start=5.0),
    "brown-out": FaultKind("its supply breaks down: everything is forgotten, nothing answers", start=5.0, seconds=3.0),
    "unplug": FaultKind("the port vanishes and comes back", start=5.0, seconds=3.0),
}

_SPELLING = re.compile(r"([a-z0-9-]+)(?:=([0-9.eE+-]+?))?(?:@([0-9.]+)(?:\+([0-9.]+))?)?")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of this device: struck with ``probability``, or in force, from ``start`` for ``seconds``."""

    name: str
    probability: float | None
    start: float
    seconds: float
    chip: int | None = None

    def is_active(self, age: float) -> bool:
        """Whether it can strike a device started ``age`` seconds ago."""
        return self.start <= age < self.start + self.seconds


def parse_fault(text: str) -> Fault:
    """``crc-errors``, ``crc-errors=0.01``, ``dead-chip=2``, ``unplug@10+3``. FaultError says what was expected."""
    match = _SPELLING.fullmatch(text.strip())
    if match is None:
        raise FaultError(f"fault: expected NAME[=VALUE][@START[+SECONDS]], got {text!r}")
    name, value, start, seconds = match.groups()
    kind = FAULTS.get(name)
    if kind is None:
        raise FaultError(f"fault: unknown name {name!r}{did_you_mean(name, FAULTS, f'; one of {list(FAULTS)}')}")
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
        kind.start if start is None else _number(name, "start in seconds", start, 1e9),
        kind.seconds if seconds is None else _number(name, "length in seconds", seconds, 1e9),
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


class Faults:
    """The faults of one device, and how often each was injected. Equal seeds strike equally."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self.faults = list(faults)
        self.injected: dict[str, int] = {}
        """Times by name: frames damaged, or states that began."""
        self._random = random.Random(f"faults {seed}")
        self._begun: set[int] = set()

    def add(self, fault: Fault) -> None:
        """One more, from now on."""
        self.faults.append(fault)

    def count(self, name: str) -> None:
        """Note that a fault did its damage."""
        self.injected[name] = self.injected.get(name, 0) + 1

    def damages(self, name: str, age: float) -> bool:
        """Whether a frame is to be damaged in this way; counted if so."""
        for fault in self.faults:
            if fault.name == name and fault.is_active(age) and self._random.random() < (fault.probability or 0):
                self.count(name)
                return True
        return False

    def active(self, name: str, age: float) -> Fault | None:
        """The fault of this name that is in force; counted when it is first seen so."""
        for fault in self.faults:
            if fault.name == name and fault.is_active(age):
                if id(fault) not in self._begun:
                    self._begun.add(id(fault))
                    self.count(name)
                return fault
        return None

    def affected_chip(self, fault: Fault, chips: int) -> int:
        """Which of ``chips`` it hits: the one named, or the last."""
        return chips - 1 if fault.chip is None else fault.chip

    def next_change(self, age: float) -> float:
        """The age at which some state begins or ends next; infinite if none does."""
        moments = (at for fault in self.faults for at in (fault.start, fault.start + fault.seconds))
        return min((at for at in moments if at > age), default=inf)

    def flip_bit(self, frame: bytes) -> bytes:
        """The frame with one bit turned over."""
        bit = self._random.randrange(8 * len(frame))
        value = bytearray(frame)
        value[bit // 8] ^= 1 << bit % 8
        return bytes(value)

    def noise(self, most: int = 12) -> bytes:
        """One to ``most`` random bytes."""
        return self._random.randbytes(self._random.randint(1, most))

    def random_other_bytes(self, data: bytes) -> bytes:
        """Random bytes of the same length, another value."""
        while (other := self._random.randbytes(len(data))) == data:
            pass
        return other

    def uniform(self, low: float, high: float) -> float:
        """A number from ``low`` to ``high``."""
        return self._random.uniform(low, high)
