"""The events of a connection, as frozen values: one class for each kind of event."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from stratum_miner.stratum.client_messages import AnyClientMessage, Submit
from stratum_miner.stratum.envelope import Id
from stratum_miner.stratum.errors import ErrorReply
from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.stratum.results import ConfigureResult, SubscribeResult

# ---- seen by a client ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Configured:
    """The pool replied to mining.configure."""

    id: int
    result: ConfigureResult | None
    """The result in the pool's reply. None if the pool refused the whole request, or if the result is malformed."""
    error: ErrorReply | None
    version_mask: int
    """The version bits that the client may roll now, a 32-bit mask; 0 if version rolling was not granted."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The pool accepted mining.subscribe."""

    id: int
    result: SubscribeResult


@dataclass(frozen=True, slots=True)
class WorkerAuthorized:
    """The pool accepted mining.authorize for this worker name."""

    id: int
    worker_name: str


@dataclass(frozen=True, slots=True)
class AuthorizeRefused:
    """The pool refused mining.authorize for this worker name."""

    id: int
    worker_name: str
    error: ErrorReply


@dataclass(frozen=True, slots=True)
class SubmitAnswered:
    """The pool replied to mining.submit. ``error`` is None if and only if the pool accepted the share."""

    id: int
    submit: Submit
    error: ErrorReply | None

    @property
    def accepted(self) -> bool:
        """Whether the pool accepted the share."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The pool replied to suggest_difficulty, suggest_target, get_transactions, extranonce.subscribe or ping.
    ``result`` is the JSON value as it came."""

    id: int
    request: AnyClientMessage
    result: Any
    error: ErrorReply | None


@dataclass(frozen=True, slots=True)
class UnpairedReply:
    """The pool sent a reply whose id belongs to no open request. It never counts as the result of a share."""

    id: Id
    result: Any
    error: ErrorReply | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAnnounced:
    """The pool announced a job. The event carries all settings that belong to the job."""

    notify: Notify
    share_target: int
    """The largest hash that is a share, 1 to 2^256-1."""
    extranonce1: bytes
    extranonce2_size: int
    version_rolling: bool
    """Whether the pool granted version rolling, so that a mining.submit has a sixth parameter."""
    version_mask: int
    """The version bits that the client may roll, a 32-bit mask."""
    amended: bool = False
    """Whether this event announces the newest job again, because one of its settings has changed: the version mask, or
    the share target if the pool sent the job before its first mining.set_difficulty."""
    superseded: int = 0
    """Number of earlier jobs that were skipped, because this newer job arrived together with them."""

    @property
    def is_clean(self) -> bool:
        """Whether the miner must drop its work on earlier jobs. Always False for an amended job, which repeats an
        earlier job with a changed setting."""
        return self.notify.clean_jobs and not self.amended

    def after(self, superseded: "JobAnnounced") -> "JobAnnounced":
        """Return one event that replaces two: this event and ``superseded``, the event of an earlier job. The result
        announces the job of this event; the earlier job is skipped, and counted in the field ``superseded`` of the
        result. The result is clean if at least one of the two events is clean."""
        count = superseded.superseded + 1
        if not superseded.is_clean or self.is_clean:
            return replace(self, superseded=count)
        return replace(self, notify=replace(self.notify, clean_jobs=True), amended=False, superseded=count)


@dataclass(frozen=True, slots=True)
class ShareTargetChanged:
    """The pool set the share target of its next jobs, by mining.set_difficulty or mining.set_target."""

    share_target: int


@dataclass(frozen=True, slots=True)
class ExtranonceChanged:
    """The pool set the extranonce1 and the extranonce2 size (bytes) of its next jobs."""

    extranonce1: bytes
    extranonce2_size: int


@dataclass(frozen=True, slots=True)
class VersionMaskChanged:
    """The pool changed the version mask, also for the current job. ``version_mask`` holds the bits that the client may
    roll from now on: those of the pool that are also in the client's own mask."""

    version_mask: int


@dataclass(frozen=True, slots=True)
class ReconnectRequested:
    """The pool asks the client to reconnect. The caller decides whether to follow.

    ``host`` and ``port``: None means the same host or port as now. ``wait``: seconds to wait before the reconnect, 0 to
    300.
    """

    host: str | None
    port: int | None
    wait: float


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """The pool sent a text for the user. The text is printable and of limited length."""

    text: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A line of the pool had no effect, for example because its method is unknown, or because it sets a version mask
    although the client did not ask for version rolling."""

    what: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """The pool sent an unusable line or message. The connection continues."""

    reason: str


ClientConnectionEvent: TypeAlias = (
    Configured
    | Subscribed
    | WorkerAuthorized
    | AuthorizeRefused
    | SubmitAnswered
    | RequestAnswered
    | UnpairedReply
    | JobAnnounced
    | ShareTargetChanged
    | ExtranonceChanged
    | VersionMaskChanged
    | ReconnectRequested
    | MessageReceived
    | Ignored
    | BadLine
)
"""Any event of a ``ClientConnection``."""

# ---- seen by a pool ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """The miner sent a valid request. To answer it, the caller passes ``id`` to a method of ``ServerConnection``."""

    id: Id
    message: AnyClientMessage


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """The connection itself refused a request that was malformed, unknown or not allowed now. It has already answered
    the request with the error."""

    method: str
    error: ErrorReply


@dataclass(frozen=True, slots=True)
class ClientReplied:
    """The miner sent a reply to client.get_version or mining.ping. ``method`` is the method of the pool's
    request, or empty if the reply belongs to no request. ``result`` is the JSON value as it came."""

    method: str
    result: Any


ServerConnectionEvent: TypeAlias = RequestReceived | RequestRefused | ClientReplied
"""Any event of a ``ServerConnection``."""
