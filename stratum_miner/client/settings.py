"""What a user decides about one pool, and how long the client waits for it."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. A pool that needs longer for its answers gets longer at the next try (``pool_memory``)."""

    connect: float = 10.0
    subscribe: float = 30.0
    authorize: float = 30.0
    """Four times as long while jobs come: the search goes on meanwhile, and its shares wait."""
    send: float = 60.0
    silence: float = 180.0
    """Seconds without a byte after which the connection is given up; public-pool may be silent for 60 s on purpose."""
    unanswered_submit: float = 60.0
    """The oldest submit without a reply; less makes reconnect storms at slow pools
    (docs/reference/stratum.md#silence-and-lost-connections)."""
    farewell: float = 2.0
    """How long a stopping client waits for open replies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """One pool and its workers; the password stays out of the repr."""

    url: PoolUrl
    worker_name: str
    addresses: tuple[PoolUrl, ...] = ()
    """Further addresses of the same pool, tried in turn when one does not answer."""
    workers: tuple[tuple[str, str], ...] = ()
    """Backends whose shares go under another worker name, and that name: several workers on one connection."""
    name: str = ""
    """What the user calls this pool; its URL unless given."""
    enabled: bool = True
    """Whether to use it from the start."""
    password: str = field(default="x", repr=False)
    user_agent: str = USER_AGENT
    version_mask: int = GENERAL_PURPOSE_MASK
    """Version bits to ask for; 0 does not ask."""
    extranonce_subscribe: bool = True
    suggest_difficulty: float | Literal["auto"] | None = None
    """Share difficulty to ask for; ``auto``: what the measured hash rate makes a share in ten seconds."""
    quota: int = 1
    """Its part of the time, where several pools are mined on at once; 0 for when there is no other."""
    tls: TlsSettings = SYSTEM_TRUST
    """How to verify the pool, used if the URL says TLS."""
    proxy: TunnelUrl | None = None
    timeouts: Timeouts = Timeouts()
    trace: bool = False
    """Log every line in both directions, passwords replaced."""

    @property
    def key(self) -> PoolKey:
        """Which pool it is, unless another one has the same name; see ``PoolIdentities``."""
        return PoolKey(self.name or f"{self.url} as {self.worker_name}")

    @property
    def worker_names(self) -> tuple[str, ...]:
        """All workers, the pool's own first, each once."""
        return tuple(dict.fromkeys([self.worker_name, *(name for _, name in self.workers)]))

    def worker_of(self, backend: str) -> str:
        """Under which name the shares of a backend go."""
        return dict(self.workers).get(backend, self.worker_name)

    def without_password(self, text: str) -> str:
        """The pool's words, which may repeat it and end up on displays, or at the miners of a proxy. To be shown, and
        for nothing else: what a pool means is decided by what it said.
        """
        return hider(self.password).hide(text)


class Strategy(Enum):
    """How several pools are used."""

    FAILOVER = "failover"
    """The best that is up."""
    QUOTA = "quota"
    """All that are up, in turns, each for its quota of the time."""
