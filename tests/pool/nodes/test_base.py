"""What a node says by itself, from its template alone."""

from dataclasses import replace

import pytest

from stratum_miner.bitcoin.address import Network
from stratum_miner.pool.nodes.base import NodeDownloadingError, NodeError, SubmitResult, Tip
from stratum_miner.testing.scripted_node import EASY_BITS, HARD_BITS, ScriptedNode, make_template


@pytest.mark.parametrize(
    ("network", "height", "subsidy"),
    [
        (Network.MAINNET, 209_999, 50 * 10**8),
        (Network.MAINNET, 210_000, 25 * 10**8),
        (Network.REGTEST, 149, 50 * 10**8),
        (Network.REGTEST, 150, 25 * 10**8),
    ],
)
async def test_the_reward_of_the_next_block(network: Network, height: int, subsidy: int) -> None:
    node = ScriptedNode(make_template(height))
    node.network = network
    state = await node.chain_state()
    assert (state.height, state.subsidy, state.difficulty, state.blocks) == (height, subsidy, 1.0, 0)
    assert state.average_fees == 0, "a template without a value pays none"


async def test_fees_are_what_the_template_pays_beyond_the_subsidy() -> None:
    node = ScriptedNode(replace(make_template(1, nbits=EASY_BITS), coinbase_value=50 * 10**8 + 7))
    node.network = Network.REGTEST
    assert (await node.chain_state()).average_fees == 7


async def test_only_the_tip_is_known() -> None:
    node = ScriptedNode(make_template(101, nbits=HARD_BITS))
    tip = await node.tip()
    assert tip == Tip(100, node.template.previous_hash)
    assert await node.block_hash(100) == tip.hash
    for height in (99, 101):
        with pytest.raises(
            NodeError, match=f"^block hash: expected height 100, the only one that is known, got {height}$"
        ):
            await node.block_hash(height)
    async with node as opened:
        assert opened is node


def test_how_many_blocks_are_missing() -> None:
    for proven, source in ((True, "its headers"), (False, "a peer")):
        error = NodeDownloadingError("node at x", 1234, 5678, proven=proven)
        assert (error.missing, error.proven) == (4444, proven)
        assert str(error) == (
            f"node at x: it is still downloading the chain: it has 1,234 blocks of 5,678 (according to {source})"
        )
        assert error.reason == "node at x: it is still downloading the chain"
        assert not error.permanent


@pytest.mark.parametrize(
    ("text", "accepted", "inconclusive", "undelivered"),
    [
        (None, True, False, False),
        ("duplicate", True, False, False),
        ("duplicate-invalid", False, False, False),
        ("inconclusive", False, True, False),
        ("duplicate-inconclusive", False, True, False),
        ("prev-blk-not-found", False, False, True),
        ("bad-cb-amount", False, False, False),
    ],
)
def test_what_an_answer_means(text: str | None, accepted: bool, inconclusive: bool, undelivered: bool) -> None:
    result = SubmitResult.from_text(text)
    assert (result.accepted, result.inconclusive, result.undelivered) == (accepted, inconclusive, undelivered)
    assert result.explanation
    assert SubmitResult.from_text(text, "more").explanation.endswith("more") == (text is not None)
    assert SubmitResult.unreachable("no route") == SubmitResult(False, "unreachable", "no route")
    assert SubmitResult.unreachable("no route").undelivered
