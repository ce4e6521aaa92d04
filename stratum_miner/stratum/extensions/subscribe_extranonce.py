"""BIP 310 ``subscribe-extranonce``: the client accepts mining.set_extranonce."""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class SubscribeExtranonce:
    """The client's request for ``subscribe-extranonce`` (BIP 310). It has no parameters."""

    name: ClassVar[str] = "subscribe-extranonce"

    def to_params(self) -> dict[str, Any]:
        """Return no parameters."""
        return {}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "SubscribeExtranonce":
        """Ignore all parameters."""
        del params
        return cls()
