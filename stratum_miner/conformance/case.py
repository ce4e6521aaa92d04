"""Defines the parts of a check: its id, a requirement on the pool, the importance of this requirement, the function
that performs the check, and kinds that say what the check does to the pool."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from stratum_miner.conformance.outcome import CheckOutcome
from stratum_miner.conformance.probe import Probe

SECONDS: Final = 60.0
"""Default of ``Case.seconds``."""


class Level(Enum):
    """How important a requirement is. Reports show the value of the level. ``select`` also accepts such a value as a
    pattern: it then selects all checks of this level."""

    MUST = "MUST"
    """A pool that does not meet the requirement breaks miners, or wastes work or blocks."""
    SHOULD = "SHOULD"
    """Most pools meet the requirement, and miners clearly benefit from it."""
    INFO = "OBS"
    """The behaviour of the pool is recorded and never judged."""


class Kind(Enum):
    """What a check does to the pool, or what the check needs. A check may have several kinds."""

    POLITE = "polite"
    """The check sends only what an ordinary miner sends: whole requests with all their parameters, each parameter in
    the JSON type and the form that the protocol gives it. The values may be wrong, such as an unknown job id or the
    hash of a share. No known pool is harmed by such requests."""
    INTRUSIVE = "intrusive"
    """The check may harm the pool, so it runs only on the user's own pool. A check has this kind if it floods the pool,
    opens many connections, or sends what an ordinary miner never sends: a request with missing or null parameters, a
    parameter of another JSON type or form, a line that is no request, a long line, or mining.submit or mining.authorize
    before the requests that come first. There are pools in use whose process ends at such a request."""
    WORK = "needs work"
    """The check has to find shares. Unless the check is also INTRUSIVE, it sends only what an ordinary miner sends."""
    CHAIN = "needs the chain"
    """The check makes blocks and gives them to the pool's node."""


CheckFunction: TypeAlias = Callable[[Probe], Awaitable[CheckOutcome]]
"""The function that performs a check. It may raise Unreachable, ChainError, and any exception that the module
``outcome`` defines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One check: what it requires of a pool, and the function that runs it."""

    id: str
    """Unique id, such as ``ERR-07``."""
    requirement: str
    """The requirement, as a sentence: "The pool must ..." or "The pool should ...". For a check that only records what
    the pool does, the sentence is "The check records ..."."""
    expected: str
    """All results that the requirement allows, as text. For the level INFO, the text says what is recorded."""
    level: Level
    kinds: tuple[Kind, ...]
    seconds: float
    """Time limit in seconds. For a check of the kind WORK, ``PoolUnderTest.work_seconds`` is added to this limit."""
    disturbs: bool
    """Whether the check would change the results of checks that run at the same time. Such a check runs alone."""
    is_last: bool
    """Whether the check runs after all others, because it also judges what the pool sent to them."""
    run: Callable[[Any], Awaitable[CheckOutcome]]
    """The function that performs the check with a ``Probe``. To run checks, call ``verify``, which makes the probes."""
    hurts: str
    """Whom a pool hurts that does not meet the requirement, and how, as a sentence: "A miner loses ..."."""
    topic: str
    """The first part of ``address``, such as ``shares``."""

    @property
    def address(self) -> str:
        """The topic and the id, joined by a slash, such as ``shares/ERR-07``. ``select`` and the command line accept
        this form."""
        return f"{self.topic}/{self.id}"

    @property
    def kind(self) -> str:
        """The kinds as text, such as ``intrusive, needs work``. In reports this text is called the class of the
        check."""
        return ", ".join(kind.value for kind in self.kinds)


CASES: Final[dict[str, Case]] = {}
"""All checks by id, in the order of ``ALL``. Importing ``stratum_miner.conformance.cases`` fills this dictionary."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Registers the checks of one topic. Write ``check = Topic("framing")``, and then ``@check("FRM-01", ...)`` above
    each function that performs a check."""

    name: str
    """The first part of the addresses of the topic's checks. The checks of a topic may be in several files."""

    def __call__(
        self,
        identifier: str,
        requirement: str,
        *,
        hurts: str,
        level: Level,
        expected: str,
        kinds: tuple[Kind, ...] = (Kind.POLITE,),
        seconds: float = SECONDS,
        disturbs: bool = False,
        is_last: bool = False,
    ) -> Callable[[CheckFunction], CheckFunction]:
        """Return a decorator that registers a function as a check. The parameters are the fields of ``Case``.

        ``disturbs`` is always True for a check of the kind CHAIN, and for a check that runs last. The decorator raises
        ValueError if another check has this id.
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
                disturbs=disturbs or is_last or Kind.CHAIN in kinds,
                is_last=is_last,
                run=run,
                hurts=hurts,
                topic=self.name,
            )
            return run

        return register


MUST, SHOULD, INFO = Level.MUST, Level.SHOULD, Level.INFO
POLITE, INTRUSIVE, WORK, CHAIN = Kind.POLITE, Kind.INTRUSIVE, Kind.WORK, Kind.CHAIN
