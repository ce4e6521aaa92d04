"""What the result hangs on: each input moved alone (a tornado), and two moved together (grids)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from stratum_miner.economics.income import Operation
from stratum_miner.economics.outlook import Course, earned


@dataclass(frozen=True, slots=True)
class Swing:
    """Profit per day with one input lowered and raised by the same share."""

    name: str
    lowered: Decimal
    raised: Decimal

    @property
    def width(self) -> Decimal:
        """How much this input moves the profit."""
        return abs(self.raised - self.lowered)


INPUTS: dict[str, Callable[[Operation, Decimal], dict[str, Any]]] = {
    "price": lambda operation, factor: {"price": operation.price * factor},
    "difficulty": lambda operation, factor: {"difficulty": operation.difficulty * float(factor)},
    "hash rate": lambda operation, factor: {"hash_rate": operation.hash_rate * float(factor)},
    "block reward": lambda operation, factor: {"block_reward": operation.block_reward * factor},
    "electricity": lambda operation, factor: {"electricity": operation.electricity * factor},
    "power": lambda operation, factor: {"power": operation.power * factor},
    "uptime": lambda operation, factor: {"uptime": min(Decimal(1), operation.uptime * factor)},
    "pool fee": lambda operation, factor: {"pool_fee": min(Decimal(1), operation.pool_fee * factor)},
    "stale shares": lambda operation, factor: {"stale": min(Decimal(1), operation.stale * factor)},
    "cooling": lambda operation, factor: {"cooling": operation.cooling * factor},
    "other costs": lambda operation, factor: {"other_costs_per_day": operation.other_costs_per_day * factor},
}
"""Name of an input to what it changes of an operation when multiplied."""


def tornado(operation: Operation) -> tuple[Swing, ...]:
    """Every input by itself, 10 % down and up, the widest first; inputs that move nothing are left out."""
    swings = (
        Swing(
            name,
            replace(operation, **change(operation, Decimal("0.9"))).profit_per_day,
            replace(operation, **change(operation, Decimal("1.1"))).profit_per_day,
        )
        for name, change in INPUTS.items()
    )
    return tuple(sorted((swing for swing in swings if swing.width), key=lambda swing: swing.width, reverse=True))


def price_by_electricity(
    operation: Operation, prices: Sequence[Decimal], electricity: Sequence[Decimal]
) -> tuple[tuple[Decimal, ...], ...]:
    """Profit per day: a row for each price of a kWh, a column for each price of a bitcoin."""
    return tuple(
        tuple(replace(operation, price=price, electricity=cost).profit_per_day for price in prices)
        for cost in electricity
    )


def price_by_growth(
    operation: Operation, prices: Sequence[Decimal], growths: Sequence[float], course: Course, days: int
) -> tuple[tuple[Decimal, ...], ...]:
    """What is earned in so many days: a row for each growth of the difficulty per epoch, a column for each price.

    The machine is switched off on days that do not pay.
    """
    return tuple(
        tuple(
            earned(
                replace(operation, price=price).revenue_per_day,
                operation.costs_per_day,
                replace(course, growth=growth),
                days,
            )
            for price in prices
        )
        for growth in growths
    )
