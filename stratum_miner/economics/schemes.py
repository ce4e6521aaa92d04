"""What pools pay for a share, and how far the income of a month or a year scatters under each scheme.

At the same fee every scheme pays the same on average (PPS keeps the transaction fees, and less by those); what differs
is who bears the luck: with PPS and FPPS the pool, with PPLNS all its miners together, alone the miner.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from stratum_miner.economics import poisson
from stratum_miner.economics.chain import hashes_per_block
from stratum_miner.economics.income import DAY_SECONDS, Operation

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def pps(share_difficulty: float, network_difficulty: float, subsidy: Decimal, fee: Decimal) -> Decimal:
    """Pay per share: its part of the subsidy, in bitcoin; the fees stay with the pool."""
    return Decimal(share_difficulty) / Decimal(network_difficulty) * subsidy * (1 - fee)


def fpps(share_difficulty: float, network_difficulty: float, subsidy: Decimal, fees: Decimal, fee: Decimal) -> Decimal:
    """Full pay per share: its part of subsidy and fees, in bitcoin."""
    return pps(share_difficulty, network_difficulty, subsidy + fees, fee)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutPool:
    """What of a pool matters for the spread of income."""

    hash_rate: float
    """H/s of all its miners."""
    share_difficulty: float
    """At which it pays this miner's shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payouts:
    """Income over some days under one scheme, in bitcoin."""

    scheme: str
    mean: Decimal
    events: float
    """Expected number of independent payments behind it, or what amounts to it; the spread is one over its root."""
    value: Decimal
    """The value of one such event."""

    @property
    def relative_spread(self) -> float:
        """Standard deviation over mean."""
        return 1 / math.sqrt(self.events)

    @property
    def chance_of_nothing(self) -> float:
        """The probability that not even one event comes."""
        return math.exp(-self.events)

    def quantiles(self, chances: Sequence[float] = QUANTILES) -> tuple[Decimal, ...]:
        """Bitcoin that the income stays at or below with each of these chances."""
        return tuple(poisson.quantile(chance, self.events) * self.value for chance in chances)

    def chance_between(self, low: float, high: float) -> float:
        """The probability that the income lies between two quantiles, both included: at least their difference."""
        first, last = (poisson.quantile(chance, self.events) for chance in (low, high))
        return poisson.cdf(last, self.events) - poisson.cdf(first - 1, self.events)


def compare(operation: Operation, pool: PayoutPool, days: float, fees: Decimal) -> tuple[Payouts, ...]:
    """PPS, FPPS, PPLNS and solo for one miner, at the operation's pool fee; ``fees`` are bitcoin per block.

    PPLNS: a block of the pool pays every miner by the shares of a window, so income scatters with the pool's blocks
    and, much less, with the miner's own shares; both relative variances are added (after Rosenfeld 2011, for times
    much longer than the window).
    """
    working = float((1 - operation.stale) * operation.uptime)
    seconds = days * DAY_SECONDS
    shares = operation.hash_rate * working * seconds / hashes_per_block(pool.share_difficulty)
    own_blocks = operation.hash_rate * working * seconds / hashes_per_block(operation.difficulty)
    pool_blocks = pool.hash_rate * seconds / hashes_per_block(operation.difficulty)
    mean = operation.btc_per_day_net * Decimal(days)
    subsidy_share = (operation.block_reward - fees) / operation.block_reward
    together = 1 / (1 / shares + 1 / pool_blocks)
    return tuple(
        Payouts(scheme=scheme, mean=amount, events=events, value=amount / Decimal(events))
        for scheme, amount, events in (
            ("PPS", mean * subsidy_share, shares),
            ("FPPS", mean, shares),
            ("PPLNS", mean, together),
            ("solo", mean, own_blocks),
        )
    )
