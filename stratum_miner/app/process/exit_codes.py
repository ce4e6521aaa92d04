"""The exit codes of the commands. They are documented for users in docs/reference/exit-codes.md and must not change."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The documented exit codes."""

    OK = 0
    """The command succeeded, or the user stopped it."""
    FAILED = 1
    """A goal was not reached in time, no device mined, a check failed, or the command could not finish."""
    USAGE = 2
    """The command line or an environment variable is wrong, or names a file that is wrong."""
    WORKER_REFUSED = 3
    """Every pool refused the worker name before any mining began. ``mine`` ends with this code only at its start,
    ``proxy`` only before it has served a miner."""
    POOL_UNREACHABLE = 4
    """No pool had sent a job when the time limit was reached. Or --no-retry was given, and the only attempt to reach a
    pool failed."""
    SELF_TEST_FAILED = 5
    """A kernel computed a wrong result in the self-test."""
    SHOULD_FAILED = 6
    """``conformance --strict``: no MUST check failed, but a SHOULD check failed, or a known deviation is gone."""
    NOTHING_JUDGED = 7
    """``conformance``: every check was skipped, so the command knows nothing about the pool."""
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
    POOL_DIED = 13
    """``conformance``: the pool died during the run, and no MUST check failed."""


class UsageError(Exception):
    """The user made a mistake. The message is one line, which the command prints before it exits with code 2."""


class CommandFailed(Exception):  # noqa: N818  it is no error in the program
    """The command cannot continue. The message is one line, which the command prints before it exits with ``code``."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
