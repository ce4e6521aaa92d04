"""The Poisson distribution, for means from 0 to billions. The number of blocks or shares that are found in a given time
has this distribution.

The probability of at most k events is a sum of probabilities of single counts. For a count below the mean, the
probabilities are added from k downwards. For a larger count, those above k are added and the sum is subtracted from 1.
Both sums are accurate to nine digits. If 100,000 events or more are expected, the sums would take too long, and the
cube-root approximation of Wilson and Hilferty (1931) is used, which is accurate to seven digits.
"""

import math

_MANY = 1e5
"""Number of expected events from which the approximation of Wilson and Hilferty is used."""


def probability(count: int, mean: float) -> float:
    """Return the probability of exactly ``count`` events, if ``mean`` events are expected; ``mean`` is above 0."""
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))


def cdf(count: int, mean: float) -> float:
    """Return the probability of at most ``count`` events, if ``mean`` events are expected."""
    if count < 0:
        return 0.0
    if mean <= 0:
        return 1.0
    if mean >= _MANY:
        shape = count + 1.0
        return 0.5 * math.erfc(3 * math.sqrt(shape / 2) * ((mean / shape) ** (1 / 3) - 1 + 1 / (9 * shape)))
    term = probability(count, mean)
    return _down(count, mean, term) if count < mean else 1 - _above(count, mean, term)


def quantile(probability: float, mean: float) -> int:
    """Return the smallest count for which the probability of at most this many events is ``probability`` or more.

    Raises ValueError if the probability is at most 0, at least 1, or NaN.
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability: expected more than 0 and less than 1, got {probability}")
    low, high = -1, math.ceil(mean)
    while cdf(high, mean) < probability:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if cdf(middle, mean) < probability:
            low = middle
        else:
            high = middle
    return high


def _down(count: int, mean: float, term: float) -> float:
    """Return the sum of the probabilities of ``count`` events and fewer; ``term`` is that of ``count`` events."""
    total = 0.0
    while total + term > total:
        total += term
        term *= count / mean
        count -= 1
    return total


def _above(count: int, mean: float, term: float) -> float:
    """Return the sum of the probabilities of more than ``count`` events; ``term`` is that of ``count`` events."""
    total = 0.0
    while total + term > total:
        count += 1
        term *= mean / count
        total += term
    return total
