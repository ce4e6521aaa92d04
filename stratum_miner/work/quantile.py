"""The position of a quantile among sorted values: the smallest value that a given fraction of all values do not
exceed."""

from fractions import Fraction
from functools import lru_cache


def rank(fraction: float, count: int) -> int:
    """Return the position of a quantile among ``count`` sorted values, counted from 1. ``fraction`` is from 0 to 1.

    The fraction is used as the decimal number that it prints as, because 0.07 * 100 is above 7 in floating point.
    """
    exact = _exact(fraction)
    return max(1, -(-exact.numerator * count // exact.denominator))


@lru_cache(maxsize=1024)
def _exact(fraction: float) -> Fraction:
    return Fraction(str(fraction))
