"""Blocks for nodes that validate them: good ones, and ones with one fault."""

import time
from dataclasses import replace

from stratum_miner.bitcoin.block import serialize_block
from stratum_miner.bitcoin.coinbase import TxOut, split_coinbase, with_witness, witness_commitment_script
from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import hash_value, target_from_bits
from stratum_miner.pool.nodes.base import Node, SubmitResult
from stratum_miner.pool.template import BlockTemplate, assemble_block, coinbase_parts

TARGET = target_from_bits(0x207FFFFF)


def solve(header: BlockHeader, *, wins: bool = True) -> bytes:
    """Every second hash wins."""
    for nonce in range(1000):
        candidate = replace(header, nonce=nonce)
        if (hash_value(candidate.digest()) <= TARGET) == wins:
            return candidate.to_bytes()
    raise AssertionError("a thousand hashes on the same side")


def header_on(template: BlockTemplate, coinbase: bytes) -> BlockHeader:
    return BlockHeader(template.version, template.previous_hash, sha256d(coinbase), template.curtime, template.nbits, 0)


def mine(template: BlockTemplate, *, payout: bytes = b"\x51") -> bytes:
    prefix, suffix = coinbase_parts(template, payout_script=payout, extranonce_size=8)
    coinbase = prefix + bytes(8) + suffix
    return assemble_block(template, coinbase, solve(header_on(template, coinbase)))


async def grow(node: Node, blocks: int) -> list[bytes]:
    """Mine on the node; the hashes of the blocks."""
    hashes = []
    for _ in range(blocks):
        block = mine(await node.get_template())
        result = await node.submit_block(block)
        assert result == SubmitResult.from_text(None)
        hashes.append(sha256d(block[:80]))
    return hashes


FAULTS = [
    "high-hash",
    "bad-txnmrklroot",
    "prev-blk-not-found",
    "bad-diffbits",
    "time-too-old",
    "time-too-new",
    "bad-version(0x00000001)",
    "bad-version(0xe0000001)",
    "bad-cb-height",
    "bad-cb-amount",
    "bad-cb-length",
    "bad-witness-merkle-match",
    "bad-witness-nonce-size",
    "unexpected-witness",
]
"""The faults that ``spoiled`` can give a block, each named by the answer of a node."""


def spoiled(template: BlockTemplate, how: str) -> bytes:
    """A block with one fault."""
    header_fields: dict[str, dict[str, int]] = {
        "bad-diffbits": {"nbits": 0x207FFFFE},
        "time-too-old": {"ntime": template.mintime - 1},
        "time-too-new": {"ntime": int(time.time()) + 7300},
        "bad-version(0x00000001)": {"version": 1},
        "bad-version(0xe0000001)": {"version": 0xE0000001},
    }
    height = template.height - 1 if how == "bad-cb-height" else template.height
    commitment = witness_commitment_script([bytes(32)] if how == "bad-witness-merkle-match" else [])
    outputs = [TxOut(template.coinbase_value + (how == "bad-cb-amount"), b"\x51")]
    if how != "unexpected-witness":
        outputs.append(TxOut(0, commitment))
    coinbase = split_coinbase(height=height, extranonce_size=8, outputs=outputs).join(bytes(8))
    if how == "bad-cb-length":
        coinbase = coinbase[:41] + b"\x01\x51" + coinbase[42 + coinbase[41] :]
    header = replace(header_on(template, coinbase), **header_fields.get(how, {}))  # type: ignore[arg-type]
    if how == "bad-txnmrklroot":
        header = replace(header, merkle_root=bytes(32))
    if how == "prev-blk-not-found":
        header = replace(header, previous_hash=bytes(32))
    first = coinbase if how == "bad-witness-nonce-size" else with_witness(coinbase)
    return serialize_block(solve(header, wins=how != "high-hash"), [first])
