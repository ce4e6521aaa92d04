"""``stratum-miner man``: prints the manual page of the program."""

import sys

from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.cli.parser.manual import manual
from stratum_miner.cli.parser.program import command_line


def man() -> int:
    """Print the manual page of stratum-miner, with all commands and options.

    The example writes it to a directory in which the program man looks for pages. Then man stratum-miner shows it.
    """
    sys.stdout.write(manual(command_line()))
    return ExitCode.OK
