"""Another miner's configuration: ``config.foreign``, and what becomes of it when it is read back as ours."""

import tomllib
from pathlib import Path

from stratum_miner.app.config.document import parse
from stratum_miner.app.config.foreign import convert
from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.settings.mine import Sources, settings_of
from tests.fuzz.judge import check_shown

OPTIONS = frozenset(keys_of(MineOptions))
PATH = Path("fuzz.toml")


def run(data: bytes) -> None:
    try:
        imported = convert(data.decode("utf-8", "replace"), "old.json", OPTIONS)
    except ConfigError as error:
        check_shown(str(error), 2000)
        return
    text = imported.toml()
    text.encode()
    tomllib.loads(text)
    for note in imported.notes:
        str(note).encode()
    try:
        settings_of(Sources({}, PATH, {}), parse(text, PATH))
    except ConfigError as error:
        str(error)
