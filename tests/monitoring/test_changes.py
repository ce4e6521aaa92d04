"""Tests the steps between views, without a clock: applying them gives the view, and old steps are not available."""

from dataclasses import replace
from functools import reduce
from typing import Any

import msgspec

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


def test_the_first_view_has_number_one_and_thirty_steps_are_kept() -> None:
    view, changes, events = full_view(), Changes(), EventLog()
    assert (changes.number, changes.event, changes.after(0)) == (0, 0, ())
    for index in range(40):
        events.take("paused", "info", {}, 0.0)
        changes.look(replace(view, at=view.at + index), events)
    assert (changes.number, changes.event) == (40, 40)
    steps = changes.after(10)
    assert steps is not None
    assert [step.number for step in steps] == list(range(11, 41))
    assert [event.number for step in steps for event in step.events] == list(range(11, 41))
    assert changes.after(9) is None
    assert changes.after(40) == ()


def test_shares_and_blocks_keep_their_numbers_when_the_oldest_leave() -> None:
    view, changes, events = full_view(), Changes(), EventLog()
    changes.look(view, events)
    assert list(changes.whole["shares"]) == [str(number) for number in range(30)]
    newest = replace(view.shares[-1], difficulty=77.0)
    blocks = tuple(replace(view.blocks[0], height=height) for height in (1, 2, 3))
    changes.look(replace(view, shares=(*view.shares[2:], newest), blocks=blocks[:2]), events)
    assert list(changes.whole["shares"]) == [str(number) for number in range(2, 31)]
    assert changes.whole["shares"]["30"]["difficulty"] == 77
    changes.look(replace(view, shares=(newest,), blocks=blocks[1:]), events)
    assert list(changes.whole["shares"]) == ["30"]
    assert {number: block["height"] for number, block in changes.whole["blocks"].items()} == {"2": 2, "3": 3}


def test_numbers_are_short_dates_are_whole() -> None:
    view, changes = full_view(), Changes()
    values = {
        123_456.0: "123500", 0.00012345678: "0.0001235", 7.0: "7", 9.994e15: "9994000000000000", 1e16: "1e16",
        -9.99e15: "-9990000000000000", -1e16: "-1e16", 2e16: "2e16",
    }  # fmt: skip
    summary = replace(view.summary, started_at=1_700_000_000.125, economics={str(key): key for key in values})
    changes.look(replace(view, at=1_700_000_123.4567, summary=summary), EventLog())
    shown = changes.whole["summary"]["economics"]
    assert {float(key): msgspec.json.encode(value).decode() for key, value in shown.items()} == values
    assert changes.whole["at"] == 1_700_000_123.4567
    assert changes.whole["summary"]["started_at"] == 1_700_000_000.125
    assert changes.run == "1700000000125"
