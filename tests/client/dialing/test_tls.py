"""TLS with all kinds of bad certificates: each gives one clear line, and never a fallback to plain text."""

import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stratum_miner.client.dialing.dialer import Dialer
from stratum_miner.client.dialing.tls import SYSTEM_TRUST, TlsSettings, TlsSettingsError, _handshake_failure
from stratum_miner.client.dialing.url import PoolUnreachable, PoolUrl
from stratum_miner.client.ping import ping
from stratum_miner.client.settings import PoolSettings
from stratum_miner.testing.manual_pool import ManualPool

HOST = "localhost"
CA = trustme.CA()
GOOD = CA.issue_cert(HOST, "127.0.0.1")


async def _say_nothing(_stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


def pem(path: Path, blob: trustme.Blob) -> Path:
    blob.write_to_path(str(path))
    return path


def fingerprint(certificate: trustme.LeafCert) -> str:
    return sha256(ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())).hexdigest()


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    return pem(tmp_path / "ca.pem", CA.cert_pem)


@asynccontextmanager
async def pool(
    certificate: trustme.LeafCert | None,
    *,
    client_ca: trustme.CA | None = None,
    old: bool = False,
) -> AsyncIterator[int]:
    """Serve a pool on a real socket that does the handshake and sends one job; without a certificate in plain text."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if certificate is not None:
        certificate.configure_cert(context)
    if old:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    if client_ca is not None:
        client_ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED

    async def serve(stream: trio.SocketStream) -> None:
        wrapped = stream if certificate is None else trio.SSLStream(stream, context, server_side=True)
        try:
            played = ManualPool(wrapped)
            await played.accept(xnsub=False)
            await played.notify()
            await trio.sleep_forever()
        except (AssertionError, trio.BrokenResourceError, ValueError):
            await trio.aclose_forcefully(wrapped)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def told(port: int, settings: TlsSettings = SYSTEM_TRUST, *, tls: bool = True, host: str = HOST) -> str:
    """Return the error of ping, or an empty string if a job came."""
    url = PoolUrl(host, port, tls)
    result = await ping(PoolSettings(url=url, worker_name="w", tls=settings))
    assert (result.first_job_ms is None) == (result.error is not None)
    assert "\n" not in (result.error or "")
    return result.error or ""


async def test_a_certificate_of_a_trusted_authority_is_good(ca_file: Path) -> None:
    async with pool(GOOD) as port:
        assert await told(port, TlsSettings(ca_file=ca_file)) == ""
        assert await told(port, TlsSettings(ca_file=ca_file), host="127.0.0.1") == ""


async def test_the_system_does_not_trust_a_strangers_authority() -> None:
    async with pool(GOOD) as port:
        error = await told(port)
    assert "its certificate does not prove that it is localhost: " in error
    assert "--tls-ca or --tls-fingerprint" in error


async def test_a_wrong_name_is_told(ca_file: Path) -> None:
    async with pool(CA.issue_cert("pool.example")) as port:
        error = await told(port, TlsSettings(ca_file=ca_file))
    assert "Hostname mismatch, certificate is not valid for 'localhost'" in error


async def test_an_expired_certificate_is_told(ca_file: Path) -> None:
    old = CA.issue_cert(HOST, not_before=datetime(2019, 1, 1, tzinfo=UTC), not_after=datetime(2020, 1, 1, tzinfo=UTC))
    async with pool(old) as port:
        assert "certificate has expired" in await told(port, TlsSettings(ca_file=ca_file))


async def test_a_pin_is_enough_and_nothing_else_is_then(ca_file: Path) -> None:
    other = trustme.CA().issue_cert(
        "another.example", not_after=datetime(2020, 1, 1, tzinfo=UTC), not_before=datetime(2019, 1, 1, tzinfo=UTC)
    )
    async with pool(other) as port:
        assert await told(port, TlsSettings(fingerprint=fingerprint(other))) == ""
        colons = ":".join(fingerprint(other)[i : i + 2] for i in range(0, 64, 2)).upper()
        assert await told(port, TlsSettings(fingerprint=colons)) == ""
        assert await told(port, TlsSettings(ca_file=ca_file)) != ""
    async with pool(GOOD) as port:
        error = await told(port, TlsSettings(ca_file=ca_file, fingerprint=fingerprint(other)))
    assert (
        f"its certificate is not the pinned one: expected SHA-256 {fingerprint(other)}, got {fingerprint(GOOD)}"
        in error
    )


async def test_a_self_signed_certificate_is_good_under_its_pin_alone(ca_file: Path) -> None:
    certificate = self_signed(HOST)
    async with pool(certificate) as port:
        assert "self-signed certificate" in await told(port)
        assert "self-signed certificate" in await told(port, TlsSettings(ca_file=ca_file))
        assert await told(port, TlsSettings(fingerprint=fingerprint(certificate))) == ""


def self_signed(host: str) -> trustme.LeafCert:
    """Make a self-signed certificate like ``openssl req -x509``, which trustme cannot do."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return trustme.LeafCert(private, certificate.public_bytes(serialization.Encoding.PEM), [])


