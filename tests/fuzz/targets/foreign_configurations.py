"""Another miner's configuration: ``app.foreign``, and what becomes of it when it is read back as ours."""

import tomllib
from pathlib import Path

from stratum_miner.app.config.document import parse
from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.foreign.listing import listing, outcome
from stratum_miner.app.foreign.programs import convert
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.settings.mine import Sources, settings_of
from tests.fuzz.judge import check_shown

OPTIONS = frozenset(keys_of(MineOptions))
PATH = Path("fuzz.toml")


def run(data: bytes) -> None:
    try:
        imported = convert(data, "old.json", OPTIONS)
    except ConfigError as error:
        for problem in error.problems:
            check_shown(str(problem), 2000)
        return
    text = imported.toml()
    text.encode()
    tomllib.loads(text)
    imported.toml(hide=True).encode()
    for line in (*listing(imported, 79), outcome(imported)):
        check_shown(line, 2000)
    try:
        settings_of(Sources({}, PATH, {}), parse(text, PATH))
    except ConfigError as error:
        str(error)
