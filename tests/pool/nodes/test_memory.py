"""The chain in memory: the answers of Bitcoin Core's library, a difficulty of choice, and limits."""

import time
from dataclasses import replace
from random import Random

import pytest
import trio

from stratum_miner.bitcoin.block import compact_size, serialize_block
from stratum_miner.bitcoin.coinbase import (
    COMMITMENT_PREFIX,
    TxOut,
    split_coinbase,
    with_witness,
    witness_commitment_script,
)
from stratum_miner.bitcoin.header import BlockHeader, display_hash
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import difficulty_from_target, target_from_bits
from stratum_miner.bitcoin.transaction import Transaction
from stratum_miner.pool.nodes import memory
from stratum_miner.pool.nodes.base import Node, NodeError, SubmitResult
from stratum_miner.pool.nodes.memory import LOWEST_DIFFICULTY, MemoryNode
from stratum_miner.pool.template import BlockTemplate, coinbase_parts
from tests.pool.nodes.mined import FAULTS, grow, mine, solve, spoiled

REGTEST = difficulty_from_target(target_from_bits(0x207FFFFF))
SECONDS = 60.0


def regtest() -> MemoryNode:
    return MemoryNode(REGTEST)


@pytest.mark.parametrize("how", FAULTS)
async def test_a_bad_block_is_rejected_with_its_rule(how: str) -> None:
    node = regtest()
    await grow(node, 17)
    before = await node.tip()
    result = await node.submit_block(spoiled(await node.get_template(), how))
    assert (result.accepted, result.result) == (False, how)
    assert "rejects the block" not in result.explanation, "every rule is explained"
    assert await node.tip() == before
    await grow(node, 1)


