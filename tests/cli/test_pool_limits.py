"""A pool with thousands of sessions: it may have them, and does not stop to look through all of them."""

import gc
from collections.abc import Iterator

import pytest

from stratum_miner.cli import pool


@pytest.fixture
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


class Kept:
    """Something that is tracked."""


def test_objects_that_stay_are_not_looked_through_again_and_again(thresholds: None) -> None:
    pool.keep_old_objects()
    gc.collect()
    collections = gc.get_stats()[2]["collections"]
    kept = [Kept() for _ in range(400_000)]
    assert gc.get_stats()[2]["collections"] == collections
    assert gc.get_stats()[0]["collections"] > 0
    assert len(kept) == 400_000


def test_a_pool_may_have_as_many_connections_as_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (1024, 20_000)}
    monkeypatch.setattr("resource.getrlimit", lambda _: limits["now"])
    monkeypatch.setattr("resource.setrlimit", lambda _, wanted: limits.update(now=wanted))
    pool.allow_files()
    assert limits["now"] == (20_000, 20_000)