async def test_a_plain_pool_on_a_tls_url_is_told() -> None:
    async with pool(None) as port:
        assert "try stratum+tcp:// for this port" in await told(port)


@pytest.mark.parametrize(
    "error",
    [
        ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "EOF occurred in violation of protocol (_ssl.c:1006)"),
        ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "TLS/SSL connection has been closed (EOF) (_ssl.c:992)"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_pool_that_disconnects_in_the_handshake_is_told_whatever_python_calls_it(
    monkeypatch: pytest.MonkeyPatch, error: ssl.SSLError
) -> None:
    """The second is what Python 3.11.2 says, the one of Debian 12."""

    async def fail(self: trio.SSLStream[trio.SocketStream]) -> None:
        raise trio.BrokenResourceError from error

    monkeypatch.setattr(trio.SSLStream, "do_handshake", fail)
    async with pool(None) as port:
        told_by_us = await told(port)
    assert "it disconnected in the TLS handshake; try stratum+tcp:// for this port" in told_by_us


async def test_a_tls_pool_on_a_plain_url_is_told() -> None:
    async def alert(stream: trio.SocketStream) -> None:
        """OpenSSL's own answer to a line of JSON: a fatal alert of TLS 1.2."""
        await stream.receive_some()
        await stream.send_all(bytes.fromhex("15030300020246"))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, alert, 0)
        error = await told(listeners[0].socket.getsockname()[1], tls=False)
        nursery.cancel_scope.cancel()
    assert error == "expected plain text, got a TLS alert; try stratum+ssl:// for this port"
    async with pool(GOOD) as port:  # trio's own server hangs up instead
        assert await told(port, tls=False) == "the pool closed the connection without sending anything"


async def test_old_versions_are_refused(ca_file: Path) -> None:
    async with pool(GOOD, old=True) as port:
        error = await told(port, TlsSettings(ca_file=ca_file))
    assert "TLS handshake failed" in error or "disconnected in the TLS handshake" in error


async def test_a_client_certificate_is_shown_when_there_is_one(ca_file: Path, tmp_path: Path) -> None:
    ours = CA.issue_cert("miner@example.org")
    certificate = pem(tmp_path / "us.pem", ours.cert_chain_pems[0])
    key = pem(tmp_path / "key.pem", ours.private_key_pem)
    async with pool(GOOD, client_ca=CA) as port:
        assert await told(port, TlsSettings(ca_file=ca_file, certificate=certificate, key=key)) == ""
        assert await told(port, TlsSettings(ca_file=ca_file)) != ""


async def test_a_server_that_stalls_in_the_handshake_is_given_up() -> None:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, _say_nothing, 0)
        url = PoolUrl(HOST, listeners[0].socket.getsockname()[1], True)
        with pytest.raises(PoolUnreachable, match=r"no connection within 0\.2 s"):
            await Dialer()(url, 0.2)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("before", ["", "sha256 Fingerprint=", "SHA256 Fingerprint=", "SHA256:", "SHA2-256(stdin)= "])
@pytest.mark.parametrize("separator", ["", ":", " "])
def test_a_fingerprint_is_read_as_programs_print_it(before: str, separator: str) -> None:
    pairs = [f"{number:02X}" for number in range(0xA0, 0xC0)]
    found = TlsSettings(fingerprint=f" {before}{separator.join(pairs)}\n").fingerprint
    assert found == "".join(pairs).lower()


