"""The steps of bring-up: what prepares the chips for work after a reset. ``Board.bring_up`` lists the steps of a board,
and ``ChipChain.bring_up`` performs them in order.

docs/reference/asic.md describes the steps of each board. Tests check that the driver sends exactly the frames that this
page lists.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reset:
    """Hold the chips in reset for ``hold`` seconds, release them, and wait ``wait`` seconds. The step is skipped if the
    device has no reset line."""

    hold: float
    wait: float


@dataclass(frozen=True, slots=True)
class Write:
    """Write ``value`` to the same register of all chips. This is done ``times`` times in a row."""

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
    """Make several writes to each chip: all writes in ``values`` to the first chip, then all of them to the second
    chip, and so on."""

    values: tuple[tuple[int, int], ...]
    """Each write, as a pair of the register and its new value."""
    pause: float = 0.0
    """Seconds to wait after the writes to each chip."""


@dataclass(frozen=True, slots=True)
class CountChips:
    """Ask all chips for their ids. Raises DeviceSilent, PowerFault or WrongChip unless the expected number of chips of
    the right kind answers."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class CountEngines:
    """Find out the number of engines in the device, which is needed only for statistics. The nonce range is divided
    into equal parts, and each engine searches one of them."""


@dataclass(frozen=True, slots=True)
class Deactivate:
    """Make all chips forget their addresses."""

    times: int = 1
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class AssignAddresses:
    """Give each chip an address: chip number i of N chips, counted from 0, gets floor(256/N)·i."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SetTicket:
    """Write the first ticket mask. The chips then report only nonces whose hash has at least 32 + ``start_ticket_bits``
    leading zero bits. The chip family determines ``start_ticket_bits``."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SwitchBaud:
    """Change the baud rate. Write the baud register of the chips at the old rate, wait until this write is sent, and
    continue at the new rate."""

    register: int
    value: int
    host_baud: int
    back: int | None = None
    """The value of the baud register with which the chips return to their first rate. The value is needed if the chips
    cannot be reset before every mining run (the time from the start of the device until it stops); otherwise it is
    None."""
    pause: float = 0.01
    """Seconds to wait before this computer changes its own rate, and again after that."""


@dataclass(frozen=True, slots=True)
class OpenCores:
    """Activate all cores of the chips. To do so, send ``frames`` frames of empty work, and wait ``pause`` seconds after
    each."""

    frames: int
    pause: float = 0.01


@dataclass(frozen=True, slots=True)
class RampUp:
    """Raise the clock in steps of ``step`` MHz until it is at the requested frequency; the last step may be smaller.
    Wait ``pause`` seconds after each step."""

    base: float
    """Frequency in MHz from which the steps begin: the first step sets ``base`` + ``step``. A requested frequency of at
    most ``base`` is set in one step."""
    step: float
    pause: float = 0.1


@dataclass(frozen=True, slots=True)
class VerifyClock:
    """Read the clock back from the chips. If it is not the one that was set, set it again. Raises DeviceRefused after
    three failed attempts. Chips that do not report their clock pass this step."""


@dataclass(frozen=True, slots=True)
class SetHashCount:
    """Write the hash count to the chips. The hash count is the number of ticks of the 25 MHz reference clock in which a
    core searches its part of the nonces, so it depends on the frequency of the chips."""


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
    """Return the frequencies (MHz) to write, one after the other, to bring the clock to ``target``.

    With ``start``, the first frequency is one ``step`` from ``start`` towards ``target``, which may be higher or lower.
    Without ``start``, the first frequency is one ``step`` above ``base``; but if ``target`` is at most ``base``, it is
    the only frequency. The last frequency is always ``target``.
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
