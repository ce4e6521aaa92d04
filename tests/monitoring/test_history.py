"""Tests the history: a day of points in bounded memory, fine at the end and coarse before, with the right means."""

from itertools import pairwise

from stratum_miner.monitoring.history import FINE_KEPT, History
from stratum_miner.monitoring.view import Point


def point(at: float, hash_rate: float = 1.0) -> Point:
    return Point(
        at=at, hash_rate=hash_rate, accepted=0, rejected=0, stale=0, lost=0, latency_ms=None, temperature_c=None,
        power_w=None,
    )  # fmt: skip


def test_a_day_is_coarse_and_its_last_minutes_are_fine() -> None:
    history = History()
    for second in range(0, 86_400 + 3_600, 2):
        assert history.is_due(float(second))
        history.add(point(float(second)))
    points, fine = history.points(), history.fine()
    assert [item.at for item in fine] == [89_998 - 2 * index for index in range(299, -1, -1)], "ten minutes"
    assert points[-len(fine) :] == fine
    coarse = points[: -len(fine)]
    assert (coarse[0].at, coarse[-1].at) == (90_000 - 86_400, 89_340), "a day, up to the fine points"
    assert {after.at - before.at for before, after in pairwise(coarse)} == {60.0}


def test_a_coarse_point_is_the_mean_of_what_it_stands_for() -> None:
    history = History()
    for index in range(FINE_KEPT + 61):
        history.add(point(2.0 * index, 100.0 if index % 2 else 0.0))
    first, second, *_ = history.points()
    assert (first.at, first.hash_rate) == (0.0, 0.0)
    assert (second.at, second.hash_rate) == (60.0, 50.0)


def test_it_wants_no_more_than_it_keeps() -> None:
    history = History()
    assert history.points() == ()
    history.add(point(10.0))
    assert not history.is_due(11.0)
    assert history.is_due(12.0)
