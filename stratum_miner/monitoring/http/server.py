"""Serves HTTP/1.1 on one connection: reads and writes a trio stream with h11, and calls an ASGI application.

The size of a request is limited, and so is the time in which it must arrive. An answer, such as a stream of events, can
last for weeks. It is cut off if the client takes no data for ``SEND_S`` seconds. The application passes an answer in
parts, and each part is sent before the next one is taken. So if a client stops reading, at most one part waits in
memory.

The requests of one connection are answered one after the other. The next request is read when the previous answer is
complete. Until then, data from the client waits in the kernel. If a client disconnects during an answer, the server
notices it when it sends the next data.
"""

import re
from contextlib import suppress
from email.utils import formatdate
from typing import Any, Never
from urllib.parse import unquote

import h11
import msgspec
import structlog
import trio
from starlette.types import ASGIApp, Message, Scope

from stratum_miner.foreign_text import sanitize
from stratum_miner.network.leaving import take_leave

log = structlog.get_logger(__name__)

MAX_HEAD = 8192
"""Largest size of the request line and all headers together, in bytes."""
REQUEST_S = 10.0
"""Seconds within which the head of a request must arrive, counted from the start of the connection or the end of the
previous answer. The body must arrive within the same number of seconds, counted from the end of the head."""
SEND_S = 20.0
"""Seconds within which a client must take ``PIECE`` bytes of an answer."""
PIECE = 16 * 1024
"""Largest number of bytes that are received or sent at a time."""

SHOWN_OF_A_REQUEST = 80
"""Largest number of characters of a request that the log shows."""
INTERNAL_ERROR = "an internal error of stratum-miner; the log has the details"

_ABSOLUTE = re.compile(rb"(?i:http)://(?P<host>[^/?#]*)(?P<path>/.*)?")
_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError)


async def answer(stream: trio.abc.HalfCloseableStream, app: ASGIApp) -> None:
    """Answer all requests of a connection, then close the connection, also after an error."""
    try:
        await _Connection(stream, app).run()
        await take_leave(stream)
    except _BROKEN:
        pass
    except Exception as error:  # an internal error that one client causes must not stop the others
        log.error("http_failed", request="a request", error=repr(error))
    finally:
        await trio.aclose_forcefully(stream)


