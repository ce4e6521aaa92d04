"""A configuration file: ``config.document``, the layers over it, and everything that ``mine`` reads out of it.

An input is the file. What is wrong with it is told as a list of mistakes, each with its place.
"""

from pathlib import Path

from stratum_miner.app.config.document import parse
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.settings.mine import Sources, settings_of
from stratum_miner.app.settings.shown import groups
from tests.fuzz.judge import check_shown

PATH = Path("fuzz.toml")


def run(data: bytes) -> None:
    try:
        document = parse(data.decode("utf-8", "replace"), PATH)
    except ConfigError as error:
        _check(error)
        return
    lines = data.count(b"\n") + 1
    assert all(1 <= line <= lines for line in document.lines.values())
    document.where("pools", "home", "url")
    try:
        settings = settings_of(Sources({}, PATH, {}), document)
    except ConfigError as error:
        _check(error)
    else:
        assert settings.pools
        str(groups(settings))


def _check(error: ConfigError) -> None:
    assert error.problems
    for problem in error.problems:
        check_shown(str(problem), 2000)
