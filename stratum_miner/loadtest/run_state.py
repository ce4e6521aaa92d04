"""What all simulated miners of a process share: the plan, metrics, jobs, the search for shares and the random numbers.

This module must not import ``miner``, because ``miner`` imports it.
"""

import random
from collections.abc import Callable
from typing import Generic, TypeVar

from stratum_miner.loadtest.jobs import NotifyCache
from stratum_miner.loadtest.metrics import Metrics
from stratum_miner.loadtest.pacer import LoadProfile, next_share
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.loadtest.share_search import ShareSearch

MinerT = TypeVar("MinerT")


class RunState(Generic[MinerT]):
    """The shared state of the simulated miners of a process.

    ``schedule`` is called with a miner and the time at which its next share is due. Times are on the loop's clock in
    seconds.
    """

    def __init__(
        self, plan: LoadPlan, metrics: Metrics, now: float, *, schedule: Callable[[MinerT, float], None]
    ) -> None:
        self.plan = plan
        self.metrics = metrics
        self.schedule = schedule
        self.begin(now)
        self.ending = False
        """Whether the run is at its end: it sends no more shares, and only waits for the pool's answers to those
        already sent."""
        self.open_shares = 0
        """Number of shares without an answer, including faulty ones."""
        self.notify_cache = NotifyCache()
        self.search = ShareSearch()
        self.rng = random.Random(plan.seed)
        self.profile = LoadProfile.parse(plan.profile, plan.duration)
        self.hash_rate = 0.0
        """Sum of the hash rates, in H/s, of all miners with a job."""
        self._most_asked = 0.0
        self.mining = 0
        """Number of miners with a job."""
        self.bad = tuple(plan.bad.items())
        """Pairs: the name of a share fault, and the fraction (0 to 1) of the submitted shares that get this fault."""
        self.keeps_accepted = "duplicate" in plan.bad
        self.keeps_stale = "stale" in plan.bad

    def begin(self, now: float) -> None:
        """Set the start of the run to ``now``."""
        self.started = now
        self.end = now + self.plan.duration

    def next_due(self, after: float, rate: float) -> float | None:
        """Return when the next share is due, later than ``after``, for a miner with ``rate`` shares per second. Return
        None if that would be after the end of the run."""
        due = next_share(self.rng, after - self.started, rate, self.profile, self.plan.duration)
        return None if due is None else self.started + due

    def join(self, hash_rate: float) -> None:
        """Count a miner with this hash rate, in H/s, as mining, because it got the first job of its connection. Warn in
        the metrics if this computer is too slow for all miners."""
        self.hash_rate += hash_rate
        self.mining += 1
        self.metrics.most_mining = max(self.metrics.most_mining, self.mining)
        peak = self.hash_rate * self.profile.peak
        if peak > self._most_asked and (doubt := self.search.choice.doubt(peak)):
            self._most_asked = peak
            self.metrics.doubt = doubt

    def leave(self, hash_rate: float) -> None:
        """No longer count a miner with this hash rate, in H/s, as mining, because its connection has ended."""
        self.hash_rate -= hash_rate
        self.mining -= 1