def changed(rng: Random, template: BlockTemplate) -> bytes:
    """A solved block with a fault of any kind, or none, in a coinbase whose root is right."""
    prefix, suffix = coinbase_parts(template, payout_script=b"\x51", extranonce_size=8)
    plain = prefix + rng.randbytes(8) + suffix
    full = bytearray(with_witness(plain))
    kind = rng.randrange(9)
    if kind == 0:  # one byte is another
        full[rng.randrange(len(full))] = rng.choice([0, 1, 2, 0x51, 0x7F, 0xFD, 0xFF, rng.randrange(256)])
    elif kind == 1:
        del full[rng.randrange(len(full))]
    elif kind == 2:
        full.insert(rng.randrange(len(full)), rng.randrange(256))
    elif kind == 3:
        full[-4:] = rng.choice([0, template.height, template.height + 1, 500_000_000, 2**32 - 1]).to_bytes(4, "little")
    elif kind == 4:
        full = bytearray(plain)
    elif kind == 5:  # a lock time that has not come, which counts only if the sequence is not final
        full = bytearray(full.replace(b"\xfe\xff\xff\xff", b"\xff\xff\xff\xff"))
        full[-4:] = (10**9 * rng.randrange(4)).to_bytes(4, "little")
    elif kind == 6:  # of several commitments, the last counts
        wrong = TxOut(0, COMMITMENT_PREFIX + bytes(32))
        right = TxOut(0, witness_commitment_script([]))
        outputs = rng.choice([[], [right, wrong], [wrong, right], [TxOut(0, b"")]])
        made = split_coinbase(height=template.height, extranonce_size=8, outputs=outputs).join(rng.randbytes(8))
        full = bytearray(rng.choice([made, with_witness(made)]))
    try:
        root = Transaction.parse(bytes(full)).txid
    except ValueError:
        root = sha256d(bytes(full))
    header = BlockHeader(template.version, template.previous_hash, root, template.curtime, template.nbits, 0)
    if rng.random() < 0.2:
        version = rng.choice([0, 3, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
        header = replace(header, version=version, ntime=template.mintime - rng.randrange(3))
    if rng.random() < 0.05:
        header = replace(header, nbits=rng.choice([0, 0x20FFFFFF, 0x2100FFFF, 0x1D00FFFF, 0x207FFFFE]))
    return serialize_block(solve(header), [bytes(full)])


def large_blocks(template: BlockTemplate) -> list[bytes]:
    """Blocks around the two limits of the size: the weight without witness, and the weight with it."""
    size = 100_000
    rest = len(Transaction.parse(mine(template, payout=b"\x6a" * size), 81).stripped) - size
    return [mine(template, payout=b"\x6a" * (stripped - rest)) for stripped in (999_920, 999_919, 999_911)]


DECODING = {"block-decode-failed", "rejected"}


async def test_the_answers_are_those_of_bitcoin_cores_library() -> None:
    """The same chain in both nodes, and the same blocks: all faults by name, and thousands by chance."""
    pytest.importorskip("pbk")
    from stratum_miner.pool.nodes.kernel import KernelNode

    rng = Random(7)
    seen: set[str] = set()
    async with KernelNode() as core:
        node = regtest()
        assert await core.tip() == await node.tip(), "both begin with the same block"
        for height in range(1, 161):
            template = await core.get_template()
            assert replace(await node.get_template(), curtime=template.curtime) == template
            blocks = [spoiled(template, how) for how in FAULTS] if height in (1, 17, 150) else []
            blocks += large_blocks(template) if height == 2 else []
            for block in [*blocks, *[changed(rng, template) for _ in range(20)], mine(template)]:
                if (await core.tip()).height == height:
                    break
                theirs, ours = await core.submit_block(block), await node.submit_block(block)
                seen.add(theirs.result)
                if theirs.result != ours.result:
                    # a transaction that is no coinbase, but can be parsed, is rejected by both, for the first reason
                    assert (theirs.accepted, ours.accepted) == (False, False), (theirs, ours, block.hex())
                    assert ours.result in {"bad-cb-missing"} | DECODING or theirs.result in DECODING, (theirs, ours)
            assert await core.tip() == await node.tip()
    assert seen >= {*FAULTS, "accepted", "bad-txns-nonfinal", "bad-txns-vout-empty", "bad-blk-weight", "bad-blk-length"}


async def test_the_chain_has_the_difficulty_that_was_asked_for() -> None:
    for difficulty in (1e-7, 1e-4, 0.5, 1, 3e6, 1e14):
        node = MemoryNode(difficulty)
        state = await node.chain_state()
        assert difficulty <= state.difficulty <= difficulty * 1.0001
        assert (await node.get_template()).nbits == node.nbits
        assert f"{state.difficulty:g}" in repr(node)
        assert MemoryNode(state.difficulty).nbits == node.nbits, "the figure that is shown gives the same chain"
    assert MemoryNode(REGTEST).nbits == MemoryNode(LOWEST_DIFFICULTY).nbits == 0x207FFFFF


@pytest.mark.parametrize("difficulty", [0, -1, 4e-10, float("inf"), float("nan")])
def test_a_difficulty_that_no_chain_has_is_refused(difficulty: float) -> None:
    words = r"^network difficulty: expected a finite number of at least 4\.65654e-10, the difficulty of regtest, got "
    with pytest.raises(ValueError, match=words + f"{difficulty:g}$"):
        MemoryNode(difficulty)


async def test_a_hash_that_regtest_takes_is_no_block_here() -> None:
    node = MemoryNode(1e-6)
    template = await node.get_template()
    assert (await node.submit_block(mine(template))).result == "high-hash"
    easier = replace(template, nbits=0x207FFFFF)
    assert (await node.submit_block(mine(easier))).result == "bad-diffbits", "nor one that says that it is easier"
    assert (await node.tip()).height == 0


@pytest.mark.parametrize("raw", [b"", b"junk", bytes(80), bytes(79), bytes(80) + b"\x01" + bytes(9)])
async def test_what_is_no_block_is_refused(raw: bytes) -> None:
    assert (await regtest().submit_block(raw)).result == "block-decode-failed"


async def test_a_block_with_nothing_in_it_or_with_something_after_it() -> None:
    node = regtest()
    block = mine(await node.get_template())
    assert (await node.submit_block(block[:80] + b"\x00")).result == "bad-blk-length"
    assert (await node.submit_block(block + b"\x00")).accepted, "as by Bitcoin Core"


async def test_other_transactions_are_not_checked_and_therefore_not_taken() -> None:
    node = regtest()
    block = mine(await node.get_template())
    result = await node.submit_block(block[:80] + b"\x02" + block[81:] + block[81:])
    assert (result.accepted, result.result) == (False, "rejected")
    assert "checks no scripts, signatures and transactions other than the coinbase" in result.explanation


async def test_a_block_that_is_too_large() -> None:
    node = regtest()
    template = await node.get_template()
    assert (await node.submit_block(mine(template, payout=b"\x6a" * 1_000_000))).result == "bad-blk-length"
    assert (await node.submit_block(mine(template, payout=b"\x6a" * 900_000))).accepted


async def test_siblings_lose_until_they_are_longer() -> None:
    node = regtest()
    template = await node.get_template()
    (winner,) = await grow(node, 1)
    sibling = mine(template, payout=b"\x52")
    assert await node.submit_block(sibling) == SubmitResult.from_text("inconclusive")
    assert (await node.submit_block(sibling)).result == "duplicate-inconclusive"
    assert (await node.tip()).hash == winner == await node.block_hash(1)
    child = mine(replace(await node.get_template(), previous_hash=sha256d(sibling[:80])))
    assert (await node.submit_block(child)).accepted
    assert (await node.submit_block(child)).result == "duplicate"
    assert await node.block_hash(1) == sha256d(sibling[:80])
    with pytest.raises(NodeError, match=r"chain in memory: expected a height from 0 to 2, got 3"):
        await node.block_hash(3)


async def test_waiting_ends_with_the_tip_and_with_nothing_else() -> None:
    node = regtest()
    template = await node.get_template()
    woken: list[BlockTemplate] = []

    async def wait() -> None:
        woken.append(await node.wait_template(template))

    with trio.fail_after(SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            await node.submit_block(spoiled(template, "bad-txnmrklroot"))
            await trio.testing.wait_all_tasks_blocked()
            assert not woken
            (tip,) = await grow(node, 1)
        assert [item.previous_hash for item in woken] == [tip, tip]


async def test_times() -> None:
    clock = [time.time()]
    node: Node = MemoryNode(REGTEST, unix_time=lambda: clock[0])
    await grow(node, 12)
    template = await node.get_template()
    assert template.mintime <= template.curtime == max(int(clock[0]), template.mintime)
    late = mine(replace(template, curtime=int(clock[0]) + 7201))
    assert (await node.submit_block(late)).result == "time-too-new"
    clock[0] += 1
    assert (await node.submit_block(late)).accepted, "the node's clock decides"
    clock[0] = template.mintime - 7201.0
    with pytest.raises(NodeError, match=r"at most 7200 s ahead of the clock, got 720. s. Wait, or begin a new chain"):
        await node.get_template()


async def test_a_block_of_another_pool_brings_a_template_for_the_next_height() -> None:
    node = MemoryNode(1e12)
    before = await node.get_template()
    tip = await node.add_block()
    assert tip == await node.tip()
    after = await node.wait_template(before)
    assert (tip.height, after.height, after.previous_hash) == (1, 2, tip.hash)
    assert [await node.block_hash(height) for height in (0, 1)] == [before.previous_hash, tip.hash]


async def test_old_blocks_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_BLOCKS", 5)
    node = regtest()
    first = await node.get_template()
    await grow(node, 20)
    assert len(node._blocks) == len(node._best_chain) == 5
    with pytest.raises(NodeError, match=r"expected a height from 16 to 20, got 0"):
        await node.block_hash(0)
    assert (await node.submit_block(mine(first))).result == "prev-blk-not-found"


def test_a_transaction_whose_counts_are_not_in_their_shortest_form_is_refused() -> None:
    coinbase = split_coinbase(height=1, extranonce_size=8, outputs=[TxOut(1, b"\x51")]).join(bytes(8))
    assert Transaction.parse(coinbase).is_coinbase
    with pytest.raises(ValueError, match=r"^has a number that is not in its shortest form in its input count$"):
        Transaction.parse(coinbase[:4] + b"\xfd\x01\x00" + coinbase[5:])
    assert compact_size(0xFD) == b"\xfd\xfd\x00"


def test_the_first_block_is_that_of_regtest() -> None:
    (first,) = regtest()._blocks.values()
    assert display_hash(first.hash) == "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
