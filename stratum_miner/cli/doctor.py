"""``stratum-miner doctor``: runs the checks and prints their findings.

To add a check of this computer, write an async function that returns findings, and add it to ``CHECKS``. To add a check
of the settings for ``stratum-miner mine``, write a method of the class ``Setup``, and add it to the function
``Setup.checks``.
"""

import os
import sys
from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from stratum_miner.app.doctor import machine, processor, usb
from stratum_miner.app.doctor.finding import Check, Finding, Severity
from stratum_miner.app.doctor.setup import Setup
from stratum_miner.app.options.config_file import Config, NoConfig
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.options.table import takes_options_of
from stratum_miner.app.process import logs, printing, secrets, signals
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.app.settings.mine import Sources, find_file
from stratum_miner.backends.asic import access

CHECKS: tuple[Check, ...] = (
    processor.check_kernels,
    processor.check_threads,
    machine.check_clock,
    machine.check_limits,
    machine.check_sensors,
    machine.check_directories,
    usb.check_devices,
    usb.check_drivers,
    usb.check_rule,
    usb.check_power,
)
"""The checks of this computer, in the order in which their findings are shown."""
_STYLES = {Severity.GOOD: "green", Severity.NOTE: "yellow", Severity.PROBLEM: "bold red"}


@takes_options_of(MineOptions)
def doctor(
    *,
    config: Config = None,
    no_config: NoConfig = False,
    udev_rule: Annotated[
        bool,
        Parameter(
            name="--udev-rule",
            help="Only print the udev rule that gives access to USB mining devices.",
            negative=(),
            show_default=False,
        ),
    ] = False,
    **given: Any,
) -> int:
    """Check whether this computer is ready to mine, and print a fix for each problem.

    The command takes the options of the command mine and reads the same configuration file. It checks what a miner with
    these settings would use: pools with their proxies and certificates, devices, files, hooks, and addresses to listen
    on. It changes nothing.

    Exit code 1: at least one problem was found.
    """
    if udev_rule:
        sys.stdout.write(access.udev_rule())
        return ExitCode.OK
    logs.configure(level="warning")
    json = bool(given.get("json"))
    setup = Setup.read(Sources(given, find_file(config, no_config, os.environ)))
    findings: list[Finding] = []

    async def look(stop: signals.Stop) -> None:
        del stop
        for check in (*setup.checks(), *CHECKS):
            seen = {(item.topic, item.subject) for item in findings if item.topic == "files"}
            findings.extend(item for item in await check() if (item.topic, item.subject) not in seen)

    signals.run(look)
    if json:
        printing.print_json([secrets.redact(asdict(item) | {"verdict": item.verdict.value}) for item in findings])
    else:
        _show(findings)
    bad = any(item.verdict is Severity.PROBLEM for item in findings)
    return ExitCode.FAILED if bad else ExitCode.OK


def _show(findings: list[Finding]) -> None:
    output = printing.console(highlight=False)
    one_line = not output.is_terminal  # a program that reads the output expects each finding in one line
    for item in findings:
        words = Text.assemble((f"{item.topic} {item.subject}".rstrip(), "bold"), f": {item.text}")
        verdict = Text(f"{item.verdict.value:8}", _STYLES[item.verdict])
        if one_line:
            output.print(verdict + words, soft_wrap=True)
        else:
            line = Table.grid()
            line.add_row(verdict, words)
            output.print(line)
        if item.fix and item.verdict is not Severity.GOOD:
            output.print(f"        > {item.fix}", markup=False, soft_wrap=True)  # not wrapped, so that it can be copied
