"""The table of all commands: where each one is, who it is for, and what it does.

This module imports no command, so that the list of commands and the version are printed at once.
"""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

PROGRAM = "stratum-miner"
PURPOSE = "Mine Bitcoin over Stratum V1, run a pool, and try both on regtest, a block chain on this computer."
EXIT_CODES = """\
The help of each command lists its exit codes. For all commands, 0 means that the command did its task or that you \
stopped it, 1 that it failed, 2 that the command line, the environment or a file named there is wrong, and 130 that it \
was interrupted before its end."""
EXAMPLES = (
    ("stratum-miner demo", "try everything on this computer"),
    ("stratum-miner mine -o HOST:PORT -u WORKER", "mine on a pool"),
    ("stratum-miner help COMMAND", "describe a command"),
)


@dataclass(frozen=True, slots=True)
class CommandSummary:
    """A command of the program."""

    location: str
    """Module below ``stratum_miner.cli`` and the name of its function or group of functions there."""
    audience: str
    """Heading under which the command stands in the list of commands, such as ``Money``."""
    summary: str
    """First sentence of the command's own help. A test compares the two."""


MINE = "Mine"
WATCH = "Watch a miner"
DEVICES = "Devices"
POOLS = "Pools, proxies and tests"
MONEY = "Money"
SET_UP = "Set up"
COMMANDS = {
    "demo": CommandSummary(
        "demo:demo",
        MINE,
        "Mine blocks of a new regtest chain with an embedded node, a pool and a miner in one process.",
    ),
    "mine": CommandSummary("mine:mine", MINE, "Mine on a pool until you stop it or until a goal is reached."),
    "solo": CommandSummary("solo:solo", MINE, "Mine on your own Bitcoin node, without a pool."),
    "bench": CommandSummary("bench:bench", MINE, "Measure the hash rate of each SHA-256d kernel on one thread."),
    "top": CommandSummary("top:top", WATCH, "Show the status of running miners until you press q or Ctrl-C."),
    "health": CommandSummary(
        "health:health", WATCH, "Print the state and the problems of a miner that runs with --http."
    ),
    "devices": CommandSummary(
        "devices:devices",
        DEVICES,
        "List the USB mining devices, and the USB serial bridges that may be mining devices.",
    ),
    "device": CommandSummary("device:app", DEVICES, "Set, reset or identify one device that is not mining."),
    "emulate": CommandSummary(
        "emulate:emulate",
        DEVICES,
        "Emulate a mining device: print the path at which a driver can open it, and answer there until interrupted.",
    ),
    "pool": CommandSummary("pool:pool", POOLS, "Run a Stratum pool on a Bitcoin node until it is stopped."),
    "proxy": CommandSummary("proxy:proxy", POOLS, "Let many Stratum miners share one connection to a pool."),
    "ping": CommandSummary(
        "ping:ping", POOLS, "Measure how long each step takes from connecting to a pool to its first job."
    ),
    "tap": CommandSummary(
        "tap:tap",
        POOLS,
        "Forward messages between miners and a pool, and record, delay, drop, reorder or rewrite them.",
    ),
    "replay": CommandSummary(
        "replay:replay",
        POOLS,
        "Replay one side of a recording to a live pool or miner, and print every difference from the recording.",
    ),
    "conformance": CommandSummary(
        "conformance:conformance", POOLS, "Check whether a pool implements Stratum V1 as miners need it."
    ),
    "misbehave": CommandSummary(
        "misbehave:misbehave",
        POOLS,
        "Commit faults of miners against a pool of your own, and print how the pool answers each of them.",
    ),
    "load": CommandSummary(
        "load:load",
        POOLS,
        "Load-test a pool with simulated miners that use real connections and submit valid shares.",
    ),
    "profit": CommandSummary(
        "profit:profit",
        MONEY,
        "Calculate what mining earns and costs, where it breaks even, when it pays back, and the odds of a block.",
    ),
    "luck": CommandSummary("luck:luck", MONEY, "Calculate how likely good or bad luck is."),
    "config": CommandSummary(
        "config:app", SET_UP, "Write, check, show and import the configuration file of the command mine."
    ),
    "doctor": CommandSummary(
        "doctor:doctor", SET_UP, "Check whether this computer is ready to mine, and print a fix for each problem."
    ),
    "service": CommandSummary(
        "service:app", SET_UP, "Print the systemd unit, the udev rule and the commands that make the miner a service."
    ),
    "completion": CommandSummary(
        "completion:completion",
        SET_UP,
        "Print the script that lets a shell complete the commands and options of stratum-miner.",
    ),
    "man": CommandSummary("man:man", SET_UP, "Print the manual page of stratum-miner, with all commands and options."),
}
"""All commands, by name. To add a command, add a file and an entry here."""


def answered(arguments: Sequence[str]) -> bool:
    """Print the list of commands or the version, if the arguments ask for that alone. Return whether they do.

    This takes little time, because no command is imported. Raises OSError if stdout cannot be written.
    """
    match list(arguments):
        case [] | ["--help" | "-h" | "help" | "-help" | "--help-all"]:
            sys.stdout.write(overview())
        case ["--version" | "-V" | "-v" | "version" | "-version", *_]:
            sys.stdout.write(f"{version()}\n")
        case _:
            return False
    sys.stdout.flush()
    return True


def overview(width: int | None = None) -> str:
    """Return the help of the program: its commands, grouped by who they are for, for lines of ``width`` columns.
    Without a width, the terminal decides."""
    columns = min(width or shutil.get_terminal_size().columns, 100)
    lines = [f"Usage: {PROGRAM} COMMAND [OPTIONS]", "", *textwrap.wrap(PURPOSE, columns)]
    label = max(map(len, COMMANDS)) + 4
    for audience in dict.fromkeys(command.audience for command in COMMANDS.values()):
        lines += ["", f"{audience}:"]
        for name, command in COMMANDS.items():
            if command.audience == audience:
                lines += described(f"  {name}", command.summary, label, columns)
    lines += ["", "Examples:"]
    at = max(len(line) for line, _ in EXAMPLES) + 4
    for line, what in EXAMPLES:
        lines += described(f"  {line}", f"# {what}", at, columns)
    lines += ["", *textwrap.wrap(EXIT_CODES, columns)]
    return "\n".join(lines) + "\n"


def described(label: str, text: str, indent: int, columns: int) -> list[str]:
    """Return the lines of a label with its explanation in a second column that begins at ``indent``. The explanation
    begins below the label if the label is too long, or if ``columns`` is too few for two columns of text."""
    if columns - indent < 28 and len(label) + len(text) + 2 > columns:  # too narrow for two columns
        return [label, *textwrap.wrap(text, columns, initial_indent=" " * 6, subsequent_indent=" " * 6)]
    wrapped = textwrap.wrap(
        text, columns, initial_indent=" " * indent, subsequent_indent=" " * indent, break_on_hyphens=False
    )
    if len(label) + 2 > indent or not wrapped:
        return [label, *wrapped]
    return [label + wrapped[0][len(label) :], *wrapped[1:]]


def version() -> str:
    """Return the version of the installed program."""
    from stratum_miner import __version__  # noqa: PLC0415  reading it from the installation is slow

    return __version__
