"""Objects that stay are not looked through again and again."""

import gc
from collections.abc import Iterator

import pytest

from stratum_miner.app.process import garbage_collection
from stratum_miner.cli import devices, main


class Kept:
    """Something that is tracked."""


def test_objects_that_stay_are_not_looked_through_again_and_again() -> None:
    before = gc.get_threshold()
    with garbage_collection.keep_old_objects():
        gc.collect()
        collections = gc.get_stats()[2]["collections"]
        kept = [Kept() for _ in range(400_000)]
        assert gc.get_stats()[2]["collections"] == collections
        assert gc.get_stats()[0]["collections"] > 0
        assert len(kept) == 400_000
    assert gc.get_threshold() == before


@pytest.fixture
def collecting() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("collecting")
def test_what_a_start_leaves_is_never_looked_through() -> None:
    gc.unfreeze()
    garbage_collection.pause()
    assert not gc.isenabled()
    garbage_collection.resume()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 10_000


@pytest.mark.usefixtures("collecting")
def test_without_a_pause_nothing_is_left_out() -> None:
    gc.unfreeze()
    garbage_collection.resume()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("collecting")
def test_a_command_that_runs_collects_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    collects: list[bool] = []

    def discover(*_: object, **__: object) -> list[object]:
        collects.append(gc.isenabled())
        return []

    monkeypatch.setattr(devices, "discover", discover)
    garbage_collection.pause()
    main.run(["devices"])
    assert collects == [True]
