"""BIP 310 extensions for mining.configure, one file each; this table is the list of those we speak.

Adding one is a new file and a line here.
"""

from typing import Any, TypeAlias

from stratum_miner.stratum.extensions.info import Info
from stratum_miner.stratum.extensions.minimum_difficulty import MinimumDifficulty
from stratum_miner.stratum.extensions.subscribe_extranonce import SubscribeExtranonce
from stratum_miner.stratum.extensions.version_rolling import VersionRolling, VersionRollingGrant

__all__ = [
    "EXTENSIONS",
    "Extension",
    "Info",
    "MinimumDifficulty",
    "SubscribeExtranonce",
    "VersionRolling",
    "VersionRollingGrant",
    "parse_requested",
]


Extension: TypeAlias = VersionRolling | MinimumDifficulty | SubscribeExtranonce | Info

EXTENSIONS: dict[str, type[Extension]] = {
    extension.name: extension for extension in (VersionRolling, MinimumDifficulty, SubscribeExtranonce, Info)
}


def parse_requested(name: str, params: dict[str, Any]) -> Extension | None:
    """A client's request for an extension; None for one we do not know. FieldError on bad parameters."""
    known = EXTENSIONS.get(name)
    return None if known is None else known.from_params(params)
