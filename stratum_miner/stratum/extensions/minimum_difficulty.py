"""BIP 310 ``minimum-difficulty``: the client never wants shares below this difficulty."""

from dataclasses import dataclass
from typing import Any, ClassVar

from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError


@dataclass(frozen=True, slots=True)
class MinimumDifficulty:
    """The client's request; 0 takes an earlier one back."""

    name: ClassVar[str] = "minimum-difficulty"
    value: float = 0.0

    def to_params(self) -> dict[str, Any]:
        """Request parameters."""
        return {"minimum-difficulty.value": self.value}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "MinimumDifficulty":
        """Parse a request."""
        value = params.get("minimum-difficulty.value")
        if value is None:
            raise FieldError("minimum-difficulty.value: expected a number of at least 0, got none")
        is_zero = isinstance(value, int | float) and not isinstance(value, bool) and value == 0
        return cls(0.0 if is_zero else fields.difficulty(value, "minimum-difficulty.value"))
