"""Scenarios that take seconds, each audited: every figure of every surface is held against the wires and the node."""

from pathlib import Path

import pytest

from tests.audit.audit import check
from tests.audit.node import ChainOnDisk
from tests.audit.program import until
from tests.audit.relay import LoseReply
from tests.audit.scene import DIFFICULTY, PoolOf, scene

pytestmark = pytest.mark.slow
"""Each surface and most of what these scenarios have is audited in two runs by test_falsified.py, too. Alone, they show
which part is wrong.
"""
EASY = 0x1E7FFF80
"""Difficulty 0.00003: two shares of five are blocks."""


def test_one_pool(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        pool = stage.pool(stage.node())
        wire = stage.relay_to(pool)
        stage.miner([PoolOf(wire)])
        stage.wait_for(wire, accepted=25, blocks=2)
        stage.rest()
        check(stage)


def test_the_embedded_node(tmp_path: Path) -> None:
    """Bitcoin Core's validation decides: its chain is read from its files. On plain regtest each share is a block."""
    pytest.importorskip("pbk", reason="needs the extra: pip install '.[regtest]'")
    with scene(tmp_path) as stage:
        chain = ChainOnDisk(tmp_path / "chain")
        wire = stage.relay_to(stage.pool(chain))
        stage.miner([PoolOf(wire)])
        stage.wait_for(wire, accepted=20, blocks=18)
        stage.rest()
        assert len(chain.chain) >= 18
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


def test_each_kind_of_refusal_through_a_proxy(tmp_path: Path) -> None:
    """The miner asks for easier shares than the pool: those that are good for it alone stay at the proxy."""
    with scene(tmp_path) as stage:
        pool, top = stage.scripted_pool(difficulty=2 * DIFFICULTY)
        pool.orders.extend(REFUSALS * 2)
        proxy = stage.proxy([PoolOf(top)], "--vardiff", "0.1")
        wire = stage.relay_to(proxy)
        stage.miner([PoolOf(wire)], "--suggest-difficulty", f"{DIFFICULTY!r}")
        stage.wait_for(wire, accepted=3)
        pool.new_block()  # with it the difficulty that was asked for
        stage.wait_for(top, accepted=12, rejected=8, stale=2)
        stage.rest()
        summary = next(item.value for item in proxy.readings if item.surface == "proxy.api")
        assert summary["shares"]["kept"] > 0
        check(stage)


def test_nothing_is_accepted(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        pool, wire = stage.scripted_pool()
        pool.orders.extend(("low", "wordless") * 1000)
        stage.miner([PoolOf(wire)])
        stage.wait_for(wire, rejected=5)  # after ten in a row, the miner connects again: it would have no job meanwhile
        stage.rest()
        check(stage)


def test_a_lost_reply_in_a_session_that_resumes(tmp_path: Path) -> None:
    """The pool had taken the share, and says so by calling it a duplicate: for the miner it is lost."""
    with scene(tmp_path) as stage:
        pool = stage.pool(stage.node())
        wire = stage.relay_to(pool)
        wire.harm = lost = LoseReply(5)
        miner = stage.miner([PoolOf(wire)])
        miner.cuts = True
        until(lambda: lost.done, "a reply is lost", miner.program)
        stage.wait_for(wire, accepted=20, lost=1)
        stage.rest()
        check(stage)


def test_a_lost_reply_in_a_session_that_does_not_resume(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        _, wire = stage.scripted_pool(resumes=False)
        wire.harm = lost = LoseReply(5)
        miner = stage.miner([PoolOf(wire)])
        miner.cuts = True
        until(lambda: lost.done, "a reply is lost", miner.program)
        stage.wait_for(wire, accepted=20, lost=1)
        stage.rest()
        check(stage)


def test_the_pool_is_killed_and_restarted(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        node = stage.node()
        pool = stage.pool(node)
        wire = stage.relay_to(pool)
        stage.miner([PoolOf(wire)]).cuts = True
        stage.wait_for(wire, accepted=10)
        stage.end(pool, kill=True)
        stage.bring_back(pool, stage.pool(node))
        stage.wait_for(wire, accepted=25, blocks=1)
        stage.rest()
        check(stage)


def test_a_node_that_refuses_blocks(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        pool = stage.pool(stage.node(refuse="bad-audit"))
        wire = stage.relay_to(pool)
        stage.miner([PoolOf(wire)])
        until(lambda: len(pool.node.offers) > 1, "two blocks are refused", pool.program)
        stage.rest()
        check(stage)


def test_a_journal_on_a_full_disk(tmp_path: Path) -> None:
    """Mining goes on, and every figure but the journal's own stays true. Jobs do not change here: a share that is too
    late before it leaves would be on no wire, and the journal cannot tell of it.
    """
    with scene(tmp_path) as stage:
        _, wire = stage.scripted_pool()
        miner = stage.miner([PoolOf(wire)], journal=Path("/dev/full"))
        miner.problems = ("Cannot write the share journal '/dev/full': No space left on device.",)
        stage.wait_for(wire, accepted=25, blocks=1)
        stage.rest()
        check(stage)


def test_solo_counts_what_the_node_took(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        node = stage.node(refuse="bad-audit", refuse_first=2, bits=EASY)
        solo = stage.solo(node, "--until-blocks", "2", "--time-limit", "60")
        assert solo.exit_code == 0
        assert [offer.verdict for offer in node.offers][:4] == ["bad-audit", "bad-audit", None, None]
        check(stage)


def test_solo_reaches_no_goal_with_blocks_that_the_node_refuses(tmp_path: Path) -> None:
    with scene(tmp_path) as stage:
        node = stage.node(refuse="bad-audit", bits=EASY)
        solo = stage.solo(node, "--until-blocks", "1", "--time-limit", "4")
        assert solo.exit_code == 1
        assert node.offers
        check(stage)
