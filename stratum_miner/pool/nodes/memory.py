"""A block chain in memory with a network difficulty of choice, so that a share is not necessarily a block.

Bitcoin Core's regtest has a fixed network target, which every second hash meets. A pool on regtest can therefore not
show that it refuses a share for its hash, and each accepted share makes the jobs of all miners stale. On the chain of
this module, blocks are as rare as the user wants.

The price is that this module validates blocks itself, and only in part. It applies the rules of regtest to the header
and the coinbase. The tests submit the same blocks to this node and to Bitcoin Core's library, and compare the answers.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import trio

from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.coinbase import (
    COMMITMENT_PREFIX,
    MAX_SCRIPT_SIZE,
    TxOut,
    block_subsidy,
    push_height,
    split_coinbase,
    witness_commitment_script,
)
from stratum_miner.bitcoin.header import HEADER_SIZE, MAX_TIME_AHEAD, BlockHeader
from stratum_miner.bitcoin.target import (
    bits_from_target,
    difficulty_from_target,
    hash_value,
    target_from_bits,
    target_from_difficulty,
)
from stratum_miner.bitcoin.transaction import Transaction, TransactionError, parse_count
from stratum_miner.pool.nodes.base import (
    MEDIAN_BLOCKS,
    REGTEST_HALVING_INTERVAL,
    Node,
    NodeError,
    SubmitResult,
    Tip,
    empty_block_template,
)
from stratum_miner.pool.template import BlockTemplate

CHECKED: Final = "header, coinbase and merkle root"
"""What the node checks in a block, for people."""
NOT_CHECKED: Final = "scripts, signatures and transactions other than the coinbase"
"""What the node does not check in a block, for people. It rejects blocks with such transactions."""
EASIEST_TARGET: Final = target_from_bits(0x207FFFFF)
"""The target of regtest, which is the easiest of a block chain: every second hash meets it."""
LOWEST_DIFFICULTY: Final = 4.65654e-10
"""The difficulty of ``EASIEST_TARGET``, rounded down to what people type."""
MAX_BLOCKS: Final = 100_000
"""Maximum number of blocks that are kept, about 30 MB. A block on an older one is rejected, because its parent is no
longer known."""

_GENESIS: Final = BlockHeader(
    version=1,
    previous_hash=bytes(32),
    merkle_root=bytes.fromhex("3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"),
    ntime=1296688602,
    nbits=0x207FFFFF,
    nonce=2,
)
"""The header of the first block of regtest."""
_LOWEST_VERSION: Final = 4
"""Since BIP 65, a block has at least this version, which is a signed number."""
_MAX_WEIGHT: Final = 4_000_000
_MAX_MONEY: Final = 21_000_000 * 100_000_000
_LOCK_TIME_THRESHOLD: Final = 500_000_000
"""Lock times below this number are heights; others are times."""
_FINAL_SEQUENCE: Final = 0xFFFFFFFF
_RESERVED_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of the chain, of which only this much is kept."""

    height: int
    hash: bytes
    parent: bytes
    ntime: int


