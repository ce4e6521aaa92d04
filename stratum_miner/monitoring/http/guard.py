"""Decides which requests are allowed, by their Host and Origin headers, the API token, the IP address and the body
size.

A web page of an attacker can make a browser send requests to this server. If the attacker lets the host name of that
page resolve to the IP address of this server (DNS rebinding), the page could even read the answers. So the Host header
must contain an IP address or a configured name. If there is an Origin header, it must name this server.

A request that changes something needs the API token, which the page of an attacker does not have. Requests that change
nothing need the token if other computers can reach the server. They need no token if the server listens on a loopback
address. A client in a trusted network never needs the token.
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
"""Largest body of a request in bytes."""
SAFE = ("GET", "HEAD", "OPTIONS")
ADD_A_NAME = "the option --http-host adds a name"
OPEN_PATHS = ("/health", "/ready")
"""Paths that can be read without a token, so that a service manager can watch the process."""
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_HOST = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::(?P<port>[0-9]{0,5}))?")
"""Matches the accepted forms of a Host header, after the header was converted to lower case. Other forms are refused:
programs interpret them in different ways, and an attacker could make use of that."""


@dataclass(frozen=True, slots=True)
class Access:
    """The rules that decide whether a client is allowed to read, and whether it is allowed to make changes."""

    token: str
    """The API token, which is never shown. Clients outside the networks in ``trusted`` need it to make changes. If the
    token is empty, these clients cannot make changes."""
    open_reading: bool = True
    """Whether reading needs no token. Use True only if no other computer can send requests to the server."""
    names: tuple[str, ...] = ("localhost",)
    """Names that a Host header may contain instead of an IP address."""
    trusted: tuple[IpNetwork, ...] = ()
    """Networks whose clients need no token, neither to read nor to make changes."""

    def knows(self, host: str) -> bool:
        """Return whether a Host header contains an IP address or one of the configured names."""
        found = _HOST.fullmatch(host.lower())
        if found is None or (found["port"] and int(found["port"]) > 65535):
            return False
        if found["name"] in map(str.lower, self.names):
            return True
        try:
            ipaddress.IPv6Address(found["address"]) if found["address"] else ipaddress.IPv4Address(found["name"])
        except ValueError:  # neither a configured name nor an address in the form that browsers send
            return False
        return True

    def owns(self, origin: str, host: str) -> bool:
        """Return whether a page with this Origin header came from this server. ``host`` is the Host header of the
        request.

        The scheme of the page must be http, because this server does not support TLS. If the host is a configured name
        other than localhost, the scheme can also be https: the page may then have come through a reverse proxy that
        supports TLS.
        """
        scheme, _, authority = origin.lower().partition("://")
        name = host.lower().partition(":")[0]
        is_configured = name != "localhost" and name in map(str.lower, self.names)
        return authority == host.lower() and (scheme == "http" or (scheme == "https" and is_configured))

    def has_token(self, authorization: str) -> bool:
        """Return whether an Authorization header contains the API token."""
        scheme, _, given = authorization.partition(" ")
        return (
            bool(self.token)
            and scheme.lower() == "bearer"
            and hmac.compare_digest(given.strip().encode(), self.token.encode())
        )

    def trusts(self, client: tuple[str, int] | None) -> bool:
        """Return whether the client's IP address is in a network that needs no token."""
        if client is None or not self.trusted:
            return False
        address = ipaddress.ip_address(client[0])
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self.trusted)


class Guard:
    """ASGI middleware that passes allowed requests to the application and answers all others with an error as JSON."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, then pass it to the application or refuse it."""
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, _bounded(receive), _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers, access = Headers(scope=scope), self._access
        host = headers.get("host", "")
        if not access.knows(host):
            names = ", ".join(access.names)
            return refusal(400, f"host: expected an IP address or one of {names}, got {host[:80]!r}; {ADD_A_NAME}")
        for origin in headers.getlist("origin"):
            if not access.owns(origin, host):
                return refusal(403, f"origin: expected a page of {host}, got {origin[:80]!r}")
        safe = scope["method"] in SAFE
        # the page itself loads without the token, because the user enters the token on it
        is_page = scope["path"] == "/" or scope["path"].startswith("/web/")
        wants_token = not safe or not (access.open_reading or is_page or scope["path"] in OPEN_PATHS)
        may = access.trusts(scope.get("client")) or access.has_token(headers.get("authorization", ""))
        if wants_token and not may:
            return refusal(401, "authorization: expected the API token, as in Authorization: Bearer TOKEN")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return refusal(413, f"body: expected at most {MAX_BODY} bytes")
        return None


def refusal(status: int, text: str, **headers: str) -> Response:
    """Return an error response as JSON. ``text`` can quote the request: this function replaces unsafe characters in
    ``text``."""
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    body = msgspec.json.encode({"error": sanitize(text, SENTENCE_CHARACTERS)})
    return Response(body, status, {**HEADERS, **headers}, media_type="application/json")


class BodyTooLarge(Exception):  # noqa: N818  becomes an answer with status 413
    """The body of a request is larger than MAX_BODY."""


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
