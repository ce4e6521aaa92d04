"""The exceptions that end a connection to a pool. Each says why the connection ended."""

from stratum_miner.client.pool_memory import Limit


class ConnectionEnded(Exception):  # noqa: N818  an end, not always an error
    """The connection has ended; the text says why. The client connects again, unless ``ClientOptions.retry`` is
    False."""


class PoolDisconnected(ConnectionEnded):
    """The pool closed the connection.

    ``unanswered``: whether the pool may have closed the connection because of a request that it does not know. True if
    two conditions hold. First, a request other than mining.submit had no reply yet. Second, the pool had not sent a job
    yet, or the client had sent requests of the handshake only a few seconds before.

    ``subscribe_unanswered``: whether the pool may have closed the connection because it does not know mining.configure.
    True if the client sent mining.configure and then mining.subscribe, and the pool had not accepted mining.subscribe.
    """

    def __init__(self, reason: str, *, unanswered: bool, subscribe_unanswered: bool) -> None:
        super().__init__(reason)
        self.unanswered = unanswered
        self.subscribe_unanswered = subscribe_unanswered


class TooSlow(ConnectionEnded):
    """The pool did not reply within a time limit. ``limit`` is the name of the time limit."""

    def __init__(self, limit: Limit, reason: str) -> None:
        super().__init__(reason)
        self.limit = limit


class SubscribeRefused(ConnectionEnded):
    """The pool answered mining.subscribe with an error. Perhaps the pool does not know the session that the client
    asked to resume."""


class WorkerRefused(Exception):  # noqa: N818  the field's word
    """The pool refused the worker name.

    ``is_temporary``: whether the pool's text says that the pool may accept the same worker name later. If true,
    ``PoolClient`` tries again.
    """

    def __init__(self, text: str = "", *, is_temporary: bool = False) -> None:
        super().__init__(text)
        self.is_temporary = is_temporary


class Redirect(ConnectionEnded):
    """The pool sent client.reconnect: the client should connect to ``host`` and ``port`` after ``wait`` seconds. None
    stands for the host or port of the configured URL."""

    def __init__(self, host: str | None, port: int | None, wait: float) -> None:
        super().__init__("the pool asked to reconnect")
        self.host = host
        self.port = port
        self.wait = wait
