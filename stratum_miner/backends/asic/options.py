"""Options of one device, as in "KIND:PATH,frequency=150,...", checked against its board."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, nan

from stratum_miner.backends import options as option
from stratum_miner.backends.asic.board import Board, Range
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.quantities import parse_duration

NAMES = (
    "allow_out_of_limits",
    "chips",
    "frequency",
    "hash_rate",
    "idle_off",
    "nonce_difficulty",
    "temperature_limit",
    "voltage",
    "worker",
)
"""Names of the options. They are also accepted with "-" instead of "_"."""
IDLE_OFF_S = 30.0
"""Seconds without work after which a device is powered down. Most interruptions, such as the restart of a pool, are
shorter. The device stays on during these, because every change of temperature wears the chips."""
_MHZ = ("MHz", 1.5)
_VOLTS = ("V", 1.2)
"""``_MHZ`` (for frequencies) and ``_VOLTS`` (for voltages) contain the unit of an option and a factor. With
``allow_out_of_limits``, the upper limit of the option is multiplied by the factor. A value above this higher limit is
refused, because it was probably given in another unit, or does not fit into the registers."""
_UNITS = {"frequency": "MHz", "voltage": "V", "temperature_limit": "C"}
"""For each option with a unit, the unit that a user may write after the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOptions:
    """Settings of one device. None means the default value of its board."""

    frequency: float | None = None
    """Clock frequency in MHz."""
    voltage: float | None = None
    """Core voltage in volts."""
    chips: int | None = None
    """Number of chips that must answer. For a board with dead chips, it is smaller than the number of chips on the
    board."""
    hash_rate: float | None = None
    """Hash rate in H/s at the board's default frequency. It is for devices whose hash rate differs from the one that
    ``Board`` gives (unknown Icarus devices, emulators)."""
    worker_name: str = ""
    """Worker name to submit the device's shares under; empty for the worker name of the pool."""
    nonce_difficulty: float | None = None
    """Difficulty that a nonce must reach before an emulator reports it. None means 32 leading zero bits of the hash, as
    on real chips."""
    idle_off: float = IDLE_OFF_S
    """Seconds without work (for example while no pool is connected) after which the device is powered down. With
    infinity, the device stays on."""
    temperature_limit: float | None = None
    """Temperature in °C at which the device is switched off, at most the limit of the board."""
    allow_out_of_limits: bool = False
    """Whether frequency and voltage may exceed the limits of the board."""

    @classmethod
    def parse(cls, board: Board, options: Mapping[str, str]) -> "DeviceOptions":
        """Convert the option strings of a command line.

        Raises BackendOptionError, which names the option, the expected values and the given one.
        """
        given = _known(board.kind, options)
        return cls(
            frequency=_within(board, given, "frequency", _MHZ, board.frequency),
            voltage=_within(board, given, "voltage", _VOLTS, board.voltage),
            chips=option.integer(given, "chips", 1, max(board.chips, 1)),
            hash_rate=option.hash_rate(given, "hash_rate"),
            worker_name=given.get("worker", ""),
            nonce_difficulty=_number(given, "nonce_difficulty", 1e-9, 1e9),
            idle_off=_idle_off(given),
            temperature_limit=_temperature(board, given),
            allow_out_of_limits=_flag(given, "allow_out_of_limits"),
        )


def check_spelling(options: Mapping[str, str]) -> None:
    """Check the options as far as possible without knowing the board. Raises BackendOptionError if an option is unknown
    or its value is bad."""
    given = _known("device", options)
    for name in ("frequency", "voltage", "temperature_limit"):
        _number(given, name, -inf, inf)
    _idle_off(given)
    _flag(given, "allow_out_of_limits")
    option.hash_rate(given, "hash_rate")


_OTHER_NAMES = {"clock": "frequency", "freq": "frequency", "core_voltage": "voltage", "corev": "voltage"}
"""Names of options in bfgminer, cgminer and AxeOS, with the name of the same option here. A user who gives one of the
other names gets an error that suggests the name here. The other names are not accepted, because the value may be in
another unit."""


def _known(owner: str, options: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for spelling, text in options.items():
        name = spelling.replace("-", "_")
        if name in _OTHER_NAMES:
            known = _OTHER_NAMES[name]
            unit = _UNITS[known]
            raise BackendOptionError(f"{spelling}: unknown option: give {known} in {unit} instead")
        if name in given:
            raise BackendOptionError(f"{spelling}: expected once, got {given[name]!r} and {text!r}")
        given[name] = text
    option.check_known(owner, given, NAMES)
    return given


def _within(
    board: Board, given: Mapping[str, str], name: str, scale: tuple[str, float], limits: Range | None
) -> float | None:
    if name not in given:
        return None
    if limits is None:
        raise BackendOptionError(
            f"{name}: expected none, because the {name} of the {board.product} cannot be set, got {given[name]!r}"
        )
    unit, beyond = scale
    allowed = _flag(given, "allow_out_of_limits")
    highest = limits.high * beyond if allowed else limits.high
    value = _number(given, name, -inf, inf)
    if value is None or not limits.low <= value <= highest:
        hint = "" if allowed else "; to exceed the limits at your own risk, add allow-out-of-limits=yes"
        raise BackendOptionError(
            f"{name}: expected {limits.low:g} to {highest:g} {unit} for the {board.product}, got {given[name]}{hint}"
        )
    return value


def _temperature(board: Board, given: Mapping[str, str]) -> float | None:
    value = _number(given, "temperature_limit", 20, 200)
    if value is None:
        return None
    if board.temperature is None:
        raise BackendOptionError(
            f"temperature_limit: expected none, because the {board.product} has no temperature sensor"
        )
    low, high = board.temperature.resume + 1, board.temperature.cut_off
    if not low <= value <= high:
        raise BackendOptionError(
            f"temperature_limit: expected {low:g} to {high:g} °C for the {board.product}, got {value:g}"
        )
    return value


def _idle_off(given: Mapping[str, str]) -> float:
    if given.get("idle_off") == "never":
        return inf
    try:
        return parse_duration(given["idle_off"], 0, 86400) if "idle_off" in given else IDLE_OFF_S
    except ValueError as error:
        raise BackendOptionError(f"idle_off: {error}; with idle_off=never, the device stays on") from None


def _number(given: Mapping[str, str], name: str, low: float, high: float) -> float | None:
    text = given.get(name)
    if text is None:
        return None
    unit = _UNITS.get(name, "")
    try:
        value = float(text.removesuffix(unit))
    except ValueError:
        value = nan
    if not low <= value <= high:
        expected = f"a number of {unit}" if high == inf else f"a number from {low:g} to {high:g}"
        raise BackendOptionError(f"{name}: expected {expected}, got {text!r}")
    return value


def _flag(given: Mapping[str, str], name: str) -> bool:
    return option.one_of(given, name, ("yes", "no")) == "yes"
