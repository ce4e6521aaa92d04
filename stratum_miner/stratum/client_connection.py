"""The client's side of one Stratum connection, sans-IO.

``receive_data`` takes the bytes that the pool sent, ``next_event`` returns events, and ``data_to_send`` returns the
bytes to send. There is no clock and no socket here: the caller does the input, the output and the time limits.

* A line with a method is a message that the pool sends by itself, whatever its id. A line without a method is a reply,
  which belongs to the request with the same id (docs/reference/stratum.md#ids-and-the-order-of-replies).
* A new difficulty or extranonce takes effect with the next notify, a new version mask at once
  (docs/reference/stratum.md#when-a-setting-takes-effect). ``JobAnnounced`` carries the settings that were in force when
  the notify came, so the caller need not remember them. A new version mask, and the first difficulty if it arrives
  after the first job, also apply to the newest job: an amended ``JobAnnounced`` then repeats this job with the changed
  setting.
* An unusable line is an event (``BadLine``). The connection ends if the first line is not Stratum at all, or if there
  are too many unusable lines.
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
"""Maximum number of bytes of a line that the client accepts from a pool (docs/reference/stratum.md#line-limits)."""
MAX_SENT_LINE = 1000
"""Maximum number of bytes of a line that the client sends. ckpool disconnects a client at 1,024 bytes
(docs/reference/stratum.md#line-limits). A reply repeats the id of the pool's request; if a long id would make the reply
longer than this limit, no reply is sent, and the request counts as an unusable line."""
MAX_BAD_LINES = 10
"""The connection ends after this many consecutive unusable lines. The value is a guess, not a measurement: a pool that
garbles a line normally sends usable lines again after one or two unusable lines."""
MAX_BAD_EXCESS = 100
"""The connection ends when its counter of unusable lines reaches this value. Each unusable line adds 1 to the counter,
and each usable line subtracts 1, unless the counter is 0. So a pool that alternates between usable and unusable lines
does not reach the value. The value is a guess, not a measurement."""
MAX_EMPTY_LINES = 1000
"""The connection ends after this many consecutive empty lines. Some empty lines are allowed: a pool may send them to
keep the connection alive."""
MAX_OUTSTANDING = 4096
"""Maximum number of requests that may wait for a reply. A pool that never replies would otherwise fill the memory."""
LARGEST_ID = 2**31 - 1
"""Largest id of a request; the next id is 1. Pools in C and JavaScript read every number up to this one exactly."""
DEFAULT_SHARE_TARGET = target_from_difficulty(1)
"""Share target that applies until the pool sets one. It corresponds to difficulty 1."""


class ClientState(Enum):
    """State of the session. The values mean, in their order: mining.subscribe was not sent yet, was sent, was accepted;
    the connection is closed."""

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
    # the reply to mining.subscribe may be handled after the end of the stream, if it came before the end
    ClientState.CLOSED: {_Trigger.SUBSCRIBE_ACCEPTED: ClientState.CLOSED, _Trigger.CLOSE: ClientState.CLOSED},
}

_OPEN = frozenset({ClientState.NEW, ClientState.SUBSCRIBING, ClientState.SUBSCRIBED})
_AFTER_SUBSCRIBE = frozenset({ClientState.SUBSCRIBING, ClientState.SUBSCRIBED})
_SUBSCRIBED = frozenset({ClientState.SUBSCRIBED})

PERMITTED: dict[type[AnyClientMessage], frozenset[ClientState]] = {
    Configure: _OPEN,
    # only one mining.subscribe: pools ignore a second one, or change the extranonce1 of the current jobs
    Subscribe: frozenset({ClientState.NEW}),
    Authorize: _AFTER_SUBSCRIBE,
    ExtranonceSubscribe: _AFTER_SUBSCRIBE,
    SuggestDifficulty: _AFTER_SUBSCRIBE,
    SuggestTarget: _AFTER_SUBSCRIBE,
    Submit: _SUBSCRIBED,
    GetTransactions: _SUBSCRIBED,
    ClientPing: _OPEN,
}
"""The states in which each request may be sent."""


