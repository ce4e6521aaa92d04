"""Which of n sorted values is a quantile: the smallest one that at least a given share of all values do not exceed."""

from fractions import Fraction
from functools import lru_cache


def rank(share: float, count: int) -> int:
    """Where the quantile stands among ``count`` sorted values, counted from 1. ``share`` is 0 to 1.

    The share is taken as the decimal number that it prints as: in floating point 0.07 * 100 is above 7.
    """
    exact = _exact(share)
    return max(1, -(-exact.numerator * count // exact.denominator))


@lru_cache(maxsize=1024)
def _exact(share: float) -> Fraction:
    return Fraction(str(share))
