"""Finds the method to which a protocol line belongs: a request or notification names its method, and a reply belongs to
the method of its request.

The memory used is bounded. At most ``MAX_REQUESTS`` requests that have no reply yet are remembered. In place of a long
message id, a hash of it is remembered.
"""

from collections.abc import Set
from hashlib import blake2b

from stratum_miner.capture.record import Side
from stratum_miner.spelling import nearest
from stratum_miner.stratum import client_messages, envelope, pool_messages
from stratum_miner.stratum.errors import FieldError

METHODS = frozenset(client_messages.CLIENT_MESSAGES) | frozenset(pool_messages.POOL_MESSAGES)
"""The methods of Stratum V1 that stratum-miner knows, sent by miners or by pools."""
MAX_REQUESTS = 4096
"""Maximum number of requests that are remembered because they have no reply yet. If there are more, the oldest are
forgotten."""
LONGEST_NAME = 64
"""Maximum characters of a method name. Requests with a longer name are not remembered. Real names have at most half as
many characters."""
_DIGEST = 16
REQUEST_BYTES = 400
"""Maximum bytes of memory that remembering one request takes: its method and its entry in the dictionary."""


class Methods:
    """Remembers the methods of the requests of one connection.

    If ``wanted`` is given, only requests with these methods are remembered. If ``wanted`` is empty, lines are not
    parsed, and the method ``of`` returns None for every line.
    """

    def __init__(self, wanted: Set[str] | None = None) -> None:
        self._wanted = wanted
        self._asked: dict[tuple[Side, bytes], tuple[str, int]] = {}
        """For each sender and message id: the method of the newest request with this id, and how many requests with
        this id have no reply yet.

        The dictionary is sorted by the time of the newest request with each id, the latest last.
        """

    @property
    def held(self) -> int:
        """Return an upper bound of the bytes of memory that the remembered requests take."""
        return len(self._asked) * REQUEST_BYTES

    def of(self, sender: Side, line: bytes) -> str | None:
        """Return the method of a line that ``sender`` sent.

        Return None if the line is not a message, or is a reply to a request that is not remembered.
        """
        if self._wanted is not None and not self._wanted:
            return None
        try:
            message = envelope.decode(line.rstrip(b"\r\n"))
        except FieldError:
            return None
        if isinstance(message, envelope.Reply):
            return self._answered((sender.other, _key(message.id))) if self._asked else None
        if message.wants_reply:
            self._remember((sender, _key(message.id)), message.method)
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
    """If ``name`` is probably a misspelled Stratum method, or a Stratum method without its prefix (such as
    ``mining.``), return the correct method.

    Return None if ``name`` is spelled correctly. Also return None if it resembles no known Stratum method, because it
    may then be a method that only some pool has.
    """
    if name is None or name in METHODS:
        return None
    whole = next((method for method in sorted(METHODS) if method.rpartition(".")[2] == name.lower()), None)
    return whole or nearest(name, METHODS, 0.85)


def _key(identifier: envelope.Id) -> bytes:
    encoded = envelope.encode_id(identifier)
    return encoded if len(encoded) <= _DIGEST else blake2b(encoded, digest_size=_DIGEST).digest()
