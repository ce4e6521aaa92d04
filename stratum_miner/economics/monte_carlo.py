"""The closed forms against chance itself: mining played many times from a seed, block by block and share by share.

What is simulated is the process (times between blocks, shares in a window, the best of many hashes) and never the
formula under test.
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
"""Standard errors either side of a mean that hold 99.9 % of it: a dozen checks, one false alarm in eighty seeds."""
DAYS = 30.0
"""The number of days whose income is simulated."""
WINDOW_BLOCKS = 2.0
"""PPLNS: shares of the last so many expected blocks are paid."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One closed form beside its simulation; ``low`` to ``high`` is the simulation's 99.9 % interval."""

    quantity: str
    formula: float
    simulated: float
    low: float
    high: float

    @property
    def agrees(self) -> bool:
        """Whether the formula lies in the interval."""
        return self.low <= self.formula <= self.high


def check(
    operation: Operation, pool: schemes.PayoutPool, *, seed: int, runs: int = 4000, days: float = DAYS
) -> tuple[Agreement, ...]:
    """Play ``runs`` lives of the operation; at least 100."""
    if runs < 100:
        raise ValueError(f"runs: expected 100 or more, got {runs}")
    source = random.Random(seed)
    return (*_solo(operation, source, runs), *_luck(source, runs), *_payouts(operation, pool, source, runs, days))


def poisson_count(source: random.Random, mean: float) -> int:
    """A draw, exact at any mean: cut down by gamma and beta variates first (Ahrens and Dieter 1974)."""
    count = 0
    while mean > 30:
        steps = int(mean * 7 / 8)
        reached = source.gammavariate(steps, 1)
        if reached > mean:
            return count + _binomial(source, steps - 1, mean / reached)
        count, mean = count + steps, mean - reached
    limit, product = math.exp(-mean), source.random()
    while product > limit:
        count += 1
        product *= source.random()
    return count


def _binomial(source: random.Random, trials: int, chance: float) -> int:
    count = 0
    while trials > 30:
        middle = trials // 2 + 1
        cut = source.betavariate(middle, trials + 1 - middle)
        if cut <= chance:
            count, trials, chance = count + middle, trials - middle, (chance - cut) / (1 - cut)
        else:
            trials, chance = middle - 1, chance / cut
    return count + sum(source.random() < chance for _ in range(trials))


def _solo(operation: Operation, source: random.Random, runs: int) -> tuple[Agreement, ...]:
    rate = operation.blocks_per_day
    waits = [source.expovariate(1.0) / rate for _ in range(runs)]
    span = 1 / rate
    day = operation.hash_rate * DAY_SECONDS
    # the best of n uniform draws is the n-th root of one; in difficulty, what one in so many hashes reaches
    best = [1 / (hashes_per_block(1) * -math.expm1(math.log(source.random()) / day)) for _ in range(runs)]
    return (
        _mean("mean wait for a block, days", odds.mean_wait_days(rate), waits),
        _chance("a block within the median wait", 0.5, [wait <= odds.median_wait_days(rate) for wait in waits]),
        _chance("a block within the mean wait", odds.chance_of_block(rate, span), [w <= span for w in waits]),
        _chance("best share of a day over median", 0.5, [value > odds.median_best_share(day) for value in best]),
    )


def _luck(source: random.Random, runs: int) -> tuple[Agreement, ...]:
    long_rounds = [math.fsum(source.expovariate(1.0) for _ in range(10)) > 15 for _ in range(runs)]
    intervals: dict[int, odds.Interval] = {}
    covered = []
    for _ in range(runs):
        count = poisson_count(source, 10)
        interval = intervals.setdefault(count, odds.count_interval(count))
        covered.append(_holds(interval, 10))
    exact = sum(
        chance
        for count, chance in _poisson_chances(10)
        if odds.count_interval(count).low <= 10 <= odds.count_interval(count).high
    )
    return (
        _chance("10 blocks take 1.5 times the work", odds.chance_of_pool_luck(10, 1.5), long_rounds),
        _chance("95 % interval holds its mean", exact, covered),
    )


def _holds(interval: odds.Interval, mean: float) -> bool:
    return interval.low <= mean <= interval.high


def _poisson_chances(mean: float) -> list[tuple[int, float]]:
    return [(k, math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))) for k in range(60)]


