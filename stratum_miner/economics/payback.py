"""Whether and when an outlay comes back while the difficulty grows and the subsidy halves."""

import math
from dataclasses import dataclass
from decimal import Decimal

EPOCH_DAYS = 14
HORIZON_DAYS = 365 * 30
"""Nobody's machine lasts longer."""


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
    """What a day earns as a share of today: the difficulty grows once per epoch of two weeks."""
    return (1 + growth) ** -(day // EPOCH_DAYS)


def shut_off_day(revenue_per_day: float, cost_per_day: float, growth: float) -> float:
    """From which day on running costs more than it earns; infinite without growth or costs, 0 for a loss today."""
    if revenue_per_day <= cost_per_day:
        return 0.0
    if growth <= 0 or cost_per_day <= 0:
        return math.inf
    return EPOCH_DAYS * math.log(revenue_per_day / cost_per_day) / math.log1p(growth)


def payback(
    outlay: Decimal,
    revenue_per_day: Decimal,
    cost_per_day: Decimal,
    *,
    growth: float = 0.0,
    halving_after_days: int | None = None,
    subsidy_share: Decimal = Decimal(1),
) -> Payback:
    """Run each day that earns more than it costs, and see when the outlay is back.

    ``growth`` is per epoch of two weeks. From ``halving_after_days`` on, the ``subsidy_share`` of the revenue is
    halved, once: over longer times nobody knows the rest either.
    """
    total, best_day, back = Decimal(0), 0, None
    for day in range(HORIZON_DAYS):
        halved = halving_after_days is not None and day >= halving_after_days
        reward = 1 - subsidy_share / 2 if halved else Decimal(1)
        earned = revenue_per_day * Decimal(income_factor(day, growth)) * reward - cost_per_day
        if earned <= 0:
            break
        total += earned
        best_day = day + 1
        if back is None and total >= outlay:
            back = day + 1
    if back is not None:
        reason = ""
    elif best_day == 0:
        reason = "it costs more than it earns from the first day"
    elif best_day < HORIZON_DAYS:
        reason = f"it stops earning after {best_day} days, with {total:.2f} of {outlay:.2f} back"
    else:
        reason = f"after {HORIZON_DAYS // 365} years {total:.2f} of {outlay:.2f} would be back"
    return Payback(back, reason, best_day, total)
