"""Who may ask: by the Host that was asked for, the Origin of a page that asks, a token, and how much at a time.

A page of a stranger can make a browser ask us. Under a name of its own that it made point here, it could read the
answers: so a Host must be an address, or a name that we were told. What changes something needs the token, which such a
page does not know, and an Origin that is ours. On a loopback address reading is free; on the network it needs the token
too.
"""

import hmac
import ipaddress
import re
from dataclasses import dataclass

import msgspec
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stratum_miner.foreign_text import SENTENCE_CHARACTERS, sanitize
from stratum_miner.monitoring.ip_networks import IpNetwork

MAX_BODY = 16 * 1024
SAFE = ("GET", "HEAD", "OPTIONS")
OPEN_PATHS = ("/health", "/ready")
"""Paths that anybody may read, to watch the process: they answer one word."""
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::(?P<port>[0-9]{0,5}))?")
"""What a Host header may say, in lower case. What programs read in different ways can mean a stranger."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what."""

    token: str
    """The secret that every change needs, never shown. Where it is empty, nothing can be changed."""
    open_reading: bool = True
    """Whether reading is free: where only this machine can ask."""
    names: tuple[str, ...] = ("localhost",)
    """Hosts that are no addresses."""
    trusted: tuple[IpNetwork, ...] = ()
    """Networks whose machines need no token."""

    def knows(self, host: str) -> bool:
        """Whether a Host header names us."""
        found = _HOST.fullmatch(host.lower())
        if found is None or int(found["port"] or 0) > 65535:
            return False
        if found["name"] in map(str.lower, self.names):
            return True
        try:
            ipaddress.IPv6Address(found["address"]) if found["address"] else ipaddress.IPv4Address(found["name"])
        except ValueError:  # a name that we were not told, or an address as no browser writes it
            return False
        return True

    def owns(self, origin: str, host: str) -> bool:
        """Whether a page of this Origin came from us, who are asked for as ``host``.

        We speak no TLS. A proxy before us may, under a name that we were told for it.
        """
        scheme, _, place = origin.lower().partition("://")
        name = host.lower().partition(":")[0]
        told = name != "localhost" and name in map(str.lower, self.names)
        return place == host.lower() and (scheme == "http" or (scheme == "https" and told))

    def has_token(self, authorization: str) -> bool:
        """Whether an Authorization header carries the token."""
        scheme, _, given = authorization.partition(" ")
        return (
            bool(self.token)
            and scheme.lower() == "bearer"
            and hmac.compare_digest(given.strip().encode(), self.token.encode())
        )

    def trusts(self, client: tuple[str, int] | None) -> bool:
        """Whether the other end of a connection is in a network that needs no token."""
        if client is None or not self.trusted:
            return False
        address = ipaddress.ip_address(client[0])
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self.trusted)


class Guard:
    """ASGI middleware that lets through what may pass; everything else gets one line as JSON."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, _bounded(receive), _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers, access = Headers(scope=scope), self._access
        host = headers.get("host", "")
        if not access.knows(host):
            return refusal(400, f"host: expected an address or one of {', '.join(access.names)}, got {host[:80]!r}")
        for origin in headers.getlist("origin"):
            if not access.owns(origin, host):
                return refusal(403, f"origin: expected a page of {host}, got {origin[:80]!r}")
        safe = scope["method"] in SAFE
        is_page = scope["path"] == "/" or scope["path"].startswith("/web/")  # without it nobody could type the token
        wants_token = not safe or not (access.open_reading or is_page or scope["path"] in OPEN_PATHS)
        may = access.trusts(scope.get("client")) or access.has_token(headers.get("authorization", ""))
        if wants_token and not may:
            return refusal(401, "authorization: expected the token, as in Authorization: Bearer TOKEN")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return refusal(413, f"body: expected at most {MAX_BODY} bytes")
        return None


def refusal(status: int, text: str, **headers: str) -> Response:
    """An error as the API tells it; it may quote the request."""
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    body = msgspec.json.encode({"error": sanitize(text, SENTENCE_CHARACTERS)})
    return Response(body, status, {**HEADERS, **headers}, media_type="application/json")


class BodyTooLarge(Exception):  # noqa: N818  told as an answer
    """More came than was announced."""


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY:
            raise BodyTooLarge
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = message.get("headers", [])
            known = {name for name, _ in present}
            message["headers"] = [*present, *(item for item in extra if item[0] not in known)]
        await send(message)

    return sending
