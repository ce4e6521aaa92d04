"""What came of a check: a verdict with the evidence for it, or one of the ways out of a check that cannot go on.

The helpers ``passed``, ``failed``, ``skipped`` and ``observed`` make an ``Outcome``. A check may also leave by an
exception: ``Skip`` when its condition cannot be reached, ``Silent`` when the pool owes an answer that did not come,
``HungUp`` when the pool closed where it should have answered. ``verify`` decides what those mean for the verdict.
"""

from dataclasses import dataclass
from enum import Enum


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
