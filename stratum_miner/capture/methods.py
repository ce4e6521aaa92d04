"""Which method a line belongs to: its own, or for a reply that of the request with its id.

What is kept is bounded in bytes: a request until its reply comes, its id as it is only when that is short.
"""

from collections.abc import Set
from hashlib import blake2b

from stratum_miner.capture.record import Side
from stratum_miner.spelling import nearest
from stratum_miner.stratum import client_messages, envelope, pool_messages
from stratum_miner.stratum.errors import FieldError

METHODS = frozenset(client_messages.CLIENT_MESSAGES) | frozenset(pool_messages.POOL_MESSAGES)
"""The methods of Stratum V1."""
MAX_REQUESTS = 4096
"""Requests without a reply whose method is remembered; of more the oldest are forgotten."""
LONGEST_NAME = 64
"""Characters of a method that is remembered; the longest that exist have half of it."""
_DIGEST = 16
REQUEST_BYTES = 400
"""What one request takes at most, its name and its place in the table counted."""


class Methods:
    """The methods of one connection's requests. Those not ``wanted`` are not remembered; where none is wanted, no line
    is even looked at.
    """

    def __init__(self, wanted: Set[str] | None = None) -> None:
        self._wanted = wanted
        self._asked: dict[tuple[Side, bytes], tuple[str, int]] = {}
        """Method, and how often it was asked under this id; the newest last."""

    @property
    def held(self) -> int:
        """Bytes that are kept."""
        return len(self._asked) * REQUEST_BYTES

    def of(self, speaker: Side, line: bytes) -> str | None:
        """The method; None for what is no message, or a reply to nothing that is remembered."""
        if self._wanted is not None and not self._wanted:
            return None
        try:
            message = envelope.decode(line.rstrip(b"\r\n"))
        except FieldError:
            return None
        if isinstance(message, envelope.Reply):
            return self._answered((speaker.other, _key(message.id))) if self._asked else None
        if message.wants_reply:
            self._remember((speaker, _key(message.id)), message.method)
        return message.method

    def _answered(self, key: tuple[Side, bytes]) -> str | None:
        method, times = self._asked.get(key, (None, 0))
        if method is not None and times > 1:
            self._asked[key] = method, times - 1
        else:
            self._asked.pop(key, None)
        return method

    def _remember(self, key: tuple[Side, bytes], method: str) -> None:
        _, times = self._asked.pop(key, ("", 0))
        if method in self._wanted if self._wanted is not None else len(method) <= LONGEST_NAME:
            self._asked[key] = method, times + 1
            if len(self._asked) > MAX_REQUESTS:
                del self._asked[next(iter(self._asked))]


def nearest_method(name: str | None) -> str | None:
    """What was meant by a name that is all but a method of Stratum; None for others, which a pool may well have."""
    if name is None or name in METHODS:
        return None
    return nearest(name, METHODS, 0.85)


def _key(identifier: envelope.Id) -> bytes:
    encoded = envelope.encode_id(identifier)
    return encoded if len(encoded) <= _DIGEST else blake2b(encoded, digest_size=_DIGEST).digest()
