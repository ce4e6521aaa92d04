"""What all simulated miners of a process share: the plan, metrics, jobs, the search for shares and the random numbers.

This module must not import ``miner``, because ``miner`` imports it.
"""

import math
import random
from collections.abc import Callable
from typing import Generic, TypeVar

from stratum_miner.backends.cpu.kernel_speed import survey
from stratum_miner.loadtest.jobs import NotifyCache
from stratum_miner.loadtest.metrics import Metrics
from stratum_miner.loadtest.pacer import LoadProfile, next_share
from stratum_miner.loadtest.plan import DEFAULT_SHARE_RATE, LoadPlan
from stratum_miner.loadtest.share_search import ShareSearch

MinerT = TypeVar("MinerT")
SEARCHED_FRACTION = 0.3
"""Fraction of the hash rate of one thread that the load generator uses for shares, if the plan leaves the rate of
shares to it.

The rest is for the bursts of shares that chance makes, for shares that a new block makes worthless before they are due,
and for the other programs of the computer, such as the pool."""
SPEED_SECONDS = 0.05
"""Seconds for the measurement of this computer's hash rate, if the plan leaves the rate of shares to the load
generator."""


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
        self._budget = math.inf
        """Highest hash rate in H/s of one miner of weight 1; infinite if the plan asks for a rate. It is measured at
        each run, because the rates that other runs remember can be those of a busy computer."""
        if plan.share_rate is None and plan.hash_rate is None:
            [speed] = survey([self.search.choice.kernel], SPEED_SECONDS)
            self._budget = speed.hash_rate * SEARCHED_FRACTION / (plan.miners * self.profile.peak)
        self.hash_rate = 0.0
        """Sum of the hash rates, in H/s, of all miners with a job."""
        self._needed_part = 1.0
        """The hash rate that the last miner needed for the plan's rate of shares, as a multiple of the hash rate that
        it got."""
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

    def hash_rate_of_miner(self, hashes: float) -> float:
        """Return the hash rate, in H/s, of a miner of weight 1 whose shares take ``hashes`` hashes on average.

        If the plan asks for no rate, it is ``DEFAULT_SHARE_RATE``, or less if this computer cannot search so many
        hashes.
        """
        plan = self.plan
        if plan.hash_rate is not None:
            return plan.hash_rate
        wanted = (DEFAULT_SHARE_RATE if plan.share_rate is None else plan.share_rate) * hashes
        got = min(wanted, self._budget)
        self._needed_part = wanted / got if got else 1.0
        return got

    def join(self, hash_rate: float) -> None:
        """Count a miner with this hash rate, in H/s, as mining, because it got the first job of its connection. Warn in
        the metrics if the plan asks for a rate for which this computer is probably too slow."""
        self.hash_rate += hash_rate
        self.mining += 1
        metrics = self.metrics
        metrics.most_mining = max(metrics.most_mining, self.mining)
        peak = self.hash_rate * self.profile.peak
        if peak > metrics.hash_rate:
            metrics.hash_rate, metrics.needed_hash_rate = peak, peak * self._needed_part
            if self._budget == math.inf:
                metrics.doubt = self.search.choice.doubt(peak) or ""

    def leave(self, hash_rate: float) -> None:
        """No longer count a miner with this hash rate, in H/s, as mining, because its connection has ended."""
        self.hash_rate -= hash_rate
        self.mining -= 1
