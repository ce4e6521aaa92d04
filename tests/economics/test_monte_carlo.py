"""Chance itself agrees with the closed forms, for fixed seeds; and the check can fail."""

import math
import random
from dataclasses import replace
from decimal import Decimal

import pytest

from stratum_miner.economics import monte_carlo, odds, schemes
from stratum_miner.economics.income import Operation

RIG = Operation(
    hash_rate=1.2e12,
    power=Decimal(17),
    electricity=Decimal("0.12"),
    difficulty=144.40e12,
    block_reward=Decimal("3.145"),
    price=Decimal(90_000),
    pool_fee=Decimal("0.02"),
    stale=Decimal("0.002"),
    uptime=Decimal("0.98"),
)
POOL = schemes.PayoutPool(hash_rate=5e18, share_difficulty=2e6)
"""Small, with rare shares, so that the income scatters visibly by both."""


@pytest.mark.parametrize("seed", [1, 2])
def test_the_formulas_agree_with_chance(seed: int) -> None:
    found = monte_carlo.check(RIG, POOL, seed=seed, runs=1000)
    assert len(found) == 12
    assert [item.quantity for item in found if not item.agrees] == []


def test_the_same_seed_gives_the_same_lives() -> None:
    assert monte_carlo.check(RIG, POOL, seed=7, runs=100) == monte_carlo.check(RIG, POOL, seed=7, runs=100)


def test_a_wrong_formula_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    compare = schemes.compare

    def wrong(*arguments: object) -> tuple[schemes.Payouts, ...]:
        return tuple(replace(item, mean=item.mean * Decimal("1.05")) for item in compare(*arguments))  # type: ignore[arg-type]

    monkeypatch.setattr(schemes, "compare", wrong)
    found = monte_carlo.check(RIG, POOL, seed=1, runs=1000)
    assert [item.quantity.split(":")[0] for item in found if not item.agrees] == ["FPPS", "PPLNS"]


@pytest.mark.parametrize("mean", [0.5, 29.0, 31.0, 1000.0, 250_000.0])
def test_counts_are_drawn_with_the_right_mean_and_spread(mean: float) -> None:
    source = random.Random(3)
    counts = [monte_carlo.poisson_count(source, mean) for _ in range(3000)]
    centre = math.fsum(counts) / len(counts)
    variance = math.fsum((count - centre) ** 2 for count in counts) / (len(counts) - 1)
    assert centre == pytest.approx(mean, abs=4 * math.sqrt(mean / len(counts)))
    assert variance == pytest.approx(mean, rel=0.15)


SEED_10 = (
    # quantity, by the formula, simulated, and the interval of the simulation
    ("mean wait for a block, days", 5.9818e06, 5.55181e06, 3.6664e06, 7.43722e06),
    ("a block within the median wait", 0.5, 0.54, 0.380262, 0.691922),
    ("a block within the mean wait", 0.632121, 0.71, 0.546178, 0.83279),
    ("best share of a day over median", 0.5, 0.53, 0.371041, 0.683097),
    ("10 blocks take 1.5 times the work", 0.0698537, 0.06, 0.0172082, 0.188764),
    ("95 % interval contains the mean", 0.975386, 0.98, 0.868966, 0.997246),
    ("FPPS: mean, bitcoin", 1.51179e-05, 1.50464e-05, 1.47521e-05, 1.53407e-05),
    ("FPPS: relative spread", 0.0531384, 0.0594456, 0.0456142, 0.073277),
    ("FPPS: in the 5 to 95 % range", 0.90595, 0.87, 0.722695, 0.94501),
    ("PPLNS: mean, bitcoin", 1.51179e-05, 1.55789e-05, 1.4396e-05, 1.67618e-05),
    ("PPLNS: relative spread", 0.225118, 0.23076, 0.165964, 0.295557),
    ("PPLNS: in the 5 to 95 % range", 0.910016, 0.9, 0.759335, 0.962508),
)


def test_a_seed_gives_the_same_figures_in_every_version() -> None:
    """A seed that is printed with its figures can be checked by another person, years later."""
    found = monte_carlo.check(RIG, POOL, seed=10, runs=100)
    for item, (quantity, *figures) in zip(found, SEED_10, strict=True):
        assert item.quantity == quantity
        assert [item.formula, item.simulated, item.low, item.high] == pytest.approx(figures, rel=1e-5), quantity


@pytest.mark.parametrize(
    ("mean", "counts"),
    [
        (0.5, [0, 0, 1, 0, 0, 0, 0, 0]),
        (29.5, [21, 29, 30, 26, 20, 21, 29, 41]),
        (30.0, [21, 29, 30, 28, 18, 21, 30, 41]),  # up to here, uniform numbers are multiplied
        (30.5, [30, 28, 32, 36, 42, 26, 46, 28]),
        (40.0, [40, 49, 45, 46, 39, 42, 39, 38, 51, 40, 39, 33, 57, 36, 46, 28, 32, 52, 28, 40, 34, 39, 47, 31]),
        (64.0, [63, 65, 71, 56, 63, 69, 61, 61, 67, 59, 66, 62, 69, 71, 57, 70, 46, 51, 73, 60, 68, 60, 54, 68]),
        (1000.0, [1004, 1019, 973, 1018, 1022, 935, 985, 1036]),
        (100_000.0, [100136, 100262, 99845, 100250, 99875, 100364, 100110, 99637]),
    ],
)
def test_a_seed_draws_the_same_counts_in_every_version(mean: float, counts: list[int]) -> None:
    source = random.Random(7)
    assert [monte_carlo.poisson_count(source, mean) for _ in counts] == counts


@pytest.mark.parametrize(("formula", "agrees"), [(0.9, False), (1.0, True), (1.5, True), (2.0, True), (2.1, False)])
def test_the_bounds_of_an_interval_belong_to_it(formula: float, agrees: bool) -> None:
    assert monte_carlo.Agreement("x", formula, 1.5, 1.0, 2.0).agrees == agrees


def test_the_bounds_of_a_confidence_interval_belong_to_it() -> None:
    interval = odds.count_interval(10)
    for mean, is_in in ((0.999, False), (1.0, True)):
        assert monte_carlo._interval_holds(interval.low * mean, 10) is is_in
        assert monte_carlo._interval_holds(interval.high / mean, 10) is is_in


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="runs: expected 100 or more, got 99"):
        monte_carlo.check(RIG, POOL, seed=1, runs=99)
