"""How an extranonce2 is divided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.proxy.layout import Layout, lay_out


@pytest.mark.parametrize(
    ("size", "miners", "layout"),
    [
        (8, 256, Layout(1, 3)),
        (4, 256, Layout(1, 3)),
        (3, 256, Layout(1, 2)),
        (8, 257, Layout(2, 3)),
        (5, 10_000, Layout(2, 3)),
        (4, 10_000, Layout(2, 2)),
        (3, 10_000, Layout(1, 2)),
        (2, 256, Layout(0, 2)),
        (1, 256, Layout(0, 1)),
        (0, 256, Layout(0, 0)),
    ],
)
def test_layouts(size: int, miners: int, layout: Layout) -> None:
    assert lay_out(size, miners) == layout


@given(st.integers(0, 32), st.integers(1, 10_000))
def test_a_layout_fits_and_has_room_where_there_is_any(size: int, miners: int) -> None:
    layout = lay_out(size, miners)
    assert layout.size <= size
    assert layout.miners >= (miners if size >= 4 else 1)
    assert layout.extranonce2_size >= min(size, 2)
