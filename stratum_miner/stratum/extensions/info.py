"""BIP 310 ``info``: the client describes itself for the pool's statistics."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from stratum_miner.stratum import fields as wire

MAX_TEXT = 256
"""Maximum number of characters of each text in ``info``. The value is a guess, because BIP 310 names no limit."""


@dataclass(frozen=True, slots=True)
class Info:
    """The client's ``info`` (BIP 310): texts of at most 256 characters that describe the client. Empty texts are not
    sent."""

    name: ClassVar[str] = "info"
    connection_url: str = ""
    hw_version: str = ""
    sw_version: str = ""
    hw_id: str = ""

    def to_params(self) -> dict[str, Any]:
        """Return the parameters of the request."""
        texts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {_key(name): text for name, text in texts.items() if text}

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "Info":
        """Parse the parameters of a request. Raises FieldError if a text is not a string or is too long."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: wire.text(params.get(_key(name), ""), _key(name), MAX_TEXT) for name in names})


def _key(name: str) -> str:
    return "info." + name.replace("_", "-")
