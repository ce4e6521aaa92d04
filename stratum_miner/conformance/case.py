"""A check: one function under an id, with what it demands, how strongly, and what it may cost the pool."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from stratum_miner.conformance.outcome import CheckOutcome
from stratum_miner.conformance.probe import Probe

SECONDS: Final = 60.0
"""How long a check may take besides its hashing, unless it says otherwise."""


class Level(Enum):
    """How strongly a check demands."""

    MUST = "MUST"
    """Breaks interoperability, or costs work or blocks, when violated."""
    SHOULD = "SHOULD"
    """Most pools do it, to a clear benefit."""
    INFO = "OBS"
    """Recorded, never judged; ``OBS`` in reports, which scripts read."""


class Kind(Enum):
    """What a check costs."""

    POLITE = "polite"
    """Safe on any pool."""
    INTRUSIVE = "intrusive"
    """Malformed input, floods, many sockets: on one's own pool only."""
    WORK = "needs work"
    """Shares have to be found."""
    CHAIN = "needs the chain"
    """Blocks are made behind the pool's back, through its node."""


CheckFunction: TypeAlias = Callable[[Probe], Awaitable[CheckOutcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One check of the list."""

    id: str
    requirement: str
    """What is demanded, as a sentence about the pool."""
    expected: str
    """Every lawful outcome."""
    level: Level
    kinds: tuple[Kind, ...]
    seconds: float
    disturbs: bool
    """Whether it would be felt by checks that run beside it."""
    run: CheckFunction
    topic: str
    """The first part of its address."""

    @property
    def address(self) -> str:
        """As given on the command line: ``shares/ERR-07``."""
        return f"{self.topic}/{self.id}"

    @property
    def kind(self) -> str:
        """Its class in words."""
        return ", ".join(kind.value for kind in self.kinds)


CASES: Final[dict[str, Case]] = {}
"""Every check by id, in the order of the list; filled by importing ``stratum_miner.conformance.cases``."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Makes the checks of one file: ``check = Topic("framing")`` at its top, ``@check("FRM-01", ...)`` for each."""

    name: str
    """The first part of their addresses. Files may have one in common."""

    def __call__(
        self,
        identifier: str,
        requirement: str,
        *,
        level: Level,
        expected: str,
        kinds: tuple[Kind, ...] = (Kind.POLITE,),
        seconds: float = SECONDS,
        disturbs: bool = False,
    ) -> Callable[[CheckFunction], CheckFunction]:
        """Make the decorated function a check. ValueError for an id that is taken."""

        def register(run: CheckFunction) -> CheckFunction:
            if identifier in CASES:
                raise ValueError(f"check {identifier}: expected an id of its own, it is taken")
            CASES[identifier] = Case(
                id=identifier,
                requirement=requirement,
                expected=expected,
                level=level,
                kinds=kinds,
                seconds=seconds,
                disturbs=disturbs or Kind.CHAIN in kinds,
                run=run,
                topic=self.name,
            )
            return run

        return register


MUST, SHOULD, INFO = Level.MUST, Level.SHOULD, Level.INFO
POLITE, INTRUSIVE, WORK, CHAIN = Kind.POLITE, Kind.INTRUSIVE, Kind.WORK, Kind.CHAIN
