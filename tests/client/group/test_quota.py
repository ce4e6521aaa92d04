"""Quotas: each pool gets its part of the time, and a pool that was down does not get the time of others afterwards."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.client.group.quota import SLICE_S, Quotas


def run(it: Quotas[str], up: dict[str, int], seconds: int, now: float = 0.0) -> dict[str, int]:
    """Choose a pool every second. Return the seconds that each one got."""
    spent = dict.fromkeys(up, 0)
    for second in range(seconds):
        chosen = it.choose(up, now + second)
        assert chosen in up
        spent[chosen] += 1
    return spent


@given(st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any))
def test_the_time_is_split_as_the_quotas_say(quotas: list[int]) -> None:
    up = {f"p{index}": quota for index, quota in enumerate(quotas)}
    it: Quotas[str] = Quotas(0.0)
    spent = run(it, up, 4_000)
    for pool, quota in up.items():
        wanted = quota / sum(quotas)
        assert spent[pool] / 4_000 == pytest.approx(wanted, abs=len(up) * SLICE_S / 4_000 + 1e-9)
        assert it.share(pool) == pytest.approx(spent[pool] / 4_000, abs=1e-3)


def test_turns_last_at_least_a_slice() -> None:
    it: Quotas[str] = Quotas(0.0)
    turns: list[tuple[str | None, int]] = []
    for second in range(1000):
        chosen = it.choose({"a": 1, "b": 1}, float(second))
        if not turns or turns[-1][0] != chosen:
            turns.append((chosen, second))
    assert all(later[1] - earlier[1] >= SLICE_S for earlier, later in pairwise(turns))


def test_a_pool_that_was_away_does_not_starve_the_others_when_it_returns() -> None:
    it: Quotas[str] = Quotas(0.0)
    run(it, {"a": 1, "b": 1}, 1000)
    assert run(it, {"a": 1}, 10_000, 1000.0) == {"a": 10_000}
    back = run(it, {"a": 1, "b": 1}, 1000, 11_000.0)
    assert abs(back["a"] - back["b"]) <= 2 * SLICE_S


def test_when_the_one_mined_on_goes_the_next_has_its_turn_at_once() -> None:
    it: Quotas[str] = Quotas(0.0)
    first = it.choose({"a": 1, "b": 1}, 0.0)
    assert first is not None
    other = "b" if first == "a" else "a"
    assert it.choose({other: 1}, 1.0) == other
    assert it.choose({}, 2.0) is None
    assert it.choose({first: 1}, 3.0) == first


def test_a_quota_of_nothing_is_for_when_there_is_no_other() -> None:
    it: Quotas[str] = Quotas(0.0)
    assert run(it, {"a": 1, "spare": 0}, 100) == {"a": 100, "spare": 0}
    assert it.choose({"spare": 0}, 101.0) == "spare"


def test_a_forgotten_pool_has_no_account() -> None:
    it: Quotas[str] = Quotas(0.0)
    run(it, {"a": 1, "b": 1}, 100)
    it.forget("a")
    assert it.share("a") == 0
    assert it.share("b") == 1


def test_a_time_in_which_the_process_did_not_run_is_nobodys_turn() -> None:
    it: Quotas[str] = Quotas(0.0)
    run(it, {"a": 1, "b": 1}, 1000)
    after = run(it, {"a": 1, "b": 1}, 1000, 1000.0 + 36_000.0)
    assert abs(after["a"] - after["b"]) <= 4 * SLICE_S
    assert it.share("a") == pytest.approx(0.5, abs=0.02)


def test_each_turn_lasts_10_s_and_goes_to_the_pool_with_the_most_credit() -> None:
    it: Quotas[str] = Quotas(0.0)
    up = {"a": 3, "b": 1}
    turns = [it.choose(up, seconds / 2) for seconds in range(160)]
    assert turns == ["a"] * 20 + ["b"] * 20 + ["a"] * 60 + ["b"] * 20 + ["a"] * 40
    assert it.share("a") == pytest.approx(0.75, abs=0.01)


def test_of_pools_without_a_quota_each_is_a_last_resort() -> None:
    it: Quotas[str] = Quotas(0.0)
    assert it.choose({"spare": 0, "other": 0}, 0.0) == "spare"
    assert it.choose({"spare": 0, "other": 0}, 50.0) == "spare", "nobody earns credit"
    assert (it.share("spare"), it.share("other")) == (1.0, 0.0)


def test_time_in_which_no_pool_was_chosen_is_no_mining_time() -> None:
    it: Quotas[str] = Quotas(0.0)
    assert it.choose({"a": 1}, 0.0) == "a"
    assert it.choose({}, 4.0) is None, "a went down at an unknown time, so these 4 s count for no pool"
    assert it.choose({"b": 1}, 8.0) == "b"
    assert it.choose({"b": 1}, 9.0) == "b"
    assert (it.share("a"), it.share("b")) == (0.0, 1.0)


def test_a_pool_that_was_forgotten_while_it_was_mined_on_is_replaced_at_once() -> None:
    it: Quotas[str] = Quotas(0.0)
    assert it.choose({"a": 1, "b": 1}, 0.0) == "a"
    it.forget("a")
    assert it.choose({"b": 1}, 1.0) == "b"
    assert it.share("a") == 0.0