class _Connection:
    def __init__(self, stream: trio.abc.HalfCloseableStream, app: ASGIApp) -> None:
        self._stream = stream
        self._app = app
        self._client = _peer(stream)
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._is_head = False
        """Whether the method is HEAD, so that the answer has no body."""
        self._body_until = 0.0
        self._unsent = b""
        """The encoded head of an answer. It waits here, because it is sent together with the first piece of the
        body."""
        self._answering = trio.CancelScope()
        self._refusal: tuple[int, str] | None = None
        """Status and text of the error to send to the client after the application failed or was cancelled; None if
        there is no such error."""

    async def run(self) -> None:
        while await self._exchange():
            self._http.start_next_cycle()

    async def _exchange(self) -> bool:
        """Read one request and answer it. Return whether another request may follow."""
        try:
            with trio.fail_after(REQUEST_S):
                request = await self._head()
        except trio.TooSlowError:
            # send an error only if a part of a request has arrived
            if self._http.trailing_data[0]:
                await self._refuse(408, f"head: expected the request line and all headers within {REQUEST_S:.0f} s")
            return False
        except h11.RemoteProtocolError as error:
            await self._refuse(*_refusal(error))
            return False
        if request is None:
            return False
        self._body_until = trio.current_time() + REQUEST_S
        self._refusal = None
        with trio.CancelScope() as self._answering:
            await self._call(_scope(request, self._client))
        if self._refusal is not None:
            await self._refuse(*self._refusal)
        return not self._answering.cancel_called and self._is_complete()

    async def _head(self) -> h11.Request | None:
        """Wait for the head of the next request and return it; None if the client ended the connection instead."""
        start = bytearray(self._http.trailing_data[0][:MAX_HEAD])
        taken = len(self._http.trailing_data[0])
        self._is_head = False
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = bytes(await self._stream.receive_some(PIECE))
                start += data[: MAX_HEAD - len(start)]
                taken += len(data)
                self._http.receive_data(data)
            self._is_head = isinstance(event, h11.Request) and event.method == b"HEAD"
            if taken - len(self._http.trailing_data[0]) > MAX_HEAD:  # h11 does not limit a head that came in one piece
                raise h11.RemoteProtocolError("too large", error_status_hint=431)
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431 and b"\n" not in start:
                error.error_status_hint = 414
            raise
        if not isinstance(event, h11.Request):
            return None
        return _checked(event)

    async def _call(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:
            asked = sanitize(f"{scope['method']} {scope['path']}", SHOWN_OF_A_REQUEST)
            log.error("http_failed", request=asked, error=repr(error))
            self._refusal = (500, INTERNAL_ERROR)

    def _is_complete(self) -> bool:
        """Return whether the connection can take another request. It can if the present request has arrived as a whole
        and its answer has been sent.

        If the application did not read the whole body of the request, this method discards the unread bytes that have
        already arrived. If the end of the body has not arrived, the result is False.
        """
        with suppress(h11.RemoteProtocolError):
            while self._http.their_state is h11.SEND_BODY and self._http.next_event() is not h11.NEED_DATA:
                pass
        return self._http.their_state is self._http.our_state is h11.DONE

    # ---- what the application calls -------------------------------------------------------------------------------

    async def _receive(self) -> Message:
        """Wait for the next piece of the request's body and return it."""
        try:
            if self._http.they_are_waiting_for_100_continue:
                await self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            with trio.fail_at(self._body_until):
                while (event := self._http.next_event()) is h11.NEED_DATA:
                    self._http.receive_data(bytes(await self._stream.receive_some(PIECE)))
        except trio.TooSlowError:
            await self._give_up(408, f"body: expected all of it within {REQUEST_S:.0f} s")
        except h11.RemoteProtocolError as error:
            await self._give_up(*_refusal(error))
        except _BROKEN:
            await self._give_up()
        if isinstance(event, h11.Data):
            return {"type": "http.request", "body": bytes(event.data), "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        """Send the head of the answer, or a piece of its body."""
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"date", formatdate(usegmt=True).encode())]
            self._unsent = self._http.send(h11.Response(status_code=message["status"], headers=headers))
            return
        data, self._unsent = self._unsent, b""
        more = message.get("more_body", False)
        if not self._is_head:
            data += self._http.send(h11.Data(data=message.get("body", b""))) or b""
        if self._is_head or not more:
            data += self._http.send(h11.EndOfMessage()) or b""
        try:
            await self._write(data)
        except _BROKEN:
            await self._give_up()
        if self._is_head and more:  # end the application: a HEAD request wants no body, and this body could be endless
            await self._give_up()

    async def _give_up(self, *refusal: Any) -> Never:
        """Cancel the application, and let the connection end. ``refusal`` is the status and text of the error to send
        to the client; without these arguments, no error is sent."""
        self._refusal = refusal or None
        self._answering.cancel()
        await trio.sleep_forever()

    # ---- what the client gets -------------------------------------------------------------------------------------

    async def _refuse(self, status: int, text: str) -> None:
        """Send an error as the last answer of the connection, unless an answer has already begun."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        body = msgspec.json.encode({"error": text})
        headers = [
            ("connection", "close"),
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("date", formatdate(usegmt=True)),
        ]
        pieces: list[h11.Event] = [h11.Response(status_code=status, headers=headers)]
        pieces += [h11.EndOfMessage()] if self._is_head else [h11.Data(data=body), h11.EndOfMessage()]
        await self._write(b"".join(self._http.send(piece) or b"" for piece in pieces))

    async def _write(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            with trio.fail_after(SEND_S):
                await self._stream.send_all(data[start : start + PIECE])


def _refusal(error: h11.RemoteProtocolError) -> tuple[int, str]:
    """Return the status and text of the error for an invalid request.

    The status is never 501 (not implemented), which h11 suggests for an unknown transfer coding: the client made the
    mistake, so the status must begin with 4.
    """
    match error.error_status_hint:
        case 414:
            return 414, f"request line: expected at most {MAX_HEAD} bytes of it and all headers"
        case 431:
            return 431, f"head: expected at most {MAX_HEAD} bytes of request line and headers"
        case _:
            return 400, f"request: expected HTTP/1.1, got: {error}"


def _checked(request: h11.Request) -> h11.Request:
    """Return the request with only a path as its target, without scheme and host.

    Raises RemoteProtocolError for some requests that h11 accepts, but that programs interpret in different ways:
    requests with both Content-Length and Transfer-Encoding, and HTTP/1.0 requests with Transfer-Encoding. Behind a
    reverse proxy, a second request could then hide in the body of the first (RFC 9112 6.1).
    """
    names = {name for name, _ in request.headers}
    if not request.http_version.startswith(b"1."):  # h11 also accepts versions such as 2.0
        raise h11.RemoteProtocolError(f"version {request.http_version.decode()}")
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version == b"1.0"):
        raise h11.RemoteProtocolError(
            "expected a request of HTTP/1.1 and without Content-Length, because it has Transfer-Encoding"
        )
    if request.target.startswith(b"/"):
        return request
    absolute = _ABSOLUTE.fullmatch(request.target)
    if absolute is None:
        raise h11.RemoteProtocolError("a target that is not a path")
    others = [(name, value) for name, value in request.headers if name != b"host"]
    # if the target of the request names a host, this host replaces the Host header (RFC 9112 3.2.2)
    return h11.Request(
        method=request.method,
        target=absolute["path"] or b"/",
        headers=[(b"host", absolute["host"]), *others],
        http_version=request.http_version,
    )


def _peer(stream: trio.abc.Stream) -> tuple[str, int] | None:
    """Return the IP address and port of the client; None if the stream is not a socket or the client disconnected."""
    if isinstance(stream, trio.SocketStream):
        with suppress(OSError):
            host, port = stream.socket.getpeername()[:2]
            return host, port
    return None


def _scope(request: h11.Request, client: tuple[str, int] | None) -> Scope:
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "scheme": "http",
        "path": unquote(path.decode()),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
        "client": client,
        "server": None,
    }
