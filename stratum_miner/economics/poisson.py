"""The Poisson distribution, for means from 0 to billions. The number of blocks or shares that are found in a given time
has this distribution.

If m events are expected, the probability of at most k events is the regularised upper incomplete gamma function Q(k +
1, m). If m is a million or more, Q is computed with the cube-root approximation of Wilson and Hilferty (1931), which is
accurate to six digits. For a smaller m, Q is computed with a series if m is below k + 2, and otherwise with a continued
fraction (NIST DLMF 8.11.4 and 8.9.2). The series and the continued fraction are accurate to nine digits.
"""

import math

_TINY = 1e-300
_PRECISION = 1e-16
_MANY = 1e6
"""Number of expected events from which the approximation of Wilson and Hilferty is used, because the series and the
continued fraction would take too long."""


def cdf(count: int, mean: float) -> float:
    """Return the probability of at most ``count`` events, if ``mean`` events are expected."""
    if count < 0:
        return 0.0
    if mean <= 0:
        return 1.0
    shape = count + 1.0
    if mean >= _MANY:
        return 0.5 * math.erfc(3 * math.sqrt(shape / 2) * ((mean / shape) ** (1 / 3) - 1 + 1 / (9 * shape)))
    scale = math.exp(shape * math.log(mean) - mean - math.lgamma(shape))
    if mean < shape + 1:
        return min(1.0, max(0.0, 1.0 - scale * _series(shape, mean)))
    return min(1.0, max(0.0, scale * _fraction(shape, mean)))


def quantile(probability: float, mean: float) -> int:
    """Return the smallest count for which the probability of at most this many events is ``probability`` or more.

    Raises ValueError if the probability is at most 0, at least 1, or NaN.
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability: expected more than 0 and less than 1, got {probability}")
    low, high = -1, max(1, math.ceil(mean))
    while cdf(high, mean) < probability:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if cdf(middle, mean) < probability:
            low = middle
        else:
            high = middle
    return high


def _series(shape: float, mean: float) -> float:
    """Return the sum of the series for the lower incomplete gamma function. The caller multiplies it by the factor that
    stands before the series."""
    term = total = 1.0 / shape
    while term > total * _PRECISION:
        shape += 1
        term *= mean / shape
        total += term
    return total


def _fraction(shape: float, mean: float) -> float:
    """Return the value of the continued fraction for the upper incomplete gamma function, computed with Lentz's method.

    The caller multiplies it by the factor that stands before the continued fraction.
    """
    b = mean + 1 - shape
    c, d = 1 / _TINY, 1 / (b or _TINY)
    value, step, index = d, 0.0, 0
    while abs(step - 1) > _PRECISION * 8:
        index += 1
        a = index * (shape - index)
        b += 2
        d = 1 / ((a * d + b) or _TINY)
        c = (b + a / c) or _TINY
        step = c * d
        value *= step
    return value
