"""``stratum-miner completion``: prints the script with which a shell completes the commands and options."""

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.cli.parser.program import command_line


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Shell to print the script for.")], /
) -> int:
    """Print the script that lets a shell complete the commands and options of stratum-miner.

    The examples write the script to the place from which the shell loads it: for zsh, this is a directory of $fpath.
    """
    sys.stdout.write(command_line().generate_completion(shell=shell))
    return ExitCode.OK
