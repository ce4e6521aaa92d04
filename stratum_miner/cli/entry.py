"""The console script. It installs its handlers of Ctrl-C before it imports anything slow."""

import sys

from stratum_miner.app.process import signals, streams


def entry_point() -> None:
    """Run the command line of this process and exit with its code."""
    signals.install()
    streams.prepare()
    from stratum_miner.cli import main  # noqa: PLC0415  this import is slow

    try:
        code = main.run_process(sys.argv[1:])
    except KeyboardInterrupt:
        code = signals.INTERRUPTED
    signals.finish()
    streams.finish()
    sys.exit(code)
