"""The steps of bring-up, from a reset chip to a mining one. ``ChipChain.bring_up`` performs the steps of a board in
order.

The table of a board is taken from docs/reference/asic.md. The tests compare the frames that it makes with that page,
byte for byte.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reset:
    """Hold the reset line for ``hold`` seconds, release it, and wait ``wait`` seconds. Skipped without a reset line."""

    hold: float
    wait: float


@dataclass(frozen=True, slots=True)
class Write:
    """Write a register of all chips, ``times`` times."""

    register: int
    value: int
    times: int = 1
    pause: float = 0.0
    """Seconds after each write."""


@dataclass(frozen=True, slots=True)
class WriteTo:
    """Write a register of the chip with this address."""

    address: int
    register: int
    value: int


@dataclass(frozen=True, slots=True)
class WriteEach:
    """Write registers of one chip after the other."""

    values: tuple[tuple[int, int], ...]
    """Pairs of register and value."""
    pause: float = 0.0
    """Seconds after each chip."""


@dataclass(frozen=True, slots=True)
class CountChips:
    """Ask all chips for their ids. Raises an error unless the expected number of chips of the right kind answers."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class CountEngines:
    """Find out how many engines share the nonce range. This is used only for statistics."""


@dataclass(frozen=True, slots=True)
class Deactivate:
    """Make all chips forget their addresses."""

    times: int = 1
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class AssignAddresses:
    """Give chip number i of N the address floor(256/N)·i."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SetTicket:
    """Write the ticket mask with which a chip starts."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SwitchBaud:
    """Write the baud register at the old rate, wait until the frame is sent, and continue at the new rate."""

    register: int
    value: int
    host_baud: int
    back: int | None = None
    """The value that makes the chips return to their first rate, for chips that may not be reset before the next
    run."""
    pause: float = 0.01
    """Seconds before and after the computer switches its rate."""


@dataclass(frozen=True, slots=True)
class OpenCores:
    """Send empty work through all cores. ``pause`` is the seconds between the frames."""

    frames: int
    pause: float = 0.01


@dataclass(frozen=True, slots=True)
class RampUp:
    """Raise the clock in equal steps, and then to the exact frequency. ``base`` and ``step`` are in MHz, ``pause`` in
    seconds."""

    base: float
    """The first frequency that is written is one step above it. A target at or below it is written at once."""
    step: float
    pause: float = 0.1


@dataclass(frozen=True, slots=True)
class VerifyClock:
    """Read the clock back. A chip that reports another clock than was set is refused."""


@dataclass(frozen=True, slots=True)
class SetHashCount:
    """Write the length of a sweep over the nonces, which depends on the frequency."""


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
    """Return the frequencies (MHz) to write in order to reach ``target``, which is the last one.

    The others are the multiples of ``step`` above ``base``, or from ``start``, from where the clock may also go down.
    """
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
