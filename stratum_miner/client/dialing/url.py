"""Parses the URL of a pool, and defines the errors for a malformed URL and for a pool that cannot be reached."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from stratum_miner.foreign_text import sanitize
from stratum_miner.spelling import nearest

SCHEMES = ("stratum+tcp", "tcp", "stratum")
"""URL schemes for plain TCP. URLs are printed with the first one, which cpuminer uses."""
HTTP_SCHEME = "http"
"""URL scheme that is taken for plain TCP, too, because users of cgminer and bfgminer write it for a Stratum pool."""
TLS_SCHEMES = ("stratum+ssl", "stratum+tls", "stratum+tcps", "stratums", "ssl", "tls")
"""URL schemes for a connection that begins with the TLS handshake. URLs are printed with the first one, which is the
most common (docs/reference/stratum.md#encrypted-connections)."""
MAX_HOST = 255
"""Maximum number of characters of a host name (RFC 1035). A SOCKS5 request has no room for a longer name either."""
_SCHEME_SLIP = re.compile(r"(stratum\+(?:tcps?|ssl|tls))(:/*|/+)", re.IGNORECASE)
"""Matches a scheme at the beginning of a text, and what the user wrote after it in place of ``://``. Only schemes with
a plus sign are matched: no host name contains one, so such a text cannot be HOST:PORT."""
HOST_FORM = f"1 to 63 characters between dots and at most {MAX_HOST} in all"


class PoolUrlError(ValueError):
    """The URL of a pool cannot be used. The message says what was expected, and what the URL contains instead."""


class PoolUnreachable(Exception):  # noqa: N818  the field's word
    """No connection to the pool could be made. The message says why, in one line."""


@dataclass(frozen=True, slots=True)
class PoolUrl:
    """The URL of a pool: host, port, and whether to use TLS. Raises PoolUrlError if the port is not 1 to 65535."""

    host: str
    port: int
    tls: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:  # some systems keep only 16 bits of a port: 70000 would become 4464
            raise PoolUrlError(f"pool URL: expected a port from 1 to 65535, got {self.port}")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{(TLS_SCHEMES if self.tls else SCHEMES)[0]}://{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "PoolUrl":
        """Parse ``stratum+tcp://HOST:PORT``, ``stratum+ssl://HOST:PORT`` or ``HOST:PORT``. ``http`` is taken for
        ``stratum+tcp``.

        Raises PoolUrlError if the URL cannot be used. A URL with a worker name is refused; ``PoolLogin`` parses it.
        """
        text = text.strip()  # a copied URL often has a space after it
        if "://" not in text:
            slip = _SCHEME_SLIP.match(text)
            if slip:
                raise PoolUrlError(f"pool URL: expected :// after the scheme {slip[1]}, got {slip[2]!r}")
            text = f"{SCHEMES[0]}://{text}"
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise PoolUrlError(f"pool URL: expected stratum+tcp://HOST:PORT ({error})") from None
        if parts.scheme == "https":
            raise PoolUrlError(
                "pool URL: expected stratum+ssl://HOST:PORT for a pool with TLS, else stratum+tcp://HOST:PORT, got "
                "https://, which begins the address of a web page"
            )
        if parts.scheme not in (*SCHEMES, *TLS_SCHEMES, HTTP_SCHEME):
            scheme = nearest(parts.scheme, SCHEMES + TLS_SCHEMES)
            hint = f": did you mean {scheme}?" if scheme else ""
            raise PoolUrlError(f"pool URL: expected stratum+tcp or stratum+ssl, got {parts.scheme!r}{hint}")
        if "@" in parts.netloc:
            raise PoolUrlError("pool URL: expected no user name or password in it; give them separately")
        spelled = text.partition("://")[2]
        if len(spelled.split()) > 1 or "," in spelled:
            raise PoolUrlError(
                f"pool URL: expected one address, without spaces and commas, got {spelled!r}; give each pool by itself"
            )
        if "[" not in parts.netloc and parts.netloc.count(":") > 1:
            if not re.fullmatch(r"[0-9A-Fa-f:]*(\d+\.\d+\.\d+\.\d+)?(%\w+)?(:\d+)?", parts.netloc):
                raise PoolUrlError(f"pool URL: expected one port after the host, got {sanitize(parts.netloc)!r}")
            raise PoolUrlError(f"pool URL: expected an IPv6 address in brackets, [::1]:3333, got {parts.netloc!r}")
        host = parts.hostname
        if not host:
            raise PoolUrlError(f"pool URL: expected stratum+tcp://HOST:PORT, got no host in {text!r}")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if port is None:
            raise PoolUrlError(
                f"pool URL: expected a port, as in stratum+tcp://{sanitize(parts.netloc).rstrip(':')}:3333, got none"
            )
        if port == 0:
            raise PoolUrlError(f"pool URL: expected a port from 1 to 65535, got {parts.netloc.rpartition(':')[2]!r}")
        if parts.path not in ("", "/") or parts.query:
            raise PoolUrlError(f"pool URL: expected nothing after the port, got {parts.path + parts.query!r}")
        if not re.fullmatch(r"[0-9A-Za-z._:%-]+", host):
            raise PoolUrlError(f"pool URL: expected a host name or IP address, got {host!r}")
        if not is_host(host):
            raise PoolUrlError(f"pool URL: expected a host name of {HOST_FORM}, got {sanitize(host)!r}")
        return cls(host, port, parts.scheme in TLS_SCHEMES)


@dataclass(frozen=True, slots=True)
class PoolLogin:
    """The URL of a pool, with the worker name and the password if the user wrote them into the URL. The repr does not
    show the password."""

    url: PoolUrl
    worker_name: str | None = None
    password: str | None = field(default=None, repr=False)
    is_http: bool = False
    """Whether the user wrote http:// for stratum+tcp://."""

    @classmethod
    def parse(cls, text: str) -> "PoolLogin":
        """Parse a URL as ``PoolUrl.parse`` does. Before the host, the URL may contain ``USER:PASS@`` or ``USER@``.

        As in cpuminer, the host begins after the last ``@``, and PASS begins after the first ``:`` before that ``@``.
        In USER and PASS, special characters may be written as ``%xx``. Raises PoolUrlError, whose text shows neither
        user nor password.
        """
        text = text.strip()
        scheme, separator, rest = text.partition("://") if "://" in text else ("", "", text)
        credentials, _, host = rest.rpartition("@")
        user, colon, password = credentials.partition(":")
        return cls(
            PoolUrl.parse(scheme + separator + host),
            unquote(user) if user else None,
            unquote(password) if colon else None,
            scheme.lower() == HTTP_SCHEME,
        )


def is_host(name: str) -> bool:
    """Return whether a text is a possible host name or IP address.

    Check this before connecting: with any other text, the resolver, TLS and proxies raise errors of many different
    types.
    """
    try:
        encoded = name.encode("idna")
    except UnicodeError:
        return False
    return 0 < len(encoded) <= MAX_HOST
