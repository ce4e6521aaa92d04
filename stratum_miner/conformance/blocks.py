"""Making blocks behind the pool's back and giving them to its node: empty ones, on any block."""

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
"""What a node says of a block that it keeps: a valid one off its best chain is "inconclusive"."""


async def extend(probe: Probe, connection: ProbeConnection, on: ChainTip | None = None) -> bytes:
    """Give the node an empty block on ``on`` (default: its tip); returns its hash, internal order.

    Skip when it costs too much work or the node objects.
    """
    tip = on or await probe.chain.tip()
    block, digest = await make_block(probe, connection, tip)
    objection = await probe.chain.submit(block)
    if objection not in HARMLESS_ANSWERS:
        raise Skip(f"the node does not take our block {display_hash(digest)}: {objection}")
    return digest


async def make_block(probe: Probe, connection: ProbeConnection, tip: ChainTip) -> tuple[bytes, bytes]:
    """An empty block on ``tip`` under the newest job's nbits and time, and its hash."""
    job = connection.job
    nonce = probe.rng.randbytes(8)
    split = split_coinbase(
        height=tip.height + 1, extranonce_size=len(nonce), outputs=[TxOut(0, ANYONE_CAN_SPEND)], tag=b"/conformance/"
    )
    coinbase = split.join(nonce)
    header = BlockHeader(
        version=0x20000000,
        previous_hash=tip.hash,
        merkle_root=sha256d(coinbase),
        ntime=job.ntime + probe.blocks_made,  # after the median of the eleven before it, however many we make
        nbits=job.nbits,
        nonce=0,
    ).to_bytes()
    found = await probe.search.nonce(header, target_from_bits(job.nbits))
    if found is None:
        raise Skip("no nonce makes this a block")
    probe.blocks_made += 1
    header = header[:76] + found.to_bytes(4, "little")
    return serialize_block(header, [coinbase]), sha256d(header)
