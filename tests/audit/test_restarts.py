"""Programs in the middle of a chain end and come back: whoever is left must still count each share once, as it was."""

from pathlib import Path

import pytest

from tests.audit.audit import check
from tests.audit.scene import PoolOf, scene

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
