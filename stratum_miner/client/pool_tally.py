"""Counts of the shares, connections and bytes of one pool, added up over all clients of this pool. If the pool is
removed and added again, its counts continue."""

import time
from collections import Counter
from typing import TypeAlias

from stratum_miner.client.latency import Latencies
from stratum_miner.client.traffic import Traffic
from stratum_miner.client.workers import MAX_WORKER_NAMES
from stratum_miner.work.difficulties import Difficulties
from stratum_miner.work.job import PoolKey
from stratum_miner.work.share_result import ShareOutcome, ShareResult

MAX_WORKERS = len(ShareOutcome) * MAX_WORKER_NAMES
"""Maximum number of pairs of worker name and outcome for which shares are counted. Without this limit, the miners of a
proxy could fill the memory with ever new worker names."""


class PoolTally:
    """Counts of one pool. They only grow."""

    def __init__(self) -> None:
        self.outcomes: Counter[ShareOutcome] = Counter()
        self.workers: Counter[tuple[str, ShareOutcome]] = Counter()
        self.reasons: Counter[str] = Counter()
        """Number of shares that were not accepted, for each ``ShareResult.cause``. There are only a few different
        causes, so this needs no limit."""
        self.difficulties = Difficulties()
        self.units = 0
        """Number of work units that backends took from this pool's jobs."""
        self.best_share = 0.0
        """Difficulty of the best share that has a result."""
        self.last_accepted: tuple[float, float] | None = None
        """Unix time at which the pool last accepted a share, and the share difficulty of that share's job."""
        self.answers = Latencies()
        """Seconds from a submit to its reply."""
        self.switches = Latencies()
        """Seconds from a job's arrival until a backend takes the first work unit of it."""
        self.connects = 0
        """Number of connections that were made."""
        self._before = Traffic()
        """Traffic of the connections that have ended."""
        self._open: list[Traffic] = []

    def add(self, result: ShareResult) -> None:
        """Count the result of a share."""
        self.outcomes[result.outcome] += 1
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

    def note_opened(self, connection: Traffic) -> None:
        """Count a new connection and its traffic."""
        self.connects += 1
        self._open.append(connection)

    def note_closed(self, connection: Traffic) -> None:
        """Record that a connection has ended. Its traffic still counts."""
        self._open = [item for item in self._open if item is not connection]
        self._before += connection

    @property
    def traffic(self) -> Traffic:
        """The traffic of all connections, ended and open ones."""
        return sum(self._open, self._before)


Tallies: TypeAlias = dict[PoolKey, PoolTally]
"""The counts of each pool. Several ``PoolGroup`` objects with the same pools can use one dictionary together."""
