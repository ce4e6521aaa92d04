"""Rules of the chain: subsidies, halvings, and the work of a block."""

from fractions import Fraction

import pytest

from stratum_miner.economics import chain


@pytest.mark.parametrize(
    ("height", "satoshis"),
    [
        (0, 50 * 10**8), (209_999, 50 * 10**8), (210_000, 25 * 10**8), (839_999, 625_000_000), (840_000, 312_500_000),
        (32 * 210_000, 1), (33 * 210_000, 0), (10**9, 0),
    ],
)  # fmt: skip
def test_the_subsidy_halves_in_whole_satoshis(height: int, satoshis: int) -> None:
    assert chain.subsidy(height) == satoshis


def test_a_height_below_zero_has_no_subsidy() -> None:
    with pytest.raises(ValueError, match="height: expected 0 or more, got -1"):
        chain.subsidy(-1)


@pytest.mark.parametrize(
    ("height", "following"), [(0, 210_000), (209_999, 210_000), (210_000, 420_000), (930_000, 1_050_000)]
)
def test_the_next_halving_lies_above_the_height(height: int, following: int) -> None:
    assert chain.next_halving(height) == following


@pytest.mark.parametrize(
    ("height", "days", "found"),
    [
        # one block before a halving, the halving is in the first day, which has 144 blocks
        (1_049_999, 1, (0,)),
        (1_050_000 - 143, 1, (0,)),
        (1_050_000 - 144, 1, ()),
        (1_050_000 - 144, 2, (1,)),
        # on a halving, the next one is 210,000 blocks away: 1,458 days of 144 blocks and 48 blocks
        (1_050_000, 1458, ()),
        (1_050_000, 1459, (1458,)),
        # 120,000, 330,000, 540,000 and 750,000 blocks: 833.3, 2,291.7, 3,750.0 and 5,208.3 days
        (930_000, 833, ()),
        (930_000, 834, (833,)),
        (930_000, 3751, (833, 2291, 3750)),
        (930_000, 5209, (833, 2291, 3750, 5208)),
    ],
)
def test_the_days_of_halvings(height: int, days: int, found: tuple[int, ...]) -> None:
    assert chain.halving_days(height, days) == found


def test_the_work_of_a_block() -> None:
    """Difficulty 1 is the target ffff * 2^208: of 2^256 hashes, one more than that meet it."""
    assert chain.hashes_per_block(3.5) == 3.5 * 4_294_967_296
    assert chain.hashes_per_block(1.0, exact=True) == float(Fraction(2**256, 0xFFFF * 2**208))
    assert chain.hashes_per_block(2.0, exact=True) == 2 * float(Fraction(2**48, 65535))
    assert chain.network_hash_rate(600.0) == 4_294_967_296  # one block of difficulty 600 in 600 s
