"""The ``stratum-miner`` command: its subcommands, and what becomes of the errors they raise."""

import errno
import os
import sys
from collections.abc import Sequence

import cyclopts

from stratum_miner import __version__
from stratum_miner.backends.base import BackendError, BackendOptionError, SelfTestError
from stratum_miner.cli import (
    bench,
    completion,
    configuration,
    conformance,
    demo,
    device,
    devices,
    emulate,
    health,
    logs,
    luck,
    mine,
    misbehave,
    ping,
    pool,
    proxy,
    replay,
    secrets,
    signals,
    solo,
    tap,
    top,
)
from stratum_miner.cli.doctor.command import doctor
from stratum_miner.cli.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.cli.load.command import load
from stratum_miner.cli.operation import service
from stratum_miner.cli.profit.command import profit
from stratum_miner.client import PoolUnreachable, PoolUrlError, WorkerRefused
from stratum_miner.client.causes import leading_cause
from stratum_miner.config.problems import ConfigError
from stratum_miner.loadtest.limits import LoadError
from stratum_miner.miner import JournalError

app = cyclopts.App(
    name="stratum-miner",
    version=__version__,
    help="Mine Bitcoin over Stratum V1, run a pool, try it all on regtest.",
    help_epilogue=(
        "Exit codes: 0 done, 1 goal missed, 2 usage, 3 worker refused, 4 pool unreachable, 5 self-test failed, "
        "6 and 7 of conformance: a SHOULD failed (--strict), nothing was judged."
    ),
    version_flags=["--version", "-V"],
)
for command in (
    demo.demo,
    mine.mine,
    top.top,
    health.health,
    pool.pool,
    proxy.proxy,
    solo.solo,
    bench.bench,
    profit,
    luck.luck,
    ping.ping,
    tap.tap,
    misbehave.misbehave_command,
    replay.replay,
    devices.devices,
    doctor,
    emulate.emulate,
    load,
    conformance.conformance,
):
    app.command(command)
for group in (configuration.app, device.app, service.app):
    app.command(group)
app.command(completion.command_for(app), name="completion")


_TOLD: tuple[tuple[type[Exception], ExitCode], ...] = (
    (cyclopts.CycloptsError, ExitCode.USAGE),
    (UsageError, ExitCode.USAGE),
    (ConfigError, ExitCode.USAGE),
    (BackendOptionError, ExitCode.USAGE),
    (PoolUrlError, ExitCode.USAGE),
    (SelfTestError, ExitCode.SELF_TEST_FAILED),
    (WorkerRefused, ExitCode.WORKER_REFUSED),
    (PoolUnreachable, ExitCode.POOL_UNREACHABLE),
    (CommandFailed, ExitCode.GOAL_MISSED),
    (BackendError, ExitCode.GOAL_MISSED),
    (JournalError, ExitCode.GOAL_MISSED),
    (LoadError, ExitCode.GOAL_MISSED),
)
"""Errors told in one line, the first that matches; anything else is a defect and shows its traceback."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code. No traceback for a user's mistake."""
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
    except Exception as error:
        cause = leading_cause(error, *(kind for kind, _ in _TOLD))
        if cause is None:
            raise
        return _tell(cause)
    return int(result) if isinstance(result, int) else ExitCode.OK


def _tell(error: Exception) -> int:
    told = map(str, error.problems) if isinstance(error, ConfigError) else [str(error)]
    for text in told:
        sys.stderr.write(f"stratum-miner: {' '.join(str(secrets.redact(text)).split())}\n")
    if isinstance(error, CommandFailed):
        return error.code
    return next(code for kind, code in _TOLD if isinstance(error, kind))


def run_process(arguments: Sequence[str]) -> int:
    """Run the command line of this process: its password hidden, its output flushed; returns the exit code."""
    signals.enter(signals.Phase.RUNNING)
    secrets.hide_command_line()
    logs.configure()
    try:
        code = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output went away
        code = _without_output()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write("stratum-miner: cannot write the output: no space left on the device\n")
        code = _without_output()
    return code


def _without_output() -> ExitCode:
    """Nothing more can be said on stdout; what is buffered must not fail again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.GOAL_MISSED
