"""Income, costs and break-even points, per day and at the current difficulty."""

from dataclasses import dataclass
from decimal import Decimal

from stratum_miner.economics.chain import hashes_per_block

DAY_SECONDS = 86400
PETAHASH = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A mining operation: one or several machines, the prices, and what reduces the income.

    Hash rate, power and costs are those of all machines together. Fractions are from 0 to 1.
    """

    hash_rate: float
    """Hash rate in H/s."""
    power: Decimal
    """Power in watts at the wall."""
    electricity: Decimal
    """Price of electricity per kWh, in the user's currency."""
    difficulty: float
    """Network difficulty."""
    block_reward: Decimal
    """Subsidy and average transaction fees of a block, in bitcoin."""
    price: Decimal
    """Price of a bitcoin, in the user's currency."""
    pool_fee: Decimal = Decimal(0)
    """Fraction of the income that the pool keeps."""
    stale: Decimal = Decimal(0)
    """Fraction of the shares that are stale."""
    uptime: Decimal = Decimal(1)
    """Fraction of the time in which the machines run."""
    cooling: Decimal = Decimal(0)
    """Electricity for cooling, as a fraction of the electricity of the machines."""
    other_costs_per_day: Decimal = Decimal(0)
    """Costs of hosting and maintenance per day, which are due even if the machines do not run."""

    @property
    def blocks_per_day(self) -> float:
        """Return the mean number of blocks found in a day on which the machines run all the time."""
        return DAY_SECONDS * self.hash_rate / hashes_per_block(self.difficulty)

    @property
    def btc_per_day_gross(self) -> Decimal:
        """Return the mean income per day in bitcoin, before the pool fee, stale shares and pauses are subtracted."""
        return Decimal(self.blocks_per_day) * self.block_reward

    @property
    def btc_per_day_net(self) -> Decimal:
        """Return the mean income per day in bitcoin, after the pool fee, stale shares and pauses are subtracted."""
        return self.btc_per_day_gross * (1 - self.pool_fee) * (1 - self.stale) * self.uptime

    @property
    def revenue_per_day(self) -> Decimal:
        """Return the mean income per day in money, after the pool fee, stale shares and pauses are subtracted."""
        return self.btc_per_day_net * self.price

    @property
    def kwh_per_day(self) -> Decimal:
        """Return the electricity used per day, including cooling, in kWh."""
        return self.power * (1 + self.cooling) / 1000 * 24 * self.uptime

    @property
    def electricity_per_day(self) -> Decimal:
        """Return the costs of electricity per day."""
        return self.kwh_per_day * self.electricity

    @property
    def costs_per_day(self) -> Decimal:
        """Return the costs of electricity, hosting and maintenance per day."""
        return self.electricity_per_day + self.other_costs_per_day

    @property
    def profit_per_day(self) -> Decimal:
        """Return the income per day minus the running costs per day. The result is negative for a loss.

        The purchase price of the machines is not subtracted: see ``depreciation_per_day`` and ``outlook``.
        """
        return self.revenue_per_day - self.costs_per_day

    @property
    def joules_per_terahash(self) -> Decimal:
        """Return the energy per terahash, including cooling, in J/TH (which is W per TH/s)."""
        return self.power * (1 + self.cooling) / Decimal(self.hash_rate) * 10**12

    @property
    def break_even_electricity(self) -> Decimal | None:
        """Return the price of a kWh at which the profit is zero.

        Return None if no electricity is used, or if the other costs alone exceed the revenue.
        """
        left = self.revenue_per_day - self.other_costs_per_day
        return left / self.kwh_per_day if self.kwh_per_day and left >= 0 else None

    @property
    def break_even_price(self) -> Decimal | None:
        """Return the price of a bitcoin at which the profit is zero; None if no bitcoin is earned."""
        return self.costs_per_day / self.btc_per_day_net if self.btc_per_day_net else None

    @property
    def break_even_difficulty(self) -> float | None:
        """Return the network difficulty at which the profit is zero; None if running costs nothing."""
        cost = self.costs_per_day
        return float(Decimal(self.difficulty) * self.revenue_per_day / cost) if cost else None


def depreciation_per_day(outlay: Decimal, resale: Decimal, days: Decimal) -> Decimal:
    """Return the loss of value per day, if the value falls evenly from ``outlay`` to ``resale`` within ``days``
    days."""
    return (outlay - resale) / days


def hash_price(difficulty: float, block_reward: Decimal, price: Decimal) -> Decimal:
    """Return the money that 1 PH/s earns in a day, before fees and costs are subtracted."""
    return Decimal(DAY_SECONDS) * PETAHASH * block_reward * price / Decimal(hashes_per_block(difficulty))


def energy_cost_per_btc(
    electricity: Decimal, joules_per_terahash: Decimal, difficulty: float, block_reward: Decimal
) -> Decimal:
    """Return the cost of the electricity for mining one bitcoin. Fees and stale shares, which would raise this cost,
    are not considered."""
    kwh_per_hash = joules_per_terahash / 10**12 / 3_600_000
    return electricity * kwh_per_hash * Decimal(hashes_per_block(difficulty)) / block_reward
