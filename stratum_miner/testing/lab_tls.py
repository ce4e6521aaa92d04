"""An authority for tests, and a certificate of it for this machine; needs the extra ``testing`` (trustme)."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from stratum_miner.client.dialing.tls import TlsSettings


@dataclass(frozen=True, slots=True)
class LabTls:
    """What a pool presents, and what a miner trusts."""

    server: ssl.SSLContext
    ca_file: Path
    """PEM."""
    certificate: Path
    """PEM, with its key."""

    @property
    def trust(self) -> TlsSettings:
        """The settings with which our miners trust this authority."""
        return TlsSettings(ca_file=self.ca_file)

    @classmethod
    def create(cls, directory: Path) -> "LabTls":
        """New ones, for localhost and 127.0.0.1. ImportError says how to get trustme."""
        try:
            import trustme  # noqa: PLC0415  only who wants TLS needs it
        except ImportError:
            raise ImportError("TLS in tests needs trustme: pip install 'stratum-miner[testing]'") from None
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        ca_file, certificate = directory / "ca.pem", directory / "pool.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        leaf.private_key_and_cert_chain_pem.write_to_path(str(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        return cls(context, ca_file, certificate)
