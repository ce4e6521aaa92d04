"""What has been counted of one pool, over all its clients: one that is removed and comes back counts on."""

import time
from collections import Counter
from typing import TypeAlias

from stratum_miner.client.latency import Latencies
from stratum_miner.client.traffic import Traffic
from stratum_miner.client.workers import MAX_LOGINS
from stratum_miner.work.difficulties import Difficulties
from stratum_miner.work.job import PoolKey
from stratum_miner.work.share_result import ShareOutcome, ShareResult

MAX_WORKERS = len(ShareOutcome) * MAX_LOGINS
"""Workers whose shares are counted by name, times the fates: behind a proxy others think of the names."""


class PoolTally:
    """Counts of one pool; every figure only grows."""

    def __init__(self) -> None:
        self.fates: Counter[ShareOutcome] = Counter()
        self.workers: Counter[tuple[str, ShareOutcome]] = Counter()
        self.reasons: Counter[str] = Counter()
        """Why shares were not accepted, by a bounded set of causes."""
        self.difficulties = Difficulties()
        self.units = 0
        """How many units of work were made of its jobs."""
        self.best_share = 0.0
        self.last_accepted: tuple[float, float] | None = None
        """The Unix time at which it accepted the last one, and what a share needed then."""
        self.answers = Latencies()
        """Seconds from submit to reply."""
        self.switches = Latencies()
        """Seconds from a job's arrival until work of it is taken."""
        self.connects = 0
        self._before = Traffic()
        """The bytes on connections that are over."""
        self._open: list[Traffic] = []

    def add(self, result: ShareResult) -> None:
        """Count what became of a share."""
        self.fates[result.outcome] += 1
        self.difficulties.add(result)
        self.best_share = max(self.best_share, result.share.difficulty)
        worker = result.worker_name, result.outcome
        if result.worker_name and (worker in self.workers or len(self.workers) < MAX_WORKERS):
            self.workers[worker] += 1
        if result.outcome is ShareOutcome.ACCEPTED:
            self.last_accepted = time.time(), result.share.job.share_difficulty
        else:
            self.reasons[result.cause] += 1
        if result.latency is not None:
            self.answers.add(result.latency)

    def opened(self, connection: Traffic) -> None:
        """Count the traffic of a connection that was made."""
        self.connects += 1
        self._open.append(connection)

    def closed(self, connection: Traffic) -> None:
        """Count the traffic of a connection that is over."""
        self._open = [item for item in self._open if item is not connection]
        self._before += connection

    @property
    def traffic(self) -> Traffic:
        """The bytes on all connections, closed and open ones."""
        return sum(self._open, self._before)


Tallies: TypeAlias = dict[PoolKey, PoolTally]
"""Groups that share them are connections to the same pools."""
