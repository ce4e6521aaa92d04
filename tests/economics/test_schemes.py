"""Payout schemes in round numbers."""

import math
from decimal import Decimal

import pytest

from stratum_miner.economics import schemes
from stratum_miner.economics.income import Operation
from stratum_miner.economics.schemes import PayoutPool, Payouts

D = Decimal
HALF = Operation(
    hash_rate=2.0**32, power=D(1), electricity=D(1), difficulty=86400.0, block_reward=D(4), price=D(1),
    pool_fee=D("0.1"), stale=D("0.2"), uptime=D("0.625"),
)  # fmt: skip
"""One block a day if it always ran, half a block as it is."""
POOL = PayoutPool(hash_rate=2.0**32 * 8, share_difficulty=864.0)
"""Eight blocks a day; the miner finds 50 shares a day."""


def test_the_pay_for_a_share() -> None:
    assert schemes.pps(5.0, 1000.0, D(4), D("0.25")) == D("0.015")
    assert schemes.fpps(5.0, 1000.0, D(4), D(2), D("0.25")) == D("0.0225")


def test_the_schemes_side_by_side() -> None:
    found = {item.scheme: item for item in schemes.compare(HALF, POOL, 30, D(1))}
    assert list(found) == ["PPS", "FPPS", "PPLNS", "solo"]
    # half a block of 4 a day for 30 days, less a fee of a tenth; PPS keeps the fees, a quarter of it
    assert [float(item.mean) for item in found.values()] == pytest.approx([40.5, 54, 54, 54])
    # 1,500 shares; 240 blocks of the pool, together with the shares 1 / (1/1500 + 1/240); 15 own blocks
    assert [item.events for item in found.values()] == pytest.approx([1500, 1500, 360000 / 1740, 15])
    assert [float(item.value) for item in found.values()] == pytest.approx(
        [40.5 / 1500, 0.036, 54 * 1740 / 360000, 3.6]
    )
    assert found["solo"].relative_spread == pytest.approx(1 / math.sqrt(15))
    assert found["solo"].probability_of_nothing == pytest.approx(math.exp(-15))


def test_quantiles_are_whole_payments() -> None:
    rare = Payouts(scheme="solo", mean=D(3), events=0.5, value=D(6))
    # none at all in 60.65 % of cases, at most one in 90.98 %, at most two in 98.56 %
    assert list(rare.quantiles()) == [0, 0, 0, 6, 12]
    assert list(rare.quantiles((0.6, 0.61, 0.99))) == [0, 6, 18]
    assert rare.probability_between(0.05, 0.95) == pytest.approx(math.exp(-0.5) * 1.625)
    assert rare.probability_between(0.7, 0.95) == pytest.approx(math.exp(-0.5) * 0.625)  # one or two
