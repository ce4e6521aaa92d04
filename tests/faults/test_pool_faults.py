"""Faults by name and parameter; none breaks its own filter on hostile lines."""

import json
import tracemalloc
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.capture.filter import Send
from stratum_miner.capture.record import Side
from stratum_miner.faults.fault_filter import filter_of, parse
from stratum_miner.faults.pool_faults import POOL_FAULTS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
METHODS = st.sampled_from(["mining.notify", "mining.submit", "mining.set_difficulty", "mining.configure", "x"])
MESSAGES = st.one_of(
    JSON,
    st.fixed_dictionaries({"id": JSON, "method": METHODS, "params": JSON}),
    st.fixed_dictionaries({"id": st.integers(1, 3), "result": JSON, "error": JSON}),
)
QUICK = [f"{name}=2" if name in ("flood-jobs", "clean-storm", "oversized") else name for name in POOL_FAULTS]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(QUICK),
    st.lists(st.tuples(st.sampled_from(Side), MESSAGES | st.binary(max_size=30)), max_size=8),
    st.integers(),
)
def test_whatever_is_said_no_fault_stumbles(text: str, said: list[tuple[Side, object]], seed: int) -> None:
    filters = [filter_of([parse(text)], str(seed)) for _ in range(2)]
    for sender, item in said:
        line = item.replace(b"\n", b"") if isinstance(item, bytes) else json.dumps(item).encode()
        one, again = (list(filter_.line(sender, line + b"\n")) for filter_ in filters)
        assert one == again  # the same from the same seed
        assert all(not isinstance(step, Send) or step.data for step in one)
    for side in Side:
        assert list(filters[0].ended(side)) == list(filters[1].ended(side))


@pytest.mark.parametrize("text", QUICK)
def test_lines_nested_to_any_depth_are_no_trouble(text: str) -> None:
    """Around some depth a line can still be read, but not be written again."""
    for depth in (30, 35, *range(900, 1000)):
        nested = b"[" * depth + b"]" * depth
        for line in (
            b'{"id":1,"method":"mining.notify","params":[1,2,3,4,5,6,7,8,9,' + nested + b"]}\n",
            b'{"id":1,"result":' + nested + b"}\n",
        ):
            assert list(filter_of([parse(text)], "0").line(Side.POOL, line)) is not None


@pytest.mark.parametrize("text", ["flood-jobs=100000", "clean-storm=100000", "oversized=268435456"])
def test_what_is_many_times_a_line_is_made_while_it_is_said(text: str) -> None:
    filter_ = filter_of([parse(text)], "0")
    job = b'{"id":null,"method":"mining.notify","params":[1,"","","",[],"","","",true]}\n'
    tracemalloc.start()
    for _ in range(2):
        assert len(list(islice(filter_.line(Side.POOL, job), 3))) > 0
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20


def test_ids_that_no_float_has_are_no_trouble() -> None:
    reply = b'{"id":1' + b"0" * 400 + b',"result":true}\n'
    assert list(filter_of([parse("odd-ids")], "0").line(Side.POOL, reply)) == [Send(Side.MINER, reply)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("slient", "did you mean 'silent'"),
        ("silent=x", "pool fault silent: expected an integer from 0 to 1e+06, got 'x'"),
        ("slow-replies=-1", "expected a time from 0s to 1d"),
        ("slow-replies=nan", "expected a time from 0s"),
        ("garbage=2", "expected a number from 0 to 1"),
        ("no-jobs=3", "expected no parameter"),
        ("redirect=", "expected HOST:PORT, as in redirect=elsewhere.example:3333, got ''"),
        ("redirect=here", "expected HOST:PORT, as in redirect=elsewhere.example:3333, got 'here'"),
    ],
)
def test_a_wrong_fault_is_answered_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^pool fault") as told:
        parse(text)
    assert complaint in str(told.value)


def test_faults_print_as_they_are_written() -> None:
    assert str(parse("silent")) == "silent=0"
    assert str(parse("slow-replies=0.5")) == "slow-replies=0.5"
    assert str(parse("no-jobs")) == "no-jobs"
