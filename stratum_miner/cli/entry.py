"""The console script. It installs its handlers of Ctrl-C before it imports anything slow."""

import sys

from stratum_miner.app.process import signals, streams
from stratum_miner.cli.parser import commands


def entry_point() -> None:
    """Run the command line of this process and exit with its code."""
    signals.install()
    streams.prepare()
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:
        code = signals.INTERRUPTED
    signals.finish()
    streams.finish()
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        if commands.answered(arguments):
            return 0
    except OSError:  # closed pipe or full disk: ``main`` gets the same error, and reports it
        pass
    from stratum_miner.app.process import garbage_collection  # noqa: PLC0415  answers above need no more modules

    garbage_collection.pause()
    from stratum_miner.cli import main  # noqa: PLC0415  this import is slow

    return main.run_process(arguments)
