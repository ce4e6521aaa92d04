"""A certificate authority for tests, and a certificate that it issued for this computer.

It needs the extra ``testing`` of the distribution, which installs trustme.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from stratum_miner.client.dialing.tls import TlsSettings
from stratum_miner.installation import require


@dataclass(frozen=True, slots=True)
class LabTls:
    """The TLS context and certificate of a pool, and the authority that its miners trust."""

    server: ssl.SSLContext
    """TLS context of a server that presents the certificate."""
    ca_file: Path
    """PEM file with the certificate of the authority."""
    certificate: Path
    """PEM file with the private key and the certificate of the server."""

    @property
    def trust(self) -> TlsSettings:
        """Return the TLS settings of a pool client that trusts this authority."""
        return TlsSettings(ca_file=self.ca_file)

    @classmethod
    def create(cls, directory: Path) -> "LabTls":
        """Make an authority and a certificate for localhost and 127.0.0.1, and write their files to ``directory``.

        Raises MissingExtraError if the extra ``testing`` is not installed.
        """
        require("testing", "TLS in tests")
        import trustme  # noqa: PLC0415  only tests that use TLS need it

        authority = trustme.CA()
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        ca_file, certificate = directory / "ca.pem", directory / "pool.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        leaf.private_key_and_cert_chain_pem.write_to_path(str(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        return cls(context, ca_file, certificate)
