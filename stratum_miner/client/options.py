"""The options that all pool clients of a program share: clock, random numbers, and how to connect."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from stratum_miner.client.dialing.dialer import Connector, Dialer
from stratum_miner.client.group.failover import DEFAULT_POLICY
from stratum_miner.client.pool_memory import Memories
from stratum_miner.client.settings import PoolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Options of pool clients. Clients that get the same object also share its ``sessions`` and its ``memories``."""

    retry: bool = True
    """Whether the client connects again after a connection has failed or ended. If False, it raises PoolUnreachable
    instead."""
    retries: int | None = None
    """With ``retry``, the client raises PoolUnreachable if this number of retries in a row have failed. If the pool has
    several URLs, one retry tries all of them in turn. When the pool sends a job, the count begins at 0 again. None: the
    client tries for ever."""
    retry_pause: float | None = None
    """Seconds to wait after each failed attempt. None: a random time, which is 1 to
    2 s after the first failure. Its upper limit doubles with each further failure, up to 60 s."""
    failback: float = DEFAULT_POLICY.failback
    """Seconds for which a pool that is better than the active one must have been up before the miner switches to it."""
    clock: Callable[[], float] = time.monotonic
    """The clock that dates the arrival of jobs (``Job.received_at``). It returns seconds."""
    rng: random.Random = field(default_factory=random.Random)
    """Random numbers for the random part of the pauses before the client connects again."""
    connect: Connector | None = None
    """Opens the streams to all pools. None: open them as the settings of each pool say."""
    wrap: Callable[[Connector], Connector] | None = None
    """Wraps the function that opens streams, for example to record the messages."""
    sessions: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Gives each new session a number. No two sessions have the same number, even at different pools."""
    memories: Memories = field(default_factory=dict)
    """What the clients have learnt about each pool. The keys are the URLs of the pools."""

    def connector(self, settings: PoolSettings) -> Connector:
        """Return the function that opens the streams to this pool."""
        connect = self.connect or Dialer(settings.tls, settings.proxy)
        return connect if self.wrap is None else self.wrap(connect)
