"""Bring-up as tables: the steps from a reset chip to a mining one. ``Chain.bring_up`` performs them in order.

A table reads like the tables of docs/reference/asic.md it was taken from; the frames that it makes are compared with
them byte for byte in the tests.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reset:
    """Hold the reset line and release it, where it can be reached; seconds."""

    hold: float
    wait: float


@dataclass(frozen=True, slots=True)
class Write:
    """Write a register of all chips."""

    register: int
    value: int
    times: int = 1
    pause: float = 0.0
    """Seconds after each."""


@dataclass(frozen=True, slots=True)
class WriteTo:
    """Write a register of the chip at an address."""

    address: int
    register: int
    value: int


@dataclass(frozen=True, slots=True)
class WriteEach:
    """Write registers of one chip after the other."""

    values: tuple[tuple[int, int], ...]
    pause: float = 0.0
    """Seconds after each chip."""


@dataclass(frozen=True, slots=True)
class CountChips:
    """Ask all for their id; raises unless as many of the right kind answer as the board has."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class CountEngines:
    """Find out how many engines share the nonce range; for statistics only."""


@dataclass(frozen=True, slots=True)
class Deactivate:
    """Make all chips forget their addresses."""

    times: int = 1
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class AssignAddresses:
    """Give chip i of N the address floor(256/N)·i."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SetTicket:
    """Write the ticket mask that a chip starts with."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SwitchBaud:
    """Write a register at the old rate, let it leave, go on at the new one."""

    register: int
    value: int
    host_baud: int
    back: int | None = None
    """What makes the chips return to their first rate, for those that may not be reset in between."""
    pause: float = 0.01
    """Seconds before and after the host's change."""


@dataclass(frozen=True, slots=True)
class OpenCores:
    """Let empty work run through all cores; seconds between the frames."""

    frames: int
    pause: float = 0.01


@dataclass(frozen=True, slots=True)
class RampUp:
    """Raise the clock in even steps, the last onto the exact frequency; MHz and seconds."""

    base: float
    """One step above it is the first that is written; targets at or below are written at once."""
    step: float
    pause: float = 0.1


@dataclass(frozen=True, slots=True)
class VerifyClock:
    """Read the clock back; a chip that keeps another one than was set is refused."""


@dataclass(frozen=True, slots=True)
class SetHashCount:
    """Write the length of a sweep, which depends on the frequency."""


BringupStep = (
    Reset
    | Write
    | WriteTo
    | WriteEach
    | CountChips
    | CountEngines
    | Deactivate
    | AssignAddresses
    | SetTicket
    | SwitchBaud
    | OpenCores
    | RampUp
    | VerifyClock
    | SetHashCount
)


def ramp(base: float, step: float, target: float, start: float | None = None) -> list[float]:
    """The frequencies to write: multiples of ``step`` above ``base`` (or from ``start`` on, also downwards), then
    the target."""
    current = base if start is None else start
    if target <= current and start is None:
        return [target]
    direction = 1 if target >= current else -1
    written = []
    index = 1
    while (target - (current + direction * step * index)) * direction > 0:
        written.append(current + direction * step * index)
        index += 1
    return [*written, target]
