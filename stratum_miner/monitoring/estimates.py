"""Estimates the hash rate and the luck of the whole miner from its shares, with confidence intervals.

The measured hash rates of devices and their sum come from ``devices``.
"""

from stratum_miner.economics.odds import Luck, count_interval, hash_rate_from_shares
from stratum_miner.miner.snapshot import MinerSnapshot
from stratum_miner.monitoring.view import Estimate, LuckView


def implied_hash_rate(snapshot: MinerSnapshot) -> Estimate | None:
    """Estimate the hash rate from the number of accepted shares and their mean difficulty, or return None before the
    first one.

    The confidence interval allows only for chance in the number of shares. It treats the mean difficulty as exact.
    """
    count = snapshot.shares.accepted
    if not count or snapshot.elapsed <= 0:
        return None
    bounds = count_interval(count)
    rate = hash_rate_from_shares(snapshot.accepted_difficulty, snapshot.elapsed)
    return Estimate(value=rate, low=rate * bounds.low / count, high=rate * bounds.high / count)


def luck_of(snapshot: MinerSnapshot) -> LuckView:
    """Compare the number of shares found with the number expected."""
    luck = Luck(snapshot.shares_found, snapshot.expected)
    interval = luck.interval()
    return LuckView(
        found=luck.found,
        expected=luck.expected,
        ratio=luck.ratio,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )
