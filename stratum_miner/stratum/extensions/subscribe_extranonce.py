"""BIP 310 ``subscribe-extranonce``: the client takes mining.set_extranonce; no parameters."""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class SubscribeExtranonce:
    """The client's request."""

    name: ClassVar[str] = "subscribe-extranonce"

    def to_params(self) -> dict[str, Any]:
        """Request parameters: none."""
        return {}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "SubscribeExtranonce":
        """Parse a request; parameters are ignored."""
        del params
        return cls()
