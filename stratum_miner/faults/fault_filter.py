"""Filters that make a correct pool misbehave, to test miners and firmware. A user chooses the faults by name."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from stratum_miner.capture.filter import FilterAction, FilterNote, FilterSequence, Send
from stratum_miner.capture.methods import METHODS, Methods
from stratum_miner.capture.record import Side
from stratum_miner.faults.fault_behaviour import FaultState, PoolFault, ProtocolLine, SettingValue
from stratum_miner.faults.pool_faults import POOL_FAULTS
from stratum_miner.quantities import parse_duration
from stratum_miner.spelling import named
from stratum_miner.stratum import envelope
from stratum_miner.stratum.errors import FieldError

_MASK_DIGITS = 8


@dataclass(frozen=True, slots=True)
class ChosenFault:
    """A pool fault with its parameter."""

    fault: PoolFault
    value: SettingValue

    def __str__(self) -> str:
        return self.fault.name if self.value is None else f"{self.fault.name}={self.value}"


def parse(text: str) -> ChosenFault:
    """Return the fault in a text ``NAME`` or ``NAME=PARAMETER``.

    Raises ValueError, whose text is one line, if the name is unknown or the parameter is invalid.
    """
    name, equals, value = text.partition("=")
    fault = named(POOL_FAULTS, name, "pool fault")
    if not equals:
        return ChosenFault(fault, fault.default)
    if fault.default is None:
        raise ValueError(f"pool fault {name}: expected no parameter, got {value!r}")
    if isinstance(fault.default, str):
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"pool fault {name}: expected HOST:PORT, as in {name}={fault.default}, got {value!r}")
        return ChosenFault(fault, value)
    if fault.is_time:
        try:
            return ChosenFault(fault, parse_duration(value, fault.low, fault.high))
        except ValueError as error:
            raise ValueError(f"pool fault {name}: {error}") from None
    try:
        number = type(fault.default)(value)
    except ValueError:
        number = float("nan")
    if not fault.low <= number <= fault.high:
        kind = "an integer" if isinstance(fault.default, int) else "a number"
        raise ValueError(f"pool fault {name}: expected {kind} from {fault.low:g} to {fault.high:g}, got {value!r}")
    return ChosenFault(fault, number)


def filter_of(faults: Sequence[ChosenFault], seed: str) -> FilterSequence:
    """Return a filter for one connection that applies all faults in the given order.

    ``seed`` decides the random choices of the faults.
    """
    return FilterSequence([FaultFilter(chosen, Random(f"{seed}/{index}")) for index, chosen in enumerate(faults)])


class FaultFilter:
    """Applies one fault to the lines of one connection. It implements the interface ``capture.filter.Filter``."""

    def __init__(self, chosen: ChosenFault, rng: Random) -> None:
        self._chosen = chosen
        self._state = FaultState(chosen.value, rng)
        self._methods = Methods(METHODS)
        self._notes: list[FilterNote] = []

    def opened(self) -> Sequence[FilterAction]:
        """Return no actions, because the connection has just been opened and faults react only to lines."""
        return ()

    def line(self, sender: Side, line: bytes) -> Iterable[FilterAction]:
        """Return the actions of the fault for this line; if the fault does not apply, the line passes unchanged."""
        parsed = ProtocolLine(sender, line, _message(line), self._methods.of(sender, line))
        self._remember(parsed)
        actions = self._chosen.fault.behave(self._state, parsed)
        if actions is None:
            return (Send(sender.other, line),)
        self._notes.append(FilterNote(str(self._chosen), line))
        return actions

    def ended(self, sender: Side) -> Sequence[FilterAction]:
        """Handle the end of the stream of ``sender``. At this time, the fault may still hold back a line for the miner.

        If the pool has ended its stream, return the action that sends this line. If the miner has ended its stream,
        drop the line."""
        held, self._state.held = self._state.held, None
        return (Send(Side.MINER, held),) if held is not None and sender is Side.POOL else ()

    @property
    def held(self) -> int:
        """Return an upper bound of the bytes that this filter keeps: the line that is held back, and the requests that
        wait for a reply."""
        return len(self._state.held or b"") + self._methods.held

    def notes(self) -> Sequence[FilterNote]:
        """Return what the record of the connection should say about the fault since the last call.

        There is one ``FilterNote`` for each line to which the fault was applied. It contains the fault as text, and
        the line.
        """
        notes, self._notes = self._notes, []
        return notes

    def _remember(self, parsed: ProtocolLine) -> None:
        message = parsed.message or {}
        result = message.get("result")
        if parsed.is_reply and parsed.method == "mining.configure" and isinstance(result, dict):
            self._state.mask = str(result.get("version-rolling.mask", self._state.mask))[:_MASK_DIGITS]
        if parsed.is_reply and parsed.method == "mining.subscribe" and isinstance(result, list):
            self._state.extranonce2_size = next((size for size in result[2:3] if isinstance(size, int)), 0)
        if parsed.is_call("mining.set_difficulty") and parsed.params and isinstance(parsed.params[0], int | float):
            self._state.difficulty = parsed.params[0]


def _message(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a line. Return None if the line is not a message of the protocol, or is nested so
    deeply that it could not be encoded again."""
    try:
        envelope.decode(line.rstrip(b"\r\n"))
        message = json.loads(line)
    except (FieldError, ValueError):
        return None
    return message if isinstance(message, dict) else None
