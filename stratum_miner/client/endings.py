"""The exceptions that end a connection to a pool. Each says why the connection ended."""

from stratum_miner.client.pool_memory import Limit


class ConnectionEnded(Exception):  # noqa: N818  an end, not always an error
    """The connection has ended; the text says why. The client connects again, unless ``ClientOptions.retry`` is
    False."""


class PoolDisconnected(ConnectionEnded):
    """The pool closed the connection.

    ``unanswered``: whether an unanswered request may be the reason, because the pool does not know it. True if a
    request other than mining.submit had no reply yet, and either the pool had not sent a job, or the last requests of
    the handshake had been sent only a few seconds before.
    ``subscribe_unanswered``: whether the client sent mining.configure and then mining.subscribe, and the pool had not
    accepted mining.subscribe. Perhaps the pool does not know mining.configure.
    """

    def __init__(self, reason: str, *, unanswered: bool, subscribe_unanswered: bool) -> None:
        super().__init__(reason)
        self.unanswered = unanswered
        self.subscribe_unanswered = subscribe_unanswered


class TooSlow(ConnectionEnded):
    """The pool did not reply within one of the time limits."""

    def __init__(self, limit: Limit, reason: str) -> None:
        super().__init__(reason)
        self.limit = limit


class SubscribeRefused(ConnectionEnded):
    """The pool answered mining.subscribe with an error. Perhaps the pool does not know the session that the client
    asked to resume."""


class WorkerRefused(Exception):  # noqa: N818  the field's word
    """The pool refused the worker name.

    ``is_temporary``: whether the pool's text says that the pool may accept the same worker name later. If it does,
    ``PoolClient`` tries again.
    """

    def __init__(self, text: str = "", *, is_temporary: bool = False) -> None:
        super().__init__(text)
        self.is_temporary = is_temporary


class Redirect(ConnectionEnded):
    """The pool sent client.reconnect: connect to ``host`` and ``port`` after ``wait`` seconds. A host or port of None
    means that of the configured URL."""

    def __init__(self, host: str | None, port: int | None, wait: float) -> None:
        super().__init__("the pool asked to reconnect")
        self.host = host
        self.port = port
        self.wait = wait
