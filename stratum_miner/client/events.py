"""The events that a pool client reports, as frozen values. Each has an ``origin``: pool, worker name and session.

A ``PoolGroup`` reports the same events for several pools. The listener is called directly by the task that has parsed a
job, so that the search can change to this job without waiting for another task.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from stratum_miner.work.job import Job, Origin
from stratum_miner.work.share_result import ShareResult

STOPPED = "stopped"
"""The ``reason`` of a ``WorkLost`` event if the client itself was cancelled."""


class ConnectionState(Enum):
    """The state of the connection to a pool."""

    CONNECTING = "connecting"
    HANDSHAKE = "handshake"
    MINING = "mining"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class JobArrived:
    """The pool sent a valid job, which the miner should search now."""

    job: Job

    @property
    def origin(self) -> Origin:
        """The pool, worker name and session of the job."""
        return self.job.origin


@dataclass(frozen=True, slots=True)
class WorkLost:
    """No job is valid any more, so the miner must stop searching."""

    origin: Origin
    """The pool, worker name and session of the last job."""
    reason: str
    """Why the work was lost, in words."""


@dataclass(frozen=True, slots=True)
class ShareAnswered:
    """A share got its result. Each submitted share gets exactly one result."""

    result: ShareResult

    @property
    def origin(self) -> Origin:
        """The pool, worker name and session of the job that the share solves."""
        return self.result.share.job.origin


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The state of the connection to a pool changed. ``detail`` is the URL of the pool, or says why and for how long
    the client waits."""

    origin: Origin
    state: ConnectionState
    detail: str


@dataclass(frozen=True, slots=True)
class MessageShown:
    """The pool sent a message for the user. The text is printable and of limited length, and does not contain the
    password."""

    origin: Origin
    text: str


ClientEvent: TypeAlias = JobArrived | WorkLost | ShareAnswered | StateChanged | MessageShown
"""Any event of a ``PoolClient`` or ``PoolGroup``."""
ClientListener: TypeAlias = Callable[[ClientEvent], None]
"""Called with each event, in the trio thread and in the order of the events. It must neither block nor raise."""