@pytest.mark.parametrize(
    ("settings", "needle"),
    [
        ({"fingerprint": "abc"}, "TLS fingerprint: expected SHA-256 in 64 hex digits, got 3 digits"),
        ({"fingerprint": "g" * 64}, "TLS fingerprint: expected SHA-256 in 64 hex digits, got other characters"),
        ({"fingerprint": "SHA256:" + "a" * 43}, "got 43 digits"),
        ({"fingerprint": "SHA1 Fingerprint=" + "a" * 40}, "as openssl x509 -fingerprint -sha256 prints it, got SHA1"),
        ({"key": Path("key.pem")}, "TLS key: expected a certificate"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], needle: str) -> None:
    with pytest.raises(TlsSettingsError, match=needle):
        TlsSettings(**settings)  # type: ignore[arg-type]


def test_files_that_are_none(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("hello")
    for settings, needle in (
        (TlsSettings(ca_file=tmp_path / "no.pem"), "No such file"),
        (TlsSettings(ca_file=bad), "expected PEM"),
        (TlsSettings(certificate=bad), "expected PEM"),
        (TlsSettings(certificate=tmp_path / "no.pem"), "No such file"),
    ):
        with pytest.raises(TlsSettingsError, match=needle):
            settings.context()


def ssl_error(reason: str | None, text: str = "[SSL] words of the library", kind: type = ssl.SSLError) -> ssl.SSLError:
    error: ssl.SSLError = kind(1, text)
    error.reason = reason  # type: ignore[assignment]  # some errors have none
    return error


HUNG_UP = "it disconnected in the TLS handshake; try stratum+tcp:// for this port"
NO_TLS = "expected TLS, got plain text; try stratum+tcp:// for this port"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ssl_error("X", kind=ssl.SSLEOFError), HUNG_UP),
        (ssl_error(None, kind=ssl.SSLZeroReturnError), HUNG_UP),
        (ssl_error("UNEXPECTED_EOF_WHILE_READING"), HUNG_UP),
        (ssl_error("WRONG_VERSION_NUMBER"), NO_TLS),
        (ssl_error("HTTP_REQUEST"), NO_TLS),
        (ssl_error("RECORD_LAYER_FAILURE"), NO_TLS),
        (ssl_error("NO_PROTOCOLS_AVAILABLE"), "TLS handshake failed: no protocols available"),
        (ssl_error(None, "[X] Odd_Words"), "TLS handshake failed: [x] odd words"),
        (ConnectionResetError(104, "EOF"), "TLS handshake failed: [Errno 104] EOF"),
        (OSError(), "it disconnected in the TLS handshake"),
    ],
    ids=str,
)
def test_each_failure_of_a_handshake_has_its_words(error: Exception, words: str) -> None:
    assert _handshake_failure(error, PoolUrl("h", 1, True)) == words


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ("ab" * 32, None),
        ("AB:" * 31 + "AB", None),
        ("SHA256 Fingerprint=" + "ab" * 32, None),
        ("sha-256 (DER): " + "ab " * 32, None),
        ("ab" * 31, "got 62 digits"),
        ("ab" * 32 + "a", "got 65 digits"),
        ("ab" * 31 + "xy", "got other characters"),
        ("SHA1 Fingerprint=" + "ab" * 20, "as openssl x509 -fingerprint -sha256 prints it, got SHA1"),
        ("md5-and-a-very-long-name-of-it=" + "ab" * 32, "prints it, got md5-and-a-very-long-$"),
    ],
)
def test_a_fingerprint_is_64_digits_in_any_print(printed: str, told: str | None) -> None:
    if told is None:
        assert TlsSettings(fingerprint=printed).fingerprint == "ab" * 32
    else:
        with pytest.raises(TlsSettingsError, match=f"TLS fingerprint: expected SHA-256 in 64 hex digits.*{told}"):
            TlsSettings(fingerprint=printed)


def test_a_context_asks_for_tls_1_2_and_checks_the_name_unless_a_pin_does() -> None:
    context = SYSTEM_TRUST.context()
    assert (context.minimum_version, context.check_hostname) == (ssl.TLSVersion.TLSv1_2, True)
    assert context.verify_mode is ssl.CERT_REQUIRED
    pinned = TlsSettings(fingerprint="ab" * 32).context()
    assert (pinned.minimum_version, pinned.check_hostname) == (ssl.TLSVersion.TLSv1_2, False)
    assert pinned.verify_mode is ssl.CERT_NONE
