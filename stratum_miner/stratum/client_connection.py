"""The client's end of one Stratum connection, sans-IO.

Bytes go in through ``receive_data``, events come out of ``next_event``, bytes to send out of ``data_to_send``.
No clock, no socket: time-outs are the caller's. Theory of operation:

* Lines with a method are the pool's, whatever their id; lines without one are replies, paired with our requests by
  id and by nothing else (docs/reference/stratum.md#ids-and-the-order-of-replies).
* Settings are staged: difficulty and extranonce take effect with the next notify, a version mask at once
  (docs/reference/stratum.md#when-a-setting-takes-effect). ``JobAnnounced`` carries what was in force when the notify
  came, so nobody above needs to remember; an amended one repeats all of that but what changed.
* A line that cannot be used is an event while the peer still makes sense, and the end of the connection when it
  never did or no longer does.
"""

from collections import deque
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import events, pool_messages
from stratum_miner.stratum.client_messages import (
    AnyClientMessage,
    Authorize,
    ClientPing,
    Configure,
    ExtranonceSubscribe,
    GetTransactions,
    Submit,
    Subscribe,
    SuggestDifficulty,
    SuggestTarget,
)
from stratum_miner.stratum.envelope import Call, Reply, decode, encode_reply, encode_request
from stratum_miner.stratum.errors import (
    CODE_OF_REASON,
    ErrorReason,
    ErrorReply,
    FieldError,
    LocalProtocolError,
    RemoteProtocolError,
    error_reply_from,
)
from stratum_miner.stratum.extensions import VersionRolling
from stratum_miner.stratum.framing import LineDecoder, foreign_protocol
from stratum_miner.stratum.results import ConfigureResult, SubscribeResult

MAX_LINE = 1 << 20
"""Longest line taken from a pool, bytes (docs/reference/stratum.md#line-limits)."""
MAX_SENT_LINE = 1000
"""Longest line we send, bytes: ckpool drops a client at 1 024 (docs/reference/stratum.md#line-limits). A request of the
pool whose answer would be longer, for that repeats its id, is an unusable line."""
MAX_BAD_LINES = 10
"""This many unusable lines in a row end the connection; picked by feel, pools that garble recover in one or two."""
MAX_BAD_EXCESS = 100
"""This many more unusable lines than usable ones end it too: a good line now and then is no excuse. Picked by feel;
each usable line makes up for one unusable line before it, so a pool whose every other line is bad is borne."""
MAX_EMPTY_LINES = 1000
"""Empty lines in a row that end the connection; one in a while may be what keeps it alive."""
MAX_OUTSTANDING = 4096
"""Requests waiting for a reply; beyond it a pool answers nothing and we would grow without bound."""
DEFAULT_SHARE_TARGET = target_from_difficulty(1)
"""Until a pool says otherwise."""


class ClientState(Enum):
    """How far the session is."""

    NEW = auto()
    SUBSCRIBING = auto()
    SUBSCRIBED = auto()
    CLOSED = auto()


class _Trigger(Enum):
    SUBSCRIBE_SENT = auto()
    SUBSCRIBE_ACCEPTED = auto()
    CLOSE = auto()


TRANSITIONS: dict[ClientState, dict[_Trigger, ClientState]] = {
    ClientState.NEW: {_Trigger.SUBSCRIBE_SENT: ClientState.SUBSCRIBING, _Trigger.CLOSE: ClientState.CLOSED},
    ClientState.SUBSCRIBING: {
        _Trigger.SUBSCRIBE_ACCEPTED: ClientState.SUBSCRIBED,
        _Trigger.CLOSE: ClientState.CLOSED,
    },
    ClientState.SUBSCRIBED: {_Trigger.CLOSE: ClientState.CLOSED},
    # lines that came before the end of the stream are still handed out after it
    ClientState.CLOSED: {_Trigger.SUBSCRIBE_ACCEPTED: ClientState.CLOSED, _Trigger.CLOSE: ClientState.CLOSED},
}

_OPEN = frozenset({ClientState.NEW, ClientState.SUBSCRIBING, ClientState.SUBSCRIBED})
_AFTER_SUBSCRIBE = frozenset({ClientState.SUBSCRIBING, ClientState.SUBSCRIBED})
_SUBSCRIBED = frozenset({ClientState.SUBSCRIBED})

