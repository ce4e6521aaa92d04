"""Encodes HTTP/1.1 requests and decodes their responses, without a socket or a clock.

Each response is limited in bytes. Everything that the server sends counts: the head, interim (1xx) responses, chunk
headers and the body. Bytes are counted before they are kept in memory. Compressed responses are neither requested nor
accepted, because a few compressed bytes can expand to any size. Redirects are not followed.

The module ``fetch`` adds sockets, TLS and time limits with trio. The command ``health`` uses this module with a socket
of its own and without trio, because it must start quickly. For the same reason this module imports nothing that loads
slowly.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import h11

from stratum_miner.foreign_text import sanitize

MAX_HEAD: Final = 1 << 16
"""Maximum number of bytes of the status line and the header fields together. The limit for the whole response can be
smaller than this."""
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[0-9A-Za-z._~:%-]+")
_SAFE: Final = "/?%:@!$&'()*+,;=~[]"
"""Characters, apart from letters and digits, that stay unchanged in a path with its query. Others, such as spaces and
non-ASCII letters, are sent as %xx."""


class FetchError(Exception):
    """There is no usable response. The message names the server, but neither the path nor a password.

    ``text`` is the message without the name of the server. The same failure always has the same ``text``.
    """

    def __init__(self, where: str, text: str) -> None:
        super().__init__(f"{where}: {text}")
        self.text = text


class ConnectFetchError(FetchError):
    """No connection could be opened."""


class TlsFetchError(FetchError):
    """The server accepted the connection, but the TLS handshake failed, mostly because of an untrusted certificate."""


class SlowFetchError(FetchError):
    """The response was not complete in time; ``seconds`` is the limit."""

    def __init__(self, where: str, what: str, seconds: float) -> None:
        super().__init__(where, f"expected {what} within {seconds:g} s")
        self.seconds = seconds


class BrokenFetchError(FetchError):
    """The connection ended before the response was complete, or the server sent something other than HTTP."""


class LargeFetchError(FetchError):
    """The response is larger than the limit, or it is compressed, so that it could expand to any size."""


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """The server and the path of a request, from a URL."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    """Path and query as they are sent. They may contain a secret key, so they are never printed."""
    authorization: str = field(repr=False)
    """Value of the Authorization header field; empty if the URL has no user name."""

    @classmethod
    def parse(cls, url: str) -> "HttpTarget":
        """Parse an ``http://`` or ``https://`` URL, with or without user and password.

        Raises ValueError if ``url`` is not such a URL. The message contains no part of the URL, which may be secret.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            host = host.encode("idna").decode()  # also rejects labels that the name lookup would reject
        except ValueError:  # the message of this error repeats parts of the URL
            raise ValueError("expected a URL as in http://host:port/path") from None
        if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or port == 0:
            raise ValueError("expected a URL as in http://host:port/path")
        authorization = ""
        if parts.username is not None:
            authorization = basic(unquote(parts.username), unquote(parts.password or ""))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], quote(path, safe=_SAFE), authorization)

    @property
    def where(self) -> str:
        """Scheme, host and port, for messages."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port; without the port if it is the default port of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The complete response of a server: the status code and the body."""

    status: int
    body: bytes


def basic(user: str, password: str) -> str:
    """Return the value of an Authorization header field for HTTP basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Exchange:
    """Requests and responses over one connection, one after the other.

    ``request`` returns the bytes to send. ``feed`` takes the bytes that were received, and returns the response when it
    is complete. At the end of the connection, ``feed`` must be called with no bytes. After a LargeFetchError or
    BrokenFetchError the connection must be closed.
    """

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._where = ""
        self._max_bytes = 0
        self._came = 0
        self._status = 0
        self._body = bytearray()

    @property
    def came(self) -> int:
        """Number of bytes of the current response received so far."""
        return self._came

    @property
    def reusable(self) -> bool:
        """Whether the last response is complete and another request may be sent."""
        # bytes after the last response make the connection unusable: they would be taken for the beginning of the next
        # response
        whole = self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE
        return whole and self._connection.trailing_data == (b"", False)

    def request(
        self,
        target: HttpTarget,
        *,
        max_bytes: int,
        method: str = "GET",
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the bytes of a request whose response may have at most ``max_bytes``.

        Raises ValueError if a header field cannot be sent.
        """
        if self.reusable:
            self._connection.start_next_cycle()
        self._where, self._max_bytes = target.where, max_bytes
        self._came, self._status, self._body = 0, 0, bytearray()
        fields = {
            "Host": target.authority, "Accept-Encoding": "identity", "User-Agent": "stratum-miner",
            **({"Authorization": target.authorization} if target.authorization else {}),
            **({"Content-Length": str(len(content))} if content else {}),
            **(headers or {}),
        }  # fmt: skip
        try:
            head = self._connection.send(h11.Request(method=method, target=target.path, headers=[*fields.items()]))
        except h11.LocalProtocolError as error:
            raise ValueError(f"expected a request that can be sent: {error}") from None
        body = self._connection.send(h11.Data(content)) if content else b""
        end = self._connection.send(h11.EndOfMessage())
        return b"".join(part or b"" for part in (head, body, end))

    def feed(self, data: bytes) -> HttpResponse | None:
        """Take received bytes, or no bytes at the end of the connection. Return the response if it is complete, else
        None.

        Raises LargeFetchError if the response is too large or is compressed, and BrokenFetchError if it is not valid
        HTTP or if the connection ended early.
        """
        self._came += len(data)
        if self._came > self._max_bytes:
            raise self._too_large()
        try:
            self._connection.receive_data(data)
            return self._advance()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431:  # h11 reports a head larger than max_incomplete_event_size
                raise LargeFetchError(self._where, f"expected a head of at most {MAX_HEAD} bytes") from None
            raise BrokenFetchError(self._where, self._what_broke(data, error)) from None

    def _advance(self) -> HttpResponse | None:
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Response):
                self._status = event.status_code
                self._check(event)
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return HttpResponse(self._status, bytes(self._body))
            elif not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("the connection ended")

    def _check(self, head: h11.Response) -> None:
        fields = dict(head.headers)
        coding = fields.get(b"content-encoding", b"identity")
        if coding.lower() != b"identity":
            raise LargeFetchError(self._where, f"expected an answer that is not compressed, got {sanitize(coding)!r}")
        length = fields.get(b"content-length", b"0")
        if len(length) > 18 or int(length) > self._max_bytes:
            raise self._too_large()

    def _too_large(self) -> LargeFetchError:
        return LargeFetchError(self._where, f"expected an answer of at most {self._max_bytes} bytes, it is larger")

    def _what_broke(self, data: bytes, error: h11.RemoteProtocolError) -> str:
        if data:
            return f"expected an HTTP answer, got something else: {sanitize(str(error))}"
        return f"expected {'the rest of an' if self._came else 'an'} HTTP answer, the connection ended"
