"""Makes empty blocks and submits them to the pool's node. To the pool, such a block looks like a block that another
miner found."""

from stratum_miner.bitcoin.block import serialize_block
from stratum_miner.bitcoin.coinbase import TxOut, split_coinbase
from stratum_miner.bitcoin.header import BlockHeader, display_hash
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import target_from_bits
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.outcome import Skip
from stratum_miner.conformance.pool_under_test import ChainTip
from stratum_miner.conformance.probe import Probe

ANYONE_CAN_SPEND = b"\x51"
HARMLESS_ANSWERS = frozenset({"", "duplicate", "inconclusive", "duplicate-inconclusive"})
"""Answers to submitblock that mean that the node has stored the block now, or had it already. "inconclusive" means
that the block is valid but not on the best chain."""


async def extend(probe: Probe, connection: ProbeConnection, on: ChainTip | None = None) -> bytes:
    """Submit an empty block on top of ``on`` to the pool's node, and return its hash: 32 bytes in internal order.

    Without ``on``, the block extends the best chain. Raises Skip if making the block would take too much work or the
    node rejects the block, ChainError if the node does not answer.
    """
    tip = on or await probe.chain.tip()
    block, digest = await make_block(probe, connection, tip)
    objection = await probe.chain.submit(block)
    if objection not in HARMLESS_ANSWERS:
        raise Skip(f"the node rejected the block {display_hash(digest)} that the check made: {objection}")
    return digest


async def make_block(probe: Probe, connection: ProbeConnection, tip: ChainTip) -> tuple[bytes, bytes]:
    """Return an empty block on top of ``tip``, and the hash of the block. The block has the nbits of the newest job,
    and the time that the node gives the next block.

    Raises Skip if making the block takes too much work, ChainError if the node does not answer.
    """
    job = connection.job
    nonce = probe.rng.randbytes(8)
    split = split_coinbase(
        height=tip.height + 1, extranonce_size=len(nonce), outputs=[TxOut(0, ANYONE_CAN_SPEND)], tag=b"/conformance/"
    )
    coinbase = split.join(nonce)
    # The time of a block must be later than the median time of the eleven blocks before it. The node knows this median
    # on its best chain only, so each block is also later than the previous block of this check.
    ntime = max(await probe.chain.time(), probe.last_block_time + 1)
    header = BlockHeader(
        version=0x20000000,
        previous_hash=tip.hash,
        merkle_root=sha256d(coinbase),
        ntime=ntime,
        nbits=job.nbits,
        nonce=0,
    ).to_bytes()
    found = await probe.search.nonce(header, target_from_bits(job.nbits))
    if found is None:
        raise Skip("no nonce makes a block of the header that the check built")
    probe.last_block_time = ntime
    header = header[:76] + found.to_bytes(4, "little")
    return serialize_block(header, [coinbase]), sha256d(header)
