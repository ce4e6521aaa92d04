"""TLS to a pool. The certificate is always verified, and a failed handshake never falls back to plain text."""

import re
import ssl
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import trio

from stratum_miner.client.dialing.url import PoolUnreachable, PoolUrl

FINGERPRINT_DIGITS = 64
_PRINTED = re.compile(
    r"(?:((?:sha|md)[\w-]*)(?:\s*\([^)]*\)|\s+fingerprint)?\s*[=:]\s*)?(.*)", re.IGNORECASE | re.DOTALL | re.ASCII
)
"""Matches the fingerprint of a certificate, with or without the name of the hash function before it. OpenSSL prints,
for example, ``sha256 Fingerprint=`` before a fingerprint."""
_NOT_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
"""Reasons that OpenSSL gives if the other side does not speak TLS."""


class TlsSettingsError(ValueError):
    """A file or fingerprint of the TLS settings cannot be used. The message names the file or the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Says how to verify the pool's certificate, and which certificate the client sends.

    Raises TlsSettingsError if ``fingerprint`` is malformed, or if ``key`` is given without ``certificate``.
    """

    ca_file: Path | None = None
    """PEM file with the certificates of the authorities to trust; None: trust the authorities of the system."""
    fingerprint: str | None = None
    """SHA-256 of the pool's certificate in DER, 64 hex digits, in a form that ``fingerprint_digits`` reads. If it is
    given, only the certificate with this fingerprint is trusted, whoever signed it."""
    certificate: Path | None = None
    """File with the client's own certificate, in PEM."""
    key: Path | None = field(default=None, repr=False)
    """PEM file with the private key of the client's certificate; None: the key is in the file ``certificate``."""

    def __post_init__(self) -> None:
        if self.fingerprint is not None:
            object.__setattr__(self, "fingerprint", fingerprint_digits(self.fingerprint))
        if self.key is not None and self.certificate is None:
            raise TlsSettingsError("TLS key: expected a certificate (--tls-cert) with the key (--tls-key), got none")

    def context(self) -> ssl.SSLContext:
        """Return a TLS context of a client, for TLS 1.2 or newer. Raises TlsSettingsError if a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        except (OSError, ssl.SSLError) as error:
            raise TlsSettingsError(f"TLS CA file {str(self.ca_file)!r}: {_words(error)}") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.fingerprint is not None:  # ``secure`` checks the fingerprint instead
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, password=_no_password)
            except (OSError, ssl.SSLError, ValueError) as error:
                raise TlsSettingsError(f"TLS certificate {str(self.certificate)!r}: {_words(error)}") from None
        return context


SYSTEM_TRUST = TlsSettings()
"""TLS settings that trust the system's certificate authorities and send no client certificate."""


async def secure(stream: trio.abc.Stream, url: PoolUrl, settings: TlsSettings) -> trio.SSLStream[trio.abc.Stream]:
    """Do the TLS handshake over an open stream, and verify the pool's certificate.

    Raises PoolUnreachable, with the reason in one line, if the handshake or the verification fails.
    """
    try:
        context = settings.context()
    except TlsSettingsError as error:
        raise PoolUnreachable(f"{url}: {error}") from None
    secured = trio.SSLStream(stream, context, server_hostname=url.host, https_compatible=True)
    try:
        await secured.do_handshake()
    except trio.BrokenResourceError as error:
        raise PoolUnreachable(f"{url}: {_handshake_failure(error.__cause__ or error, url)}") from None
    if settings.fingerprint is not None:
        certificate = secured.getpeercert(binary_form=True) or b""
        found = sha256(certificate).hexdigest()
        if found != settings.fingerprint:
            raise PoolUnreachable(
                f"{url}: its certificate is not the pinned one: expected SHA-256 {settings.fingerprint}, got {found}"
            )
    return secured


def _handshake_failure(error: BaseException, url: PoolUrl) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate does not prove that it is {url.host}: {error.verify_message.rstrip('.')}. "
            "If you trust it, add --tls-ca or --tls-fingerprint"
        )
    # Python 3.11.2 reports SSLZeroReturnError; newer versions of Python report SSLEOFError.
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or (
        isinstance(error, ssl.SSLError) and "EOF" in (error.reason or "")
    ):
        return "it disconnected in the TLS handshake; try stratum+tcp:// for this port"
    if isinstance(error, ssl.SSLError) and error.reason in _NOT_TLS:
        return "expected TLS, got plain text; try stratum+tcp:// for this port"
    if isinstance(error, ssl.SSLError):
        return f"TLS handshake failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
    return f"TLS handshake failed: {error}" if str(error) else "it disconnected in the TLS handshake"


def fingerprint_digits(text: str) -> str:
    """Return the 64 hex digits of a SHA-256 fingerprint. The text may have colons or spaces between the digits, and
    ``sha256 Fingerprint=`` before the digits, as openssl prints it.

    Raises TlsSettingsError if the text is not a SHA-256 fingerprint.
    """
    match = _PRINTED.fullmatch(text.strip())
    assert match is not None, "its last group matches any text"
    name, printed = match.groups()
    digits = re.sub(r"[:\s]", "", printed).lower()
    expected = f"TLS fingerprint: expected SHA-256 in {FINGERPRINT_DIGITS} hex digits"
    if name and re.fullmatch("sha2?-?256", name.lower()) is None:
        raise TlsSettingsError(f"{expected}, as openssl x509 -fingerprint -sha256 prints it, got {name[:20]}")
    if re.search("[^0-9a-f]", digits):
        raise TlsSettingsError(f"{expected}, got other characters")
    if len(digits) != FINGERPRINT_DIGITS:
        raise TlsSettingsError(f"{expected}, got {len(digits)} digits")
    return digits


def _no_password() -> str:
    raise ValueError("expected a private key without a password, got an encrypted one")


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"expected PEM: {(error.reason or 'it cannot be read').lower().replace('_', ' ')}"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
