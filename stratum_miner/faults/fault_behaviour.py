"""The interface of pool faults. A ``PoolFault`` describes a fault. One of its fields, ``behave``, is the function of
the fault: it is called for each line (``ProtocolLine``) of a connection, with the ``FaultState`` of this connection."""

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
class ProtocolLine:
    """One line that the miner or the pool has sent, and what was parsed from it."""

    sender: Side
    data: bytes
    """The line with its LF. A line of more than ``capture.lines.MAX_LINE`` bytes is split into several objects of this
    class. Each contains a piece of the line; only the last piece ends with the LF."""
    message: dict[str, Any] | None
    """The parsed JSON object; None if the line is not a message of the protocol."""
    method: str | None
    """The method of a request or notification; for a reply, the method of the request that it answers."""

    @property
    def params(self) -> list[Any]:
        """Return a copy of the parameters; an empty list if they are not an array."""
        params = (self.message or {}).get("params")
        return list(params) if isinstance(params, list) else []

    @property
    def is_reply(self) -> bool:
        """Return whether the line is a reply of the pool."""
        return self.sender is Side.POOL and self.message is not None and "method" not in self.message

    def is_call(self, method: str) -> bool:
        """Return whether the line is a request or notification of the pool with this method."""
        return self.sender is Side.POOL and self.message is not None and self.message.get("method") == method

    def asks(self, method: str) -> bool:
        """Return whether the line is a request of the miner with this method."""
        return self.sender is Side.MINER and self.method == method


@dataclass(slots=True)
class FaultState:
    """The state that a fault keeps for one connection."""

    value: Any
    """The value of the fault's parameter; None if the fault takes no parameter."""
    rng: Random
    """Source of the random choices of the fault."""
    seen: Counter[str] = field(default_factory=Counter)
    """Counters of the fault. Each fault chooses the names of its counters."""
    held: bytes | None = None
    """A line that the fault has not passed on yet; None if there is none."""
    mask: str = "00000000"
    """The version mask that the pool granted, as 8 hex digits."""
    difficulty: float = 1
    """The difficulty that the pool set last."""
    extranonce2_size: int = 0
    """Number of bytes of the extranonce2 that the pool set in its reply to mining.subscribe; 0 before this reply."""

    def nth(self, what: str) -> int:
        """Add one to the counter with the name ``what``, and return its new value."""
        self.seen[what] += 1
        return self.seen[what]


Behaviour: TypeAlias = Callable[[FaultState, ProtocolLine], Iterable[FilterAction] | None]


@dataclass(frozen=True, slots=True)
class PoolFault:
    """One way in which a pool misbehaves."""

    name: str
    summary: str
    """What the pool does wrong; a phrase that continues "the pool ..."."""
    behave: Behaviour
    """The function of the fault. For each line, it returns the actions to take in place of the line, or None to let the
    line pass unchanged."""
    default: SettingValue = None
    """Default of the parameter; None if the fault takes no parameter."""
    low: float = 0
    """Minimum of a numeric parameter."""
    high: float = 1e6
    """Maximum of a numeric parameter."""
    is_time: bool = False
    """Whether the parameter is a time in seconds, which may have a unit."""
    if_blocks: str = ""
    """How the fault acts if every share is a block, as on regtest; empty if this makes no difference."""
