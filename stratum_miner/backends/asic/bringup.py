"""The steps of bring-up, which prepare chips for work after a reset. ``ChipChain.bring_up`` performs the steps of a
board in order.

The steps of each board come from docs/reference/asic.md. The tests compare the frames that the steps send with that
page, byte for byte.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reset:
    """Hold the reset line for ``hold`` seconds, release it, and wait ``wait`` seconds. The step is skipped if the
    device has no reset line."""

    hold: float
    wait: float


@dataclass(frozen=True, slots=True)
class Write:
    """Write ``value`` to a register of all chips, ``times`` times in a row."""

    register: int
    value: int
    times: int = 1
    pause: float = 0.0
    """Seconds to wait after each write."""


@dataclass(frozen=True, slots=True)
class WriteTo:
    """Write ``value`` to a register of the chip at ``address``."""

    address: int
    register: int
    value: int


@dataclass(frozen=True, slots=True)
class WriteEach:
    """Write all registers in ``values`` to the first chip, then all of them to the second chip, and so on."""

    values: tuple[tuple[int, int], ...]
    """Pairs of a register and the value to write."""
    pause: float = 0.0
    """Seconds to wait after each chip."""


@dataclass(frozen=True, slots=True)
class CountChips:
    """Ask all chips for their ids. Raises an error unless the expected number of chips of the right kind answers."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class CountEngines:
    """Find out how many engines the device has. An engine is a unit that searches one of the equal parts of the nonce
    range. The number is used only for statistics."""


@dataclass(frozen=True, slots=True)
class Deactivate:
    """Make all chips forget their addresses."""

    times: int = 1
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class AssignAddresses:
    """Give chip number i of N the address floor(256/N)·i, where i is counted from 0."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SetTicket:
    """Write the first ticket mask: the chips then report only nonces whose hash has more than 32 leading zero bits. How
    many more depends on the chip family (``start_ticket_bits``)."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SwitchBaud:
    """Write the baud register of the chips at the old rate, wait until this write is sent, and continue at the new
    rate."""

    register: int
    value: int
    host_baud: int
    back: int | None = None
    """The value of the baud register that makes the chips return to their first rate. It is needed if the chips cannot
    be reset before every run; otherwise it is None."""
    pause: float = 0.01
    """Seconds to wait before the computer switches its rate, and again afterwards."""


@dataclass(frozen=True, slots=True)
class OpenCores:
    """Activate all cores by sending ``frames`` frames of empty work, and wait ``pause`` seconds after each frame."""

    frames: int
    pause: float = 0.01


@dataclass(frozen=True, slots=True)
class RampUp:
    """Raise the clock in equal steps, and then to the exact frequency. ``base`` and ``step`` are in MHz, ``pause`` in
    seconds."""

    base: float
    """Frequency below the first step: the first frequency that is written is ``base`` + ``step``. If the frequency to
    reach is at most ``base``, it is written at once, without steps."""
    step: float
    pause: float = 0.1


@dataclass(frozen=True, slots=True)
class VerifyClock:
    """Read the clock back, and set it again if the chips report another clock. Raises DeviceRefused after three failed
    attempts. If no chip reports its clock, the clock is accepted."""


@dataclass(frozen=True, slots=True)
class SetHashCount:
    """Write the hash count to the chips: after this number of clock ticks, a core has searched its part of the nonces.
    The number depends on the frequency."""


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
    """Return the frequencies (MHz) to write, one after the other, until the clock has reached ``target``.

    Without ``start``, they rise from ``base`` in steps of ``step``. With ``start``, they lead from ``start`` up or down
    to ``target``. The last frequency is always ``target``.
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
