"""A check: one function with an id, its requirement, the level of the requirement, and what the check does to the
pool."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from stratum_miner.conformance.outcome import CheckOutcome
from stratum_miner.conformance.probe import Probe

SECONDS: Final = 60.0
"""Default time limit of a check in seconds, without the time for finding shares."""


class Level(Enum):
    """How strongly a pool has to meet a requirement. The values are those of reports and of ``select``."""

    MUST = "MUST"
    """A violation breaks miners, or costs work or blocks."""
    SHOULD = "SHOULD"
    """Most pools meet it, and miners clearly benefit."""
    INFO = "OBS"
    """The behaviour is recorded and never judged. Reports, which scripts read, call this level ``OBS``."""


class Kind(Enum):
    """What a check does to the pool, or needs. A check may have several kinds."""

    POLITE = "polite"
    """The check is harmless for any pool."""
    INTRUSIVE = "intrusive"
    """The check sends malformed input, floods the pool or opens many connections. It runs only on the user's own
    pool."""
    WORK = "needs work"
    """The check has to find shares."""
    CHAIN = "needs the chain"
    """The check makes blocks and gives them to the pool's node."""


CheckFunction: TypeAlias = Callable[[Probe], Awaitable[CheckOutcome]]
"""The body of a check. It may raise the exceptions of ``outcome``, Unreachable and ChainError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One check: what it requires of a pool, and the function that runs it."""

    id: str
    """Unique id, such as ``ERR-07``."""
    requirement: str
    """The requirement, as a sentence: "The pool must ...", "The pool should ..." or, if it only records, "The check
    records ..."."""
    expected: str
    """Every allowed result, as text; what is recorded, for the level INFO."""
    level: Level
    kinds: tuple[Kind, ...]
    seconds: float
    """Time limit in seconds, without the time for finding shares."""
    disturbs: bool
    """Whether the check would change the results of checks that run at the same time, so that it runs alone."""
    run: Callable[[Any], Awaitable[CheckOutcome]]
    """The function that runs the check with its ``Probe``. Call ``verify`` instead, which opens the probe."""
    topic: str
    """The first part of ``address``, such as ``shares``."""

    @property
    def address(self) -> str:
        """Topic and id, as ``select`` and the command line take them: ``shares/ERR-07``."""
        return f"{self.topic}/{self.id}"

    @property
    def kind(self) -> str:
        """The kinds as text, such as ``intrusive, needs work``. Reports call this the class."""
        return ", ".join(kind.value for kind in self.kinds)


CASES: Final[dict[str, Case]] = {}
"""Every check by id, in the order of the documented list. Importing ``stratum_miner.conformance.cases`` fills it."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Decorator for the checks of one file: ``check = Topic("framing")``, then ``@check("FRM-01", ...)`` for each."""

    name: str
    """The first part of the checks' addresses. Several files may have the same topic."""

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
        """Register the decorated function as a check, with the fields of ``Case``.

        A check of the kind CHAIN always disturbs others. Raises ValueError if another check has this id.
        """

        def register(run: CheckFunction) -> CheckFunction:
            if identifier in CASES:
                raise ValueError(
                    f"check {identifier}: expected a unique id, but another check has it. Choose another id"
                )
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
