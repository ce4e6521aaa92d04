"""What the client tells: one stream of frozen values, each with its origin, from one pool or from several as one.

The miner hears of a job inside the call that parsed it, so that the search turns without another task switch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from stratum_miner.work.job import Job, Origin
from stratum_miner.work.share_result import ShareResult

STOPPED = "stopped"
"""Why work is lost when the client itself is cancelled."""


class ConnectionState(Enum):
    """The state of the connection to a pool."""

    CONNECTING = "connecting"
    HANDSHAKE = "handshake"
    MINING = "mining"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class JobArrived:
    """A valid job: search it."""

    job: Job

    @property
    def origin(self) -> Origin:
        """Where the job comes from."""
        return self.job.origin


@dataclass(frozen=True, slots=True)
class WorkLost:
    """No job is valid any more: stop searching. ``reason`` says why in words."""

    origin: Origin
    """The session that the last job was of."""
    reason: str


@dataclass(frozen=True, slots=True)
class ShareAnswered:
    """The final result of a share; each share has one."""

    result: ShareResult

    @property
    def origin(self) -> Origin:
        """Where the job comes from that the share solves."""
        return self.result.share.job.origin


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The connection to a pool has another state."""

    origin: Origin
    state: ConnectionState
    detail: str


@dataclass(frozen=True, slots=True)
class MessageShown:
    """The pool has a message for the user: printable and bounded."""

    origin: Origin
    text: str


ClientEvent: TypeAlias = JobArrived | WorkLost | ShareAnswered | StateChanged | MessageShown
ClientListener: TypeAlias = Callable[[ClientEvent], None]
"""Called in the trio thread; it must neither wait nor raise."""
