"""What has been counted of one pool, over all its clients: one that is removed and comes back counts on."""

import time
from collections import Counter
from typing import Protocol, TypeAlias

from stratum_miner.client.latency import Latencies
from stratum_miner.client.workers import MAX_LOGINS
from stratum_miner.work.difficulties import Difficulties
from stratum_miner.work.share_result import Fate, ShareResult

MAX_WORKERS = len(Fate) * MAX_LOGINS
"""Workers whose shares are counted by name, times the fates: behind a proxy others think of the names."""


class Traffic(Protocol):
    """A connection."""

    bytes_received: int
    bytes_sent: int


class PoolTally:
    """Every figure only grows."""

    def __init__(self) -> None:
        self.fates: Counter[Fate] = Counter()
        self.workers: Counter[tuple[str, Fate]] = Counter()
        self.reasons: Counter[str] = Counter()
        """Why shares were not accepted, by a bounded set of causes."""
        self.difficulties = Difficulties()
        self.units = 0
        """How many units of work were made of its jobs."""
        self.best_share = 0.0
        self.last_accepted: tuple[float, float] | None = None
        """The Unix time at which it accepted the last one, and what a share needed then."""
        self.answers = Latencies()
        """From submit to reply."""
        self.switches = Latencies()
        """From a job's arrival until work of it is taken."""
        self.jobs = self.connects = 0
        self._bytes_received = self._bytes_sent = 0
        self._open: set[Traffic] = set()

    def settled(self, outcome: ShareResult) -> None:
        """A share met its fate."""
        self.fates[outcome.fate] += 1
        self.difficulties.add(outcome)
        self.best_share = max(self.best_share, outcome.share.difficulty)
        if outcome.fate is Fate.ACCEPTED:
            self.last_accepted = time.time(), outcome.share.job.share_difficulty
        worker = outcome.worker_name, outcome.fate
        if outcome.worker_name and (worker in self.workers or len(self.workers) < MAX_WORKERS):
            self.workers[worker] += 1
        if outcome.fate is not Fate.ACCEPTED:
            self.reasons[outcome.cause] += 1
        if outcome.latency is not None:
            self.answers.add(outcome.latency)

    def opened(self, connection: Traffic) -> None:
        """A connection was made."""
        self._open.add(connection)

    def closed(self, connection: Traffic) -> None:
        """It is over."""
        self._open.discard(connection)
        self._bytes_received += connection.bytes_received
        self._bytes_sent += connection.bytes_sent

    @property
    def bytes_received(self) -> int:
        """On all connections, inside TLS."""
        return self._bytes_received + sum(connection.bytes_received for connection in self._open)

    @property
    def bytes_sent(self) -> int:
        """On all connections, inside TLS."""
        return self._bytes_sent + sum(connection.bytes_sent for connection in self._open)


Tallies: TypeAlias = dict[int, PoolTally]
"""By the pool's id. Groups that share them are connections to the same pools."""
