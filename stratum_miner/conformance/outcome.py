"""The outcome of a check: a verdict and the evidence for it, or an exception if the check cannot continue.

The functions ``passed``, ``failed``, ``skipped`` and ``observed`` make a ``CheckOutcome``. A check may also raise an
exception: ``Skip`` if its precondition cannot be met, ``Silent`` if the pool did not send a required reply, and
``UnexpectedDisconnect`` if the connection ended before a required reply. ``verify`` turns these exceptions into
verdicts.
"""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How one check judges the pool. Reports contain the values of this enumeration."""

    PASSED = "passed"
    """The pool did what the requirement allows."""
    FAILED = "failed"
    """The pool did something that the requirement does not allow."""
    SKIPPED = "skipped"
    """A precondition of the check could not be met, so nothing is known about the pool."""
    OBSERVED = "observed"
    """One of two cases: the check is of the level INFO and only records the behaviour of the pool; or it is of the
    level MUST or SHOULD and found not enough evidence to judge the pool. In the second case, ``actual`` contains the
    word "inconclusive"."""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """A verdict and the evidence for it."""

    verdict: Verdict
    actual: str
    """What the check sent and what the pool did, as text. If the check was skipped, the text says why."""
    option: str = ""
    """If the check was skipped: the option of ``stratum-miner conformance`` without which it does not run, if there is
    one."""

    @property
    def is_failure(self) -> bool:
        """Whether the verdict is FAILED. Checks with several steps use this to end after the first step that fails."""
        return self.verdict is Verdict.FAILED


def passed(actual: str) -> CheckOutcome:
    """Return an outcome with the verdict PASSED: the pool did what the requirement allows."""
    return CheckOutcome(Verdict.PASSED, actual)


def failed(actual: str) -> CheckOutcome:
    """Return an outcome with the verdict FAILED: the pool provably did something that the requirement does not
    allow."""
    return CheckOutcome(Verdict.FAILED, actual)


def skipped(why: str, option: str = "") -> CheckOutcome:
    """Return an outcome with the verdict SKIPPED: a precondition could not be met. ``why`` says which, and ``option``
    names the option that would meet it, if there is one."""
    return CheckOutcome(Verdict.SKIPPED, why, option)


def observed(actual: str) -> CheckOutcome:
    """Return an outcome with the verdict OBSERVED: ``actual`` says what the pool did, without a judgement."""
    return CheckOutcome(Verdict.OBSERVED, actual)


class Skip(Exception):  # noqa: N818  a skipped check is no error
    """A precondition of the check cannot be met. The message says which, and ``option`` names the option of
    ``stratum-miner conformance`` that would meet it, if there is one."""

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


class Silent(Exception):  # noqa: N818  an exception that describes the pool
    """The pool did not send a required reply. The message names the request and the seconds that the check waited."""


class UnexpectedDisconnect(Exception):  # noqa: N818  an exception that describes the pool
    """The connection ended before the pool sent a required reply. The message names the request."""
