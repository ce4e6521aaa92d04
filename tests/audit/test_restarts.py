"""Programs in the middle of a chain end and come back: whoever is left must still count each share once, as it was."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.audit import surfaces
from tests.audit.audit import check, figures, readings, wrong
from tests.audit.expect import falsified
from tests.audit.program import until
from tests.audit.scene import PoolOf, ProxyAtRest, scene
from tests.audit.surfaces import Reading

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "interrupted"])
@pytest.mark.parametrize("which", ["upper", "lower"])
def test_one_of_two_proxies_is_restarted(tmp_path: Path, which: str, kill: bool) -> None:
    """Proxy in front of proxy in front of pool. What was on the way when one ended is lost, and nothing else."""
    with scene(tmp_path) as stage:
        top = stage.relay_to(stage.pool(stage.node()))
        upper = stage.proxy([PoolOf(top)])
        middle = stage.relay_to(upper)
        lower = stage.proxy([PoolOf(middle)])
        wires = [stage.relay_to(lower) for _ in range(2)]
        for seed, wire in enumerate(wires):
            stage.miner([PoolOf(wire)], seed=seed).cuts = which == "lower"
        for wire in wires:
            stage.wait_for(wire, accepted=10)
        ended = upper if which == "upper" else lower
        stage.end(ended, kill=kill)
        stage.bring_back(ended, stage.proxy(ended.pools))
        lower.cuts = True
        for wire in wires:
            stage.wait_for(wire, accepted=30)
        stage.rest()
        check(stage)


def test_the_status_lines_of_a_proxy(tmp_path: Path) -> None:
    """There is one every thirty seconds."""
    with scene(tmp_path) as stage:
        proxy = stage.proxy([PoolOf(stage.relay_to(stage.pool(stage.node())))])
        wires = [stage.relay_to(proxy) for _ in range(2)]
        for seed, wire in enumerate(wires):
            stage.miner([PoolOf(wire)], seed=seed)
        for wire in wires:
            stage.wait_for(wire, accepted=10)
        stage.pause()
        said = len(status_lines(proxy))
        until(lambda: len(status_lines(proxy)) > said, "there is another status line", proxy.program)
        status = until(lambda: whole_status(proxy, len(wires)), "a line for each miner follows", proxy.program)
        stage.rest()
        proxy.readings.append(status)
        check(stage)
        for who, reading, surface, truth, value in readings(stage):
            if reading.surface == "proxy.status":
                told = {figure.pattern: figure for figure in figures(surface, value)}
                assert told.keys() == surface.rows.keys()
                for figure in told.values():
                    false = replace(figure, told=falsified(figure.told))
                    assert wrong(false, truth), f"{who}: {figure}"


def status_lines(proxy: ProxyAtRest) -> list[object]:
    return [item for item in proxy.program.events if item.get("event") == "status"]


def whole_status(proxy: ProxyAtRest, miners: int) -> Reading | None:
    told = surfaces.proxy_status(proxy.program.events)
    return told if len(told.value["lines"]) == miners else None
