"""How an extranonce2 is divided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.proxy.extranonce_sizes import ExtranonceSplit, split_extranonce2


@pytest.mark.parametrize(
    ("size", "miners", "split"),
    [
        (8, 256, ExtranonceSplit(1, 3)),
        (4, 256, ExtranonceSplit(1, 3)),
        (3, 256, ExtranonceSplit(1, 2)),
        (8, 257, ExtranonceSplit(2, 3)),
        (5, 10_000, ExtranonceSplit(2, 3)),
        (4, 10_000, ExtranonceSplit(2, 2)),
        (3, 10_000, ExtranonceSplit(1, 2)),
        (2, 256, ExtranonceSplit(0, 2)),
        (1, 256, ExtranonceSplit(0, 1)),
        (0, 256, ExtranonceSplit(0, 0)),
    ],
)
def test_splits(size: int, miners: int, split: ExtranonceSplit) -> None:
    assert split_extranonce2(size, miners) == split


@given(st.integers(0, 32), st.integers(1, 10_000))
def test_a_split_fits_and_has_room_where_there_is_any(size: int, miners: int) -> None:
    split = split_extranonce2(size, miners)
    assert split.size <= size
    assert split.miners >= (miners if size >= 4 else 1)
    assert split.extranonce2_size >= min(size, 2)
