"""The days ahead: what comes in and goes out while the difficulty grows and the subsidy halves, and when it is back.

An assumption carried forward, not a forecast: nobody knows the growth, and a halving moves price and difficulty too.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

EPOCH_DAYS = 14
HORIZON_DAYS = 365 * 30
"""Nobody's machine lasts longer."""
LEAST_GROWTH = -0.99
MOST = 1e100
"""The most that a day may earn, as a multiple of today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is assumed of the time to come."""

    growth: float = 0.0
    """Growth of the difficulty, a fraction per epoch of two weeks; may be negative."""
    price_growth: float = 0.0
    """Growth of the price, a fraction per year."""
    halvings: tuple[int, ...] = ()
    """Days on which the subsidy halves."""
    subsidy_share: Decimal = Decimal(1)
    """The fraction of a block's reward that halves; the rest are fees, which stay."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day, or the last of a step: money in, money out, and everything so far, in running totals."""

    number: int
    revenue: Decimal
    cost: Decimal
    total: Decimal
    """Since the start, without the outlay."""

    @property
    def pays(self) -> bool:
        """Whether running earns more than it costs."""
        return self.revenue > self.cost


@dataclass(frozen=True, slots=True)
class Payback:
    """When an outlay is back; None for never, with the reason in ``reason``."""

    days: int | None
    reason: str
    best_day: int
    """The last day on which it pays to run."""
    most: Decimal
    """The largest sum earned, on that day, the outlay not yet taken off."""


def income_factor(day: int, growth: float) -> float:
    """What a day earns as a share of today: the difficulty grows once per epoch of two weeks.

    Growth below -99 % counts as that, and a share above ``MOST`` as that: who assumes more assumes no mining.
    """
    try:
        return min(MOST, (1 + max(growth, LEAST_GROWTH)) ** -(day // EPOCH_DAYS))
    except OverflowError:
        return MOST


def shut_off_day(revenue_per_day: float, cost_per_day: float, growth: float) -> float:
    """From which day on running costs more than it earns; infinite without growth or costs, 0 for a loss today."""
    if revenue_per_day <= cost_per_day:
        return 0.0
    if growth <= 0 or cost_per_day <= 0:
        return math.inf
    return EPOCH_DAYS * math.log(revenue_per_day / cost_per_day) / math.log1p(growth)


def days(revenue_per_day: Decimal, cost_per_day: Decimal, course: Course, horizon: int = HORIZON_DAYS) -> Iterator[Day]:
    """Every day from the first, whether it pays or not."""
    total = Decimal(0)
    for number in range(horizon):
        halved = Decimal(2) ** -sum(day <= number for day in course.halvings)
        reward = 1 - course.subsidy_share * (1 - halved)
        factor = income_factor(number, course.growth) * (1 + course.price_growth) ** (number / 365)
        revenue = revenue_per_day * Decimal(factor) * reward
        total += revenue - cost_per_day
        yield Day(number, revenue, cost_per_day, total)


def payback(outlay: Decimal, revenue_per_day: Decimal, cost_per_day: Decimal, course: Course = Course()) -> Payback:
    """Run until running no longer pays, and see whether the outlay came back before."""
    total, best_day, back = Decimal(0), 0, None
    for day in days(revenue_per_day, cost_per_day, course):
        if not day.pays and course.price_growth <= 0 <= course.growth:
            break  # it will not pay again either
        if day.total > total:
            total, best_day = day.total, day.number + 1
        if back is None and day.total >= outlay:
            back = day.number + 1
    if back is not None:
        reason = ""
    elif best_day == 0:
        reason = "it costs more than it earns from the first day"
    elif best_day < HORIZON_DAYS:
        reason = f"it stops earning after {best_day} days, with {total:.2f} of {outlay:.2f} back"
    else:
        reason = f"after {HORIZON_DAYS // 365} years {total:.2f} of {outlay:.2f} would be back"
    return Payback(back, reason, best_day, total)


def earned(
    revenue_per_day: Decimal, cost_per_day: Decimal, course: Course, horizon: int, *, switch_off: bool = True
) -> Decimal:
    """Money after so many days; with ``switch_off`` days that do not pay are not run."""
    chosen: Sequence[Day] = [
        day for day in days(revenue_per_day, cost_per_day, course, horizon) if day.pays or not switch_off
    ]
    return sum((day.revenue - day.cost for day in chosen), Decimal(0))
