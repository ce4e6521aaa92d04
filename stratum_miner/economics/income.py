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
        """Used while it runs."""
        return self.power / 1000 * 24 * self.uptime

    @property
    def electricity_per_day(self) -> Decimal:
        """Money."""
        return self.kwh_per_day * self.electricity

    @property
    def profit_per_day(self) -> Decimal:
        """Money; negative for a loss."""
        return self.revenue_per_day - self.electricity_per_day

    @property
    def joules_per_terahash(self) -> Decimal:
        """The machine's efficiency, W per TH/s."""
        return self.power / Decimal(self.hash_rate) * 10**12

    @property
    def break_even_electricity(self) -> Decimal | None:
        """Money per kWh at which nothing is left; None for a machine without power."""
        return self.revenue_per_day / self.kwh_per_day if self.kwh_per_day else None

    @property
    def break_even_price(self) -> Decimal | None:
        """Money per bitcoin at which nothing is left; None when nothing is earned at any price."""
        return self.electricity_per_day / self.btc_per_day_net if self.btc_per_day_net else None

    @property
    def break_even_difficulty(self) -> float | None:
        """None when running costs nothing: then no difficulty is too high."""
        cost = self.electricity_per_day
        return float(Decimal(self.difficulty) * self.revenue_per_day / cost) if cost else None


def hash_price(difficulty: float, block_reward: Decimal, price: Decimal) -> Decimal:
    """Money that one PH/s earns in a day, before anything is taken off."""
    return Decimal(DAY_SECONDS) * PETAHASH * block_reward * price / Decimal(hashes_per_block(difficulty))


def energy_cost_per_btc(
    electricity: Decimal, joules_per_terahash: Decimal, difficulty: float, block_reward: Decimal
) -> Decimal:
    """Money for the electricity that one bitcoin takes, before anything is taken off."""
    kwh_per_hash = joules_per_terahash / 10**12 / 3_600_000
    return electricity * kwh_per_hash * Decimal(hashes_per_block(difficulty)) / block_reward
