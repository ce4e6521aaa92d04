"""Estimates the hash rate and the luck of the whole miner from its shares, with confidence intervals.

The measured hash rates of devices and their sum come from ``devices``.
"""

from stratum_miner.economics.odds import Luck, count_interval, hash_rate_from_shares
from stratum_miner.miner.snapshot import MinerSnapshot
from stratum_miner.monitoring.view import Estimate, LuckView

KEPT_S = 10.0
"""Seconds for which an estimate from at least ``LARGE`` shares is kept and returned again, because computing its exact
confidence interval takes tens of milliseconds."""
LARGE = 1000
"""Estimates from at least this number of shares are kept for ``KEPT_S`` seconds. Estimates from fewer shares are
computed anew at each call, because that is fast."""


class Estimates:
    """Computes the hash rate and the luck. If there are at least ``LARGE`` shares, estimates that are less than
    ``KEPT_S`` seconds old are returned again."""

    def __init__(self) -> None:
        self._made: tuple[float, Estimate | None, LuckView] | None = None

    def of(self, snapshot: MinerSnapshot, now: float) -> tuple[Estimate | None, LuckView]:
        """Return the hash rate that the accepted shares imply (None before the first one), and the luck.

        ``now`` is the present time in seconds.
        """
        if self._made is None or now - self._made[0] >= KEPT_S or snapshot.shares_found < LARGE:
            self._made = (now, _implied(snapshot), _luck(snapshot))
        return self._made[1:]


def _implied(snapshot: MinerSnapshot) -> Estimate | None:
    """Estimate the hash rate from the number of accepted shares and their mean difficulty.

    The confidence interval allows only for chance in the number of shares. It treats the mean difficulty as exact.
    """
    count = snapshot.shares.accepted
    if not count or snapshot.elapsed <= 0:
        return None
    bounds = count_interval(count)
    rate = hash_rate_from_shares(snapshot.accepted_difficulty, snapshot.elapsed)
    return Estimate(value=rate, low=rate * bounds.low / count, high=rate * bounds.high / count)


def _luck(snapshot: MinerSnapshot) -> LuckView:
    luck = Luck(snapshot.shares_found, snapshot.expected)
    interval = luck.interval()
    return LuckView(
        found=luck.found,
        expected=luck.expected,
        ratio=luck.ratio,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )
