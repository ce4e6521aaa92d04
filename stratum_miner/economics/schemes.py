"""Payout schemes: what a pool pays for a share, and how much the income varies under each scheme.

At the same pool fee, all schemes except PPS pay the same on average. PPS pays less, because the pool keeps the
transaction fees. The schemes differ in who bears good and bad luck: the pool under PPS (pay per share) and FPPS (full
pay per share), all miners of the pool together under PPLNS (pay per last N shares), and the miner alone when it mines
solo.
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
    """Return the pay for one share under PPS (pay per share), in bitcoin.

    The pay is the subsidy times the share difficulty divided by the network difficulty, minus the pool fee. ``subsidy``
    is in bitcoin, ``fee`` is the pool fee as a fraction of the pay before the fee. The pool keeps the transaction fees.
    """
    return Decimal(share_difficulty) / Decimal(network_difficulty) * subsidy * (1 - fee)


def fpps(share_difficulty: float, network_difficulty: float, subsidy: Decimal, fees: Decimal, fee: Decimal) -> Decimal:
    """Return the pay for one share under FPPS (full pay per share), in bitcoin.

    The pay is the sum of ``subsidy`` and ``fees``, times the share difficulty divided by the network difficulty, minus
    the pool fee. ``fees`` are the average transaction fees of a block; they and ``subsidy`` are in bitcoin. ``fee`` is
    the pool fee as a fraction of the pay before the fee.
    """
    return pps(share_difficulty, network_difficulty, subsidy + fees, fee)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutPool:
    """The properties of a pool, and of the miner's account there, that determine how much the income varies."""

    hash_rate: float
    """Hash rate of all miners of the pool together, in H/s."""
    share_difficulty: float
    """Share difficulty that the pool sets for the miner whose income is computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payouts:
    """The income of a miner over a number of days under one payout scheme."""

    scheme: str
    mean: Decimal
    """Mean income, in bitcoin."""
    events: float
    """Expected number of independent payments. Payments under PPLNS are not independent. For PPLNS, this is therefore
    the number of independent payments that would give an income with the same relative spread."""
    value: Decimal
    """Value of one payment, in bitcoin: the mean income divided by ``events``."""

    @property
    def relative_spread(self) -> float:
        """Return the standard deviation of the income divided by its mean: 1 / sqrt(events)."""
        return 1 / math.sqrt(self.events)

    @property
    def probability_of_nothing(self) -> float:
        """Return the probability of no payment at all."""
        return math.exp(-self.events)

    def quantiles(self, probabilities: Sequence[float] = QUANTILES) -> tuple[Decimal, ...]:
        """For each of the probabilities, return the quantile of the income in bitcoin.

        The quantile for 0.05, for example, is the smallest income that the miner does not exceed in at least 5 % of
        cases."""
        return tuple(poisson.quantile(probability, self.events) * self.value for probability in probabilities)

    def probability_between(self, low: float, high: float) -> float:
        """Return the probability that the income lies between two of its quantiles, or is equal to one of them.

        ``low`` and ``high`` are the probabilities that belong to the quantiles, such as 0.05 and 0.95.

        The result is at least ``high - low``, because the number of payments is an integer.
        """
        first, last = (poisson.quantile(probability, self.events) for probability in (low, high))
        return poisson.cdf(last, self.events) - poisson.cdf(first - 1, self.events)


def compare(operation: Operation, pool: PayoutPool, days: float, fees: Decimal) -> tuple[Payouts, ...]:
    """Return the income of one miner under PPS, FPPS, PPLNS and solo, all at the pool fee of the operation.

    ``fees`` are the average transaction fees of a block, in bitcoin. Under PPLNS, each block of the pool pays the
    miners for their shares in a window before the block. The income therefore varies with the number of blocks of the
    pool and, much less, with the number of the miner's shares. The relative variances of these two numbers are added
    (Rosenfeld 2011), which is correct if ``days`` is much longer than the window.
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
