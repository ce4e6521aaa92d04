"""What a figure must be: exactly a value, or within stated bounds. Each can say how a false figure would look."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Exactly:
    """Equal; for floats, equal but for the last bits of a sum in another order."""

    value: Any

    def holds(self, told: Any) -> bool:
        """Whether the figure is so."""
        if isinstance(self.value, float) and isinstance(told, int | float) and not isinstance(told, bool):
            return math.isclose(self.value, told, rel_tol=1e-9, abs_tol=1e-15)
        if isinstance(self.value, bool) or isinstance(told, bool):
            return told is self.value
        return bool(told == self.value)

    def __str__(self) -> str:
        return f"exactly {self.value!r}"


@dataclass(frozen=True, slots=True)
class Within:
    """From ``low`` to ``high``, both included; None where ``or_none`` allows it."""

    low: float
    high: float
    or_none: bool = False

    def holds(self, told: Any) -> bool:
        """Whether the figure is there."""
        if told is None:
            return self.or_none
        return isinstance(told, int | float) and not isinstance(told, bool) and self.low <= told <= self.high

    def __str__(self) -> str:
        return f"{self.low!r} to {self.high!r}" + (" or nothing" if self.or_none else "")


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several, where the wire does not say which."""

    values: tuple[Any, ...]

    def holds(self, told: Any) -> bool:
        """Whether the figure is among them."""
        return any(Exactly(value).holds(told) for value in self.values)

    def __str__(self) -> str:
        return f"one of {self.values!r}"


Expectation = Exactly | Within | OneOf


def rounded(value: float, decimals: int) -> Within:
    """A value that is shown with so many decimals."""
    half = 0.5000001 * 10.0**-decimals
    return Within(value - half, value + half)


def spread(bounds: tuple[float, float], scale: float = 1.0, decimals: int = 12) -> Within:
    """Bounds in another unit, and rounded."""
    half = 0.5000001 * 10.0**-decimals
    return Within(bounds[0] * scale - half, bounds[1] * scale + half)


def shortened(expected: Expectation, digits: int) -> Expectation:
    """What is told with so many digits, where it is a number that is not whole."""
    if isinstance(expected, Within):
        slack = 0.51 * 10.0 ** (1 - digits)
        return Within(
            expected.low - abs(expected.low) * slack, expected.high + abs(expected.high) * slack, expected.or_none
        )
    if isinstance(expected, OneOf):
        return OneOf(tuple(_shortened(value, digits) for value in expected.values))
    return Exactly(_shortened(expected.value, digits))


def _shortened(value: Any, digits: int) -> Any:
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def falsified(told: Any) -> Any:
    """Another figure of the same kind: one more, or twice as much and more where it is no count."""
    if isinstance(told, bool):
        return not told
    if isinstance(told, int):
        return told + 1
    if isinstance(told, float):
        return told + 1.0 if told.is_integer() and abs(told) < 1e6 else 3 * told + math.copysign(1e-9, told)
    if isinstance(told, str):
        return told + "?"
    if isinstance(told, dict):
        return {**told, "?": 1}
    if isinstance(told, list):
        return [*told, "?"]
    return 1