class WorkerState(Enum):
    """State of a worker name: mining.authorize sent, accepted, or refused."""

    REQUESTED = auto()
    AUTHORIZED = auto()
    REFUSED = auto()


@dataclass(slots=True)
class _Settings:
    """The pool's settings for its next jobs. ``extranonce1`` is None until mining.subscribe is accepted."""

    share_target: int = DEFAULT_SHARE_TARGET
    target_is_known: bool = False
    extranonce1: bytes | None = None
    extranonce2_size: int = 0
    pool_mask: int = 0
    version_rolling: bool = False


@dataclass(frozen=True, slots=True)
class _LastJob:
    """The newest notify, with the settings that were in force when it came."""

    notify: pool_messages.Notify
    share_target: int
    target_is_known: bool
    extranonce1: bytes | None
    extranonce2_size: int


class ClientConnection:
    """The client's side of one Stratum connection. It cannot be used again after it was closed.

    ``user_agent``: name and version of the client, sent in mining.subscribe.
    ``version_mask``: 32-bit mask of the version bits that the client can roll. ``configure`` requests them. If the pool
    grants other bits too, those are ignored. 0: the client does not ask for version rolling.
    ``max_line``: maximum number of bytes of a line from the pool.
    ``first_id``: id of the first request. After a reconnect, pass the ``next_id`` of the previous connection. Then a
    late reply to an old request is never mistaken for the reply to a new request.

    ``state`` and ``workers`` (worker name to state) may be read at any time. docs/reference/stratum.md explains the
    protocol.
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
        """Number of unusable lines in a row."""
        self._bad_excess = 0
        """Counter that grows with each unusable line and shrinks with each usable line; see ``MAX_BAD_EXCESS``."""
        self._empty_lines = 0
        """Number of empty lines in a row."""

    # ---- requests ---------------------------------------------------------------------------------------------

    def configure(self, *others: Any) -> int:
        """Send mining.configure (BIP 310), to ask for version rolling and for the extensions ``others``.

        Version rolling is requested only if ``version_mask`` is not 0.

        Returns the request id. ``Configured`` is the reply.
        Raises LocalProtocolError if the connection is closed, the line would be longer than ``MAX_SENT_LINE``, or
        ``MAX_OUTSTANDING`` requests have no reply yet.
        """
        rolling = (VersionRolling(self.version_mask),) if self.version_mask else ()
        request_id = self._request(Configure((*rolling, *others)))
        self._requested_rolling = self._requested_rolling or bool(rolling)
        return request_id

    def subscribe(self, session_id: str | None = None) -> int:
        """Send mining.subscribe. ``session_id``: the id of an earlier session that the pool should resume.

        Returns the request id. ``Subscribed`` is the reply.
        Raises LocalProtocolError if mining.subscribe was sent before, the connection is closed, the line would be
        longer than ``MAX_SENT_LINE``, or ``MAX_OUTSTANDING`` requests have no reply yet.
        """
        request_id = self._request(Subscribe(self.user_agent, session_id))
        self._fire(_Trigger.SUBSCRIBE_SENT)
        return request_id

    def authorize(self, worker_name: str, password: str) -> int:
        """Send mining.authorize for a worker name. A connection may have several worker names.

        Returns the request id. ``WorkerAuthorized`` or ``AuthorizeRefused`` is the reply.
        Raises LocalProtocolError if mining.subscribe was not sent, the connection is closed, the line would be longer
        than ``MAX_SENT_LINE`` or is not valid Unicode, or ``MAX_OUTSTANDING`` requests have no reply yet.
        """
        request_id = self._request(Authorize(worker_name, password))
        self.workers[worker_name] = WorkerState.REQUESTED
        return request_id

    def submit(self, submit: Submit) -> int:
        """Send mining.submit for a share of an authorized worker name.

        Returns the request id. ``SubmitAnswered`` is the reply. For the fields of ``submit`` see ``Submit``. Raises
        LocalProtocolError in each of these cases: mining.subscribe was not accepted yet; the connection is closed; the
        worker name is not authorized; one of the fields ntime, nonce and version bits has more than 32 bits; the line
        would be longer than ``MAX_SENT_LINE``; ``MAX_OUTSTANDING`` requests have no reply yet.
        """
        _check_submit(submit)
        if self.workers.get(submit.worker_name) is not WorkerState.AUTHORIZED:
            raise LocalProtocolError(f"mining.submit: expected an authorized worker, got {submit.worker_name!r}")
        return self._request(submit)

    def request(
        self, message: ExtranonceSubscribe | SuggestDifficulty | SuggestTarget | GetTransactions | ClientPing
    ) -> int:
        """Send a request that does not change the state of this connection.

        Returns the request id. ``RequestAnswered`` is the reply; not all pools send one. Raises LocalProtocolError if
        it is too early for the request, the connection is closed, the line would be longer than ``MAX_SENT_LINE``, or
        ``MAX_OUTSTANDING`` requests have no reply yet.

        mining.ping may be sent at any time, even before mining.subscribe. mining.get_transactions may be sent when
        mining.subscribe was accepted. The other requests may be sent when mining.subscribe was sent.
        """
        return self._request(message)

    @property
    def outstanding(self) -> dict[int, AnyClientMessage]:
        """The requests without a reply, by id, the oldest first."""
        return dict(self._outstanding)

    @property
    def session_id(self) -> str | None:
        """The id with which a later connection may resume this session, or None if the pool gave none."""
        return self._session_id

    @property
    def version_rolling(self) -> bool:
        """Whether the pool granted version rolling. If so, mining.submit has a sixth parameter, even if the granted
        mask is 0."""
        return self._settings.version_rolling

    @property
    def granted_mask(self) -> int:
        """The version bits that the client may roll now, a 32-bit mask: the bits of ``version_mask`` that the pool
        granted."""
        return self._settings.pool_mask & self.version_mask if self._settings.version_rolling else 0

    @property
    def unsent(self) -> int:
        """Number of bytes that wait to be sent."""
        return sum(map(len, self._to_send))

    def data_to_send(self) -> bytes:
        """Remove and return all bytes that wait to be sent."""
        data = b"".join(self._to_send)
        self._to_send.clear()
        return data

    # ---- input ------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray) -> None:
        """Take bytes that came from the pool. The caller must then call ``next_event`` until it returns None.

        Bytes that come after the connection was closed are ignored.
        """
        if self.state is not ClientState.CLOSED:
            self._decoder.receive(data)

    def receive_eof(self) -> str:
        """Call this when the stream has ended. If its last line is incomplete, return the start of that line, in
        printable characters.

        ``next_event`` still returns the events of complete lines that came before the end.
        """
        self._fire(_Trigger.CLOSE)
        return sanitize(self._decoder.incomplete, 120)

    def next_event(self) -> events.ClientConnectionEvent | None:
        """Return the next event, or None if more bytes are needed.

        Raises RemoteProtocolError if the pool broke the protocol in a way that ends the connection, for example by a
        line longer than ``max_line`` or by a refused mining.subscribe. The state is CLOSED then.
        """
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
            self._seen_valid_line = True  # this is a Stratum pool, even if the parameters of the line are bad
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
        # If the first line is unusable, the peer is not a Stratum pool. There is one exception: a first line that
        # begins with { may be a garbled reply of DATUM (docs/reference/stratum.md#unusable-lines).
        if not self._seen_valid_line and not line.lstrip().startswith(b"{"):
            raise RemoteProtocolError(f"the pool's first line is not Stratum: {reason}")
        if self._bad_lines >= MAX_BAD_LINES:
            raise RemoteProtocolError(f"{MAX_BAD_LINES} unusable lines in a row, the last one: {reason}")
        if self._bad_excess >= MAX_BAD_EXCESS:
            raise RemoteProtocolError(
                f"{MAX_BAD_EXCESS} more unusable lines than usable ones; the last unusable line: {reason}"
            )
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
        # ckpool in solo mode sends the first job before the difficulty that applies to it, so announce the job again
        # (docs/reference/stratum.md#when-a-setting-takes-effect)
        if job is not None and not job.target_is_known:
            self._last_job = replace(job, share_target=target, target_is_known=True)
            self._announce(amended=True)

    def _set_extranonce(self, change: pool_messages.SetExtranonce) -> None:
        settings = self._settings
        if settings.extranonce1 is None:
            self._events.append(events.Ignored("mining.set_extranonce before the reply to mining.subscribe"))
            return
        if change.extranonce1 is not None:
            settings.extranonce1 = change.extranonce1
        if change.extranonce2_size is not None:
            settings.extranonce2_size = change.extranonce2_size
        self._events.append(events.ExtranonceChanged(settings.extranonce1, settings.extranonce2_size))

    def _set_version_mask(self, mask: int) -> None:
        if not self._requested_rolling:
            self._events.append(events.Ignored("mining.set_version_mask, but the client asked for no version rolling"))
            return
        # nothing is lost if this mask is ignored: if the pool grants version rolling later, its reply contains the mask
        if not self._settings.version_rolling:
            self._events.append(events.Ignored("mining.set_version_mask before version rolling was granted"))
            return
        self._settings.pool_mask = mask
        self._events.append(events.VersionMaskChanged(self.granted_mask))
        self._announce(amended=True)

    def _announce(self, *, amended: bool) -> None:
        job = self._last_job
        if job is None or job.extranonce1 is None:
            return  # the job will be announced when mining.subscribe is accepted
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
            raise FieldError(
                f"id: expected a short id, because the reply repeats it: the reply would have {len(line)} bytes, "
                f"and at most {MAX_SENT_LINE} are allowed"
            )
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
        # use a grant only if it was requested: ckpool also grants version rolling to clients that did not ask for it
        # (docs/reference/stratum.md#configuring-extensions)
        if any(isinstance(item, VersionRolling) for item in request.extensions):
            grant = result.version_rolling
            self._settings.version_rolling = grant is not None
            if grant is not None:
                self._settings.pool_mask = grant.mask
        self._events.append(events.Configured(request_id, result, None, self.granted_mask))
        if before != (self._settings.version_rolling, self.granted_mask):
            self._announce(amended=True)

    # ---- plumbing ---------------------------------------------------------------------------------------------

    def _request(self, message: AnyClientMessage) -> int:
        permitted = PERMITTED.get(type(message), frozenset())
        if not permitted:
            raise LocalProtocolError(f"{message.method}: this request is only read, because clients no longer send it")
        if self.state not in permitted:
            states = " or ".join(sorted(state.name for state in permitted))
            raise LocalProtocolError(f"{message.method}: expected state {states}, got {self.state.name}")
        if len(self._outstanding) >= MAX_OUTSTANDING:
            raise LocalProtocolError(
                f"{message.method}: expected fewer than {MAX_OUTSTANDING} requests without a reply, "
                f"got {len(self._outstanding)}; wait for replies, or reconnect"
            )
        line = encode_request(self.next_id, message.method, message.to_params())
        if len(line) > MAX_SENT_LINE:
            raise LocalProtocolError(
                f"{message.method}: expected a line of at most {MAX_SENT_LINE} bytes (a limit of ckpool), "
                f"got {len(line)}; shorten the worker name, password or user agent"
            )
        request_id = self.next_id
        self.next_id = request_id % LARGEST_ID + 1
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
    """Return the id of a reply as an integer, even if the pool sends it as a string or a float
    (docs/reference/stratum.md#ids-and-the-order-of-replies). Return None if the id is not an integer."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _error_of(reply: Reply) -> ErrorReply | None:
    if not reply.error and not reply.reject_reason:  # null, false, "", 0 and [] all mean: no error
        return None
    return error_reply_from(reply.error, reply.reject_reason)


def _refusal(reply: Reply, error: ErrorReply | None) -> ErrorReply | None:
    """Return the error of a reply to mining.authorize or mining.submit, or None if the pool accepted the request.

    The request was accepted only if the result is exactly true and there is no error.
    """
    if reply.result is True and error is None:
        return None
    if error is not None:
        return error
    return error_reply_from(reply.result if isinstance(reply.result, str) else None)
