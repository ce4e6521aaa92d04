"""What came of a check: a verdict with the evidence for it, or one of the ways out of a check that cannot go on.

The helpers ``passed``, ``failed``, ``skipped`` and ``observed`` make an ``CheckOutcome``. A check may also leave by an
exception: ``Skip`` when its condition cannot be reached, ``Silent`` when the pool owes an answer that did not come,
``UnexpectedDisconnect`` when the pool closed where it should have answered. ``verify`` decides what those mean for the
verdict.
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
class CheckOutcome:
    """A verdict and the evidence for it, in words."""

    verdict: Verdict
    actual: str

    @property
    def is_failure(self) -> bool:
        """Whether it ends a check that tries several things."""
        return self.verdict is Verdict.FAILED


def passed(actual: str) -> CheckOutcome:
    """The pool did one of the lawful things."""
    return CheckOutcome(Verdict.PASSED, actual)


def failed(actual: str) -> CheckOutcome:
    """The pool did something else, and it was seen."""
    return CheckOutcome(Verdict.FAILED, actual)


def skipped(why: str) -> CheckOutcome:
    """The condition of the check could not be reached."""
    return CheckOutcome(Verdict.SKIPPED, why)


def observed(actual: str) -> CheckOutcome:
    """Something worth knowing that decides nothing."""
    return CheckOutcome(Verdict.OBSERVED, actual)


class Skip(Exception):  # noqa: N818  not a mistake
    """The check cannot be made here; the message says why."""


class Silent(Exception):  # noqa: N818  what the pool is
    """An answer was due and did not come; the message says to what, and how long it was waited for."""


class UnexpectedDisconnect(Exception):  # noqa: N818  what the pool did
    """The pool closed the connection where it should have answered; the message says when."""
