"""BIP 310 ``minimum-difficulty``: the lowest share difficulty that the pool may set."""

from dataclasses import dataclass
from typing import Any, ClassVar

from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError


@dataclass(frozen=True, slots=True)
class MinimumDifficulty:
    """The client's request for a ``minimum-difficulty`` (BIP 310).

    ``value``: the lowest share difficulty that the pool may set; 0 withdraws an earlier request.
    """

    name: ClassVar[str] = "minimum-difficulty"
    value: float = 0.0

    def to_params(self) -> dict[str, Any]:
        """Return the parameters of the request."""
        return {"minimum-difficulty.value": self.value}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "MinimumDifficulty":
        """Parse the parameters of a request. Raises FieldError unless the value is a finite number of at least 0."""
        value = params.get("minimum-difficulty.value")
        if value is None:
            raise FieldError("minimum-difficulty.value: expected a number of at least 0, got none")
        is_zero = isinstance(value, int | float) and not isinstance(value, bool) and value == 0
        return cls(0.0 if is_zero else fields.difficulty(value, "minimum-difficulty.value"))
