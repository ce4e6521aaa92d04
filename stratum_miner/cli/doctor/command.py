"""``stratum-miner doctor``: run the checks, show what they found.

Another check is an async function that returns findings, and its name in ``CHECKS``.
"""

import sys
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from stratum_miner.backends.asic import access
from stratum_miner.cli import mining, options, signals
from stratum_miner.cli.doctor import usb
from stratum_miner.cli.doctor.check import Check, Finding, Verdict
from stratum_miner.cli.exit_codes import ExitCode

CHECKS: tuple[Check, ...] = (usb.check_devices, usb.check_drivers, usb.check_rule, usb.check_power)
"""In the order in which their findings are shown."""
_STYLES = {Verdict.GOOD: "green", Verdict.NOTE: "yellow", Verdict.PROBLEM: "bold red"}


def doctor(
    *,
    udev_rule: Annotated[
        bool,
        Parameter(
            name="--udev-rule",
            help="Print the udev rule that we ship, no more.",
            negative=(),
            show_default=False,
        ),
    ] = False,
    json: options.Json = False,
) -> int:
    """Look for what stands between this machine and mining, and say what would help; exits with 1 if it finds any."""
    if udev_rule:
        sys.stdout.write(access.udev_rule())
        return ExitCode.OK
    findings: list[Finding] = []

    async def look(stop: signals.Stop) -> None:
        del stop
        for check in CHECKS:
            findings.extend(await check())

    signals.run(look)
    if json:
        mining.print_json([asdict(item) | {"verdict": item.verdict.value} for item in findings])
    else:
        _show(findings)
    bad = any(item.verdict is Verdict.PROBLEM for item in findings)
    return ExitCode.GOAL_MISSED if bad else ExitCode.OK


def _show(findings: list[Finding]) -> None:
    output = Console(highlight=False)
    for item in findings:
        line = Text.assemble(
            (f"{item.verdict.value:8}", _STYLES[item.verdict]),
            (f"{item.topic} {item.subject}".rstrip(), "bold"),
            f": {item.text}",
        )
        output.print(line)
        if item.fix and item.verdict is not Verdict.GOOD:
            output.print(f"        > {item.fix}", markup=False, soft_wrap=True)  # one line, to be copied
