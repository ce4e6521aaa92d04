"""Connects to a pool through a SOCKS5 or HTTP CONNECT proxy, such as Tor's. The credentials for the proxy are never
shown.

python-socks is imported only for the first connection through a proxy, because most miners use none.
"""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import trio

from stratum_miner.client.dialing.url import HOST_FORM, is_host

KINDS = {"socks5": ("SOCKS5", False), "socks5h": ("SOCKS5", True), "http": ("HTTP", True)}
"""For each scheme, the name of the protocol in python-socks, and whether the proxy resolves the pool's host name."""


class TunnelUrlError(ValueError):
    """The URL of the proxy cannot be used. The message shows no credentials."""


class TunnelUnreachable(Exception):  # noqa: N818 - the field's word
    """No connection could be made through the proxy. The message says whether the proxy or the pool is the cause."""


@dataclass(frozen=True, slots=True)
class TunnelUrl:
    """The URL of a SOCKS or HTTP proxy. The repr does not show the credentials."""

    kind: str
    """The scheme: socks5, socks5h or http."""
    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "TunnelUrl":
        """Parse ``socks5://[USER:PASSWORD@]HOST:PORT``, ``socks5h://...`` or ``http://...``.

        With ``socks5h`` and ``http`` the proxy resolves the pool's host name, as Tor needs it.
        Raises TunnelUrlError if the URL cannot be used.
        """
        expected = "proxy: expected socks5://, socks5h:// or http:// and HOST:PORT"
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:  # its message may repeat parts of the URL
            raise TunnelUrlError(f"{expected}; write special characters as %xx") from None
        if "://" not in text:
            raise TunnelUrlError(f"{expected}, as in socks5h://127.0.0.1:9050, got no scheme")
        if parts.scheme not in KINDS:
            raise TunnelUrlError(f"{expected}, got the scheme {parts.scheme!r}")
        if not host or not port:
            raise TunnelUrlError(f"{expected}, got no {'port' if host else 'host'}")
        if not is_host(host):
            raise TunnelUrlError(f"{expected}, with a host name of {HOST_FORM}")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise TunnelUrlError(f"{expected}, got something after the port")
        user = None if parts.username is None else unquote(parts.username)
        password = None if parts.password is None else unquote(parts.password)
        return cls(parts.scheme, host, port, user, password)

    async def connect(self, host: str, port: int) -> trio.SocketStream:
        """Open a stream to ``host`` and ``port`` through the proxy. Raises TunnelUnreachable if that fails."""
        from python_socks import (  # noqa: PLC0415  slow to load; few have a proxy
            ProxyConnectionError,
            ProxyError,
            ProxyTimeoutError,
            ProxyType,
        )
        from python_socks.async_.trio import Proxy  # noqa: PLC0415  slow to load; few have a proxy

        protocol, remote_names = KINDS[self.kind]
        proxy = Proxy(
            proxy_type=ProxyType[protocol],
            host=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            rdns=remote_names,
        )
        try:
            return trio.SocketStream(await proxy.connect(dest_host=host, dest_port=port))
        except ProxyConnectionError as error:
            raise TunnelUnreachable(f"no connection to the proxy {self}: {error.strerror or error}") from None
        except ProxyError as error:
            raise TunnelUnreachable(f"the proxy {self} refused: {error}") from None
        except (ProxyTimeoutError, OSError) as error:
            raise TunnelUnreachable(f"the proxy {self}: {error}") from None
