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


def test_proxy_before_proxy_before_pool(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        pool = stage.pool(stage.node())
        top = stage.relay_to(pool)
        upper = stage.proxy([PoolOf(top)])
        middle = stage.relay_to(upper)
        lower = stage.proxy([PoolOf(middle)])
        wires = [stage.relay_to(lower) for _ in range(2)]
        for seed, wire in enumerate(wires):
            stage.miner([PoolOf(wire)], seed=seed)
        for wire in wires:
            stage.wait_for(wire, accepted=20)
        stage.wait_for(top, blocks=2)
        stage.rest()
        check(stage)


def test_two_backends_of_one_kind(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        pool = stage.pool(stage.node())
        wire = stage.relay_to(pool)
        stage.miner([PoolOf(wire)], rates=(500e3, 300e3))
        stage.wait_for(wire, accepted=30, blocks=1)
        stage.rest()
        check(stage)


REFUSALS = ("low", "true", "duplicate", "true", "stale", "true", "malformed", "true", "wordless", "true")


def test_each_kind_of_refusal(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        pool, wire = stage.scripted_pool()
        pool.orders.extend(REFUSALS * 3)
        stage.miner([PoolOf(wire)], json=False)
        stage.wait_for(wire, accepted=16, rejected=12, stale=3)
        stage.rest()
        check(stage)


def test_nothing_is_accepted(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        pool, wire = stage.scripted_pool()
        pool.orders.extend(("low", "wordless") * 1000)
        stage.miner([PoolOf(wire)])
        stage.wait_for(wire, rejected=5)
        stage.rest()
        check(stage)
