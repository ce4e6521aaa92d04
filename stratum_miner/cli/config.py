"""``stratum-miner config``: write a configuration, check one, show what is in force and why."""

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

app = cyclopts.App(name="config", help="Write, check, show and import the configuration of mine.")

Force: TypeAlias = Annotated[
    bool, Parameter(name="--force", help="Replace the file if it is there.", negative=(), show_default=False)
]


@app.command
def init(file: Path | None = None, /, *, force: Force = False) -> int:
    """Write a commented configuration to FILE, or to where mine looks for one by itself; never over another."""
    target = file or default_file()
    families = (MineOptions, PoolProfile, BackendProfile)
    write_private(target, template(*(keys_of(table).values() for table in families)), force=force)
    printing.say(f"wrote {target}; give it your pool and worker, then: stratum-miner mine --config {target}")
    return ExitCode.OK


@app.command
@takes_options_of(MineOptions)
def check(*, config: Config = None, no_config: NoConfig = False, **given: Any) -> int:
    """Tell what is wrong with a configuration, one line each; exit code 2 if anything is."""
    sources = Sources(given, find_file(config, no_config, os.environ))
    misspelt = sources.misspelt
    for problem in misspelt:
        printing.say(f"stratum-miner: {problem}", stderr=True)
    settings = load(sources)
    counted = [_count(len(settings.pools), "pool"), _count(len(settings.backends), "backend")]
    if sources.is_exposed:
        printing.say(f"{sources.file}: others on this machine can read its passwords; chmod 600 keeps them out")
    printing.say(f"{sources.file or 'no file'}: good: {', '.join(counted)}, {settings.strategy.value}")
    return ExitCode.USAGE if misspelt else ExitCode.OK


@app.command
@takes_options_of(MineOptions)
def show(*, config: Config = None, no_config: NoConfig = False, **given: Any) -> int:
    """Print the configuration in force as TOML, with the origin of each value; passwords are hidden."""
    sources = Sources(given, find_file(config, no_config, os.environ))
    for line in shown_lines(load(sources)):
        printing.say(line)
    return ExitCode.OK


@app.command(name="import")
def import_(old: Path, file: Path | None = None, /, *, force: Force = False) -> int:
    """Make FILE of cgminer's or cpuminer's JSON file OLD, and tell of each key whether it is carried over."""
    target = file or default_file()
    imported = convert(_text_of(old), str(old), frozenset(keys_of(MineOptions)))
    text = imported.toml()
    write_private(target, text, force=force)
    for note in imported.notes:
        match note:
            case ConvertedKey(key, to):
                printing.say(f"{key} -> {to}")
            case SkippedKey(key, reason):
                printing.say(f"{key} dropped: {reason}")
    printing.say(f"wrote {target}, from {imported.kind}: {_count(len(imported.pools), 'pool')}")
    try:
        settings_of(Sources({}, target, {}), parse(text, target))
    except ConfigError as error:
        for problem in error.problems:
            printing.say(f"to be mended: {problem}")
    return ExitCode.OK


def _text_of(old: Path) -> str:
    """ConfigError when it cannot be read."""
    try:
        return user_files.read(old, MAX_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise ConfigError(Problem(str(old), f"cannot read it: {error.strerror}")) from None
    except UserFileError as error:
        raise ConfigError(Problem(str(old), str(error))) from None


def shown_lines(settings: MineSettings) -> Iterator[str]:
    """The settings in force, each with its origin, as lines of TOML."""
    for group in shown.groups(settings):
        if group.table:
            yield ""
            yield f"[{group.table}]" + (f"  # {group.note}" if group.note else "")
        for item in group.settings:
            key = toml_key(item.key)
            yield f"# {key} is not set" if item.value is None else f"{key} = {item.value}  # {item.origin}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
