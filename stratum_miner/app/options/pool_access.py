"""Options of commands that talk to one pool: how to reach it, and the worker name and password there."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import trio
from cyclopts import Parameter

from stratum_miner.app.process import secrets
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.client.dialing.dialer import Dialer
from stratum_miner.client.dialing.tls import TlsSettings, TlsSettingsError
from stratum_miner.client.dialing.tunnel import TunnelUrl, TunnelUrlError
from stratum_miner.client.dialing.url import PoolUrl

CONNECT_SECONDS = 10.0

WorkerName: TypeAlias = Annotated[
    str, Parameter(name=("--user", "-u"), help="Worker name; some pools want an address.", group="Pool")
]
Password: TypeAlias = Annotated[str | None, Parameter(name=("--pass", "-p"), help="Password.", group="Pool")]
TlsCa: TypeAlias = Annotated[
    Path | None,
    Parameter(name="--tls-ca", help="PEM certificates to trust instead of the system's.", group="Pool", negative=()),
]
TlsFingerprint: TypeAlias = Annotated[
    str | None,
    Parameter(name="--tls-fingerprint", help="SHA-256 of the pool's certificate: trust that alone.", group="Pool"),
]
TlsCertificate: TypeAlias = Annotated[
    Path | None, Parameter(name="--tls-cert", help="Our own certificate, PEM.", group="Pool", negative=())
]
TlsKey: TypeAlias = Annotated[
    Path | None, Parameter(name="--tls-key", help="Its key, where it is in another file.", group="Pool", negative=())
]
ProxyOption: TypeAlias = Annotated[
    str | None,
    Parameter(
        name=("--proxy", "-x"),
        env_var="STRATUM_MINER_PROXY",
        help="socks5://, socks5h:// (Tor) or http://, [USER:PASS@]HOST:PORT.",
        group="Pool",
    ),
]


def password(given: str | None) -> str:
    """The one that was given, or that of the environment, else what pools that want none are usually told."""
    return secrets.register(given) if given else secrets.from_environment("STRATUM_MINER_PASS") or "x"


def dial(
    url: PoolUrl,
    ca: Path | None,
    fingerprint: str | None,
    certificate: Path | None,
    key: Path | None,
    *,
    proxy: str | None,
) -> Callable[[], Awaitable[trio.abc.Stream]]:
    """What connects to a pool each time it is called; PoolUnreachable says why it could not. UsageError at once."""
    dialer = Dialer(tls_settings(ca, fingerprint, certificate, key, urls=[url]), proxy_url(proxy))
    return partial(dialer, url, CONNECT_SECONDS)


def tls_settings(
    ca: Path | None,
    fingerprint: str | None,
    certificate: Path | None,
    key: Path | None,
    *,
    urls: Sequence[PoolUrl] | None = None,
) -> TlsSettings:
    """Check them once, before the first connection. UsageError names the file or the fingerprint.

    None of ``urls`` with TLS is one, too: nothing would be protected.
    """
    if urls is not None and not any(url.tls for url in urls):
        given = {"--tls-ca": ca, "--tls-fingerprint": fingerprint, "--tls-cert": certificate, "--tls-key": key}
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"{name}: expected a pool with TLS, stratum+ssl://HOST:PORT, got {urls[0]}")
    try:
        settings = TlsSettings(ca_file=ca, fingerprint=fingerprint, certificate=certificate, key=key)
        settings.context()
    except TlsSettingsError as error:
        raise UsageError(str(error)) from None
    return settings


def proxy_url(text: str | None) -> TunnelUrl | None:
    """UsageError without the credentials, which are kept out of everything from here on."""
    try:
        return None if text is None else tunnel(text)
    except TunnelUrlError as error:
        raise UsageError(f"--proxy: {error}") from None


def tunnel(text: str) -> TunnelUrl:
    """The same of a text. TunnelUrlError."""
    proxy = TunnelUrl.parse(text)
    secrets.register(proxy.password or "")
    return proxy
