"""Scenarios that take seconds, each audited: every figure of every surface is held against the wires and the node."""

from pathlib import Path

from tests.audit.audit import audit
from tests.audit.scene import PoolOf, Scene, scene


def check(stage: Scene) -> None:
    """Nothing is wrong."""
    found = audit(stage)
    assert not found, f"{len(found)} figures are wrong:\n" + "\n".join(map(str, found[:40]))


def test_one_pool(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        pool = stage.pool(stage.node())
        wire = stage.relay_to(pool)
        stage.miner([PoolOf(wire)])
        stage.wait_for(wire, accepted=25, blocks=2)
        stage.rest()
        check(stage)
