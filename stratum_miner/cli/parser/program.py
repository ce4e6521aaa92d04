"""Makes the object that describes the program with all its commands to the option parser."""

import cyclopts

from stratum_miner.app.config import numbers
from stratum_miner.cli.parser.arguments import EVERYTHING
from stratum_miner.cli.parser.commands import COMMANDS, PROGRAM, PURPOSE, version


def command_line() -> cyclopts.App:
    """Return the program with all its commands, each of which is imported when it is called."""
    app = cyclopts.App(
        name=PROGRAM,
        version=version,
        help=PURPOSE,
        help_flags=["--help", "-h", EVERYTHING],
        version_flags=["--version", "-V"],
        default_parameter=cyclopts.Parameter(converter=numbers.convert),
    )
    for name, command in COMMANDS.items():
        app.command(f"stratum_miner.cli.{command.location}", name=name)
    return app
