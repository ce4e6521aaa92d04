"""A check: one function under an id, with what it demands, how strongly, and what it may cost the pool.

A check returns an ``Outcome``; the helpers ``passed``, ``failed``, ``skipped`` and ``observed`` make one. It may also
leave by an exception: ``Skip`` when its condition cannot be reached, ``Silent`` when the pool owes an answer that did
not come, ``HungUp`` when the pool closed where it should have answered. What those mean for the verdict is decided in
one place, ``verify``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from stratum_miner.conformance.probe import Probe

TOPICS: Final = {
    "FRM": "framing",
    "HS": "handshake",
    "EXT": "extensions",
    "JOB": "jobs",
    "SH": "shares",
    "ERR": "shares",
    "VD": "difficulty",
    "LD": "load",
}
"""Prefix of an id to the topic in its address."""
SECONDS: Final = 60.0
"""How long a check may take besides its hashing, unless it says otherwise."""


class Level(Enum):
    """How strongly a check demands."""

    MUST = "MUST"
    """Breaks interoperability, or costs work or blocks, when violated."""
    SHOULD = "SHOULD"
    """Most pools do it, to a clear benefit."""
    OBS = "OBS"
    """Recorded, never judged."""


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


class Verdict(Enum):
    """What became of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    OBSERVED = "observed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict and the evidence for it, in words."""

    verdict: Verdict
    actual: str

    @property
    def is_failure(self) -> bool:
        """Whether it ends a check that tries several things."""
        return self.verdict is Verdict.FAILED


def passed(actual: str) -> Outcome:
    """The pool did one of the lawful things."""
    return Outcome(Verdict.PASSED, actual)


def failed(actual: str) -> Outcome:
    """The pool did something else, and it was seen."""
    return Outcome(Verdict.FAILED, actual)


def skipped(why: str) -> Outcome:
    """The condition of the check could not be reached."""
    return Outcome(Verdict.SKIPPED, why)


def observed(actual: str) -> Outcome:
    """Something worth knowing that decides nothing."""
    return Outcome(Verdict.OBSERVED, actual)


class Skip(Exception):  # noqa: N818  not a mistake
    """The check cannot be made here; the message says why."""


class Silent(Exception):  # noqa: N818  what the pool is
    """An answer was due and did not come; the message says to what, and how long it was waited for."""


class HungUp(Exception):  # noqa: N818  what the pool did
    """The pool closed the connection where it should have answered; the message says when."""


Run: TypeAlias = Callable[["Probe"], Awaitable[Outcome]]


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
    run: Run

    @property
    def topic(self) -> str:
        """The first part of its address."""
        return TOPICS[self.id.partition("-")[0]]

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


def check(
    identifier: str,
    requirement: str,
    *,
    level: Level,
    expected: str,
    kinds: tuple[Kind, ...] = (Kind.POLITE,),
    seconds: float = SECONDS,
    disturbs: bool = False,
) -> Callable[[Run], Run]:
    """Make the decorated function a check. ValueError for an id that is taken."""

    def register(run: Run) -> Run:
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
        )
        return run

    return register


MUST, SHOULD, OBS = Level.MUST, Level.SHOULD, Level.OBS
POLITE, INTRUSIVE, WORK, CHAIN = Kind.POLITE, Kind.INTRUSIVE, Kind.WORK, Kind.CHAIN
