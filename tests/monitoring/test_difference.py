"""Tests that a difference leads from any JSON value to any other, and is small if little changed."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.monitoring.difference import difference

from .listening import changed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 2.5]) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES, VALUES)
def test_it_leads_from_one_value_to_the_other(before: Any, after: Any) -> None:
    part = difference(before, after)
    found = before if part is None else changed(before, part)
    assert repr(found) == repr(after) or found == after  # keys may have another order
    assert difference(found, after) is None
    assert (part is None) == (difference(after, before) is None)


def test_only_what_changed_is_in_it() -> None:
    before = {"same": {"a": 1}, "gone": 1, "deep": {"b": [1], "c": None, "d": {}}}
    after = {"same": {"a": 1}, "deep": {"b": [], "c": {}, "d": {}}, "new": []}
    assert difference(before, after) == {"gone": [], "deep": {"b": [[]], "c": [{}]}, "new": [[]]}
    assert difference(before, before) is None
    assert difference({}, {"a": None}) == {"a": [None]}
    assert difference([1, [2, 3], 4], [1, [2, 5], 4]) == {"1": {"1": [5]}}
    assert difference([1, 2], [1, 2, 3]) == [[1, 2, 3]]
    assert difference([], []) is None
