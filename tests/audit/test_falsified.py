"""The audit is audited: each field that it knows is told falsely once, and the audit must name it."""

import copy
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.audit.audit import check, expectation, figures, judge, readings, wrong
from tests.audit.expect import Within, falsified
from tests.audit.program import until
from tests.audit.proxy_table import PROXY
from tests.audit.scene import PoolOf, Scene, scene
from tests.audit.table import MINER, POOL, Exempt

NOT_HERE = {
    "metrics": (
        "temperature_celsius", "power_watts", "joules_per_terahash", "frequency_hertz", "core_volts", "fan_rpm",
        "device_expected_hash_rate",
    ),
    "cgminer.stats": ("temp", "temp_vr", "voltage", "power", "frequency", "fan1"),
    "cgminer.estats": ("temp", "temp_vr", "voltage", "power", "frequency", "fan1"),
    "top.text": ("rates / *",),
    "mine.json": ("implied_hash_rate", "problems / *"),
    "axeos.asic": ("frequency", "smallCoreCount"),
    "axeos.info": (
        "power", "voltage", "coreVoltage", "temp", "vrTemp", "fanrpm", "fanspeed", "requency", "smallCoreCount",
        "Options",
    ),
    "proxy.api": ("quota",),
    "proxy.json": ("quota",),
    "mine.log": ("status / *",),
    "pool.log": ("status / *",),
}  # fmt: skip
"""Rows that runs of less than half a minute, without a sensor, without quotas and, where there is JSON, without a
problem do not show.
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A run with everything on it, which is over: its readings stay."""
    with scene(tmp_path_factory.mktemp("audit")) as stage:
        pool = stage.pool(stage.node(refuse="bad-audit", refuse_first=1))
        wire = stage.relay_to(pool)
        stage.miner([PoolOf(wire)], rates=(300e3, 200e3))
        scripted, other = stage.scripted_pool()
        scripted.orders.extend(("low", "duplicate", "stale", "malformed", "wordless", *["silent"] * 1000))
        ill = stage.miner([PoolOf(other)], rates=(200e3, 200e3), journal=Path("/dev/full"), json=False)
        ill.problems = ("Cannot write the share journal '/dev/full': No space left on device.",)
        stage.solo(stage.node(refuse="bad-audit", refuse_first=1, bits=0x1E7FFF80), "--until-blocks", "1")
        stage.wait_for(other, rejected=4, stale=1)
        stage.pause_one(ill)
        until(lambda: len(pool.node.chain) > 0 and len(pool.node.offers) > 1, "blocks are taken and refused")
        stage.wait_for(wire, accepted=25)
        stage.rest()
        yield stage


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A stick that makes mistakes, on a proxy in front of a proxy in front of a pool; over, too."""
    with scene(tmp_path_factory.mktemp("chain")) as stage:
        upper = stage.proxy([PoolOf(stage.relay_to(stage.pool(stage.node())))])
        lower = stage.proxy([PoolOf(stage.relay_to(upper))], json=False)
        wire, stick = stage.relay_to(lower), stage.stick("wrong-nonces=0.1", "duplicate-nonces=0.1")
        stage.miner([PoolOf(wire)], stick=stick, json=False)
        stage.wait_for(wire, accepted=50, blocks=1)
        stage.rest()
        assert stick.errors
        assert stick.repeated
        yield stage


def test_everything_at_once(run: Scene) -> None:
    """Two backends, a block that the node refuses, every kind of refusal, a journal on a full disk, and ``solo``."""
    check(run)


def test_a_stick_with_hardware_errors_behind_two_proxies(chain: Scene) -> None:
    check(chain)


def test_each_field_that_is_told_falsely_is_named(run: Scene, chain: Scene) -> None:
    unnoticed = []
    done = 0
    for who, reading, surface, truth, value in (*readings(run), *readings(chain)):
        # of a list the last element: the first point of a history is before any work
        last = {figure.pattern: figure for figure in figures(surface, value)}
        for figure in last.values():
            if figure.row is None or isinstance(figure.row, Exempt):
                continue
            assert wrong(figure, truth) is None, f"{who}: {reading.surface}: {figure}"
            told = _falsified(figure.told, expectation(figure, truth))
            truth.told = _with(value, figure.path, told)
            if wrong(replace(figure, told=told), truth) is None:
                unnoticed.append(f"{who}: {reading.surface}: {figure.path}: {figure.told!r}")
            truth.told = value
            done += 1
    assert done > 1500
    assert not unnoticed, "\n".join(unnoticed)


def _falsified(told: Any, expected: object) -> Any:
    """One more, or another word; of a figure with bounds, one outside of them."""
    if isinstance(expected, Within):  # on a busy machine, there may be none above
        return 2 * expected.high + 30 if expected.high < math.inf else expected.low - 30
    return falsified(told)


def _with(value: Any, path: tuple[Any, ...], told: Any) -> Any:
    """The same with another figure in one place."""
    if not path:
        return told
    key, *rest = path
    if key == "#":
        return value  # the list is as long as it is: only its length is told falsely
    changed = copy.copy(value)
    changed[key] = _with(value[key], tuple(rest), told)
    return changed


def test_each_row_of_the_table_is_on_a_surface(run: Scene, chain: Scene) -> None:
    """A row that nothing matches speaks of a field that is no more."""
    told = {
        (who.rstrip("0123456789"), reading.surface, figure.pattern)
        for who, reading, surface, _, value in (*readings(run), *readings(chain))
        for figure in figures(surface, value)
    }
    rows = {
        (who, name, pattern)
        for who, table in (("mine", MINER), ("pool", POOL), ("proxy", PROXY))
        for name, surface in table.items()
        for pattern in surface.rows
        if name != "proxy.status" and not any(word in pattern for word in NOT_HERE.get(name, ()))
    }
    assert not sorted(rows - told)


def test_a_field_without_a_row_is_named(run: Scene) -> None:
    who, reading, surface, truth, value = next(item for item in readings(run) if item[1].surface == "api.view")
    changed = {**value, "summary": {**value["summary"], "shares": {**value["summary"]["shares"], "wonderful": 7}}}
    found = [str(item) for item in judge(who, surface, reading.surface, truth, changed)]
    expected = "mine0: api.view: summary / shares / wonderful: told 7, expected that the table has a row for it"
    assert expected in found
