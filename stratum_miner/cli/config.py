"""``stratum-miner config``: writes a configuration file, checks one, and shows the settings in force."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import cyclopts
from cyclopts import Parameter

from stratum_miner import user_files
from stratum_miner.app.config.document import MAX_BYTES, parse
from stratum_miner.app.config.foreign import ConvertedKey, SkippedKey, convert
from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.problems import ConfigError, Problem
from stratum_miner.app.config.profiles import BackendProfile, PoolProfile
from stratum_miner.app.config.template import template
from stratum_miner.app.config.writing import toml_key
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
    """Check a configuration and print one line for each error. The command takes all options of mine.

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

    The command takes all options of mine, so that it also explains a command line of mine.
    """
    sources = Sources(given, find_file(config, no_config, os.environ))
    for line in shown_lines(load(sources)):
        printing.say(line)
    return ExitCode.OK


@app.command(name="import")
def import_(
    old: Annotated[Path, Parameter(help="JSON configuration file of cgminer or cpuminer.")],
    file: OutputFile = None,
    /,
    *,
    force: Force = False,
) -> int:
    """Convert a configuration file of cgminer or cpuminer, and print for each of its keys the new key or why it is
    skipped.

    An existing FILE is replaced only with --force.
    """
    target = file or default_file()
    imported = convert(_text_of(old), str(old), frozenset(keys_of(MineOptions)))
    text = imported.toml()
    write_private(target, text, force=force)
    for note in imported.notes:
        match note:
            case ConvertedKey(key, to):
                printing.say(f"{key} -> {to}")
            case SkippedKey(key, reason):
                printing.say(f"{key} skipped: {reason}")
    printing.say(f"wrote {target}, from {imported.kind}: {_count(len(imported.pools), 'pool')}")
    try:
        settings_of(Sources({}, target, {}), parse(text, target))
    except ConfigError as error:
        for problem in error.problems:
            printing.say(f"to correct: {problem}")
    return ExitCode.OK


def _text_of(old: Path) -> str:
    """Return the text of a file. Raises ConfigError if it cannot be read."""
    try:
        return user_files.read(old, MAX_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise ConfigError(Problem(str(old), f"cannot read this file: {error.strerror}")) from None
    except UserFileError as error:
        raise ConfigError(Problem(str(old), str(error))) from None


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
