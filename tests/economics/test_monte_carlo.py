"""Chance itself agrees with the closed forms, for fixed seeds; and the check can fail."""

import math
import random
from dataclasses import replace
from decimal import Decimal

import pytest

from stratum_miner.economics import monte_carlo, schemes
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


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="runs: expected 100 or more, got 99"):
        monte_carlo.check(RIG, POOL, seed=1, runs=99)
