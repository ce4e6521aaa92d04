"""Why a connection of a miner ended, in a few words that no miner can add to."""

from enum import Enum

from stratum_miner.stratum.errors import RemoteProtocolError


class DisconnectReason(Enum):
    """What ended a connection."""

    CLOSED = "closed"
    """The client closed it."""
    LOST = "lost"
    """It broke."""
    NOT_AUTHORIZED = "not_authorized"
    """The client did not subscribe and authorize in time."""
    IDLE = "idle"
    """The client made no request for too long."""
    SLOW_READER = "slow_reader"
    """The client did not read what it was sent."""
    REFUSED_SHARES = "refused_shares"
    """Too many of its shares in a row were refused."""
    NO_ROOM = "no_room"
    """The pool behind a proxy leaves no place for another miner."""
    PROTOCOL_ERROR = "protocol_error"
    """The client said what makes no sense."""
    BY_US = "by_us"
    """Our side stops, or wants the client to connect again."""
    FAILED = "failed"
    """A mistake of ours."""


class LimitReachedError(RemoteProtocolError):
    """A client goes beyond what it may, though it makes sense; ``ending`` says how."""

    def __init__(self, reason: str, ending: DisconnectReason) -> None:
        super().__init__(reason)
        self.ending = ending


def ending_of(error: RemoteProtocolError) -> DisconnectReason:
    """How a connection ends that is closed because of this error."""
    return error.ending if isinstance(error, LimitReachedError) else DisconnectReason.PROTOCOL_ERROR
