"""Objects that stay are not looked through again and again."""

import gc

from stratum_miner.app.process import garbage_collection


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
