"""The extensions of mining.configure (BIP 310) that stratum-miner knows, one file for each.

To add an extension, add a file here, and its class to ``_KNOWN``. Requests for the extension can then be sent and
parsed. The pool of stratum-miner answers them with false until its policy grants the extension.
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
    """A client's request for one extension."""

    name: ClassVar[str]

    def to_params(self) -> dict[str, Any]:
        """Return the parameters of the request. Each key begins with the name of the extension and a dot."""
        ...

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Self:
        """Parse the parameters of a request. ``params`` may also contain the parameters of other extensions.

        Raises FieldError if a parameter of this extension is malformed.
        """
        ...


class Grant(Protocol):
    """A pool's answer that grants an extension and also contains parameters."""

    def to_result(self) -> dict[str, Any]:
        """Return the keys that belong to this extension in the result of mining.configure: its name, and its
        parameters."""
        ...


ExtensionAnswer: TypeAlias = bool | str | Grant
"""A pool's answer to the request for an extension: true or false, the reason for a refusal, or a grant."""

_KNOWN: tuple[type[Extension], ...] = (
    VersionRolling,
    MinimumDifficulty,
    SubscribeExtranonce,
    Info,
)
EXTENSIONS: dict[str, type[Extension]] = {extension.name: extension for extension in _KNOWN}


def parse_requested(name: str, params: dict[str, Any]) -> Extension | None:
    """Parse a client's request for an extension. Return None if the extension is unknown.

    ``params``: the object with the parameters of all requested extensions.
    Raises FieldError if a parameter of this extension is malformed.
    """
    known = EXTENSIONS.get(name)
    return None if known is None else known.from_params(params)
