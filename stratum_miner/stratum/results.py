"""Results of the two requests that have a structured one: mining.subscribe and mining.configure."""

from dataclasses import dataclass
from typing import Any

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import fields, pool_messages
from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum.extensions import VersionRollingGrant


@dataclass(frozen=True, slots=True)
class SubscribeResult:
    """What a session is made of. ``session_id`` is the mining.notify subscription id, for a later resume."""

    extranonce1: bytes
    extranonce2_size: int
    session_id: str | None = None

    def to_result(self) -> list[Any]:
        """The three-element array; two subscriptions, as most pools list them."""
        session = self.session_id or self.extranonce1.hex()
        subscriptions = [["mining.set_difficulty", session], ["mining.notify", session]]
        return [subscriptions, self.extranonce1.hex(), self.extranonce2_size]

    @classmethod
    def from_result(cls, result: Any) -> "SubscribeResult":
        """Parse; of the subscriptions only the mining.notify id is looked for, in every shape met."""
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
    for pair in [pairs, *pairs]:  # a single flat pair occurs too
        match pair:
            case ["mining.notify", str(identifier), *_] if 0 < len(identifier) <= 256:
                return identifier
    return None


@dataclass(frozen=True, slots=True)
class ConfigureResult:
    """What a pool granted of a mining.configure.

    ``verdicts`` holds each named extension's value: True, False or the pool's text. ``version_rolling`` is the
    grant as the pool worded it; the client still cuts it to what it asked for.
    """

    version_rolling: VersionRollingGrant | None
    verdicts: dict[str, bool | str]

    @classmethod
    def from_result(cls, result: Any) -> "ConfigureResult":
        """Parse; keys that are parameters (with a dot) are not verdicts."""
        if not isinstance(result, dict):
            raise FieldError(f"mining.configure result: expected an object, got {fields.shown(result)}")
        verdicts: dict[str, bool | str] = {}
        for key, value in list(result.items())[:64]:
            if isinstance(key, str) and "." not in key:
                verdicts[sanitize(key, 64)] = value if isinstance(value, bool) else _worded(value)
        return cls(VersionRollingGrant.from_result(result), verdicts)


def _worded(value: Any) -> str:
    return sanitize(value) if isinstance(value, str) else fields.shown(value)
