"""The ``stratum-miner`` command: its subcommands, and the exit codes of the errors that they raise."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence

import cyclopts

from stratum_miner import __version__
from stratum_miner.app.config import numbers
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.process import logs, secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.cli import completion
from stratum_miner.exception_groups import leading_cause, leaves
from stratum_miner.foreign_text import sanitize, sanitize_lines
from stratum_miner.installation import MissingExtraError
from stratum_miner.network import files

HELP = """\
Mine Bitcoin over Stratum V1, run a pool, and try both on regtest, a block chain on this computer.

The help of each command lists its exit codes. For all commands, 0 means that the command did its task or that you
stopped it, 1 that it failed, 2 that the command line, the environment or a file named there is wrong, and 130 that it
was interrupted before its end.
"""
COMMANDS = {
    "demo": "demo:demo",
    "mine": "mine:mine",
    "top": "top:top",
    "health": "health:health",
    "pool": "pool:pool",
    "proxy": "proxy:proxy",
    "solo": "solo:solo",
    "bench": "bench:bench",
    "profit": "profit:profit",
    "luck": "luck:luck",
    "ping": "ping:ping",
    "tap": "tap:tap",
    "misbehave": "misbehave:misbehave",
    "replay": "replay:replay",
    "devices": "devices:devices",
    "doctor": "doctor:doctor",
    "emulate": "emulate:emulate",
    "load": "load:load",
    "conformance": "conformance:conformance",
    "config": "config:app",
    "device": "device:app",
    "service": "service:app",
}
"""Each command, with its function or its group of functions. To add a command, add a file and a line here."""


def command_line() -> cyclopts.App:
    """Return the program with all its commands, each of which is imported when it is called."""
    app = cyclopts.App(
        name="stratum-miner",
        version=__version__,
        help=HELP,
        version_flags=["--version", "-V"],
        default_parameter=cyclopts.Parameter(converter=numbers.convert),
    )
    for name, location in COMMANDS.items():
        app.command(f"stratum_miner.cli.{location}", name=name)
    app.command(completion.command_for(app), name="completion")
    return app


MAX_CHARACTERS = 2000
"""Largest number of characters of an error that are printed. Errors that quote a file or another program may be
long."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. An error of the user prints one line, not a traceback."""
    app = command_line()
    if not arguments or arguments[0] in ("--help", "-h"):
        for name in COMMANDS:
            app[name]  # imports the command: the list of commands shows its docstring
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
    except Exception as error:
        codes = _codes()
        cause = leading_cause(error, *codes)
        if cause is None:
            raise
        _print_error(cause)
        if isinstance(cause, CommandFailed):
            return cause.code
        return next(code for kind, code in codes.items() if isinstance(cause, kind))
    return int(result) if isinstance(result, int) else ExitCode.OK


def _codes() -> dict[type[Exception], ExitCode]:
    """Return the exit code for each class of errors that are printed in one line. If an error belongs to several
    classes, the first of them decides its code.

    Any other error is an internal error, which is printed with its traceback. The classes are imported only in this
    function, because their modules load slowly and most runs do not need them.
    """
    from stratum_miner.backends.base import BackendError, BackendOptionError, SelfTestError  # noqa: PLC0415  see above
    from stratum_miner.client import PoolUnreachable, PoolUrlError, WorkerRefused  # noqa: PLC0415  see above
    from stratum_miner.economics.profit.sources import SourceError  # noqa: PLC0415  see above
    from stratum_miner.economics.profit.terms import TermError  # noqa: PLC0415  see above
    from stratum_miner.loadtest.limits import LoadError  # noqa: PLC0415  see above
    from stratum_miner.miner import JournalError  # noqa: PLC0415  see above

    return {
        cyclopts.CycloptsError: ExitCode.USAGE,
        UsageError: ExitCode.USAGE,
        MissingExtraError: ExitCode.USAGE,
        ConfigError: ExitCode.USAGE,
        TermError: ExitCode.USAGE,
        BackendOptionError: ExitCode.USAGE,
        PoolUrlError: ExitCode.USAGE,
        SelfTestError: ExitCode.SELF_TEST_FAILED,
        WorkerRefused: ExitCode.WORKER_REFUSED,
        PoolUnreachable: ExitCode.POOL_UNREACHABLE,
        CommandFailed: ExitCode.FAILED,
        BackendError: ExitCode.FAILED,
        JournalError: ExitCode.FAILED,
        LoadError: ExitCode.FAILED,
        SourceError: ExitCode.FAILED,
    }


def _print_error(error: Exception) -> None:
    texts = map(str, error.problems) if isinstance(error, ConfigError) else [str(error)]
    for text in texts:
        line = " ".join(str(secrets.redact(text)).split())
        sys.stderr.write(f"stratum-miner: {sanitize(line, MAX_CHARACTERS)}\n")


def run_process(arguments: Sequence[str]) -> int:
    """Run the command line of this process and return its exit code.

    Passwords on the command line are hidden from other users, and the output is flushed.
    """
    signals.enter(signals.ProcessPhase.RUNNING)
    secrets.hide_command_line()
    logs.configure()
    try:
        code = run(arguments)
        sys.stdout.flush()
    except Exception as error:
        code = _print_unexpected(error)
    finally:
        logs.report_left_out()
    return code


def _print_unexpected(error: Exception) -> int:
    cause = leading_cause(error, OSError)
    if isinstance(cause, BrokenPipeError):  # the program that reads the output of this process has closed the pipe
        return _without_output()
    if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
        sys.stderr.write("stratum-miner: cannot write the output: no space left on the device; free some space\n")
        return _without_output()
    if any(isinstance(leaf, OSError) and leaf.errno == errno.EMFILE for leaf in leaves(error)):
        advice = f"this process may have {files.limit()} open files; allow more, as with ulimit -n 1024"
        sys.stderr.write(f"stratum-miner: cannot open more files: {advice}\n")
        return ExitCode.FAILED
    text = "".join(traceback.format_exception(error))  # an internal error; it may quote secrets
    sys.stderr.write(sanitize_lines(str(secrets.redact(text))) + "\n")
    return ExitCode.FAILED


def _without_output() -> ExitCode:
    """Drop the output that is still buffered for stdout. Otherwise Python would try to write it once more at exit, and
    fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.FAILED