class _Rejected(Exception):  # noqa: N818  an answer of the node, not an error
    """A block breaks a rule. ``reason`` is that of BIP 22."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.result = SubmitResult.from_text(reason, detail)


class MemoryNode(Node):
    """A block chain in memory, on which every block has the network difficulty ``network_difficulty``, rounded up to
    the next difficulty that nbits can express.

    The chain begins with the first block of regtest, and has the addresses, the subsidy and the rules of regtest. It
    is the chain of this object alone: no other node has it, and it is gone when the object is.

    The node checks the header (hash, previous block, time, nbits and version), the coinbase (BIP 34 height, size of the
    script, value, lock time and witness commitment) and the merkle root. **It does not check scripts, signatures and
    other transactions.** Its templates have no transactions but the coinbase, and it rejects blocks that have others.
    Therefore, a block that this node accepts shows less than one that Bitcoin Core accepts, for example with
    ``open_node("kernel")``.

    ``unix_time`` returns the node's time, in seconds since 1970. Raises ValueError unless ``network_difficulty`` is a
    finite number that is not below the difficulty of regtest.
    """

    network = Network.REGTEST

    def __init__(self, network_difficulty: float, *, unix_time: Callable[[], float] = time.time) -> None:
        if not LOWEST_DIFFICULTY <= network_difficulty < math.inf:
            raise ValueError(
                f"network difficulty: expected a finite number of at least {LOWEST_DIFFICULTY:g}, the difficulty of "
                f"regtest, got {network_difficulty:g}"
            )
        # A difficulty that was shown is that of an nbits, rounded. The next lower float gives this nbits again.
        target = target_from_difficulty(math.nextafter(network_difficulty, 0))
        self.nbits = bits_from_target(min(target, EASIEST_TARGET))
        """The network target in compact form, which is the same for all blocks."""
        self._unix_time = unix_time
        first = _Block(0, _GENESIS.digest(), _GENESIS.previous_hash, _GENESIS.ntime)
        self._blocks = {first.hash: first}
        self._best_chain = {first.height: first.hash}
        """The hashes of the best chain, by height."""
        self._tip = first
        self._tip_changed = trio.Event()

    def __repr__(self) -> str:
        return f"<MemoryNode of difficulty {difficulty_from_target(target_from_bits(self.nbits)):g}>"

    async def get_template(self) -> BlockTemplate:
        """Return a template for an empty block on the tip (the last block of the best chain).

        Raises NodeError if the median time past of the tip is more than two hours ahead of the clock.
        """
        await trio.lowlevel.checkpoint()
        return self._template()

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """Wait for a new tip (last block of the best chain) and return the new template."""
        await trio.lowlevel.checkpoint()
        while self._tip.hash == after.previous_hash:
            await self._tip_changed.wait()
        return self._template()

    async def submit_block(self, block: bytes) -> SubmitResult:
        """Check a block and add it to the block chain. For a valid block that is not in the best chain, the result is
        "inconclusive"."""
        await trio.lowlevel.checkpoint()
        try:
            return self._process(block)
        except _Rejected as rejected:
            return rejected.result

    async def tip(self) -> Tip:
        """Return the last block of the best chain. Height 0 is the first block of regtest."""
        await trio.lowlevel.checkpoint()
        return Tip(self._tip.height, self._tip.hash)

    async def block_hash(self, height: int) -> bytes:
        """Return the hash of the block at ``height``, 32 bytes in internal byte order.

        Raises NodeError if the best chain has no such block, or if the node has forgotten it.
        """
        await trio.lowlevel.checkpoint()
        try:
            return self._best_chain[height]
        except KeyError:
            lowest = next(iter(self._best_chain))
            raise NodeError(
                f"chain in memory: expected a height from {lowest} to {self._tip.height}, got {height}"
            ) from None

    async def add_block(self) -> Tip:
        """Add a block as if a miner of another pool had found it, and return it as the new tip.

        The hash of this block does not meet the network target, because the node computes no proof of work.
        """
        await trio.lowlevel.checkpoint()
        template = self._template()
        coinbase = split_coinbase(
            height=template.height, extranonce_size=8, outputs=[TxOut(template.coinbase_value, b"\x51")]
        )
        merkle_root = Transaction.parse(coinbase.join(bytes(8))).txid
        header = BlockHeader(
            template.version, template.previous_hash, merkle_root, template.curtime, template.nbits, nonce=0
        )
        self._add(_Block(template.height, header.digest(), header.previous_hash, header.ntime))
        return Tip(self._tip.height, self._tip.hash)

    # ---- the chain --------------------------------------------------------------------------------------------------

    def _template(self) -> BlockTemplate:
        return empty_block_template(
            Tip(self._tip.height, self._tip.hash),
            nbits=self.nbits,
            median_time=self._median_time_past(self._tip),
            unix_time=self._unix_time(),
        )

    def _median_time_past(self, block: _Block) -> int:
        return statistics.median_high(
            each.ntime for each, _ in zip(self._back_from(block), range(MEDIAN_BLOCKS), strict=False)
        )

    def _back_from(self, block: _Block | None) -> Iterator[_Block]:
        """Yield this block and the blocks before it, the newest first."""
        while block is not None:
            yield block
            block = self._blocks.get(block.parent)

    def _process(self, raw: bytes) -> SubmitResult:
        header, coinbase = _parsed(raw)
        _check_alone(header, coinbase)
        digest = header.digest()
        known = self._blocks.get(digest)
        if known is not None:
            is_best = self._best_chain.get(known.height) == digest
            return SubmitResult.from_text("duplicate" if is_best else "duplicate-inconclusive")
        parent = self._blocks.get(header.previous_hash)
        if parent is None:
            raise _Rejected("prev-blk-not-found")
        median_time = self._median_time_past(parent)
        self._check_header(header, median_time)
        _check_coinbase(coinbase, parent.height + 1, median_time)
        is_best = parent.height + 1 > self._tip.height
        self._add(_Block(parent.height + 1, digest, parent.hash, header.ntime))
        return SubmitResult.from_text(None if is_best else "inconclusive")

    def _check_header(self, header: BlockHeader, median_time: int) -> None:
        if header.nbits != self.nbits:
            raise _Rejected("bad-diffbits")
        if header.ntime <= median_time:
            raise _Rejected("time-too-old")
        if header.ntime > self._unix_time() + MAX_TIME_AHEAD:
            raise _Rejected("time-too-new")
        if int.from_bytes(header.version.to_bytes(4), signed=True) < _LOWEST_VERSION:
            raise _Rejected(f"bad-version(0x{header.version:08x})")

    def _add(self, block: _Block) -> None:
        self._blocks[block.hash] = block
        if block.height > self._tip.height:
            self._tip = block
            for each in self._back_from(block):
                if self._best_chain.get(each.height) == each.hash:
                    break
                self._best_chain[each.height] = each.hash
            self._tip_changed.set()
            self._tip_changed = trio.Event()
        if len(self._blocks) > MAX_BLOCKS:
            oldest = self._blocks.pop(next(iter(self._blocks)))
            if self._best_chain.get(oldest.height) == oldest.hash:
                del self._best_chain[oldest.height]


# ---- rules, in the order in which Bitcoin Core checks them -----------------------------------------------------------


def _parsed(raw: bytes) -> tuple[BlockHeader, Transaction]:
    """Return the header and the first transaction of a block. Bytes after them are ignored, as by Bitcoin Core.

    Raises _Rejected if the bytes are not a block, or if there are other transactions.
    """
    try:
        header = BlockHeader.from_bytes(raw[:HEADER_SIZE])
        count, start = parse_count(raw, HEADER_SIZE)
        if not count:
            raise _Rejected("bad-blk-length")
        first = Transaction.parse(raw, start)
    except (ValueError, TransactionError):
        raise _Rejected("block-decode-failed") from None
    if count > 1:
        raise _Rejected("rejected", f"a chain in memory checks no {NOT_CHECKED}, and takes no block that has some")
    return header, first


def _check_alone(header: BlockHeader, coinbase: Transaction) -> None:
    """Check what can be checked without the chain. Raises _Rejected."""
    try:
        target = target_from_bits(header.nbits)
    except ValueError:
        target = 0
    if target > EASIEST_TARGET or hash_value(header.digest()) > target:
        raise _Rejected("high-hash")
    if header.merkle_root != coinbase.txid:
        raise _Rejected("bad-txnmrklroot")
    if 4 * (HEADER_SIZE + 1 + len(coinbase.stripped)) > _MAX_WEIGHT:
        raise _Rejected("bad-blk-length")
    if not coinbase.is_coinbase:
        raise _Rejected("bad-cb-missing")
    if not coinbase.outputs:
        raise _Rejected("bad-txns-vout-empty")
    if any(output.value > _MAX_MONEY for output in coinbase.outputs):
        raise _Rejected("bad-txns-vout-toolarge")
    if not 2 <= len(coinbase.inputs[0].script) <= MAX_SCRIPT_SIZE:
        raise _Rejected("bad-cb-length")


def _check_coinbase(coinbase: Transaction, height: int, median_time: int) -> None:
    """Check the coinbase of a block at ``height``, whose previous blocks have this median time. Raises _Rejected."""
    limit = height if coinbase.lock_time < _LOCK_TIME_THRESHOLD else median_time
    if coinbase.lock_time >= limit and coinbase.inputs[0].sequence != _FINAL_SEQUENCE:
        raise _Rejected("bad-txns-nonfinal")
    if not coinbase.inputs[0].script.startswith(push_height(height)):
        raise _Rejected("bad-cb-height")
    _check_commitment(coinbase)
    weight = 4 * (HEADER_SIZE + 1) + 3 * len(coinbase.stripped) + coinbase.size
    if weight > _MAX_WEIGHT:
        raise _Rejected("bad-blk-weight")
    paid, allowed = sum(output.value for output in coinbase.outputs), block_subsidy(height, REGTEST_HALVING_INTERVAL)
    if paid > allowed:
        raise _Rejected("bad-cb-amount", f"coinbase pays too much (actual={paid} vs limit={allowed})")


def _check_commitment(coinbase: Transaction) -> None:
    """Check the witness commitment of a block that has no transaction but the coinbase (BIP 141)."""
    expected = witness_commitment_script([])
    commitments = [
        output.script[: len(expected)]
        for output in coinbase.outputs
        if len(output.script) >= len(expected) and output.script.startswith(COMMITMENT_PREFIX)
    ]
    if not commitments:
        if coinbase.witnesses:
            raise _Rejected("unexpected-witness")
        return
    witness = coinbase.witnesses[0] if coinbase.witnesses else ()
    if [len(item) for item in witness] != [_RESERVED_SIZE]:
        raise _Rejected("bad-witness-nonce-size")
    if commitments[-1] != witness_commitment_script([], witness[0]):
        raise _Rejected("bad-witness-merkle-match")
