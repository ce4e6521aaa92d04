"""Income and costs of the coming days if the difficulty and the price grow as assumed, and the day on which an outlay
(the purchase price of machines) is repaid.

The results follow from assumptions. They are not forecasts: nobody knows the growth, and a real halving also changes
the price and the difficulty.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

EPOCH_DAYS = 14
HORIZON_DAYS = 365 * 30
"""Number of days after which ``payback`` gives up; no mining machine lasts longer."""
LEAST_GROWTH = -0.99
"""Minimum growth of the difficulty, as a fraction per epoch of two weeks. ``income_factor`` uses this minimum in place
of any lower growth."""
MAX_INCOME_FACTOR = 1e100
"""Largest result of ``income_factor``: the income of a day as a multiple of the income of the first day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Assumptions about the coming days."""

    growth: float = 0.0
    """Growth of the difficulty per epoch of two weeks, as a fraction; it may be negative."""
    price_growth: float = 0.0
    """Growth of the price of a bitcoin per year, as a fraction."""
    halvings: tuple[int, ...] = ()
    """Numbers of the days on which the subsidy halves, counted from 0."""
    subsidy_share: Decimal = Decimal(1)
    """The subsidy as a fraction of the block reward. A halving halves only the subsidy, not the transaction fees."""


@dataclass(frozen=True, slots=True)
class Day:
    """Revenue and costs of one day, and the profit so far."""

    number: int
    """Number of the day, counted from 0."""
    revenue: Decimal
    cost: Decimal
    total: Decimal
    """Profit of all days up to and including this one; the outlay (the purchase price of the machines) is not
    subtracted."""

    @property
    def pays(self) -> bool:
        """Return whether running on this day earns more than it costs."""
        return self.revenue > self.cost


@dataclass(frozen=True, slots=True)
class Payback:
    """The day on which an outlay (the purchase price of machines) is repaid."""

    days: int | None
    """Number of days until the outlay is repaid; None if it never is."""
    reason: str
    """Why the outlay is never repaid; empty if it is."""
    best_day: int
    """Number of days of mining after which the total profit is largest. Mining for longer does not increase it."""
    most: Decimal
    """The total profit of the first ``best_day`` days; the outlay (the purchase price of the machines) is not
    subtracted."""


def income_factor(day: int, growth: float) -> float:
    """Return the income of a day as a multiple of the income of day 0. Only the difficulty is assumed to change, once
    per epoch of two weeks.

    A growth below LEAST_GROWTH counts as LEAST_GROWTH, and a result above MAX_INCOME_FACTOR as MAX_INCOME_FACTOR.
    """
    try:
        return min(MAX_INCOME_FACTOR, (1 + max(growth, LEAST_GROWTH)) ** -(day // EPOCH_DAYS))
    except OverflowError:
        return MAX_INCOME_FACTOR


def shut_off_day(revenue_per_day: float, cost_per_day: float, growth: float) -> float:
    """Return the number of days after which running the machines costs more than it earns.

    ``growth`` is the growth of the difficulty per epoch of two weeks, as a fraction.

    The result is 0 if running earns no more than it costs on the first day. Otherwise it is infinite if the difficulty
    does not grow or there are no costs.
    """
    if revenue_per_day <= cost_per_day:
        return 0.0
    if growth <= 0 or cost_per_day <= 0:
        return math.inf
    return EPOCH_DAYS * math.log(revenue_per_day / cost_per_day) / math.log1p(growth)


def days(
    revenue_per_day: Decimal, cost_per_day: Decimal, assumptions: Assumptions, horizon: int = HORIZON_DAYS
) -> Iterator[Day]:
    """Yield every one of the first ``horizon`` days, also those on which running does not earn more than it costs."""
    total = Decimal(0)
    for number in range(horizon):
        halved = Decimal(2) ** -sum(day <= number for day in assumptions.halvings)
        reward = 1 - assumptions.subsidy_share * (1 - halved)
        factor = income_factor(number, assumptions.growth) * (1 + assumptions.price_growth) ** (number / 365)
        revenue = revenue_per_day * Decimal(factor) * reward
        total += revenue - cost_per_day
        yield Day(number, revenue, cost_per_day, total)


def payback(
    outlay: Decimal, revenue_per_day: Decimal, cost_per_day: Decimal, assumptions: Assumptions = Assumptions()
) -> Payback:
    """Compute when the outlay (the purchase price of a machine) is repaid, if the machine runs every day.

    Days after the first HORIZON_DAYS days are not considered.
    """
    total, best_day, back = Decimal(0), 0, None
    for day in days(revenue_per_day, cost_per_day, assumptions):
        if day.total > total:
            total, best_day = day.total, day.number + 1
        if back is None and day.total >= outlay:
            back = day.number + 1
    if back is not None:
        reason = ""
    elif best_day == 0:
        reason = "mining costs more than it earns from the first day"
    elif best_day < HORIZON_DAYS:
        reason = f"mining stops paying after {best_day:,} days, when {total:,.2f} of {outlay:,.2f} have been earned"
    else:
        reason = f"after {HORIZON_DAYS // 365} years, only {total:,.2f} of {outlay:,.2f} have been earned"
    return Payback(back, reason, best_day, total)


def earned(
    revenue_per_day: Decimal, cost_per_day: Decimal, assumptions: Assumptions, horizon: int, *, switch_off: bool = True
) -> Decimal:
    """Return the profit of the first ``horizon`` days. With ``switch_off``, the machine runs only on days on which
    it earns more than it costs."""
    chosen: Sequence[Day] = [
        day for day in days(revenue_per_day, cost_per_day, assumptions, horizon) if day.pays or not switch_off
    ]
    return sum((day.revenue - day.cost for day in chosen), Decimal(0))
