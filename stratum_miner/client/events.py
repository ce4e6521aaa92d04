"""What a pool client tells, and whom."""

from enum import Enum
from typing import Protocol

from stratum_miner.work.job import Job
from stratum_miner.work.share_result import ShareResult

STOPPED = "stopped"
"""Why work is lost when the client itself is cancelled."""


class ConnectionState(Enum):
    """Where the client is with its pool."""

    CONNECTING = "connecting"
    HANDSHAKE = "handshake"
    MINING = "mining"
    WAITING = "waiting"
    STOPPED = "stopped"


class ClientListener(Protocol):
    """Whom the client tells; all methods are called synchronously."""

    def job_arrived(self, job: Job) -> None:
        """A valid job: search it."""
        ...

    def work_lost(self, reason: str) -> None:
        """No job is valid any more: stop searching."""
        ...

    def share_settled(self, outcome: ShareResult) -> None:
        """A share met its fate."""
        ...

    def state_changed(self, state: ConnectionState, detail: str) -> None:
        """The connection went on to another state."""
        ...

    def message_shown(self, text: str) -> None:
        """The pool has a message for the user: printable and bounded."""
        ...
