"""BIP 310 ``version-rolling``: which header version bits a miner may change."""

from dataclasses import dataclass
from typing import Any, ClassVar

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError


@dataclass(frozen=True, slots=True)
class VersionRolling:
    """The client's request: bits it can roll, and how many it wants at least."""

    name: ClassVar[str] = "version-rolling"
    mask: int = GENERAL_PURPOSE_MASK
    min_bit_count: int = 2

    def to_params(self) -> dict[str, Any]:
        """Request parameters."""
        return {
            "version-rolling.mask": fields.number_hex(self.mask),
            "version-rolling.min-bit-count": self.min_bit_count,
        }

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "VersionRolling":
        """Parse a request; the mask defaults to all ones, the bit count may be hex
        (docs/reference/stratum.md#configuring-extensions)."""
        mask = fields.number(params.get("version-rolling.mask", "ffffffff"), "version-rolling.mask")
        count = params.get("version-rolling.min-bit-count", 0)
        if isinstance(count, str):
            count = fields.number(count, "version-rolling.min-bit-count")
            count = count if count <= 32 else count.bit_count()  # Braiins' older draft sends a mask
        return cls(mask, fields.integer(count, "version-rolling.min-bit-count", 0, 32))


@dataclass(frozen=True, slots=True)
class VersionRollingGrant:
    """The pool's answer: ``mask`` is what the pool named, not yet cut to what the client asked for."""

    mask: int

    def to_result(self) -> dict[str, Any]:
        """Result keys."""
        return {"version-rolling": True, "version-rolling.mask": fields.number_hex(self.mask)}

    @classmethod
    def from_result(cls, result: dict[str, Any]) -> "VersionRollingGrant | None":
        """The grant in a configure result, or None when refused (false, a text, absent)."""
        if result.get("version-rolling") is not True:
            return None
        if "version-rolling.mask" not in result:
            raise FieldError("version-rolling.mask: expected a mask beside version-rolling true, got none")
        return cls(fields.number(result["version-rolling.mask"], "version-rolling.mask"))
