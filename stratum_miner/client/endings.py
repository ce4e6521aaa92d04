"""How a connection to a pool ends: the exceptions that say why, and what is to be done about it."""

from stratum_miner.client.pool_memory import Limit


class ConnectionEnded(Exception):  # noqa: N818  an end, not always an error
    """The connection is over; the text says why. Try again."""


class PoolDisconnected(ConnectionEnded):
    """The pool closed the connection. ``unanswered``: it did so before its first job, or soon after a request of the
    handshake, and left one unanswered, so we may have asked too much. ``unheard``: it has not answered mining.subscribe
    and was asked mining.configure.
    """

    def __init__(self, reason: str, *, unanswered: bool, unheard: bool) -> None:
        super().__init__(reason)
        self.unanswered = unanswered
        self.unheard = unheard


class TooSlow(ConnectionEnded):
    """The pool did not answer within one of our limits."""

    def __init__(self, limit: Limit, reason: str) -> None:
        super().__init__(reason)
        self.limit = limit


class SubscribeRefused(ConnectionEnded):
    """The pool answered mining.subscribe with an error: perhaps it does not know the session that we want resumed."""


class WorkerRefused(Exception):  # noqa: N818  the field's word
    """The pool does not want this worker; trying again soon would only annoy it, unless its words say that the refusal
    may pass.
    """

    def __init__(self, text: str = "", *, passes: bool = False) -> None:
        super().__init__(text)
        self.passes = passes


class Redirect(ConnectionEnded):
    """The pool asked to reconnect, after ``wait`` seconds, to ``host`` and ``port`` (None: the same)."""

    def __init__(self, host: str | None, port: int | None, wait: float) -> None:
        super().__init__("the pool asked to reconnect")
        self.host = host
        self.port = port
        self.wait = wait
