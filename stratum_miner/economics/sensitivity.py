"""How the profit depends on the inputs: the data of tornado charts, which vary one input at a time, and of grids, which
vary two inputs at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from stratum_miner.economics.income import Operation
from stratum_miner.economics.outlook import Assumptions, earned


@dataclass(frozen=True, slots=True)
class Swing:
    """Profit per day with one input 10 % lower, and with the same input 10 % higher."""

    name: str
    lowered: Decimal
    raised: Decimal

    @property
    def width(self) -> Decimal:
        """Return the absolute difference between the two profits."""
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
"""For each input, a function that takes an operation and a factor, and returns the changed fields of the operation."""


def tornado(operation: Operation) -> tuple[Swing, ...]:
    """For each input, return its effect on the profit per day. The input with the largest effect comes first; inputs
    without effect are omitted."""
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
    """Return the profit per day: one row for each price of a kWh, one column for each price of a bitcoin."""
    return tuple(
        tuple(replace(operation, price=price, electricity=cost).profit_per_day for price in prices)
        for cost in electricity
    )


def price_by_growth(
    operation: Operation, prices: Sequence[Decimal], growths: Sequence[float], assumptions: Assumptions, days: int
) -> tuple[tuple[Decimal, ...], ...]:
    """Return the profit of the first ``days`` days, as rows of a grid.

    There is a row for each of the ``growths`` of the difficulty per epoch of two weeks, and a column for each of the
    ``prices`` of a bitcoin.

    The machine runs only on days on which it earns more than it costs.
    """
    return tuple(
        tuple(
            earned(
                replace(operation, price=price).revenue_per_day,
                operation.costs_per_day,
                replace(assumptions, growth=growth),
                days,
            )
            for price in prices
        )
        for growth in growths
    )