def _payouts(
    operation: Operation, pool: schemes.PayoutPool, source: random.Random, runs: int, days: float
) -> tuple[Agreement, ...]:
    by_name = {item.scheme: item for item in schemes.compare(operation, pool, days, operation.block_reward * 0)}
    games: tuple[tuple[str, Callable[[], float]], ...] = (
        ("FPPS", lambda: _play_fpps(operation, pool, source, days)),
        ("PPLNS", lambda: _play_pplns(operation, pool, source, days)),
    )
    found: list[Agreement] = []
    for name, play in games:
        payouts = by_name[name]
        incomes = [play() for _ in range(runs)]
        low, high = (float(value) for value in payouts.quantiles((0.05, 0.95)))
        found += [
            _mean(f"{name}: mean, bitcoin", float(payouts.mean), incomes),
            _spread(f"{name}: relative spread", payouts.relative_spread, incomes),
            _chance_between(f"{name}: in the 5 to 95 % range", incomes, low, high, payouts),
        ]
    return tuple(found)


def _play_fpps(operation: Operation, pool: schemes.PayoutPool, source: random.Random, days: float) -> float:
    """Every share is paid at once."""
    working = float((1 - operation.stale) * operation.uptime)
    shares = operation.hash_rate * working * days * DAY_SECONDS / hashes_per_block(pool.share_difficulty)
    pay = schemes.fpps(
        pool.share_difficulty,
        operation.difficulty,
        operation.block_reward,
        operation.block_reward * 0,
        operation.pool_fee,
    )
    return poisson_count(source, shares) * float(pay)


def _play_pplns(operation: Operation, pool: schemes.PayoutPool, source: random.Random, days: float) -> float:
    """Blocks of the pool come one after the other; each pays the shares of the window before it, ours among them.

    Between blocks our shares are drawn; they stay in the window until so much of the pool's work lies behind them. It
    starts with a full window, as after some time in the pool.
    """
    working = float((1 - operation.stale) * operation.uptime)
    block_days = hashes_per_block(operation.difficulty) / pool.hash_rate / DAY_SECONDS
    shares_per_day = operation.hash_rate * working * DAY_SECONDS / hashes_per_block(pool.share_difficulty)
    window_days = WINDOW_BLOCKS * block_days
    pay = float(operation.block_reward * (1 - operation.pool_fee)) * pool.share_difficulty
    pay /= WINDOW_BLOCKS * operation.difficulty
    slots: list[tuple[float, float, int]] = [(-window_days, 0.0, poisson_count(source, shares_per_day * window_days))]
    now, income = 0.0, 0.0
    while True:
        before, now = now, now + source.expovariate(1.0) * block_days
        if now > days:
            return income
        slots.append((before, now, poisson_count(source, shares_per_day * (now - before))))
        slots = [slot for slot in slots if slot[1] > now - window_days]
        income += pay * math.fsum(
            count * (end - max(begin, now - window_days)) / (end - begin) for begin, end, count in slots
        )


def _mean(quantity: str, formula: float, values: Sequence[float]) -> Agreement:
    centre, error = fmean(values), stdev(values) / math.sqrt(len(values))
    return Agreement(quantity, formula, centre, centre - CONFIDENCE_Z * error, centre + CONFIDENCE_Z * error)


def _chance(quantity: str, formula: float, outcomes: Sequence[bool]) -> Agreement:
    """Its interval by Wilson's score, which holds at the ends too."""
    count, chance, z = len(outcomes), fmean(outcomes), CONFIDENCE_Z
    middle = (chance + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(chance * (1 - chance) / count + z * z / (4 * count * count))
    return Agreement(quantity, formula, chance, middle - half, middle + half)


def _spread(quantity: str, formula: float, values: Sequence[float]) -> Agreement:
    """Standard deviation over mean; its error from the fourth moment, for a normal kurtosis plus the sample's own."""
    centre, deviation = fmean(values), stdev(values)
    fourth = fmean((value - centre) ** 4 for value in values) / deviation**4
    error = math.sqrt(max(fourth - 1, 2.0) / (4 * len(values)))
    ratio = deviation / centre
    return Agreement(quantity, formula, ratio, ratio * (1 - CONFIDENCE_Z * error), ratio * (1 + CONFIDENCE_Z * error))


def _chance_between(
    quantity: str, values: Sequence[float], low: float, high: float, payouts: schemes.Payouts
) -> Agreement:
    """The chance is 90 % but for the steps of a count; the formula is what the counts themselves give."""
    slack = float(payouts.value) / 2
    formula = payouts.chance_between(0.05, 0.95)
    return _chance(quantity, formula, [low - slack <= value <= high + slack for value in values])
