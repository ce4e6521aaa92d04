"""The settings in force as the API serves them: every value with its source, and no secret."""

from pathlib import Path

import msgspec

from stratum_miner.app.settings.mine import Sources, load
from stratum_miner.app.settings.shown import as_object

CONFIG = """
until_shares = 3
[pools.home]
url = "stratum+tcp://pool.example:3333"
user = "worker"
pass = "sup3rs3cret-of-home"
"""


def test_values_have_origins_and_secrets_are_stars(tmp_path: Path) -> None:
    file = tmp_path / "miner.toml"
    file.write_text(CONFIG)
    environment = {"STRATUM_MINER_PROXY": "socks5h://me:sup3rs3cret-of-proxy@127.0.0.1:9050"}
    told = as_object(load(Sources({"threads": 2}, file, environment)), str(file))
    assert told["file"] == str(file)
    groups = {
        group["title"]: {item["key"]: (item["value"], item["origin"]) for item in group["settings"]}
        for group in told["groups"]
    }
    assert groups["mine"]["threads"] == ("2", "command line")
    assert groups["mine"]["until_shares"] == ("3", f"{file}:2")
    assert groups["mine"]["proxy"] == ('"***"', "STRATUM_MINER_PROXY")
    assert groups["mine"]["retry"] == ("true", "default")
    assert groups["mine"]["journal"] == (None, "default")
    assert groups["pools.home"]["pass"] == ('"***"', f"{file}:6")
    assert b"sup3rs3cret" not in msgspec.json.encode(told)
