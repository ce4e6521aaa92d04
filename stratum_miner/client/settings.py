"""The settings of one pool: its URLs and worker names, the features to request from it, and the time limits."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from stratum_miner import __version__
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.client.dialing.tls import SYSTEM_TRUST, TlsSettings
from stratum_miner.client.dialing.tunnel import TunnelUrl
from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.secret_words import hider
from stratum_miner.work.job import PoolKey

USER_AGENT = f"stratum_miner/{__version__}"
"""Name and version that the client sends in mining.subscribe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Time limits in seconds. If a pool exceeds the limit ``subscribe``, ``authorize`` or ``unanswered_submit``, the
    module ``pool_memory`` doubles this limit for the next connections to the pool."""

    connect: float = 10.0
    """Seconds to open a stream, with TLS and through a SOCKS or HTTP proxy."""
    subscribe: float = 30.0
    """Seconds to wait for the reply to mining.subscribe."""
    authorize: float = 30.0
    """Seconds to wait for the reply to mining.authorize. If the pool sends jobs before this reply, the client waits
    four times as long. The longer wait wastes no time, because the miner already searches for shares, and the client
    keeps these shares until the reply."""
    send: float = 60.0
    """Seconds within which one write must finish."""
    silence: float = 180.0
    """Seconds without a byte from the pool after which the client closes the connection. public-pool may be silent for
    60 s on purpose."""
    unanswered_submit: float = 60.0
    """Seconds that the oldest open share may wait for its reply before the client reconnects. With a shorter limit,
    miners would reconnect to slow pools again and again (docs/reference/stratum.md#silence-and-lost-connections)."""
    stop_grace: float = 2.0
    """Seconds that a stopping miner waits for replies to open shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """One pool and its worker names. The repr does not show the password.

    Raises ValueError if the quota is below 0.
    """

    url: PoolUrl
    worker_name: str
    """The first parameter of mining.authorize."""
    addresses: tuple[PoolUrl, ...] = ()
    """Further URLs of the same pool. If the client gets no job from one URL, it tries the next URL."""
    workers: tuple[tuple[str, str], ...] = ()
    """Backends whose shares are submitted under a worker name other than ``worker_name``: pairs of backend and worker
    name. All worker names use the same connection."""
    name: str = ""
    """The user's name for this pool; empty: the pool is shown by its URL."""
    enabled: bool = True
    """Whether to use the pool from the start."""
    password: str = field(default="x", repr=False)
    """The second parameter of mining.authorize, for all worker names."""
    user_agent: str = USER_AGENT
    version_mask: int = GENERAL_PURPOSE_MASK
    """Version bits to ask the pool for, a 32-bit mask; 0: do not ask for version rolling."""
    extranonce_subscribe: bool = True
    """Whether to send mining.extranonce.subscribe, so that the pool may change the extranonce during a session."""
    follow_redirects: bool = True
    """Whether to reconnect when the pool sends client.reconnect. If True, the client follows the pool to another host
    only if this host belongs to the same registered domain."""
    suggest_difficulty: float | Literal["auto"] | None = None
    """Share difficulty to suggest to the pool. ``auto``: the difficulty at which the measured hash rate finds a share
    every 10 s. None: suggest nothing."""
    quota: int = 1
    """With Strategy.QUOTA, each pool gets a part of the mining time that is proportional to its quota. A pool with
    quota 0 is used only if no other pool is up."""
    tls: TlsSettings = SYSTEM_TRUST
    """How to verify the pool's certificate; used only if the URL asks for TLS."""
    proxy: TunnelUrl | None = None
    """The SOCKS or HTTP proxy through which to connect; None: connect directly."""
    timeouts: Timeouts = Timeouts()
    trace: bool = False
    """Whether to log every line in both directions. Passwords are replaced by ``***``."""

    def __post_init__(self) -> None:
        if self.quota < 0:
            raise ValueError(f"quota: expected 0 or more, got {self.quota}")

    @property
    def key(self) -> PoolKey:
        """The key that identifies the pool: its name, or its URL and worker name if it has no name. If another pool of
        the program already has this key, ``PoolIdentities`` gives this pool a different one."""
        return PoolKey(self.name or f"{self.url} as {self.worker_name}")

    @property
    def worker_names(self) -> tuple[str, ...]:
        """All worker names, ``worker_name`` first, each once."""
        return tuple(dict.fromkeys([self.worker_name, *(name for _, name in self.workers)]))

    def worker_of(self, backend: str) -> str:
        """Return the worker name under which the shares of a backend are submitted."""
        return dict(self.workers).get(backend, self.worker_name)

    def without_password(self, text: str) -> str:
        """Return ``text``, which the pool sent, with the password hidden. A pool may repeat the password in its
        messages.

        Use the result only to show or log it, or to forward it to a proxy's miners. To decide what the pool means, use
        the original text.
        """
        return hider(self.password).hide(text)


class Strategy(Enum):
    """How a miner uses several pools."""

    FAILOVER = "failover"
    """Mine on the best pool that is up: the first one in the order of the settings."""
    QUOTA = "quota"
    """Mine on all pools that are up, in turn. Each pool gets time in proportion to its quota."""
