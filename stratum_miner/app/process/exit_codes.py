"""The exit codes of the commands, which are part of the interface. docs/operation.md has the table for users."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The documented exit codes."""

    OK = 0
    """The command succeeded, or the user stopped it."""
    FAILED = 1
    """A goal was not reached in time, no device mined, a check failed, or the command could not finish."""
    USAGE = 2
    """The command line, an environment variable, or a file named there is wrong."""
    WORKER_REFUSED = 3
    """Every pool refused the worker name before any mining began: ``mine`` at its start, ``proxy`` before it served a
    miner."""
    POOL_UNREACHABLE = 4
    """The time limit was reached without a job, or the only attempt to reach a pool failed (--no-retry)."""
    SELF_TEST_FAILED = 5
    """A kernel computed a wrong result in the self-test."""
    SHOULD_FAILED = 6
    """``conformance --strict``: no MUST check failed, but a SHOULD check failed."""
    NOTHING_JUDGED = 7
    """``conformance``: every check was skipped."""
    DEGRADED = 8
    """``health``: some devices do not mine."""
    NO_DEVICE = 9
    """``health``: the pool gives work, but no device mines."""
    NO_POOL = 10
    """``health``: no pool gives work."""
    PAUSED = 11
    """``health``: mining is paused."""
    STOPPING = 12
    """``health``: the miner is stopping."""


class UsageError(Exception):
    """The user made a mistake. The text is one line that the command prints before it exits with code 2."""


class CommandFailed(Exception):  # noqa: N818  it is no error in the program
    """The command cannot continue. The text is one line that it prints before it exits with ``code``."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
