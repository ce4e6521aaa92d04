"""The kinds of reasons for which a miner's connection is closed. The metrics count the connections of each kind. The
number of kinds is fixed, so that no miner can increase the number of metrics."""

from enum import Enum

from stratum_miner.stratum.errors import RemoteProtocolError


class DisconnectReason(Enum):
    """The kind of reason for which a miner's connection was closed."""

    CLOSED = "closed"
    """The miner closed the connection."""
    LOST = "lost"
    """The connection broke."""
    NOT_AUTHORIZED = "not_authorized"
    """The miner did not subscribe and authorize in time."""
    IDLE = "idle"
    """The miner sent no request for too long."""
    SLOW_READER = "slow_reader"
    """The miner did not read the bytes that were sent to it."""
    REFUSED_SHARES = "refused_shares"
    """Too many shares in a row were answered with an error."""
    NO_ROOM = "no_room"
    """No extranonce1 is free for another miner. A proxy may have only few of them, because the extranonce1 that it
    gives to a miner is only a few bytes of the extranonce2 that the proxy fills in for its own pool."""
    PROTOCOL_ERROR = "protocol_error"
    """The miner sent bytes that are not valid Stratum."""
    BY_SERVER = "by_us"
    """The pool or proxy stops, or the miner must connect again."""
    FAILED = "failed"
    """An internal error occurred."""


class LimitReachedError(RemoteProtocolError):
    """A miner sent valid messages but exceeded a limit. ``ending`` is the kind of reason for which its connection is
    closed."""

    def __init__(self, reason: str, ending: DisconnectReason) -> None:
        super().__init__(reason)
        self.ending = ending


def ending_of(error: RemoteProtocolError) -> DisconnectReason:
    """Return the kind of reason for a connection that is closed because of this error."""
    return error.ending if isinstance(error, LimitReachedError) else DisconnectReason.PROTOCOL_ERROR
