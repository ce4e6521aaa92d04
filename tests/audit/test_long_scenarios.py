"""Scenarios that take a minute or more, because the program waits on purpose: ``make test-all`` runs them."""

from pathlib import Path

import pytest

from tests.audit.audit import check
from tests.audit.program import until
from tests.audit.relay import LoseReply
from tests.audit.scene import PoolOf, scene
from tests.audit.witness import tell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_two_pools_by_quota(tmp_path: Path) -> None:
    """Turns take ten seconds; 3 : 1 takes four turns to come out."""
    with scene(tmp_path) as stage:
        wires = [stage.relay_to(stage.pool(stage.node())) for _ in range(2)]
        miner = stage.miner([PoolOf(wires[0], quota=3), PoolOf(wires[1], quota=1)])
        miner.active = None
        until(lambda: len(tell(wires[1].wire).submits) > 20, "the second pool had a turn", miner.program)
        before = len(tell(wires[0].wire).submits)
        until(lambda: len(tell(wires[0].wire).submits) > before + 20, "the first is mined on again", miner.program)
        stage.rest()
        check(stage)


def test_failover_and_back(tmp_path: Path) -> None:
    """A better pool has to be up for a minute before it is mined on again."""
    with scene(tmp_path) as stage:
        first, second = stage.pool(stage.node()), stage.pool(stage.node())
        wires = [stage.relay_to(first), stage.relay_to(second)]
        miner = stage.miner([PoolOf(wire) for wire in wires])
        miner.cuts = True
        stage.wait_for(wires[0], accepted=10)
        wires[0].stop()
        stage.wait_for(wires[1], accepted=20, blocks=1)
        wires[0].restart()
        before = len(tell(wires[0].wire).submits)
        until(lambda: len(tell(wires[0].wire).submits) > before + 10, "the first is back", miner.program, patience=200)
        miner.conditions = {1: ("up", "down", "untried")}
        stage.rest()
        check(stage)


def test_a_reply_is_lost_between_two_proxies(tmp_path: Path) -> None:
    """The lower proxy sends the share again and is told that it is a duplicate: lost, for everybody below."""
    with scene(tmp_path) as stage:
        pool = stage.pool(stage.node())
        top = stage.relay_to(pool)
        upper = stage.proxy([PoolOf(top)])
        middle = stage.relay_to(upper)
        middle.harm = lost = LoseReply(5)
        lower = stage.proxy([PoolOf(middle)])
        bottom = stage.relay_to(lower)
        miner = stage.miner([PoolOf(bottom)])
        lower.cuts = upper.cuts = True
        until(lambda: lost.done, "a reply is lost", miner.program)
        stage.wait_for(bottom, accepted=20, lost=1)
        stage.rest()
        check(stage)
