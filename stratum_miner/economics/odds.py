"""Computes probabilities of mining: that a block is found, that the best share of a given time reaches some difficulty,
and that luck is good or bad. Also estimates the hash rate from the shares that were found.

Blocks and shares form a Poisson process: the expected time until the next block does not depend on how long the miner
has already searched.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from stratum_miner.economics import poisson
from stratum_miner.economics.chain import hashes_per_block

YEAR_DAYS = 365.25
_ACCURACY = 1e-12
"""Length of the last step towards a bound of an interval, divided by the bound. It is beyond the nine digits of the
probabilities; the error that the step leaves is much smaller than the step."""


def probability_of_block(blocks_per_day: float, days: float) -> float:
    """Return the probability of at least one block in this many days."""
    return -math.expm1(-blocks_per_day * days)


def probability_of_no_block(blocks_per_day: float, days: float) -> float:
    """Return the probability of no block in this many days. It does not depend on when these days begin."""
    return math.exp(-blocks_per_day * days)


def mean_wait_days(blocks_per_day: float) -> float:
    """Return the mean time until a block, in days."""
    return 1 / blocks_per_day


def median_wait_days(blocks_per_day: float) -> float:
    """Return the number of days after which half of all miners that find ``blocks_per_day`` blocks per day on average
    have found a block."""
    return math.log(2) / blocks_per_day


def probability_of_best_share(hashes: float, difficulty: float) -> float:
    """Return the probability that the best of this many hashes has at least this difficulty."""
    return -math.expm1(-hashes / hashes_per_block(difficulty))


def median_best_share(hashes: float) -> float:
    """Return the median difficulty of the best of this many hashes."""
    return hashes / hashes_per_block(math.log(2))


def seconds_per_share(difficulty: float, hash_rate: float) -> float:
    """Return the mean time between two shares of this difficulty, in seconds; ``hash_rate`` is in H/s."""
    return hashes_per_block(difficulty) / hash_rate


def hash_rate_from_shares(difficulties_sum: float, seconds: float) -> float:
    """Return the hash rate, in H/s, of a miner that found shares with this sum of difficulties within ``seconds``
    seconds."""
    return hashes_per_block(difficulties_sum) / seconds


@dataclass(frozen=True, slots=True)
class Interval:
    """The two bounds of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Luck:
    """The number of shares or blocks that were found, and the number that was expected."""

    found: int
    expected: float
    """The expected number: for each hash that was computed, the probability that the hash is a share (or a block) is
    added. The sum stays exact when the difficulty changes."""

    @property
    def ratio(self) -> float | None:
        """Return ``found`` divided by ``expected``; 1 is average luck. Return None before the first hash."""
        return self.found / self.expected if self.expected > 0 else None

    def interval(self, confidence: float = 0.95) -> Interval | None:
        """Return the confidence interval of the ratio: the bounds of ``count_interval``, divided by ``expected``.
        Return None before the first hash."""
        if self.expected <= 0:
            return None
        bounds = count_interval(self.found, confidence)
        return Interval(bounds.low / self.expected, bounds.high / self.expected)


def probability_of_luck(luck: Luck) -> float:
    """Return the probability that chance alone gives luck like this.

    For bad luck, the result is the probability of this luck or worse; for good luck, of this luck or better.
    """
    if luck.found <= luck.expected:
        return poisson.cdf(luck.found, luck.expected)
    return 1 - poisson.cdf(luck.found - 1, luck.expected)


@lru_cache  # displays need the same few intervals often
def count_interval(count: int, confidence: float = 0.95) -> Interval:
    """Return the confidence interval of the expected number of events, if ``count`` events were observed.

    This is the exact interval of Garwood (1936).
    """
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _mean_with(count - 1, lambda at_most: tail - (1 - at_most), -2)
    return Interval(low, _mean_with(count, lambda at_most: at_most - tail, 2))


def probability_of_pool_luck(blocks: int, times: float) -> float:
    """Return the probability that a pool needs more than ``times`` times the expected work to find this many blocks."""
    return poisson.cdf(blocks - 1, blocks * times)


def relative_spread(events: float) -> float:
    """Return the standard deviation of an income divided by its mean. ``events`` is the expected number of equal
    payments."""
    return 1 / math.sqrt(events)


def _mean_with(count: int, surplus: Callable[[float], float], deviations: int) -> float:
    """Return the expected number of events with which the probability of at most ``count`` events is the one that has
    no ``surplus``. A larger probability, which belongs to a smaller number, has a positive one.

    Newton's method needs few of the probabilities of large counts, each of which takes up to a tenth of a millisecond.
    It starts so many standard deviations from the count, close to where 95 % of confidence ends. Instead of a step that
    leaves the range in which the result lies, this range is halved.
    """
    low, high = 0.0, 1.0
    while surplus(poisson.cdf(count, high)) > 0:
        low, high = high, 2 * high
    mean = count + 1 + deviations * math.sqrt(count + 1)
    if not low < mean < high:
        mean = (low + high) / 2
    while high - low > _ACCURACY * mean:
        remaining = surplus(poisson.cdf(count, mean))
        if remaining > 0:
            low = mean
        else:
            high = mean
        density = poisson.probability(count, mean)
        step = remaining / density if density else math.inf
        if abs(step) <= _ACCURACY * mean:
            return mean + step
        if not low < mean + step < high:
            step = (low + high) / 2 - mean
        mean += step
    return mean
