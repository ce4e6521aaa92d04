"""Checks the formulas of this package, such as those of ``odds`` and ``schemes``, by simulation: mining is simulated
many times, block by block and share by share.

The simulation draws random times between blocks, random numbers of shares, and the random best of many hashes. It never
uses the formula under test. A seed decides the random numbers.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from stratum_miner.economics import odds, schemes
from stratum_miner.economics.chain import hashes_per_block
from stratum_miner.economics.income import DAY_SECONDS, Operation

CONFIDENCE_Z = 3.2905
"""Half the width of a 99.9 % confidence interval, in standard errors. A check fails if the value of the formula is
outside the interval of the simulation. With a dozen checks, chance alone makes one fail for about one seed in
eighty."""
DAYS = 30.0
"""Number of days whose income is simulated."""
WINDOW_BLOCKS = 2.0
"""Under the payout scheme PPLNS, each block pays only for the last shares before it: those in the window. This constant
is the work of all shares in the window, as a multiple of the expected work of a block."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One quantity: its value by the formula, and its simulated value. ``low`` and ``high`` are the bounds of the 99.9
    % confidence interval of the simulated value."""

    quantity: str
    formula: float
    simulated: float
    low: float
    high: float

    @property
    def agrees(self) -> bool:
        """Return whether the value of the formula lies in the interval of the simulation."""
        return self.low <= self.formula <= self.high


def check(operation: Operation, pool: schemes.PayoutPool, *, seed: int, runs: int) -> tuple[Agreement, ...]:
    """Compare the result of each formula with the mean, frequency or spread in ``runs`` simulation runs. Raises
    ValueError if ``runs`` is below 100."""
    if runs < 100:
        raise ValueError(f"runs: expected 100 or more, got {runs}")
    source = random.Random(seed)
    return (*_solo(operation, source, runs), *_luck(source, runs), *_payouts(operation, pool, source, runs))


def poisson_count(source: random.Random, mean: float) -> int:
    """Return a random number from the Poisson distribution with this mean. The method is exact for any mean.

    For a small mean, it multiplies uniform random numbers. A larger mean is first made smaller, step by step: a random
    number from a gamma distribution is the time at which 7/8 of the expected events have happened (Ahrens and Dieter
    1974). If that is too late already, each event before it is counted with the probability that it was in time.
    """
    count = 0
    while mean > 30:
        steps = int(mean * 7 / 8)
        reached = source.gammavariate(steps, 1)
        if reached > mean:
            return count + sum(source.random() < mean / reached for _ in range(steps - 1))
        count, mean = count + steps, mean - reached
    limit, product = math.exp(-mean), source.random()
    while product > limit:
        count += 1
        product *= source.random()
    return count


def _solo(operation: Operation, source: random.Random, runs: int) -> tuple[Agreement, ...]:
    rate = operation.blocks_per_day
    waits = [source.expovariate(1.0) / rate for _ in range(runs)]
    span = 1 / rate
    day = operation.hash_rate * DAY_SECONDS
    # draws the best hash of a day with one random number: the largest of n uniform random numbers has the same
    # distribution as the n-th root of one such number
    best = [1 / (hashes_per_block(1) * -math.expm1(math.log(source.random()) / day)) for _ in range(runs)]
    return (
        _mean("mean wait for a block, days", odds.mean_wait_days(rate), waits),
        _probability("a block within the median wait", 0.5, [wait <= odds.median_wait_days(rate) for wait in waits]),
        _probability(
            "a block within the mean wait", odds.probability_of_block(rate, days=span), [w <= span for w in waits]
        ),
        _probability("best share of a day over median", 0.5, [value > odds.median_best_share(day) for value in best]),
    )


def _luck(source: random.Random, runs: int) -> tuple[Agreement, ...]:
    long_rounds = [math.fsum(source.expovariate(1.0) for _ in range(10)) > 15 for _ in range(runs)]
    covered = [_interval_holds(10, poisson_count(source, 10)) for _ in range(runs)]
    exact = math.fsum(
        10**count * math.exp(-10) / math.factorial(count) for count in range(60) if _interval_holds(10, count)
    )
    return (
        _probability("10 blocks take 1.5 times the work", odds.probability_of_pool_luck(10, 1.5), long_rounds),
        _probability("95 % interval contains the mean", exact, covered),
    )


def _interval_holds(mean: float, count: int) -> bool:
    """Return whether the 95 % confidence interval of ``count`` events contains their true mean."""
    interval = odds.count_interval(count)
    return interval.low <= mean <= interval.high


def _payouts(operation: Operation, pool: schemes.PayoutPool, source: random.Random, runs: int) -> tuple[Agreement, ...]:
    by_name = {item.scheme: item for item in schemes.compare(operation, pool, DAYS, operation.block_reward * 0)}
    simulations: tuple[tuple[str, Callable[[], float]], ...] = (
        ("FPPS", lambda: _simulate_fpps(operation, pool, source)),
        ("PPLNS", lambda: _simulate_pplns(operation, pool, source)),
    )
    found: list[Agreement] = []
    for name, simulate in simulations:
        payouts = by_name[name]
        incomes = [simulate() for _ in range(runs)]
        low, high = (float(value) for value in payouts.quantiles((0.05, 0.95)))
        found += [
            _mean(f"{name}: mean, bitcoin", float(payouts.mean), incomes),
            _spread(f"{name}: relative spread", payouts.relative_spread, incomes),
            _probability_between(f"{name}: in the 5 to 95 % range", incomes, low, high, payouts),
        ]
    return tuple(found)


def _simulate_fpps(operation: Operation, pool: schemes.PayoutPool, source: random.Random) -> float:
    """Return the simulated income in bitcoin under FPPS, which pays every share at once."""
    working = float((1 - operation.stale) * operation.uptime)
    shares = operation.hash_rate * working * DAYS * DAY_SECONDS / hashes_per_block(pool.share_difficulty)
    pay = schemes.fpps(
        pool.share_difficulty,
        operation.difficulty,
        operation.block_reward,
        operation.block_reward * 0,
        operation.pool_fee,
    )
    return poisson_count(source, shares) * float(pay)


def _simulate_pplns(operation: Operation, pool: schemes.PayoutPool, source: random.Random) -> float:
    """Return the simulated income in bitcoin under PPLNS.

    The times between two blocks of the pool are random, and so are the numbers of shares that the miner finds in these
    times. Each block pays for the shares in the window, the last shares before the block. At the start, the window is
    already full, as if the miner had been in the pool for some time.
    """
    working = float((1 - operation.stale) * operation.uptime)
    block_days = hashes_per_block(operation.difficulty) / pool.hash_rate / DAY_SECONDS
    shares_per_day = operation.hash_rate * working * DAY_SECONDS / hashes_per_block(pool.share_difficulty)
    window_days = WINDOW_BLOCKS * block_days
    pay = float(operation.block_reward * (1 - operation.pool_fee)) * pool.share_difficulty
    pay /= WINDOW_BLOCKS * operation.difficulty
    intervals: list[tuple[float, float, int]] = [
        (-window_days, 0.0, poisson_count(source, shares_per_day * window_days))
    ]
    now, income = 0.0, 0.0
    while True:
        before, now = now, now + source.expovariate(1.0) * block_days
        if now > DAYS:
            return income
        intervals.append((before, now, poisson_count(source, shares_per_day * (now - before))))
        intervals = [interval for interval in intervals if interval[1] > now - window_days]
        income += pay * math.fsum(
            count * (end - max(begin, now - window_days)) / (end - begin) for begin, end, count in intervals
        )


def _mean(quantity: str, formula: float, values: Sequence[float]) -> Agreement:
    centre, error = fmean(values), stdev(values) / math.sqrt(len(values))
    return Agreement(quantity, formula, centre, centre - CONFIDENCE_Z * error, centre + CONFIDENCE_Z * error)


def _probability(quantity: str, formula: float, outcomes: Sequence[bool]) -> Agreement:
    """Compare ``formula``, a probability, with the fraction of simulation runs whose outcome is True.

    The interval of the simulation is the Wilson interval, which is also valid for probabilities near 0 and 1.
    """
    count, part, z = len(outcomes), fmean(outcomes), CONFIDENCE_Z
    middle = (part + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(part * (1 - part) / count + z * z / (4 * count * count))
    return Agreement(quantity, formula, part, middle - half, middle + half)


def _spread(quantity: str, formula: float, values: Sequence[float]) -> Agreement:
    """Compare ``formula``, a relative spread (standard deviation divided by mean), with the spread of simulated values.

    The standard error of the simulated spread is computed from the kurtosis of the values. If the kurtosis of the
    values is below that of a normal distribution, the kurtosis of a normal distribution is used instead.
    """
    centre, deviation = fmean(values), stdev(values)
    fourth = fmean((value - centre) ** 4 for value in values) / deviation**4
    error = math.sqrt(max(fourth - 1, 2.0) / (4 * len(values)))
    ratio = deviation / centre
    return Agreement(quantity, formula, ratio, ratio * (1 - CONFIDENCE_Z * error), ratio * (1 + CONFIDENCE_Z * error))


def _probability_between(
    quantity: str, values: Sequence[float], low: float, high: float, payouts: schemes.Payouts
) -> Agreement:
    """Compare two values of the probability that an income lies between ``low`` and ``high``, its 5 % and 95 %
    quantiles. The first value is computed by the formula of ``payouts``. The second value is the fraction of the
    simulated incomes ``values`` that lie between these quantiles.

    The probability is a little above 90 %, because the number of payments is an integer.
    """
    slack = float(payouts.value) / 2
    formula = payouts.probability_between(0.05, 0.95)
    return _probability(quantity, formula, [low - slack <= value <= high + slack for value in values])
