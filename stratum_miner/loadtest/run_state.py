"""What all simulated miners of a process have in common: the plan, the figures, the jobs, the search, random numbers.

Must not know what a miner is, only that one is scheduled: miners know this.
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
    """What all miners of a process have in common; ``schedule`` is called with one and the time its share is due."""

    def __init__(
        self, plan: LoadPlan, metrics: Metrics, now: float, *, schedule: Callable[[MinerT, float], None]
    ) -> None:
        self.plan = plan
        self.metrics = metrics
        self.schedule = schedule
        self.begin(now)
        self.ending = False
        """Whether no more shares are sent, and only last answers are waited for."""
        self.open_shares = 0
        """The number of shares without an answer, bad ones included."""
        self.book = NotifyCache()
        self.search = ShareSearch()
        self.rng = random.Random(plan.seed)
        self.profile = LoadProfile.parse(plan.profile, plan.duration)
        self.hash_rate = 0.0
        """The hash rate of all miners with a job, H/s."""
        self._most_asked = 0.0
        self.mining = 0
        """The number of miners with a job."""
        self.bad = tuple(plan.bad.items())
        self.keeps_accepted = "duplicate" in plan.bad
        self.keeps_stale = "stale" in plan.bad

    def begin(self, now: float) -> None:
        """Note that the run begins now, on the loop's clock."""
        self.started = now
        self.end = now + self.plan.duration

    def next_due(self, after: float, rate: float) -> float | None:
        """When a share of a miner of this rate is due; None when not before the end."""
        due = next_share(self.rng, after - self.started, rate, self.profile, self.plan.duration)
        return None if due is None else self.started + due

    def join(self, hash_rate: float) -> None:
        """Count a miner with this hash rate that got its first job."""
        self.hash_rate += hash_rate
        self.mining += 1
        self.metrics.most_mining = max(self.metrics.most_mining, self.mining)
        peak = self.hash_rate * self.profile.peak
        if peak > self._most_asked and (doubt := self.search.choice.doubt(peak)):
            self._most_asked = peak
            self.metrics.doubt = doubt

    def leave(self, hash_rate: float) -> None:
        """Count a miner that no longer has a job."""
        self.hash_rate -= hash_rate
        self.mining -= 1
