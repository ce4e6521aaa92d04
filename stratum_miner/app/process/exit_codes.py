"""What the exit code of a command means; part of the interface. docs/operation.md has the table for users."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Documented exit codes."""

    OK = 0
    """The command did what was asked, or the user ended it."""
    FAILED = 1
    """A goal was not reached in time, no device mined, a check failed, or something failed on the way."""
    USAGE = 2
    """The command line, the environment or a file named there is wrong."""
    WORKER_REFUSED = 3
    """Every pool refused the worker from the start, and there is nothing else to mine on."""
    POOL_UNREACHABLE = 4
    """The time limit was reached without a job, or no pool could be reached where one try was all there was."""
    SELF_TEST_FAILED = 5
    """A kernel computed a known answer wrongly."""
    SHOULD_FAILED = 6
    """``conformance --strict``: no MUST failed, but a SHOULD did."""
    NOTHING_JUDGED = 7
    """``conformance``: every check was skipped."""
    DEGRADED = 8
    """``health``: some devices do not mine."""
    NO_DEVICE = 9
    """``health``: there is work, and no device mines."""
    NO_POOL = 10
    """``health``: no pool gives work."""
    PAUSED = 11
    """``health``: mining is paused."""
    STOPPING = 12
    """``health``: the miner is about to end."""


class UsageError(Exception):
    """The user's mistake, told in one line."""


class CommandFailed(Exception):  # noqa: N818  not a mistake in the program
    """The command cannot go on; one line says why."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
