"""The pool's side of one Stratum connection, sans-IO.

``ServerConnection`` is the counterpart of ``ClientConnection``: it returns the miner's requests as typed events, and
takes the replies and announcements that are to be sent. It enforces the rules that need no knowledge of jobs: framing,
types, the order of requests, and which worker names may submit. It never replies to a reply, and never sends a reply
without a request, because the miners cpuminer (pooler) and cpuminer-opt (JayDDee) take any unexpected reply for the
result of a share.

The caller answers each request exactly once, in any order. It must also answer requests without an id or with a null
id, although those answers are not sent.
"""

from collections import OrderedDict
from enum import Enum, auto
from typing import Any

from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import client_messages, events
from stratum_miner.stratum.client_messages import AnyClientMessage, Authorize, Configure, Submit, Subscribe
from stratum_miner.stratum.envelope import (
    Call,
    Id,
    Reply,
    decode,
    encode_id,
    encode_notification,
    encode_reply,
    encode_request,
)
from stratum_miner.stratum.errors import (
    CODE_OF_REASON,
    ErrorReason,
    ErrorReply,
    FieldError,
    LocalProtocolError,
    RemoteProtocolError,
)
from stratum_miner.stratum.extensions import ExtensionAnswer
from stratum_miner.stratum.framing import LineDecoder, foreign_protocol
from stratum_miner.stratum.pool_messages import AnyPoolMessage, GetVersion, PoolPing
from stratum_miner.stratum.results import SubscribeResult

MAX_LINE_UNAUTHORIZED = 16 << 10
MAX_LINE_AUTHORIZED = 64 << 10
"""Maximum number of bytes of a line that the pool accepts from a miner. ``MAX_LINE_UNAUTHORIZED`` applies until a
mining.authorize of the miner is accepted, ``MAX_LINE_AUTHORIZED`` after that
(docs/reference/stratum.md#line-limits)."""
MAX_WORKERS = 64
"""Maximum number of worker names that one connection may authorize. The value is a guess, not a measurement."""
MAX_REFUSED = 1000
"""Number of requests in a row that the connection itself may refuse. One more ends the connection, because no real
miner sends so many bad requests in a row."""
MAX_USELESS = 1000
"""Maximum number of useless lines (empty lines, and replies without a request) that one call of ``receive_data`` may
bring. One more ends the connection. A miner that keeps its connection alive with such lines sends only one at a
time."""
MAX_ID = 1024
"""Maximum number of bytes of a request's id. The limit saves memory: the connection keeps the id until the request is
answered, which may take minutes."""
MAX_QUESTIONS = 16
"""Maximum number of requests to the miner that are kept while they wait for a reply. Beyond the limit, the oldest
request is forgotten. A limit is needed because cpuminer (pooler) and bfgminer never answer a ping."""


class ServerState(Enum):
    """State of the session. The values mean, in their order: mining.subscribe was not accepted yet, was accepted; the
    connection is closed."""

    NEW = auto()
    SUBSCRIBED = auto()
    CLOSED = auto()


class _Trigger(Enum):
    SUBSCRIBE_ACCEPTED = auto()
    CLOSE = auto()


TRANSITIONS: dict[ServerState, dict[_Trigger, ServerState]] = {
    ServerState.NEW: {
        _Trigger.SUBSCRIBE_ACCEPTED: ServerState.SUBSCRIBED,
        _Trigger.CLOSE: ServerState.CLOSED,
    },
    ServerState.SUBSCRIBED: {
        _Trigger.SUBSCRIBE_ACCEPTED: ServerState.SUBSCRIBED,
        _Trigger.CLOSE: ServerState.CLOSED,
    },
    # a request may be answered after the miner has disconnected; nothing is sent then
    ServerState.CLOSED: {_Trigger.SUBSCRIBE_ACCEPTED: ServerState.CLOSED, _Trigger.CLOSE: ServerState.CLOSED},
}


