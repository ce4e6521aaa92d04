"""Computes the position of a quantile among sorted values.

For the fraction 0.9, for example, the quantile is the smallest value V in the list such that at least 90 % of all
values are V or smaller.
"""

from fractions import Fraction
from functools import lru_cache


def rank(fraction: float, count: int) -> int:
    """Return the position of a quantile among ``count`` sorted values, counted from 1. ``fraction`` is from 0 to 1.

    The position is exact, because it is computed from the decimal number that Python prints for ``fraction``. Floats
    would be wrong: 0.07 * 100 is a little above 7 in floats, so that the position would be 8 instead of 7.
    """
    exact = _exact(fraction)
    return max(1, -(-exact.numerator * count // exact.denominator))


@lru_cache
def _exact(fraction: float) -> Fraction:
    return Fraction(str(fraction))
