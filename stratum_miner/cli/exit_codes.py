"""What the exit code of a command means; part of the interface, also listed in the README."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Documented exit codes."""

    OK = 0
    """The goal was reached, or the user stopped it."""
    GOAL_MISSED = 1
    """The goal was not reached in time, or something failed on the way."""
    USAGE = 2
    """The command line, the environment or a file named there is wrong."""
    WORKER_REFUSED = 3
    """The pool refused the worker."""
    POOL_UNREACHABLE = 4
    """No pool could be reached and --no-retry was given."""
    SELF_TEST_FAILED = 5
    """A kernel computed a known answer wrongly."""
    SHOULD_FAILED = 6
    """``conformance --strict``: no MUST failed, but a SHOULD did."""
    NOTHING_JUDGED = 7
    """``conformance``: every check was skipped."""


class UsageError(Exception):
    """The user's mistake, told in one line."""


class CommandFailed(Exception):  # noqa: N818  not a mistake in the program
    """The command cannot go on; one line says why."""

    def __init__(self, message: str, code: ExitCode = ExitCode.GOAL_MISSED) -> None:
        super().__init__(message)
        self.code = code
