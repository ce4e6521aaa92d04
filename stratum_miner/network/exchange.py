"""An HTTP/1.1 request and its answer, without socket and clock: what is sent, and what is held of what comes.

Every answer has a bound in bytes, and what counts is what came over the wire: the head, provisional answers, the frames
of chunks, and the body. So nothing that a server says is held before it was counted. We ask for no compression and take
none, because a few compressed bytes can stand for any number. Nobody follows redirections.

``fetch`` adds sockets, TLS and time for trio. The command ``health`` has its own socket, because it must start quickly;
so this module imports nothing that loads slowly.
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
"""Bytes of the status line and the fields; where the whole answer may be smaller, that is the limit."""
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[0-9A-Za-z._~:%-]+")
_SAFE: Final = "/?%:@!$&'()*+,;=~[]"
"""What stays as it is in a path with its query; blanks, controls and letters of other alphabets are written as %xx."""


class FetchError(Exception):
    """No answer that can be used. The message names the server, and neither the path nor a password.

    ``text`` is the message without the server. It is the same as often as the same happens.
    """

    def __init__(self, where: str, text: str) -> None:
        super().__init__(f"{where}: {text}")
        self.text = text


class ConnectFetchError(FetchError):
    """No connection could be made."""


class TlsFetchError(FetchError):
    """Somebody is there, and no TLS connection could be made: mostly a certificate that nobody trusts."""


class SlowFetchError(FetchError):
    """The answer was not whole in time; ``seconds`` is the limit."""

    def __init__(self, where: str, what: str, seconds: float) -> None:
        super().__init__(where, f"expected {what} within {seconds:g} s")
        self.seconds = seconds


class BrokenFetchError(FetchError):
    """The connection ended before the answer did, or what came is no HTTP."""


class LargeFetchError(FetchError):
    """The answer is larger than it may be, or compressed, which is no bound at all."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for, from a URL."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    """Path and query as they go over the wire. They may hold a key, so they are not shown."""
    authorization: str = field(repr=False)
    """Value of the Authorization field; empty where the URL has no user."""

    @classmethod
    def parse(cls, url: str) -> "Target":
        """Read an ``http://`` or ``https://`` URL, perhaps with user and password. ValueError repeats nothing of it."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            host = host.encode("idna").decode()  # also refuses labels that looking up the name would
        except ValueError:  # its message repeats parts of the URL
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
        """Scheme, host and port, to be shown."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port; without the port where the scheme says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a server said, whole."""

    status: int
    body: bytes


def basic(user: str, password: str) -> str:
    """The value of the field Authorization."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Exchange:
    """Requests and answers over one connection, one after the other.

    ``request`` gives the bytes to send; ``feed`` takes what came, empty for the end, and gives the answer as soon as it
    is whole. LargeFetchError and BrokenFetchError end the connection's use. ``max_bytes`` bounds one answer.
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
        """Bytes of the answer that came so far."""
        return self._came

    @property
    def reusable(self) -> bool:
        """Whether another request may follow, the answer to the last one being whole."""
        whole = self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE
        return whole and self._connection.trailing_data == (b"", False)  # else that would be the next answer

    def request(
        self,
        target: Target,
        *,
        max_bytes: int,
        method: str = "GET",
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The bytes of a request. ValueError for a header that cannot be sent."""
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
        """Take what came over the wire; the answer when it is whole."""
        self._came += len(data)
        if self._came > self._max_bytes:
            raise self._too_large()
        try:
            self._connection.receive_data(data)
            return self._advance()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431:  # h11's word for a head that goes on and on
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
