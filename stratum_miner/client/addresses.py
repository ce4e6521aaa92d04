"""Decides to which URL of a pool the client connects next. The client tries the configured URLs in turn. After a
redirect, it tries the host and port that the pool named, but only once."""

from dataclasses import replace

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.settings import PoolSettings


class Addresses:
    """The configured URLs of one pool, and the redirect that the pool may have sent."""

    def __init__(self, settings: PoolSettings) -> None:
        self._all = (settings.url, *settings.addresses)
        self.current = settings.url
        """The configured URL in use."""
        self._failed = 0
        """Number of attempts to connect that have failed since the pool last sent a job, whichever URL was in use
        then."""
        self._redirect: tuple[str | None, int | None] = (None, None)

    def take(self) -> tuple[PoolUrl, bool]:
        """Return the URL to connect to now, and whether the pool has redirected the client to it.

        A redirect is used only once. It uses TLS if and only if the configured URL does.
        """
        url, (host, port) = self.current, self._redirect
        is_redirected = self._redirect != (None, None)
        self._redirect = (None, None)
        return replace(url, host=host or url.host, port=port or url.port), is_redirected

    def redirect(self, host: str | None, port: int | None) -> None:
        """Remember that the pool asked the client to connect to this host and port. None stands for the host or port of
        the configured URL."""
        self._redirect = (host, port)

    def note_job(self) -> None:
        """Count failed attempts from 0 again, because the URL in use gave a job."""
        self._failed = 0

    def next(self) -> bool:
        """Count a failure of the URL in use, and switch to the next one. Return whether the client tries the next URL
        without a wait. It waits only after each round in which all URLs have failed."""
        self._failed += 1
        self.current = self._all[(self._all.index(self.current) + 1) % len(self._all)]
        return self._failed % len(self._all) != 0
