"""The ``stratum-miner`` command: its subcommands, and the exit codes of the errors that they raise."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence

import cyclopts

from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.process import garbage_collection, secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.cli.parser import commands
from stratum_miner.cli.parser.arguments import command_of, understood, wants_everything, wants_help, wants_version
from stratum_miner.cli.parser.errors import sentence_of
from stratum_miner.cli.parser.page import help_text
from stratum_miner.cli.parser.program import command_line
from stratum_miner.foreign_text import sanitize, sanitize_lines
from stratum_miner.installation import MissingExtraError
from stratum_miner.network import files

MAX_CHARACTERS = 2000
"""Largest number of characters of an error that are printed. Errors that quote a file or another program may be
long."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. An error of the user prints one line, not a traceback."""
    if commands.answered(arguments):
        return ExitCode.OK
    try:
        result = _run_command(arguments)
    except Exception as error:
        from stratum_miner.exception_groups import leading_cause  # noqa: PLC0415  slow to load, and not needed for help

        codes = _codes()
        cause = leading_cause(error, *codes)
        if cause is None:
            raise
        _print_error(cause)
        if isinstance(cause, CommandFailed):
            return cause.code
        return next(code for kind, code in codes.items() if isinstance(cause, kind))
    return int(result) if isinstance(result, int) else ExitCode.OK


def _run_command(arguments: Sequence[str]) -> object:
    """Run one command line, and return what the function of the command returns."""
    app = command_line()
    command, words = command_of(app, arguments)
    if wants_version(words):
        sys.stdout.write(f"{commands.version()}\n")
        return ExitCode.OK
    if wants_help(app, command, words):
        everything = wants_everything(words)
        sys.stdout.write(help_text(app, command, everything=everything) if command else commands.overview())
        return ExitCode.OK
    from stratum_miner.app.process import logs  # noqa: PLC0415  slow to load, and the help needs no log

    tokens = [*command, *understood(app, command, words)]
    logs.configure()
    garbage_collection.resume()
    try:
        return app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    finally:
        logs.report_left_out()


def _codes() -> dict[type[Exception], ExitCode]:
    """Return the exit code for each class of errors that are printed in one line. If an error belongs to several
    classes, the first of them decides its code.

    Any other error is an internal error, which is printed with its traceback. The classes are imported only in this
    function, because their modules load slowly and most runs do not need them.
    """
    from stratum_miner.backends.base import BackendError, BackendOptionError, SelfTestError  # noqa: PLC0415  slow to load
    from stratum_miner.client import PoolUnreachable, PoolUrlError, WorkerRefused  # noqa: PLC0415  slow to load
    from stratum_miner.economics.profit.sources import SourceError  # noqa: PLC0415  slow to load
    from stratum_miner.economics.profit.terms import TermError  # noqa: PLC0415  slow to load
    from stratum_miner.loadtest.limits import LoadError, NoPoolError  # noqa: PLC0415  slow to load
    from stratum_miner.miner import JournalError  # noqa: PLC0415  slow to load

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
        NoPoolError: ExitCode.POOL_UNREACHABLE,
        LoadError: ExitCode.FAILED,
        SourceError: ExitCode.FAILED,
    }


def _print_error(error: Exception) -> None:
    if isinstance(error, ConfigError):
        texts = [str(problem) for problem in error.problems]
    else:
        texts = [sentence_of(error) if isinstance(error, cyclopts.CycloptsError) else str(error)]
    for text in texts:
        line = " ".join(str(secrets.redact(text)).split())
        sys.stderr.write(f"stratum-miner: {sanitize(line, MAX_CHARACTERS)}\n")


def run_process(arguments: Sequence[str]) -> int:
    """Run the command line of this process and return its exit code.

    Passwords on the command line are hidden from other users, and the output is flushed.
    """
    signals.enter(signals.ProcessPhase.RUNNING)
    secrets.hide_command_line()
    try:
        code = run(arguments)
        sys.stdout.flush()
    except Exception as error:
        code = _print_unexpected(error)
    return code


def _print_unexpected(error: Exception) -> int:
    from stratum_miner.exception_groups import leading_cause, leaves  # noqa: PLC0415  slow to load

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
