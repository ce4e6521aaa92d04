"""``stratum-miner config``: writes a configuration file, checks one, and shows the settings in force."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import cyclopts
from cyclopts import Parameter

from stratum_miner import user_files
from stratum_miner.app.config.document import MAX_BYTES, parse
from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.problems import ConfigError, Problem
from stratum_miner.app.config.profiles import BackendProfile, PoolProfile
from stratum_miner.app.config.template import template
from stratum_miner.app.config.writing import toml_key
from stratum_miner.app.foreign.listing import listing, outcome, wrapped
from stratum_miner.app.foreign.notes import Imported
from stratum_miner.app.foreign.programs import convert
from stratum_miner.app.options.config_file import Config, NoConfig
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.options.table import takes_options_of
from stratum_miner.app.process import printing
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.app.process.output_files import write_private
from stratum_miner.app.settings import shown
from stratum_miner.app.settings.mine import MineSettings, Sources, default_file, find_file, load, settings_of
from stratum_miner.user_files import UserFileError

app = cyclopts.App(name="config", help="Write, check, show and import the configuration file of the command mine.")

OutputFile: TypeAlias = Annotated[
    Path | None, Parameter(help="File to write. [default: ~/.config/stratum-miner/config.toml]")
]
Force: TypeAlias = Annotated[
    bool, Parameter(name="--force", help="Replace FILE if it exists.", negative=(), show_default=False)
]


@app.command
def init(file: OutputFile = None, /, *, force: Force = False) -> int:
    """Write a configuration file with all options as comments. Only its owner can read it (mode 0600).

    An existing file is replaced only with --force.
    """
    target = file or default_file()
    families = (MineOptions, PoolProfile, BackendProfile)
    write_private(target, template(*(keys_of(table).values() for table in families)), force=force)
    printing.say(f"wrote {target}; set url and user of your pool in it, then run: stratum-miner mine --config {target}")
    return ExitCode.OK


@app.command
@takes_options_of(MineOptions)
def check(*, config: Config = None, no_config: NoConfig = False, **given: Any) -> int:
    """Check a configuration and print one line for each error. The command takes all options of the command mine.

    Exit code 2: there is at least one error.
    """
    sources = Sources(given, find_file(config, no_config, os.environ))
    misspelt = sources.misspelt
    for problem in misspelt:
        printing.say(f"stratum-miner: {problem}", stderr=True)
    settings = load(sources)
    counted = [_count(len(settings.pools), "pool"), _count(len(settings.backends), "backend")]
    if sources.is_exposed:
        printing.say(
            f"{sources.file}: other users of this computer can read its passwords; chmod 600 {sources.file} prevents "
            "this"
        )
    printing.say(f"{sources.file or 'no file'}: good: {', '.join(counted)}, {settings.strategy.value}")
    return ExitCode.USAGE if misspelt else ExitCode.OK


@app.command
@takes_options_of(MineOptions)
def show(*, config: Config = None, no_config: NoConfig = False, **given: Any) -> int:
    """Print the settings in force as TOML, with the origin of each value. Passwords are hidden.

    The command takes all options of the command mine, so that it can also explain a command line that calls mine.
    """
    sources = Sources(given, find_file(config, no_config, os.environ))
    for line in shown_lines(load(sources)):
        printing.say(line)
    return ExitCode.OK


@app.command(name="import")
def import_(
    old: Annotated[
        Path,
        Parameter(
            help="Configuration file of cgminer, bfgminer, cpuminer, cpuminer-opt, xmrig, AxeOS (the answer of "
            "/api/system/info, or the CSV file of the settings) or NerdMiner."
        ),
    ],
    file: OutputFile = None,
    /,
    *,
    force: Force = False,
    dry_run: Annotated[
        bool,
        Parameter(
            name="--dry-run",
            help="Only show what becomes of each line, and the new file without its passwords. Nothing is written.",
            negative=(),
            show_default=False,
        ),
    ] = False,
) -> int:
    """Convert a configuration file of another miner, and print what became of each of its keys.

    An existing FILE is replaced only with --force. A pool whose protection, such as a proxy, cannot be carried over is
    switched off in the new file.

    Exit code 1: the file was written, but something could not be carried over, or has to be corrected. Exit code 2: no
    file was written, for example because no pool can be used.
    """
    target = file or default_file()
    imported = convert(_content_of(old), str(old), frozenset(keys_of(MineOptions)))
    _make_absolute(imported, old)
    toml = imported.toml()
    if not dry_run:
        write_private(target, toml, force=force)
    width = max(shutil.get_terminal_size().columns - 1, 40) if sys.stdout.isatty() else printing.MAX_LINE
    for line in listing(imported, width):
        printing.say(line, indent=len(line) - len(line.lstrip()))
    if dry_run:
        printing.say("")
        for line in imported.toml(hide=True).splitlines():
            printing.say(line)
        printing.say("")
    problems: tuple[Problem, ...] = ()
    try:
        settings_of(Sources({}, target, {}), parse(toml, target))
    except ConfigError as error:
        problems = error.problems
    last = [*(f"to correct: {problem}" for problem in problems), f"{old}: {outcome(imported)}"]
    last.append(f"nothing was written to {target}, because of --dry-run" if dry_run else f"wrote {target}")
    for text in last:
        for line in wrapped(text, width):
            printing.say(line, indent=len(line) - len(line.lstrip()))
    return ExitCode.FAILED if problems or imported.lost else ExitCode.OK


def _content_of(old: Path) -> bytes:
    """Return the content of a file. Raises ConfigError if it cannot be read."""
    try:
        return user_files.read(old, MAX_BYTES)
    except OSError as error:
        raise ConfigError(Problem(str(old), f"cannot read this file: {error.strerror}")) from None
    except UserFileError as error:
        raise ConfigError(Problem(str(old), str(error))) from None


def _make_absolute(imported: Imported, old: Path) -> None:
    """Make file names in the settings absolute. In the old file, they are relative to its directory."""
    for key in ("tls_ca", "log_file"):
        if key in imported.options:
            name = Path(imported.options[key]).expanduser()
            imported.options[key] = str((old.parent / name).absolute())


def shown_lines(settings: MineSettings) -> Iterator[str]:
    """Yield the settings in force as lines of TOML, each with its origin."""
    for group in shown.groups(settings):
        if group.table:
            yield ""
            yield f"[{group.table}]" + (f"  # {group.note}" if group.note else "")
        for item in group.settings:
            key = toml_key(item.key)
            yield f"# {key} is not set" if item.value is None else f"{key} = {item.value}  # {item.origin}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
