"""BIP 310 ``version-rolling``: the bits of the header's version that a miner may change."""

from dataclasses import dataclass
from typing import Any, ClassVar

from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError


@dataclass(frozen=True, slots=True)
class VersionRolling:
    """The client's request for ``version-rolling`` (BIP 310).

    ``mask``: the bits that the client can roll, a 32-bit mask. ``min_bit_count``: the least number of these bits that
    the client needs.
    """

    name: ClassVar[str] = "version-rolling"
    mask: int = GENERAL_PURPOSE_MASK
    min_bit_count: int = 2

    def to_params(self) -> dict[str, Any]:
        """Return the parameters of the request. The mask is 8 hex digits."""
        return {
            "version-rolling.mask": fields.number_hex(self.mask),
            "version-rolling.min-bit-count": self.min_bit_count,
        }

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "VersionRolling":
        """Parse the parameters of a request. A missing mask means all bits. The bit count may also be a hex string
        (docs/reference/stratum.md#configuring-extensions).

        Raises FieldError if the mask or the bit count is malformed.
        """
        mask = fields.number(params.get("version-rolling.mask", "ffffffff"), "version-rolling.mask")
        count = params.get("version-rolling.min-bit-count", 0)
        if isinstance(count, str):
            count = fields.number(count, "version-rolling.min-bit-count")
            # In an older draft by Braiins, this parameter was a mask. A number above 32 can only be such a mask.
            count = count if count <= 32 else count.bit_count()
        return cls(mask, fields.integer(count, "version-rolling.min-bit-count", 0, 32))


@dataclass(frozen=True, slots=True)
class VersionRollingGrant:
    """The pool's grant of ``version-rolling`` (BIP 310).

    ``mask``: the 32-bit mask as the pool sent it. It may contain bits that the client did not ask for.
    """

    mask: int

    def to_result(self) -> dict[str, Any]:
        """Return the keys of this extension in the result of mining.configure. The mask is 8 hex digits."""
        return {"version-rolling": True, "version-rolling.mask": fields.number_hex(self.mask)}

    @classmethod
    def from_result(cls, result: dict[str, Any]) -> "VersionRollingGrant | None":
        """Return the grant in a result of mining.configure, or None if the pool refused (false, a text, or no key).

        Raises FieldError if the mask is missing or malformed.
        """
        if result.get("version-rolling") is not True:
            return None
        if "version-rolling.mask" not in result:
            raise FieldError("version-rolling.mask: expected a mask in a result with version-rolling true, got none")
        return cls(fields.number(result["version-rolling.mask"], "version-rolling.mask"))
