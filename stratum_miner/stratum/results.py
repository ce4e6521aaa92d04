"""The results of mining.subscribe and mining.configure, the two requests whose result has a structure."""

from dataclasses import dataclass
from typing import Any

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import fields, pool_messages
from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum.extensions import VersionRollingGrant


@dataclass(frozen=True, slots=True)
class SubscribeResult:
    """The result of mining.subscribe (docs/reference/stratum.md#subscribing)."""

    extranonce1: bytes
    """The extranonce1, 0 to 32 bytes. In the coinbase, it stands directly before the extranonce2."""
    extranonce2_size: int
    """Number of bytes of the extranonce2, which the miner chooses; 0 to 32."""
    session_id: str | None = None
    """Id with which a later connection may resume the session; None if the pool sent none. In the result it stands in
    the list of subscriptions, beside the name ``mining.notify``."""

    def to_result(self) -> list[Any]:
        """Return the three-element array, with the two subscriptions that most pools list."""
        session = self.session_id or self.extranonce1.hex()
        subscriptions = [["mining.set_difficulty", session], ["mining.notify", session]]
        return [subscriptions, self.extranonce1.hex(), self.extranonce2_size]

    @classmethod
    def from_result(cls, result: Any) -> "SubscribeResult":
        """Parse a result. From the subscriptions only the id of mining.notify is read, in any of the forms that pools
        send.

        Raises FieldError if the result is not an array of at least three elements, or if a value in it is malformed.
        """
        if not isinstance(result, list) or len(result) < 3:
            raise FieldError(
                f"mining.subscribe result: expected [subscriptions, extranonce1, size], got {fields.shown(result)}"
            )
        return cls(
            pool_messages.extranonce1(result[1], "mining.subscribe extranonce1"),
            pool_messages.extranonce2_size(result[2], "mining.subscribe extranonce2 size"),
            _notify_id(result[0]),
        )


def _notify_id(subscriptions: Any) -> str | None:
    pairs = subscriptions if isinstance(subscriptions, list) else []
    for pair in [pairs, *pairs]:  # the list itself first: some pools send one pair, not a list of pairs
        match pair:
            case ["mining.notify", str(identifier), *_] if 0 < len(identifier) <= 256:
                return identifier
    return None


@dataclass(frozen=True, slots=True)
class ConfigureResult:
    """The result of mining.configure (BIP 310).

    ``version_rolling``: the grant of version rolling; None if the pool did not grant it. Its mask may contain bits
    that the client did not ask for.
    ``verdicts``: the pool's answer to each extension that the result names: True, False, or a text.
    """

    version_rolling: VersionRollingGrant | None
    verdicts: dict[str, bool | str]

    @classmethod
    def from_result(cls, result: Any) -> "ConfigureResult":
        """Parse a result. Keys with a dot are parameters of an extension and not answers.

        Raises FieldError if the result is not an object, or the mask of a grant is missing or malformed.
        """
        if not isinstance(result, dict):
            raise FieldError(f"mining.configure result: expected an object, got {fields.shown(result)}")
        verdicts: dict[str, bool | str] = {}
        for key, value in list(result.items())[:64]:
            if isinstance(key, str) and "." not in key:
                verdicts[sanitize(key, 64)] = value if isinstance(value, bool) else _worded(value)
        return cls(VersionRollingGrant.from_result(result), verdicts)


def _worded(value: Any) -> str:
    return sanitize(value) if isinstance(value, str) else fields.shown(value)
