"""The audit is audited: each field that it knows is told falsely once, and the audit must name it."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.audit.audit import Path, expectation, figures, judge, readings
from tests.audit.expect import Within, falsified
from tests.audit.scene import PoolOf, Scene, scene
from tests.audit.table import Exempt


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A run with everything on it, which is over: its readings stay."""
    with scene(tmp_path_factory.mktemp("audit")) as stage:
        pool = stage.pool(stage.node())
        upper = stage.proxy([PoolOf(stage.relay_to(pool))])
        lower = stage.proxy([PoolOf(stage.relay_to(upper))], json=False)
        wire = stage.relay_to(lower)
        stage.miner([PoolOf(wire)])
        stage.wait_for(wire, accepted=25, blocks=2)
        stage.rest()
        yield stage


def test_each_field_that_is_told_falsely_is_named(run: Scene) -> None:
    unnoticed = []
    done = 0
    for who, reading, surface, truth, value in readings(run):
        # of a list the last element: the first point of a history is before any work
        last = {figure.pattern: figure for figure in figures(surface, value)}
        for figure in last.values():
            if figure.row is None or isinstance(figure.row, Exempt):
                continue
            changed = copy.deepcopy(value)
            _falsify(changed, figure.path, bounded=isinstance(expectation(figure, truth), Within))
            truth.told = changed
            found = list(judge(who, surface, reading.surface, truth, changed, only=figure.path))
            done += 1
            if not found:
                unnoticed.append(f"{who}: {reading.surface}: {figure.path}: {figure.told!r}")
            truth.told = value
    assert done > 500
    assert not unnoticed, "\n".join(unnoticed)


def _falsify(value: Any, path: Path, *, bounded: bool) -> None:
    """One more, or another word; of a figure with bounds, ten times as much and half a minute."""
    *inner, last = path
    for key in inner:
        value = value[key]
    if last == "#":
        value += [value[-1] if value else {}] * (30 if bounded else 1)
    elif bounded:
        value[last] = 10 * (value[last] or 0) + 30
    else:
        value[last] = falsified(value[last])


def test_a_field_without_a_row_is_named(run: Scene) -> None:
    who, reading, surface, truth, value = next(item for item in readings(run) if item[1].surface == "api.view")
    changed = {**value, "summary": {**value["summary"], "shares": {**value["summary"]["shares"], "wonderful": 7}}}
    found = [str(item) for item in judge(who, surface, reading.surface, truth, changed)]
    expected = "mine0: api.view: summary / shares / wonderful: told 7, expected that the table has a row for it"
    assert expected in found
