"""Tests the steps between views, without a clock: applying them gives the view, and old steps are not available."""

from dataclasses import replace
from functools import reduce
from typing import Any

from stratum_miner.monitoring.changes import STEPS_KEPT, Changes, EntryNumbers
from stratum_miner.monitoring.events import EventLog

from .listening import changed
from .served import full_view


def test_the_steps_lead_from_any_view_to_the_newest() -> None:
    view, changes, events = full_view(), Changes(), EventLog()
    followed: list[Any] = []
    for index in range(STEPS_KEPT + 5):
        summary = replace(view.summary, best_share=float(index), job=None if index % 3 else view.summary.job)
        devices = view.devices[index % 2 :]
        changes.look(replace(view, at=view.at + index, summary=summary, devices=devices), events)
        followed.append(changes.whole)
    for number, whole in enumerate(followed, 1):
        steps = changes.after(number)
        if number < len(followed) - STEPS_KEPT:
            assert steps is None
            continue
        assert steps is not None
        assert reduce(changed, [step.change for step in steps], whole) == changes.whole


def test_each_event_and_each_point_comes_once() -> None:
    view, changes, events = full_view(), Changes(), EventLog()
    events.take("paused", "info", {}, 0.0)
    changes.look(view, events)
    events.take("resumed", "info", {}, 1.0)
    newest = replace(view.history[-1], at=view.at + 2)
    changes.look(replace(view, history=(*view.history[1:], newest)), events)
    changes.look(replace(view, history=(*view.history[1:], newest)), events)
    first, second = changes.after(1) or ()
    assert [event.name for event in first.events] == ["resumed"]
    assert [point["at"] for point in first.points] == [view.at + 2]
    assert (second.events, second.points, second.change) == ((), (), {})


def test_entries_of_a_list_that_moves_keep_their_numbers() -> None:
    numbered = EntryNumbers()
    assert numbered.take(()) == ()
    assert numbered.take(("a", "b")) == ("a", "b")
    assert numbered.take(("a", "b", "c")) == ("c",)
    assert numbered.take(("c", "d")) == ("d",)
    assert numbered.first == 2
    assert numbered.take(("x", "y")) == ("x", "y")
    assert numbered.first == 4
    assert numbered.take(()) == ()
    assert numbered.take(("z",)) == ("z",)
    assert numbered.first == 6
