"""What all pool clients of a program have in common: clock, source of random numbers, way to connect."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from stratum_miner.client.dialing.dialer import Connector, Dialer
from stratum_miner.client.pool_memory import Memories
from stratum_miner.client.settings import PoolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Options of pool clients. Clients that get the same object share what it holds."""

    retry: bool = True
    """Whether to connect again after a failure; else it is raised."""
    clock: Callable[[], float] = time.monotonic
    """Seconds; jobs are dated by it."""
    rng: random.Random = field(default_factory=random.Random)
    """The source of the random part of pauses."""
    connect: Connector | None = None
    """Opens streams to pools; None: as the settings of each pool say."""
    wrap: Callable[[Connector], Connector] | None = None
    """Wraps the function that connects, for a recorder, say."""
    sessions: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Numbers for sessions: one names one session of one pool."""
    memories: Memories = field(default_factory=dict)

    def connector(self, settings: PoolSettings) -> Connector:
        """What opens the streams to this pool."""
        connect = self.connect or Dialer(settings.tls, settings.proxy)
        return connect if self.wrap is None else self.wrap(connect)
