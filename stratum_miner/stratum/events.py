"""What happened on a connection, for the layer above: frozen values, one class per kind of event."""

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
    """The reply to mining.configure; ``result`` is None when the pool refused the whole request."""

    id: int
    result: ConfigureResult | None
    error: ErrorReply | None
    version_mask: int
    """Bits we may roll now: ours and the pool's; 0 when version rolling was not granted."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The session stands."""

    id: int
    result: SubscribeResult


@dataclass(frozen=True, slots=True)
class WorkerAuthorized:
    """The pool knows this worker."""

    id: int
    worker_name: str


@dataclass(frozen=True, slots=True)
class AuthorizeRefused:
    """The pool refused this worker."""

    id: int
    worker_name: str
    error: ErrorReply


@dataclass(frozen=True, slots=True)
class SubmitAnswered:
    """The fate of one share; ``error`` is None exactly when it was accepted."""

    id: int
    submit: Submit
    error: ErrorReply | None

    @property
    def accepted(self) -> bool:
        """Whether the pool took the share."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The reply to any other request of ours: suggest_difficulty, get_transactions, extranonce.subscribe, ping."""

    id: int
    request: AnyClientMessage
    result: Any
    error: ErrorReply | None


@dataclass(frozen=True, slots=True)
class UnpairedReply:
    """A reply to an id that we are not waiting for; recorded, never counted as a share."""

    id: Id
    result: Any
    error: ErrorReply | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAnnounced:
    """A job with everything that belongs to it.

    ``amended`` says that this notify was announced before and one of its settings changed since: a mask that is in
    force at once, or the difficulty of a first job that came before its difficulty.
    """

    notify: Notify
    share_target: int
    extranonce1: bytes
    extranonce2_size: int
    version_rolling: bool
    version_mask: int
    amended: bool = False
    superseded: int = 0
    """How many jobs that came just before it were not announced, for nobody could have worked on them."""

    @property
    def is_clean(self) -> bool:
        """Whether work on earlier jobs is void."""
        return self.notify.clean_jobs and not self.amended

    def after(self, superseded: "JobAnnounced") -> "JobAnnounced":
        """This job in place of that one, too: it voids what that one would have."""
        count = superseded.superseded + 1
        if not superseded.is_clean or self.is_clean:
            return replace(self, superseded=count)
        return replace(self, notify=replace(self.notify, clean_jobs=True), amended=False, superseded=count)


@dataclass(frozen=True, slots=True)
class ShareTargetChanged:
    """The share target of the jobs to come, by mining.set_difficulty or mining.set_target."""

    share_target: int


@dataclass(frozen=True, slots=True)
class ExtranonceChanged:
    """The extranonce of the jobs to come."""

    extranonce1: bytes
    extranonce2_size: int


@dataclass(frozen=True, slots=True)
class VersionMaskChanged:
    """The bits we may roll from now on, already cut to our own mask."""

    version_mask: int


@dataclass(frozen=True, slots=True)
class ReconnectRequested:
    """The pool asks us to go elsewhere; whether to follow is the caller's decision."""

    host: str | None
    port: int | None
    wait: float


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A text for the user, already printable and bounded."""

    text: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A line that had no effect: an unknown notification, a setting that we did not ask for."""

    what: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line or message that could not be used; the connection goes on."""

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

# ---- seen by a pool ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A well-formed request; the pool answers it with ``reply`` or ``refuse``, echoing ``id``."""

    id: Id
    message: AnyClientMessage


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request that the connection itself refused: malformed, unknown, or out of place. Already answered."""

    method: str
    error: ErrorReply


@dataclass(frozen=True, slots=True)
class ClientReplied:
    """A client's reply to client.get_version or mining.ping; ``method`` is empty when we asked nothing."""

    method: str
    result: Any


ServerConnectionEvent: TypeAlias = RequestReceived | RequestRefused | ClientReplied
