"""A pool that misbehaves on cue, by name: filters between a good pool and the miner or firmware under test."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from stratum_miner.capture.filter import FilterAction, FilterNote, FilterSequence, Send
from stratum_miner.capture.methods import METHODS, Methods
from stratum_miner.capture.record import Side
from stratum_miner.faults.conversation import PoolFault, Said, SettingValue, Talk
from stratum_miner.faults.pool_faults import POOL_FAULTS
from stratum_miner.spelling import named
from stratum_miner.stratum import envelope
from stratum_miner.stratum.errors import FieldError

_MASK_DIGITS = 8


@dataclass(frozen=True, slots=True)
class ChosenFault:
    """A fault with its parameter."""

    fault: PoolFault
    value: SettingValue

    def __str__(self) -> str:
        return self.fault.name if self.value is None else f"{self.fault.name}={self.value}"


def parse(text: str) -> ChosenFault:
    """``NAME`` or ``NAME=PARAMETER``. ValueError in one line."""
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
    try:
        number = type(fault.default)(value)
    except ValueError:
        number = float("nan")
    if not fault.low <= number <= fault.high:
        kind = "a whole number" if isinstance(fault.default, int) else "a number"
        raise ValueError(f"pool fault {name}: expected {kind} from {fault.low:g} to {fault.high:g}, got {value!r}")
    return ChosenFault(fault, number)


def filter_of(faults: Sequence[ChosenFault], seed: str) -> FilterSequence:
    """All of them at work on one connection, the first nearest to the pool."""
    return FilterSequence([FaultFilter(chosen, Random(f"{seed}/{index}")) for index, chosen in enumerate(faults)])


class FaultFilter:
    """One fault at work on one connection (a ``relay.Filter``)."""

    def __init__(self, chosen: ChosenFault, rng: Random) -> None:
        self._chosen = chosen
        self._talk = Talk(chosen.value, rng)
        self._methods = Methods(METHODS)
        self._notes: list[FilterNote] = []

    def opened(self) -> Sequence[FilterAction]:
        """Nothing: faults answer to what is said."""
        return ()

    def line(self, speaker: Side, line: bytes) -> Iterable[FilterAction]:
        """What the fault makes of it."""
        said = Said(speaker, line, _message(line), self._methods.of(speaker, line))
        self._remember(said)
        steps = self._chosen.fault.behave(self._talk, said)
        if steps is None:
            return (Send(speaker.other, line),)
        self._notes.append(FilterNote(str(self._chosen), line))
        return steps

    def ended(self, speaker: Side) -> Sequence[FilterAction]:
        """What was held back."""
        held, self._talk.held = self._talk.held, None
        return (Send(Side.MINER, held),) if held is not None and speaker is Side.POOL else ()

    @property
    def held(self) -> int:
        """Bytes of a line that waits for the next one, and of requests without a reply."""
        return len(self._talk.held or b"") + self._methods.held

    def notes(self) -> Sequence[FilterNote]:
        """Which lines it met."""
        notes, self._notes = self._notes, []
        return notes

    def _remember(self, said: Said) -> None:
        message = said.message or {}
        result = message.get("result")
        if said.is_reply and said.method == "mining.configure" and isinstance(result, dict):
            self._talk.mask = str(result.get("version-rolling.mask", self._talk.mask))[:_MASK_DIGITS]
        if said.is_call("mining.set_difficulty") and said.params and isinstance(said.params[0], int | float):
            self._talk.difficulty = said.params[0]


def _message(line: bytes) -> dict[str, Any] | None:
    """None for a line that is no message, or is nested so deep that it could not be written again."""
    try:
        envelope.decode(line.rstrip(b"\r\n"))
        message = json.loads(line)
    except (FieldError, ValueError):
        return None
    return message if isinstance(message, dict) else None