PERMITTED: dict[type[AnyClientMessage], frozenset[ClientState]] = {
    Configure: _OPEN,
    Subscribe: frozenset({ClientState.NEW}),  # a second one is unanswered, or changes extranonce1 under our jobs
    Authorize: _AFTER_SUBSCRIBE,
    ExtranonceSubscribe: _AFTER_SUBSCRIBE,
    SuggestDifficulty: _AFTER_SUBSCRIBE,
    SuggestTarget: _AFTER_SUBSCRIBE,
    Submit: _SUBSCRIBED,
    GetTransactions: _SUBSCRIBED,
    ClientPing: _OPEN,
}
"""In which state each request may be sent."""


class WorkerState(Enum):
    """What the pool said of a worker."""

    REQUESTED = auto()
    AUTHORIZED = auto()
    REFUSED = auto()


@dataclass(slots=True)
class _Settings:
    """What the pool set for jobs to come; ``extranonce1`` is None until subscribed."""

    share_target: int = DEFAULT_SHARE_TARGET
    target_is_known: bool = False
    extranonce1: bytes | None = None
    extranonce2_size: int = 0
    pool_mask: int = 0
    version_rolling: bool = False


@dataclass(frozen=True, slots=True)
class _LastJob:
    """The newest notify with the settings that were in force when it came."""

    notify: pool_messages.Notify
    share_target: int
    target_is_known: bool
    extranonce1: bytes | None
    extranonce2_size: int


