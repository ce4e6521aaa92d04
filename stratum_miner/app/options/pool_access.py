"""Options of commands that connect to one pool: how to reach the pool, and the worker name and password to send."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import structlog
import trio
from cyclopts import Parameter

from stratum_miner.app.process import secrets
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.client.dialing.dialer import Dialer
from stratum_miner.client.dialing.tls import TlsSettings, TlsSettingsError
from stratum_miner.client.dialing.tunnel import TunnelUrl, TunnelUrlError
from stratum_miner.client.dialing.url import PoolLogin, PoolUrl

log = structlog.get_logger("stratum_miner")

CONNECT_SECONDS = 10.0
"""Seconds within which a connection to the pool must be established."""
DEFAULT_PASSWORD = "x"
"""The password that miners usually send to a pool that checks no password."""

NO_PIN = "none"
"""The value of --tls-fingerprint for a pool whose certificate is verified as usual, or that has no TLS."""

WorkerName: TypeAlias = Annotated[
    str,
    Parameter(name=("--user", "-u"), help="Worker name at the pool. Some pools expect a payout address.", group="Pool"),
]
Password: TypeAlias = Annotated[
    str | None,
    Parameter(
        name=("--pass", "-p"),
        help="Password of the worker. STRATUM_MINER_PASS keeps it out of the shell history. "
        f"[default: STRATUM_MINER_PASS, otherwise {DEFAULT_PASSWORD}]",
        group="Pool",
    ),
]
PasswordFile: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--pass-file",
        help="File whose first line is the password of the worker, to use instead of --pass.",
        group="Pool",
        negative=(),
    ),
]
TlsCa: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--tls-ca",
        help="PEM file with the certificates to trust instead of those of the system, for a pool with its own "
        "certificate authority.",
        group="Pool",
        negative=(),
    ),
]
TlsFingerprint: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--tls-fingerprint",
        help="SHA-256 fingerprint of the pool's certificate, as openssl x509 -fingerprint -sha256 prints it. Only this "
        "certificate is trusted.",
        group="Pool",
    ),
]
TlsFingerprints: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        name="--tls-fingerprint",
        help="SHA-256 fingerprint of the pool's certificate, as openssl x509 -fingerprint -sha256 prints it. Only "
        "this certificate is trusted. Give one fingerprint for all pools, or one for each pool; the word "
        f"{NO_PIN} stands for a pool that needs no fingerprint. Repeatable.",
        group="Pool",
        negative=(),
    ),
]
TlsCertificate: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--tls-cert",
        help="PEM file with your own client certificate, for a pool that asks for one.",
        group="Pool",
        negative=(),
    ),
]
TlsKey: TypeAlias = Annotated[
    Path | None,
    Parameter(
        name="--tls-key",
        help="PEM file with the private key of the certificate in --tls-cert, if that file does not contain the key.",
        group="Pool",
        negative=(),
    ),
]
ProxyOption: TypeAlias = Annotated[
    str | None,
    Parameter(
        name=("--proxy", "-x"),
        env_var="STRATUM_MINER_PROXY",
        help="SOCKS or HTTP proxy for the connection to the pool: SCHEME://[USER:PASS@]HOST:PORT. SCHEME is socks5, "
        "socks5h or http. With socks5h, the proxy looks up the host name of the pool, which Tor requires.",
        group="Pool",
    ),
]


def login(url: str, worker_name: str, given: str | None, *, default: str) -> tuple[PoolUrl, str, str]:
    """Return the URL of a pool, the worker name and the password. The user may give the worker name and the password in
    the URL or with --user and --pass.

    ``worker_name`` is the value of --user, and ``default`` is its value if the user does not give it. ``given`` is the
    value of --pass. Raises PoolUrlError for a URL that cannot be used, and UsageError for a worker name or password
    that is given twice.
    """
    secrets.register_credentials(url)
    found = PoolLogin.parse(url)
    if found.worker_name is not None and worker_name != default:
        raise UsageError("--user: expected the worker name here or in the URL of the pool, got both")
    if found.password is not None and given is not None:
        raise UsageError("--pass: expected the password here or in the URL of the pool, got both")
    note_http([found.url] if found.is_http else [])
    name = found.worker_name or worker_name
    return found.url, name, password(given) if found.password is None else found.password


def note_http(urls: Iterable[PoolUrl]) -> None:
    """Log which pools are used with Stratum although their URL begins with http://."""
    for url in urls:
        log.warning("http_url", url=str(url))


def password(given: str | None) -> str:
    """Return the given password. Without one, return the password in STRATUM_MINER_PASS, or else the default
    password."""
    return secrets.register(given) if given else secrets.from_environment("STRATUM_MINER_PASS") or DEFAULT_PASSWORD


def dial(
    url: PoolUrl,
    ca: Path | None,
    fingerprint: str | None,
    certificate: Path | None,
    key: Path | None,
    *,
    proxy: str | None,
) -> Callable[[], Awaitable[trio.abc.Stream]]:
    """Return a function that opens a connection to the pool. That function raises PoolUnreachable if it cannot connect.

    ``dial`` itself raises UsageError for a wrong option.
    """
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
    """Return the TLS settings. They are checked here, before any connection.

    Raises UsageError for a file or fingerprint that cannot be used. Also raises it if TLS options are given but no URL
    of ``urls`` uses TLS, because the options would then protect nothing.
    """
    if urls is not None and not any(url.tls for url in urls):
        given = {"--tls-ca": ca, "--tls-fingerprint": fingerprint, "--tls-cert": certificate, "--tls-key": key}
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"{name}: expected a pool with TLS, stratum+ssl://HOST:PORT, got {urls[0]}")
    try:
        settings = TlsSettings(ca_file=ca, fingerprint=fingerprint, certificate=certificate, key=key)
        if ca is not None or certificate is not None:  # the system's authorities load slowly, and are no option
            settings.context()
    except TlsSettingsError as error:
        raise UsageError(str(error)) from None
    return settings


def proxy_url(text: str | None) -> TunnelUrl | None:
    """Parse ``text``, the value of ``--proxy``, and return the URL. If ``text`` is None, return None. Raises UsageError
    if ``text`` is not a valid URL.

    The error does not show the credentials in the URL.
    """
    try:
        return None if text is None else tunnel(text)
    except TunnelUrlError as error:
        raise UsageError(f"--proxy: {error}") from None


def tunnel(text: str) -> TunnelUrl:
    """Parse the URL of a proxy and register its password as a secret. Raises TunnelUrlError if the URL is not valid."""
    proxy = TunnelUrl.parse(text)
    secrets.register(proxy.password or "")
    return proxy
