"""Chances: of a block, of a best share, of a pool's luck, and what a count of shares says about a hash rate.

Blocks and shares come as a Poisson process: what has not come yet is never due.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from stratum_miner.economics import poisson
from stratum_miner.economics.chain import hashes_per_block

YEAR_DAYS = 365.25
_HALVINGS = 200
"""Bisections of an interval: more than a float has bits."""


def chance_of_block(blocks_per_day: float, days: float) -> float:
    """The probability of at least one block."""
    return -math.expm1(-blocks_per_day * days)


def chance_of_no_block(blocks_per_day: float, days: float) -> float:
    """The survival curve of a miner alone; however long it lasted, the time to come starts from one again."""
    return math.exp(-blocks_per_day * days)


def mean_wait_days(blocks_per_day: float) -> float:
    """The mean time until a block."""
    return 1 / blocks_per_day


def median_wait_days(blocks_per_day: float) -> float:
    """Half of all miners of this size have one by then."""
    return math.log(2) / blocks_per_day


def chance_of_best_share(hashes: float, difficulty: float) -> float:
    """The probability that the best of so many hashes is a share of at least this difficulty."""
    return -math.expm1(-hashes / hashes_per_block(difficulty))


def median_best_share(hashes: float) -> float:
    """Difficulty that the best of so many hashes exceeds half the time."""
    return hashes / hashes_per_block(math.log(2))


def seconds_per_share(difficulty: float, hash_rate: float) -> float:
    """Mean time between shares."""
    return hashes_per_block(difficulty) / hash_rate


def hash_rate_from_shares(difficulties_sum: float, seconds: float) -> float:
    """H/s implied by accepted shares."""
    return hashes_per_block(difficulties_sum) / seconds


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of an expected count."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Luck:
    """Found events against expected ones: 1 is as expected, 2 twice as lucky."""

    found: int
    expected: float
    """The sum of what each hash had for a chance, so it stays exact while the difficulty changes."""

    @property
    def ratio(self) -> float | None:
        """Found per expected; None before anything could be expected."""
        return self.found / self.expected if self.expected > 0 else None

    def interval(self, confidence: float = 0.95) -> Interval | None:
        """The ratios that pure chance makes of this count, as exact as ``count_interval``; None without a ratio."""
        if self.expected <= 0:
            return None
        bounds = count_interval(self.found, confidence)
        return Interval(bounds.low / self.expected, bounds.high / self.expected)


def chance_of_luck(luck: Luck) -> float:
    """The probability that a random count is at least as far from the expected one, on the same side of it."""
    if luck.found <= luck.expected:
        return poisson.cdf(luck.found, luck.expected)
    return 1 - poisson.cdf(luck.found - 1, luck.expected)


@lru_cache(maxsize=256)  # displays ask for the same few counts again and again, and each takes a millisecond and more
def count_interval(count: int, confidence: float = 0.95) -> Interval:
    """The expected counts that a count is compatible with: exact, after Garwood (1936)."""
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _solve(lambda mean: 1 - poisson.cdf(count - 1, mean), tail, rising=True)
    return Interval(low, _solve(lambda mean: poisson.cdf(count, mean), tail, rising=False))


def chance_of_pool_luck(blocks: int, times: float) -> float:
    """The probability that so many blocks take more than ``times`` the expected work."""
    return poisson.cdf(blocks - 1, blocks * times)


def relative_spread(events: float) -> float:
    """Standard deviation of income over its mean, where so many paid events are expected."""
    return 1 / math.sqrt(events)


def _solve(function: Callable[[float], float], value: float, *, rising: bool) -> float:
    low, high = 0.0, 1.0
    while (function(high) < value) == rising:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (function(middle) < value) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2
