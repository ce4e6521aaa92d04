"""Which of a pool's addresses to connect to: they are tried in turn, and the pool itself may send us elsewhere once."""

from dataclasses import replace

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.settings import PoolSettings


class Addresses:
    """The addresses of one pool."""

    def __init__(self, settings: PoolSettings) -> None:
        self._all = (settings.url, *settings.addresses)
        self.current = settings.url
        """The configured address in use."""
        self._tried_in_vain = 0
        """The number of addresses that were given up since any of them last gave a job."""
        self._redirect: tuple[str | None, int | None] = (None, None)

    def take(self) -> tuple[PoolUrl, bool]:
        """Where to connect now, and whether the pool sent us there, whose word counts once.

        With TLS if the configured address has it, whatever the pool said.
        """
        url, (host, port) = self.current, self._redirect
        is_redirected = self._redirect != (None, None)
        self._redirect = (None, None)
        return replace(url, host=host or url.host, port=port or url.port), is_redirected

    def redirect(self, host: str | None, port: int | None) -> None:
        """Note that the pool asks us to connect there; None: the same host or port."""
        self._redirect = (host, port)

    def gave_a_job(self) -> None:
        """Note that the address in use gave a job."""
        self._tried_in_vain = 0

    def turn(self) -> bool:
        """Go on to the next address; False when all were tried in vain since the last job."""
        self._tried_in_vain += 1
        self.current = self._all[(self._all.index(self.current) + 1) % len(self._all)]
        return self._tried_in_vain % len(self._all) != 0
