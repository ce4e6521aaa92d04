"""Income, costs and the points where they meet, per day and at today's difficulty."""

from dataclasses import dataclass
from decimal import Decimal

from stratum_miner.economics.chain import hashes_per_block

DAY_SECONDS = 86400
PETAHASH = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A machine, or many as one, and the terms it mines on. Shares of one, not per cent."""

    hash_rate: float
    """H/s."""
    power: Decimal
    """Watts at the wall."""
    electricity: Decimal
    """Money per kWh."""
    difficulty: float
    block_reward: Decimal
    """Subsidy and average fees, in bitcoin."""
    price: Decimal
    """Money per bitcoin."""
    pool_fee: Decimal = Decimal(0)
    stale: Decimal = Decimal(0)
    uptime: Decimal = Decimal(1)
    cooling: Decimal = Decimal(0)
    """Electricity for cooling, as a share of the machine's."""
    other_costs_per_day: Decimal = Decimal(0)
    """Money for hosting and maintenance, due whether it runs or not."""

    @property
    def blocks_per_day(self) -> float:
        """Mean number of blocks found in a day of full uptime."""
        return DAY_SECONDS * self.hash_rate / hashes_per_block(self.difficulty)

    @property
    def btc_per_day_gross(self) -> Decimal:
        """Mean, before fees, stale shares and pauses."""
        return Decimal(self.blocks_per_day) * self.block_reward

    @property
    def btc_per_day_net(self) -> Decimal:
        """Mean of what is paid out."""
        return self.btc_per_day_gross * (1 - self.pool_fee) * (1 - self.stale) * self.uptime

    @property
    def revenue_per_day(self) -> Decimal:
        """Money."""
        return self.btc_per_day_net * self.price

    @property
    def kwh_per_day(self) -> Decimal:
        """Used while it runs, cooling included."""
        return self.power * (1 + self.cooling) / 1000 * 24 * self.uptime

    @property
    def electricity_per_day(self) -> Decimal:
        """Money."""
        return self.kwh_per_day * self.electricity

    @property
    def costs_per_day(self) -> Decimal:
        """Money for electricity, hosting and maintenance."""
        return self.electricity_per_day + self.other_costs_per_day

    @property
    def profit_per_day(self) -> Decimal:
        """Money; negative for a loss. The machine itself is not in it: see ``depreciation_per_day`` and ``outlook``."""
        return self.revenue_per_day - self.costs_per_day

    @property
    def joules_per_terahash(self) -> Decimal:
        """The machine's efficiency with its cooling, W per TH/s."""
        return self.power * (1 + self.cooling) / Decimal(self.hash_rate) * 10**12

    @property
    def break_even_electricity(self) -> Decimal | None:
        """Money per kWh at which nothing is left; None without power, or when other costs alone exceed the revenue."""
        left = self.revenue_per_day - self.other_costs_per_day
        return left / self.kwh_per_day if self.kwh_per_day and left >= 0 else None

    @property
    def break_even_price(self) -> Decimal | None:
        """Money per bitcoin at which nothing is left; None when nothing is earned at any price."""
        return self.costs_per_day / self.btc_per_day_net if self.btc_per_day_net else None

    @property
    def break_even_difficulty(self) -> float | None:
        """None when running costs nothing: then no difficulty is too high."""
        cost = self.costs_per_day
        return float(Decimal(self.difficulty) * self.revenue_per_day / cost) if cost else None


def depreciation_per_day(outlay: Decimal, resale: Decimal, days: Decimal) -> Decimal:
    """Money a machine loses in value each day: evenly, from what it cost to what it is sold for. Days above 0."""
    return (outlay - resale) / days


def hash_price(difficulty: float, block_reward: Decimal, price: Decimal) -> Decimal:
    """Money that one PH/s earns in a day, before anything is taken off."""
    return Decimal(DAY_SECONDS) * PETAHASH * block_reward * price / Decimal(hashes_per_block(difficulty))


def energy_cost_per_btc(
    electricity: Decimal, joules_per_terahash: Decimal, difficulty: float, block_reward: Decimal
) -> Decimal:
    """Money for the electricity that one bitcoin takes, before anything is taken off."""
    kwh_per_hash = joules_per_terahash / 10**12 / 3_600_000
    return electricity * kwh_per_hash * Decimal(hashes_per_block(difficulty)) / block_reward
