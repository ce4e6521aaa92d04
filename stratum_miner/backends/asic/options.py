"""What a user may tell about one device: "KIND:PATH,frequency=150,..." after the colon, checked against its board."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, nan

from stratum_miner.backends import options as option
from stratum_miner.backends.asic.board import Board, Range
from stratum_miner.backends.base import BackendOptionError

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
"""Accepted with "-" in place of "_", too."""
IDLE_OFF_S = 30.0
"""Longer than a pool takes to come back from a restart; cooling down and warming up are what wears chips."""
_MHZ = ("MHz", 1.5)
_VOLTS = ("V", 1.2)
"""A unit, and how far above the product's highest value ``allow_out_of_limits`` goes: beyond is a slip of the unit, or
what its registers cannot express."""
_UNITS = {"frequency": "MHz", "voltage": "V", "temperature_limit": "C", "idle_off": "s"}
"""May stand behind the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOptions:
    """Settings of one device; None is the product's own value."""

    frequency: float | None = None
    """MHz."""
    voltage: float | None = None
    """Core volts."""
    chips: int | None = None
    """Run with this many chips in place of the product's number: a chain with a dead chip."""
    hash_rate: float | None = None
    """H/s expected at the product's own clock, where its figure does not fit: unknown Icarus boards, emulators."""
    worker_name: str = ""
    """The login its shares are submitted under; empty for the pool's."""
    nonce_difficulty: float | None = None
    """Difficulty above which the device reports, for emulators; None is the real bound, 32 leading zero bits."""
    idle_off: float = IDLE_OFF_S
    """Seconds without work, so without a pool, after which it is powered down; infinity leaves it on."""
    temperature_limit: float | None = None
    """Degrees Celsius at which it is switched off, at most the product's own."""
    allow_out_of_limits: bool = False
    """Whether frequency and voltage may leave the product's limits."""

    @classmethod
    def parse(cls, board: Board, options: Mapping[str, str]) -> "DeviceOptions":
        """From the strings of a command line. BackendOptionError names the bad one, the wish and the limits."""
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
    """What can be said of options before it is known which board they are for. BackendOptionError."""
    given = _known("device", options)
    for name in ("frequency", "voltage", "temperature_limit"):
        _number(given, name, -inf, inf)
    _idle_off(given)
    _flag(given, "allow_out_of_limits")
    option.hash_rate(given, "hash_rate")


def _known(owner: str, options: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for spelling, text in options.items():
        name = spelling.replace("-", "_")
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
        raise BackendOptionError(f"{name}: the {board.product} has none to set, got {given[name]!r}")
    unit, beyond = scale
    allowed = _flag(given, "allow_out_of_limits")
    highest = limits.high * beyond if allowed else limits.high
    value = _number(given, name, -inf, inf)
    if value is None or not limits.low <= value <= highest:
        hint = "" if allowed else "; allow-out-of-limits=yes takes the risk of more"
        raise BackendOptionError(
            f"{name}: expected {limits.low:g} to {highest:g} {unit} for the {board.product}, got {given[name]}{hint}"
        )
    return value


def _temperature(board: Board, given: Mapping[str, str]) -> float | None:
    value = _number(given, "temperature_limit", 20, 200)
    if value is None:
        return None
    if board.temperature is None:
        raise BackendOptionError(f"temperature_limit: the {board.product} has no sensor to watch")
    low, high = board.temperature.resume + 1, board.temperature.cut_off
    if not low <= value <= high:
        raise BackendOptionError(
            f"temperature_limit: expected {low:g} to {high:g} °C for the {board.product}, got {value:g}"
        )
    return value


def _idle_off(given: Mapping[str, str]) -> float:
    if given.get("idle_off") == "never":
        return inf
    value = _number(given, "idle_off", 0, 86400)
    return IDLE_OFF_S if value is None else value


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
        wish = f"a number of {unit}" if high == inf else f"a number from {low:g} to {high:g}"
        raise BackendOptionError(f"{name}: expected {wish}, got {text!r}")
    return value


def _flag(given: Mapping[str, str], name: str) -> bool:
    return option.one_of(given, name, ("yes", "no")) == "yes"
