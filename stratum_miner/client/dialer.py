"""From a pool's URL to a stream that speaks Stratum: TCP, perhaps through a proxy, perhaps with TLS inside."""

from dataclasses import dataclass

import trio

from stratum_miner.client import tls
from stratum_miner.client.connect import HOST_FORM, PoolUnreachable, PoolUrl, is_host, open_tcp, set_keepalive
from stratum_miner.client.proxies import ProxyUnreachable, ProxyUrl
from stratum_miner.client.tls import SYSTEM_TRUST, TlsSettings

PROXY_SECONDS = 60.0
"""At least, through a proxy: a Tor circuit takes its time (stratum.md 5)."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """A ``Connector``."""

    tls: TlsSettings = SYSTEM_TRUST
    proxy: ProxyUrl | None = None

    async def __call__(self, url: PoolUrl, seconds: float) -> trio.abc.Stream:
        """Connect and, where the URL says so, shake hands in TLS; PoolUnreachable names the reason in one line."""
        if not is_host(url.host):  # a pool may have sent us there
            raise PoolUnreachable(f"{url}: expected a host name of {HOST_FORM}")
        limit = seconds if self.proxy is None else max(seconds, PROXY_SECONDS)
        try:
            with trio.fail_after(limit):
                stream: trio.abc.Stream = await self._open(url)
                if not url.tls:
                    return stream
                try:
                    return await tls.secure(stream, url, self.tls)
                except BaseException:
                    await trio.aclose_forcefully(stream)
                    raise
        except trio.TooSlowError:
            raise PoolUnreachable(f"{url}: no connection within {limit:g} s") from None

    async def _open(self, url: PoolUrl) -> trio.SocketStream:
        if self.proxy is None:
            return await open_tcp(url)
        try:
            stream = await self.proxy.connect(url.host, url.port)
        except ProxyUnreachable as error:
            raise PoolUnreachable(f"{url}: {error}") from None
        set_keepalive(stream)
        return stream
