"""The outcome of a check: a verdict and the evidence for it, or an exception if the check cannot continue.

The functions ``passed``, ``failed``, ``skipped`` and ``observed`` make a ``CheckOutcome``. A check may also end with an
exception: ``Skip`` if its precondition cannot be met, ``Silent`` if the pool did not send a reply that it owes, and
``UnexpectedDisconnect`` if the connection ended where a reply was due. ``verify`` turns these into verdicts.
"""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """The judgement of one check about the pool. The values are those of the reports."""

    PASSED = "passed"
    """The pool did one of the allowed things."""
    FAILED = "failed"
    """The pool did something else."""
    SKIPPED = "skipped"
    """A precondition of the check could not be met, so nothing is known about the pool."""
    OBSERVED = "observed"
    """The behaviour is recorded and not judged, or the evidence does not suffice to judge a MUST ("inconclusive")."""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """A verdict and the evidence for it."""

    verdict: Verdict
    actual: str
    """What the check sent and what the pool did, as text; why, if the check was skipped."""

    @property
    def is_failure(self) -> bool:
        """Whether the check failed. A check that tries several things ends with its first failure."""
        return self.verdict is Verdict.FAILED


def passed(actual: str) -> CheckOutcome:
    """Return the outcome of a check for which the pool did one of the allowed things."""
    return CheckOutcome(Verdict.PASSED, actual)


def failed(actual: str) -> CheckOutcome:
    """Return the outcome of a check for which the pool provably did something that is not allowed."""
    return CheckOutcome(Verdict.FAILED, actual)


def skipped(why: str) -> CheckOutcome:
    """Return the outcome of a check with a precondition that could not be met; ``why`` names it."""
    return CheckOutcome(Verdict.SKIPPED, why)


def observed(actual: str) -> CheckOutcome:
    """Return the outcome of a check that only records what the pool did."""
    return CheckOutcome(Verdict.OBSERVED, actual)


class Skip(Exception):  # noqa: N818  a skipped check is no error
    """Raised by a check with a precondition that cannot be met. The message names the precondition."""


class Silent(Exception):  # noqa: N818  an exception that describes the pool
    """Raised if a reply is due and does not come. The message says to which request, and how long the check waited."""


class UnexpectedDisconnect(Exception):  # noqa: N818  an exception that describes the pool
    """Raised if the connection ends where the pool owes a reply. The message says to which request."""
