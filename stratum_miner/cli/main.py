"""The ``stratum-miner`` command: its subcommands, and what becomes of the errors they raise."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence

import cyclopts

from stratum_miner import __version__
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.process import logs, secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.cli import completion
from stratum_miner.exception_groups import leading_cause, leaves
from stratum_miner.foreign_text import sanitize, sanitize_lines
from stratum_miner.network import files

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
"""Each command, and the function or group of functions that it is. To add one, add a file and a line here."""


def command_line() -> cyclopts.App:
    """The program with all its commands, which are imported when they are called."""
    app = cyclopts.App(
        name="stratum-miner",
        version=__version__,
        help="Mine Bitcoin over Stratum V1, run a pool, try it all on regtest.",
        help_epilogue=(
            "Exit codes: 0 done, 1 goal missed, 2 usage, 3 worker refused, 4 pool unreachable, 5 self-test failed, "
            "6 and 7 of conformance: a SHOULD failed (--strict), nothing was judged; 8 to 12 of health: the state that "
            "it prints."
        ),
        version_flags=["--version", "-V"],
    )
    for name, place in COMMANDS.items():
        app.command(f"stratum_miner.cli.{place}", name=name)
    app.command(completion.command_for(app), name="completion")
    return app


MAX_TOLD = 2000
"""Characters of an error that are told; some quote a file or another program."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code. No traceback for a user's mistake."""
    app = command_line()
    if not arguments or arguments[0] in ("--help", "-h"):
        for name in COMMANDS:
            app[name]  # imported now, to list what it is for
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
    except Exception as error:
        codes = _codes()
        cause = leading_cause(error, *codes)
        if cause is None:
            raise
        _tell(cause)
        if isinstance(cause, CommandFailed):
            return cause.code
        return next(code for kind, code in codes.items() if isinstance(cause, kind))
    return int(result) if isinstance(result, int) else ExitCode.OK


def _codes() -> dict[type[Exception], ExitCode]:
    """Errors told in one line, the first that matches; anything else is a defect and shows its traceback.

    What they come from is imported now, when something went wrong: it takes longer than all else that starting takes.
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


def _tell(error: Exception) -> None:
    told = map(str, error.problems) if isinstance(error, ConfigError) else [str(error)]
    for text in told:
        told_line = " ".join(str(secrets.redact(text)).split())
        sys.stderr.write(f"stratum-miner: {sanitize(told_line, MAX_TOLD)}\n")


def run_process(arguments: Sequence[str]) -> int:
    """Run the command line of this process: its password hidden, its output flushed; returns the exit code."""
    signals.enter(signals.ProcessPhase.RUNNING)
    secrets.hide_command_line()
    logs.configure()
    try:
        code = run(arguments)
        sys.stdout.flush()
    except Exception as error:
        code = _tell_unforeseen(error)
    finally:
        logs.tell_left_out()
    return code


def _tell_unforeseen(error: Exception) -> int:
    cause = leading_cause(error, OSError)
    if isinstance(cause, BrokenPipeError):  # the reader of our output went away
        return _without_output()
    if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
        sys.stderr.write("stratum-miner: cannot write the output: no space left on the device\n")
        return _without_output()
    if any(isinstance(leaf, OSError) and leaf.errno == errno.EMFILE for leaf in leaves(error)):
        advice = f"this process may have {files.limit()} open; ulimit -n 1024 lets it have more"
        sys.stderr.write(f"stratum-miner: no more files can be opened: {advice}\n")
        return ExitCode.FAILED
    text = "".join(traceback.format_exception(error))  # a defect; it may quote anything
    sys.stderr.write(sanitize_lines(str(secrets.redact(text))) + "\n")
    return ExitCode.FAILED


def _without_output() -> ExitCode:
    """Nothing more can be said on stdout; what is buffered must not fail again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.FAILED
