"""What a fault of a pool sees and answers: one line, the talk so far, and the steps to take instead."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

from stratum_miner.capture.filter import FilterAction
from stratum_miner.capture.record import Side

SettingValue: TypeAlias = float | str | None
"""The value of a fault's parameter."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line. ``message`` is None when it is no JSON object; ``method`` of a reply is that of its request."""

    speaker: Side
    line: bytes
    message: dict[str, Any] | None
    method: str | None

    @property
    def params(self) -> list[Any]:
        """A copy of its parameters; none when they are no array."""
        params = (self.message or {}).get("params")
        return list(params) if isinstance(params, list) else []

    @property
    def is_reply(self) -> bool:
        """Whether the pool answers with it."""
        return self.speaker is Side.POOL and self.message is not None and "method" not in self.message

    def is_call(self, method: str) -> bool:
        """Whether the pool calls this method with it."""
        return self.speaker is Side.POOL and self.message is not None and self.message.get("method") == method

    def asks(self, method: str) -> bool:
        """Whether the miner asks for this with it."""
        return self.speaker is Side.MINER and self.method == method


@dataclass(slots=True)
class Talk:
    """What a fault knows of its connection."""

    value: Any
    rng: Random
    seen: Counter[str] = field(default_factory=Counter)
    """How often something was said, in the fault's own words."""
    held: bytes | None = None
    mask: str = "00000000"
    """As granted."""
    difficulty: float = 1
    """As set last."""

    def nth(self, what: str) -> int:
        """Count it; returns how often it was counted, this time included."""
        self.seen[what] += 1
        return self.seen[what]


Behaviour: TypeAlias = Callable[[Talk, Said], Iterable[FilterAction] | None]


@dataclass(frozen=True, slots=True)
class PoolFault:
    """One way for a pool to misbehave. ``default`` is its parameter unless another is given; None takes none."""

    name: str
    summary: str
    behave: Behaviour
    default: SettingValue = None
    low: float = 0
    high: float = 1e6