class ClientConnection:
    """One connection from the client's side; not reusable after it closed.

    ``version_mask`` is what we are able to roll: requested in ``configure``, and the limit of every grant.
    ``first_id`` is the id of the first request. Whoever connects to a pool again gives the ``next_id`` of the last
    connection. A late answer to a request of that one is then not taken for the answer to another request.
    """

    def __init__(self, user_agent: str, *, version_mask: int = 0, max_line: int = MAX_LINE, first_id: int = 1) -> None:
        self.user_agent = user_agent
        self.version_mask = version_mask
        self.state = ClientState.NEW
        self.workers: dict[str, WorkerState] = {}
        self._decoder = LineDecoder(max_line)
        self._to_send: list[bytes] = []
        self._events: deque[events.ClientConnectionEvent] = deque()
        self._outstanding: dict[int, AnyClientMessage] = {}
        self.next_id = first_id
        self._settings = _Settings()
        self._requested_rolling = False
        self._last_job: _LastJob | None = None
        self._session_id: str | None = None
        self._seen_valid_line = False
        self._bad_lines = 0
        """In a row."""
        self._bad_excess = 0
        """Unusable lines that no usable one has made up for."""
        self._empty_lines = 0
        """In a row."""

    # ---- requests ---------------------------------------------------------------------------------------------

    def configure(self, *others: Any) -> int:
        """Ask for version rolling under our mask, and for further extensions; returns the request id."""
        rolling = (VersionRolling(self.version_mask),) if self.version_mask else ()
        request_id = self._request(Configure((*rolling, *others)))
        self._requested_rolling = self._requested_rolling or bool(rolling)
        return request_id

    def subscribe(self, session_id: str | None = None) -> int:
        """Open the session; ``session_id`` of an earlier one asks to resume it."""
        request_id = self._request(Subscribe(self.user_agent, session_id))
        self._fire(_Trigger.SUBSCRIBE_SENT)
        return request_id

    def authorize(self, worker_name: str, password: str) -> int:
        """Log a worker in; several may share a connection."""
        request_id = self._request(Authorize(worker_name, password))
        self.workers[worker_name] = WorkerState.REQUESTED
        return request_id

    def submit(self, submit: Submit) -> int:
        """Submit a share of an authorized worker."""
        _check_submit(submit)
        if self.workers.get(submit.worker_name) is not WorkerState.AUTHORIZED:
            raise LocalProtocolError(f"mining.submit: expected an authorized worker, got {submit.worker_name!r}")
        return self._request(submit)

    def request(
        self, message: ExtranonceSubscribe | SuggestDifficulty | SuggestTarget | GetTransactions | ClientPing
    ) -> int:
        """Send one of the requests that change nothing on our side."""
        return self._request(message)

    @property
    def outstanding(self) -> dict[int, AnyClientMessage]:
        """Requests without a reply, by id, oldest first."""
        return dict(self._outstanding)

    @property
    def session_id(self) -> str | None:
        """The id under which this session may be resumed, when the pool gave one."""
        return self._session_id

    @property
    def version_rolling(self) -> bool:
        """Whether the pool granted version rolling: submits then have a sixth parameter, even under mask 0."""
        return self._settings.version_rolling

    @property
    def granted_mask(self) -> int:
        """The version bits that we may roll now: our own and the pool's."""
        return self._settings.pool_mask & self.version_mask if self._settings.version_rolling else 0

    @property
    def unsent(self) -> int:
        """How many bytes wait to go out."""
        return sum(map(len, self._to_send))

    def data_to_send(self) -> bytes:
        """Everything waiting to go out, once."""
        data = b"".join(self._to_send)
        self._to_send.clear()
        return data

    # ---- input ------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray) -> None:
        """Add bytes from the pool; then call ``next_event`` until it returns None. Ignored once closed."""
        if self.state is not ClientState.CLOSED:
            self._decoder.receive(data)

    def receive_eof(self) -> str:
        """Note the end of the stream; returns what was left of an incomplete line, printable.

        Complete lines that came before it are still handed out by ``next_event``.
        """
        self._fire(_Trigger.CLOSE)
        return sanitize(self._decoder.incomplete, 120)

    def next_event(self) -> events.ClientConnectionEvent | None:
        """The next event, or None when more data is needed. RemoteProtocolError ends the connection."""
        try:
            while not self._events:
                line = self._next_line()
                if line is None:
                    return None
                self._receive_line(line)
        except RemoteProtocolError:
            self._fire(_Trigger.CLOSE)
            self._decoder.discard()
            raise
        return self._events.popleft()

    def _next_line(self) -> bytes | None:
        if not self._seen_valid_line and (hint := foreign_protocol(self._decoder.pending)):
            raise RemoteProtocolError(f"expected a Stratum pool, got {hint}")
        return self._decoder.next_line()

    def _receive_line(self, line: bytes) -> None:
        if not line.strip():
            self._empty_lines += 1
            if self._empty_lines >= MAX_EMPTY_LINES:
                raise RemoteProtocolError(f"{MAX_EMPTY_LINES} empty lines in a row")
            return
        self._empty_lines = 0
        try:
            message = decode(line)
            self._seen_valid_line = True  # an envelope proves a Stratum pool, whatever its parameters are worth
            if isinstance(message, Call):
                self._receive_call(message)
            else:
                self._receive_reply(message)
        except FieldError as error:
            self._note_bad_line(line, str(error))
        else:
            self._bad_lines = 0
            self._bad_excess = max(0, self._bad_excess - 1)

    def _note_bad_line(self, line: bytes, reason: str) -> None:
        self._bad_lines += 1
        self._bad_excess += 1
        # DATUM can garble its first reply (docs/reference/stratum.md#unusable-lines)
        if not self._seen_valid_line and not line.lstrip().startswith(b"{"):
            raise RemoteProtocolError(f"the pool's first line is not Stratum: {reason}")
        if self._bad_lines >= MAX_BAD_LINES:
            raise RemoteProtocolError(f"{MAX_BAD_LINES} unusable lines in a row, the last one: {reason}")
        if self._bad_excess >= MAX_BAD_EXCESS:
            raise RemoteProtocolError(f"{MAX_BAD_EXCESS} unusable lines more than usable ones, the last one: {reason}")
        self._events.append(events.BadLine(reason))

    # ---- the pool's own messages ------------------------------------------------------------------------------

    def _receive_call(self, call: Call) -> None:
        match pool_messages.parse(call.method, call.params):
            case pool_messages.Notify() as notify:
                settings = self._settings
                self._last_job = _LastJob(
                    notify,
                    settings.share_target,
                    settings.target_is_known,
                    settings.extranonce1,
                    settings.extranonce2_size,
                )
                self._announce(amended=False)
            case pool_messages.SetDifficulty(difficulty):
                self._set_share_target(target_from_difficulty(difficulty))
            case pool_messages.SetTarget(target):
                self._set_share_target(target)
            case pool_messages.SetExtranonce() as change:
                self._set_extranonce(change)
            case pool_messages.SetVersionMask(mask):
                self._set_version_mask(mask)
            case pool_messages.Reconnect(host, port, wait, bad_wait):
                if bad_wait:
                    self._events.append(events.BadLine(bad_wait))
                self._events.append(events.ReconnectRequested(host, port, wait))
            case pool_messages.ShowMessage(text):
                self._events.append(events.MessageReceived(text))
                self._answer(call, True)
            case pool_messages.GetVersion():
                self._answer(call, self.user_agent)
            case pool_messages.PoolPing():
                self._answer(call, "pong")
            case None:
                self._refuse_unknown(call)

    def _set_share_target(self, target: int) -> None:
        self._settings.share_target, self._settings.target_is_known = target, True
        self._events.append(events.ShareTargetChanged(target))
        job = self._last_job
        # ckpool solo: a job before its difficulty (docs/reference/stratum.md#when-a-setting-takes-effect)
        if job is not None and not job.target_is_known:
            self._last_job = replace(job, share_target=target, target_is_known=True)
            self._announce(amended=True)

    def _set_extranonce(self, change: pool_messages.SetExtranonce) -> None:
        settings = self._settings
        if settings.extranonce1 is None:
            self._events.append(events.Ignored("mining.set_extranonce before the session stands"))
            return
        if change.extranonce1 is not None:
            settings.extranonce1 = change.extranonce1
        if change.extranonce2_size is not None:
            settings.extranonce2_size = change.extranonce2_size
        self._events.append(events.ExtranonceChanged(settings.extranonce1, settings.extranonce2_size))

    def _set_version_mask(self, mask: int) -> None:
        if not self._requested_rolling:
            self._events.append(events.Ignored("mining.set_version_mask without version rolling asked for"))
            return
        if not self._settings.version_rolling:  # a grant brings its own mask
            self._events.append(events.Ignored("mining.set_version_mask before version rolling was granted"))
            return
        self._settings.pool_mask = mask
        self._events.append(events.VersionMaskChanged(self.granted_mask))
        self._announce(amended=True)

    def _announce(self, *, amended: bool) -> None:
        job = self._last_job
        if job is None or job.extranonce1 is None:
            return  # held until the session stands
        self._events.append(
            events.JobAnnounced(
                notify=job.notify,
                share_target=job.share_target,
                extranonce1=job.extranonce1,
                extranonce2_size=job.extranonce2_size,
                version_rolling=self._settings.version_rolling,
                version_mask=self.granted_mask,
                amended=amended,
            )
        )

    def _answer(self, call: Call, result: Any) -> None:
        if call.wants_reply:
            self._send_answer(encode_reply(call.id, result))

    def _send_answer(self, line: bytes) -> None:
        if len(line) > MAX_SENT_LINE:
            raise FieldError(f"id: expected one that an answer of {MAX_SENT_LINE} bytes has room for, got {len(line)}")
        self._send(line)

    def _refuse_unknown(self, call: Call) -> None:
        self._events.append(events.Ignored(f"unknown method {sanitize(call.method, 60)!r}"))
        if call.wants_reply:
            code = CODE_OF_REASON[ErrorReason.UNKNOWN_METHOD]
            self._send_answer(encode_reply(call.id, None, [code, "Method not found", None]))

    # ---- replies ----------------------------------------------------------------------------------------------

    def _receive_reply(self, reply: Reply) -> None:
        request_id = _own_id(reply.id)
        request = self._outstanding.pop(request_id, None) if request_id is not None else None
        error = _error_of(reply)
        if request is None or request_id is None:
            self._events.append(events.UnpairedReply(reply.id, reply.result, error))
            return
        match request:
            case Submit():
                refusal = _refusal(reply, error)
                self._events.append(events.SubmitAnswered(request_id, request, refusal))
            case Subscribe():
                self._subscribed(request_id, reply, error)
            case Authorize(worker_name):
                self._authorized(request_id, worker_name, _refusal(reply, error))
            case Configure():
                self._configured(request_id, request, reply, error)
            case _:
                self._events.append(events.RequestAnswered(request_id, request, reply.result, error))

    def _subscribed(self, request_id: int, reply: Reply, error: ErrorReply | None) -> None:
        if error is not None:
            raise RemoteProtocolError(f"the pool refused mining.subscribe: {error}")
        try:
            result = SubscribeResult.from_result(reply.result)
        except FieldError as field_error:
            raise RemoteProtocolError(str(field_error)) from None
        self._settings.extranonce1 = result.extranonce1
        self._settings.extranonce2_size = result.extranonce2_size
        self._session_id = result.session_id
        self._fire(_Trigger.SUBSCRIBE_ACCEPTED)
        self._events.append(events.Subscribed(request_id, result))
        if self._last_job is not None:
            self._last_job = replace(
                self._last_job, extranonce1=result.extranonce1, extranonce2_size=result.extranonce2_size
            )
        self._announce(amended=False)

    def _authorized(self, request_id: int, worker_name: str, refusal: ErrorReply | None) -> None:
        self.workers[worker_name] = WorkerState.AUTHORIZED if refusal is None else WorkerState.REFUSED
        self._events.append(
            events.WorkerAuthorized(request_id, worker_name)
            if refusal is None
            else events.AuthorizeRefused(request_id, worker_name, refusal)
        )

    def _configured(self, request_id: int, request: Configure, reply: Reply, error: ErrorReply | None) -> None:
        if error is not None:
            self._events.append(events.Configured(request_id, None, error, 0))
            return
        try:
            result = ConfigureResult.from_result(reply.result)
        except FieldError as field_error:
            self._events.append(events.Configured(request_id, None, error_reply_from(str(field_error)), 0))
            return
        before = (self._settings.version_rolling, self.granted_mask)
        # ckpool grants it unasked (docs/reference/stratum.md#configuring-extensions)
        if any(isinstance(item, VersionRolling) for item in request.extensions):
            grant = result.version_rolling
            self._settings.version_rolling = grant is not None
            self._settings.pool_mask = 0 if grant is None else grant.mask
        self._events.append(events.Configured(request_id, result, None, self.granted_mask))
        if before != (self._settings.version_rolling, self.granted_mask):
            self._announce(amended=True)

    # ---- plumbing ---------------------------------------------------------------------------------------------

    def _request(self, message: AnyClientMessage) -> int:
        if self.state not in PERMITTED.get(type(message), frozenset()):
            raise LocalProtocolError(f"{message.method} is not permitted in state {self.state.name}")
        if len(self._outstanding) >= MAX_OUTSTANDING:
            raise LocalProtocolError(f"{message.method}: {MAX_OUTSTANDING} requests are already without a reply")
        line = encode_request(self.next_id, message.method, message.to_params())
        if len(line) > MAX_SENT_LINE:
            raise LocalProtocolError(
                f"{message.method}: expected a line of at most {MAX_SENT_LINE} bytes (a limit of ckpool), "
                f"got {len(line)}: shorten the worker name, password or user agent"
            )
        request_id = self.next_id
        self.next_id = request_id + 1 if request_id < 2**31 - 1 else 1
        self._outstanding[request_id] = message
        self._send(line)
        return request_id

    def _send(self, line: bytes) -> None:
        if self.state is not ClientState.CLOSED:
            self._to_send.append(line)

    def _fire(self, trigger: _Trigger) -> None:
        self.state = TRANSITIONS[self.state][trigger]


def _check_submit(submit: Submit) -> None:
    for name in ("ntime", "nonce", "version_bits"):
        value = getattr(submit, name)
        if value is not None and not 0 <= value < 1 << 32:
            raise LocalProtocolError(f"mining.submit {name}: expected a 32-bit number, got {value}")


def _own_id(value: Any) -> int | None:
    """One of our ids, also when a pool echoes it as text or as a float
    (docs/reference/stratum.md#ids-and-the-order-of-replies)."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _error_of(reply: Reply) -> ErrorReply | None:
    if not reply.error and not reply.reject_reason:  # null, false, "", 0 and [] say the same: no error
        return None
    return error_reply_from(reply.error, reply.reject_reason)


def _refusal(reply: Reply, error: ErrorReply | None) -> ErrorReply | None:
    """The refusal of a yes-or-no request; accepted only if the result is exactly true without an error."""
    if reply.result is True and error is None:
        return None
    if error is not None:
        return error
    return error_reply_from(reply.result if isinstance(reply.result, str) else None)
