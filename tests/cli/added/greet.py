"""``stratum-miner greet``: a command that nobody needs."""

from typing import Annotated

from cyclopts import Parameter

from stratum_miner.app.options import common
from stratum_miner.app.process import printing
from stratum_miner.app.process.exit_codes import ExitCode, UsageError


def greet(
    *, whom: Annotated[str, Parameter(name="--whom", help="Who is greeted.")] = "world", json: common.Json = False
) -> int:
    """Greet somebody."""
    if not whom:
        raise UsageError("--whom: expected a name, got none")
    if json:
        printing.print_json({"greeted": whom})
    else:
        printing.say(f"hello {whom}")
    return ExitCode.OK
