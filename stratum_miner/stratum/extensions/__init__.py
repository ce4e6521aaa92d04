"""BIP 310 extensions for mining.configure, one file each; this table is the list of those we speak.

Adding one is a new file and a line here. It is parsed and sent then; a server refuses it until its policy grants it.
"""

from typing import Any, ClassVar, Protocol, Self, TypeAlias

from stratum_miner.stratum.extensions.info import Info
from stratum_miner.stratum.extensions.minimum_difficulty import MinimumDifficulty
from stratum_miner.stratum.extensions.subscribe_extranonce import SubscribeExtranonce
from stratum_miner.stratum.extensions.version_rolling import VersionRolling, VersionRollingGrant

__all__ = [
    "EXTENSIONS",
    "Extension",
    "ExtensionAnswer",
    "Grant",
    "Info",
    "MinimumDifficulty",
    "SubscribeExtranonce",
    "VersionRolling",
    "VersionRollingGrant",
    "parse_requested",
]


class Extension(Protocol):
    """A client's request for one of them."""

    name: ClassVar[str]

    def to_params(self) -> dict[str, Any]:
        """Request parameters, each key beginning with the name and a dot."""
        ...

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Self:
        """Parse a request, in which the parameters of others stand too. FieldError on bad ones."""
        ...


class Grant(Protocol):
    """A server's answer that says more than yes."""

    def to_result(self) -> dict[str, Any]:
        """Result keys, the extension's name among them."""
        ...


ExtensionAnswer: TypeAlias = bool | str | Grant
"""A server's answer to a request: yes or no, why not, or what it grants."""

_SPOKEN: tuple[type[Extension], ...] = (
    VersionRolling,
    MinimumDifficulty,
    SubscribeExtranonce,
    Info,
)
EXTENSIONS: dict[str, type[Extension]] = {extension.name: extension for extension in _SPOKEN}


def parse_requested(name: str, params: dict[str, Any]) -> Extension | None:
    """A client's request for an extension; None for one we do not know. FieldError on bad parameters."""
    known = EXTENSIONS.get(name)
    return None if known is None else known.from_params(params)