class ServerConnection:
    """The pool's side of one Stratum connection. It cannot be used again after it was closed.

    ``max_line_unauthorized`` and ``max_line_authorized``: maximum number of bytes of a line from the miner, before and
    after its first mining.authorize is accepted.

    ``state`` and ``workers`` (the authorized worker names) may be read at any time. docs/reference/stratum.md explains
    the protocol.
    """

    def __init__(
        self,
        *,
        max_line_unauthorized: int = MAX_LINE_UNAUTHORIZED,
        max_line_authorized: int = MAX_LINE_AUTHORIZED,
    ) -> None:
        self.state = ServerState.NEW
        self.workers: set[str] = set()
        # whether mining.subscribe was accepted. After the end of the stream, ``state`` is CLOSED and does not show
        # this any more. But shares that came before the end are still taken then, because they may solve a block
        self._subscribed = False
        self._max_line_authorized = max_line_authorized
        self._decoder = LineDecoder(max_line_unauthorized)
        self._to_send: list[bytes] = []
        # holds at most one event; a list, because an empty deque would take 760 bytes
        self._events: list[events.ServerConnectionEvent] = []
        self._unanswered: dict[bytes, list[type[AnyClientMessage]]] = {}
        """The classes of the miner's requests that have no answer yet, by the id of the request, the oldest first.
        Several requests may have the same id: cpuminer (pooler) gives all its shares one id."""
        self._questions: OrderedDict[int, str] = OrderedDict()
        self._next_id = 1
        self._refused_in_a_row = 0
        self._useless = 0
        """Number of useless lines since the last call of ``receive_data``; for useless lines see ``MAX_USELESS``."""
        self._seen_line = False

    # ---- input ------------------------------------------------------------------------------------------------

    def receive_data(self, data: bytes) -> None:
        """Take bytes that came from the miner. The caller must then call ``next_event`` until it returns None.

        Bytes that come after the connection was closed are ignored.
        """
        self._useless = 0
        if self.state is not ServerState.CLOSED:
            self._decoder.receive(data)

    def receive_eof(self) -> None:
        """Call this when the stream has ended. ``next_event`` still returns the events of complete lines before the
        end."""
        self._fire(_Trigger.CLOSE)

    def next_event(self) -> events.ServerConnectionEvent | None:
        """Return the next event, or None if more bytes are needed.

        Raises RemoteProtocolError if the miner broke the protocol in a way that ends the connection, for example by a
        line that is not JSON or is too long. Close the stream then without sending anything. The state is CLOSED.
        """
        try:
            while not self._events:
                line = self._next_line()
                if line is None:
                    return None
                if line.strip():
                    self._receive_line(line)
                else:
                    self._note_useless()
        except RemoteProtocolError:
            self._fire(_Trigger.CLOSE)
            self._decoder.discard()
            raise
        return self._events.pop(0)

    def _next_line(self) -> bytes | None:
        if not self._seen_line and (hint := foreign_protocol(self._decoder.pending)):
            raise RemoteProtocolError(f"expected a Stratum client, got {hint}")
        line = self._decoder.next_line()
        self._seen_line = self._seen_line or line is not None
        return line

    def _receive_line(self, line: bytes) -> None:
        try:
            message = decode(line)
        except FieldError as error:
            raise RemoteProtocolError(str(error)) from None
        if isinstance(message, Reply):
            self._receive_reply(message)
            return
        try:
            self._receive_call(message)
        except FieldError as error:
            self._refuse_call(message, ErrorReason.OTHER, str(error))

    def _receive_call(self, call: Call) -> None:
        if call.method == "pong":  # ESP-Miner's answer to mining.ping (docs/reference/stratum.md#pings-and-questions)
            self._receive_reply(Reply(call.id, "pong", None, None))
            return
        key = encode_id(call.id)
        if len(key) > MAX_ID:
            raise FieldError(f"id: expected at most {MAX_ID} bytes, got {len(key)}")
        parsed = client_messages.parse(call.method, call.params)
        if parsed is None:
            self._refuse_call(call, ErrorReason.UNKNOWN_METHOD, "Method not found")
            return
        misplaced = self._misplaced(parsed)
        if misplaced is not None:
            self._refuse_call(call, *misplaced)
            return
        self._refused_in_a_row = 0
        self._unanswered.setdefault(key, []).append(type(parsed))
        self._events.append(events.RequestReceived(call.id, parsed))

    def _misplaced(self, message: AnyClientMessage) -> tuple[ErrorReason, str] | None:
        match message:
            case Submit() if not self._subscribed:
                return ErrorReason.NOT_SUBSCRIBED, "not subscribed"
            case Submit() if message.worker_name not in self.workers:
                return ErrorReason.UNAUTHORIZED, "unauthorized worker"
            case client_messages.Authorize(worker_name) if (
                worker_name not in self.workers and len(self.workers) >= MAX_WORKERS
            ):
                return (
                    ErrorReason.OTHER,
                    f"too many workers: expected at most {MAX_WORKERS} on one connection",
                )
            case _:
                return None

    def _refuse_call(self, call: Call, reason: ErrorReason, message: str) -> None:
        self._refused_in_a_row += 1
        if self._refused_in_a_row > MAX_REFUSED:
            raise RemoteProtocolError(f"more than {MAX_REFUSED} requests refused in a row, the last one: {message}")
        reply = ErrorReply(reason, CODE_OF_REASON[reason], message)
        if call.wants_reply:
            self._send(_encode_refusal(call.id, reply))
        self._events.append(events.RequestRefused(sanitize(call.method, 60), reply))

    def _receive_reply(self, reply: Reply) -> None:
        known = isinstance(reply.id, int) and not isinstance(reply.id, bool)
        method = self._questions.pop(reply.id, "") if known else ""
        if not method:
            self._note_useless()
        self._events.append(events.ClientReplied(method, reply.result))

    def _note_useless(self) -> None:
        self._useless += 1
        if self._useless > MAX_USELESS:
            raise RemoteProtocolError(f"more than {MAX_USELESS} empty lines or replies without a request at once")

    # ---- answers ----------------------------------------------------------------------------------------------

    def accept_subscribe(self, request_id: Id, result: SubscribeResult) -> None:
        """Answer mining.subscribe with the extranonce1 and the extranonce2 size in ``result``.

        Raises LocalProtocolError if no mining.subscribe with this id waits for an answer.
        """
        self._answer(request_id, encode_reply(request_id, result.to_result()), Subscribe)
        self._fire(_Trigger.SUBSCRIBE_ACCEPTED)
        self._subscribed = True

    def accept_authorize(self, request_id: Id, worker_name: str) -> None:
        """Answer mining.authorize with true. From now on, the worker name may submit, and the miner may send longer
        lines.

        Raises LocalProtocolError if no mining.authorize with this id waits for an answer.
        """
        self._answer(request_id, encode_reply(request_id, True), Authorize)
        self.workers.add(worker_name)
        self._decoder.max_line = self._max_line_authorized

    def accept_configure(self, request_id: Id, request: Configure, granted: dict[str, ExtensionAnswer]) -> None:
        """Answer mining.configure (BIP 310). ``granted``: the answer to each requested extension, by its name.

        An extension that is unknown or not in ``granted`` is answered with false. An extension with unusable parameters
        is answered with the reason. Raises LocalProtocolError if no mining.configure with this id waits for an answer.
        """
        result: dict[str, Any] = {sanitize(name): False for name in request.unknown}
        result |= dict(request.refused)
        for extension in request.extensions:
            verdict = granted.get(extension.name, False)
            result |= {extension.name: verdict} if isinstance(verdict, bool | str) else verdict.to_result()
        self._answer(request_id, encode_reply(request_id, result), Configure)

    def reply(self, request_id: Id, result: Any) -> None:
        """Answer a request with a result, any JSON value. The id is echoed as it came.

        Raises LocalProtocolError if no request with this id waits for an answer.
        """
        self._answer(request_id, encode_reply(request_id, result))

    def refuse(self, request_id: Id, reason: ErrorReason, message: str = "") -> ErrorReply:
        """Answer a request with an error, ``[code, message, null]``. Return the error that was sent.

        ``message``: the text; empty for the usual text of the reason.
        Raises LocalProtocolError if no request with this id waits for an answer.
        """
        reply = ErrorReply(reason, CODE_OF_REASON[reason], message or reason.value)
        self._answer(request_id, _encode_refusal(request_id, reply))
        return reply

    def _answer(self, request_id: Id, line: bytes, kind: type[AnyClientMessage] | None = None) -> None:
        key = encode_id(request_id)
        waiting = self._unanswered.get(key, [])
        answered = next((each for each in waiting if kind in (None, each)), None)
        if answered is None:
            what = "request" if kind is None else kind.method
            raise LocalProtocolError(f"expected the id of a {what} that waits for an answer, got {sanitize(key, 60)}")
        waiting.remove(answered)
        if not waiting:
            del self._unanswered[key]
        if request_id is not None:
            self._send(line)

    # ---- announcements ----------------------------------------------------------------------------------------

    def announce(self, message: AnyPoolMessage) -> None:
        """Send a message of the pool: client.get_version and mining.ping as a request with an id, any other message as
        a notification."""
        self._send(self._encode_question(message) if _is_question(message) else encode_announcement(message))

    def announce_encoded(self, line: bytes) -> None:
        """Send a line that ``encode_announcement`` made. So a caller can encode a mining.notify once with
        ``encode_announcement``, and send the line on all connections.

        Raises TypeError if the line is not bytes.
        """
        if not isinstance(line, bytes):  # otherwise each later call of ``data_to_send`` would fail
            raise TypeError(f"line: expected bytes, got {type(line).__name__}; use encode_announcement")
        self._send(line)

    def data_to_send(self) -> bytes:
        """Remove and return all bytes that wait to be sent."""
        data = b"".join(self._to_send)
        self._to_send.clear()
        return data

    def _encode_question(self, message: AnyPoolMessage) -> bytes:
        question_id = self._next_id
        self._next_id += 1
        self._questions[question_id] = message.method
        if len(self._questions) > MAX_QUESTIONS:
            self._questions.popitem(last=False)
        return encode_request(question_id, message.method, message.to_params())

    def _send(self, line: bytes) -> None:
        if self.state is not ServerState.CLOSED:
            self._to_send.append(line)

    def _fire(self, trigger: _Trigger) -> None:
        self.state = TRANSITIONS[self.state][trigger]


def encode_announcement(message: AnyPoolMessage) -> bytes:
    """Return a notification as a line with its terminator. ``announce_encoded`` sends it on any number of
    connections."""
    return encode_notification(message.method, message.to_params())


def _encode_refusal(request_id: Id, reply: ErrorReply) -> bytes:
    return encode_reply(request_id, None, [reply.code, reply.message, None])


def _is_question(message: AnyPoolMessage) -> bool:
    return isinstance(message, GetVersion | PoolPing)
