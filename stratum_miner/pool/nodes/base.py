"""The interface between a pool and a Bitcoin node, which gives block templates and takes blocks.

The rules for every node:

1. A node is an async context manager: ``async with`` opens and closes it. Its methods work only while it is open.
2. If a method gets no answer, it raises NodeError with a message of one line that has no credentials. A block that the
   node rejects is an answer, not an error.
3. Any method may be cancelled at any time, and several tasks may call it at the same time.
4. ``submit_block`` may be called again with the same bytes. A block that the node already has counts as accepted.
5. A NodeError says whether it is permanent. A pool waits while the node has a temporary error (``retry``), and stops at
   once if the node has a permanent error.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Final, Self

import trio

from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.coinbase import block_subsidy, witness_commitment_script
from stratum_miner.bitcoin.header import MAX_TIME_AHEAD
from stratum_miner.bitcoin.target import difficulty_from_target, target_from_bits
from stratum_miner.pool.template import BlockTemplate

HALVING_INTERVAL: Final = 210_000
REGTEST_HALVING_INTERVAL: Final = 150
REGTEST_VERSION: Final = 0x20000000
"""The version of the blocks of this program's own regtest chains: no bit is set but those of BIP 9."""
MEDIAN_BLOCKS: Final = 11
"""The time of a block must be later than the median of the times of this number of blocks before it."""

ACCEPTED: Final = "accepted"
"""The result of a block that the node accepted. The RPC method submitblock returns null for such a block."""
UNREACHABLE: Final = "unreachable"
"""The result of a block if the node gave no answer."""
PARENT_UNKNOWN: Final = "prev-blk-not-found"
"""The node's answer to a block whose parent it does not know."""


class NodeError(Exception):
    """The node gave no answer that can be used. The message is one line."""

    permanent: ClassVar[bool] = False
    """Whether the error stays until the node or the options are changed."""

    @property
    def reason(self) -> str:
        """The message without numbers that change, such as heights. It is the same each time the same error occurs."""
        return str(self)


class NodeUnreachableError(NodeError):
    """The node could not be reached, the connection broke, or the node did not answer in time."""


class NodeUnauthorizedError(NodeError):
    """The node does not accept the credentials, or the cookie file does not contain any."""

    permanent = True


class NodeUnsuitableError(NodeError):
    """The node cannot be used for mining. For example, its block chain is not the expected one, it is on a signet with
    signed blocks, or it lacks a method.
    """

    permanent = True


class NodeNotReadyError(NodeError):
    """The node is starting, is still downloading the block chain, or has no peers. It will be ready later."""


class NodeDownloadingError(NodeNotReadyError):
    """The node lacks blocks of a block chain that is longer than its own.

    ``missing`` is the number of the blocks that it lacks. ``proven`` is true if the node has the headers of these
    blocks, and false if only a peer reports the blocks.
    """

    def __init__(self, where: str, blocks: int, longest: int, *, proven: bool) -> None:
        source = "its headers" if proven else "a peer"
        super().__init__(
            f"{where}: it is still downloading the chain: "
            f"it has {blocks:,} blocks of {longest:,} (according to {source})"
        )
        self.missing = longest - blocks
        self.proven = proven
        self._where = where

    @property
    def reason(self) -> str:
        """The message without the heights."""
        return f"{self._where}: it is still downloading the chain"


class NodeReplyError(NodeError):
    """The node's answer is not valid."""


class NodeRpcError(NodeError):
    """The node answered a method with an error. ``code`` is the error code of JSON-RPC, as in Bitcoin Core."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class NodeStorageError(NodeError):
    """The data directory of the embedded node cannot be used."""

    permanent = True


@dataclass(frozen=True, slots=True)
class Tip:
    """The last block of the node's best chain."""

    height: int
    """Height of the block; the genesis block has height 0."""
    hash: bytes
    """Hash of the block, 32 bytes in internal byte order."""


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The node's answer to a block."""

    accepted: bool
    """Whether the node accepted the block into its chain, or had it already."""
    result: str
    """The node's answer: "accepted", or its reason for the rejection, as in BIP 22."""
    explanation: str = ""
    """What ``result`` means, in plain words."""

    @property
    def inconclusive(self) -> bool:
        """Whether the node neither accepted nor rejected the block: either the block is valid but not in the best
        chain, or the node did not check it in full."""
        return self.result in ("inconclusive", "duplicate-inconclusive")

    @property
    def undelivered(self) -> bool:
        """Whether the node has neither accepted nor rejected the block, because the node could not be reached or does
        not know the parent."""
        return self.result in (UNREACHABLE, PARENT_UNKNOWN)

    @classmethod
    def from_text(cls, text: str | None, detail: str = "") -> "SubmitResult":
        """Return the result for ``text``, which submitblock returned: None, or a reason
        (docs/reference/stratum.md#results-of-submitblock). ``detail`` is added to the explanation.
        """
        if text is None:
            return cls(True, ACCEPTED, "the block is in the best chain")
        meaning = explain(text)
        return cls(text == "duplicate", text, f"{meaning}: {detail}" if detail else meaning)

    @classmethod
    def unreachable(cls, error: str) -> "SubmitResult":
        """Return the result for a block that did not reach the node because of this error."""
        return cls(False, UNREACHABLE, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """The reward and the difficulty of the next block."""

    height: int
    """Height of the next block."""
    difficulty: float
    """Network difficulty of the next block."""
    subsidy: int
    """Newly created coins that the next block may pay, in satoshis, without fees."""
    average_fees: int
    """Average fees of a block in satoshis, over the last ``blocks`` blocks."""
    blocks: int
    """Number of past blocks whose fees were averaged. If it is 0, ``average_fees`` is the sum of the fees in the node's
    template."""


class Node(ABC):
    """A Bitcoin node: it gives block templates and takes blocks. Every method raises NodeError if it gets no answer."""

    network: Network
    """The Bitcoin network of the node; set when the node is open."""

    async def check_ready(self) -> None:
        """Check that the node is ready for mining. Raises NodeError if it is not. The error is permanent if the node
        will never be ready.
        """
        await trio.lowlevel.checkpoint()

    @abstractmethod
    async def get_template(self) -> BlockTemplate:
        """Return the template for the next block."""

    @abstractmethod
    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """Wait until the last block of the node's best chain differs from the parent block of ``after``, an earlier
        template. Then return the new template.

        A node may also return a template with the same parent block as ``after``, if the two templates differ in other
        fields. ``get_template`` returns the present template without waiting.
        """

    @abstractmethod
    async def submit_block(self, block: bytes) -> SubmitResult:
        """Submit a block, serialized with witnesses, and return the node's answer."""

    async def tip(self) -> Tip:
        """Return the last block of the best chain."""
        template = await self.get_template()
        return Tip(template.height - 1, template.previous_hash)

    async def block_hash(self, height: int) -> bytes:
        """Return the hash of the block at ``height`` in the best chain, 32 bytes in internal byte order.

        Raises NodeError if the best chain has no such block, or if this node knows only the last block of that chain.
        """
        tip = await self.tip()
        if height != tip.height:
            raise NodeError(f"block hash: expected height {tip.height}, the only one that is known, got {height}")
        return tip.hash

    async def chain_state(self) -> ChainState:
        """Return the reward and the difficulty of the next block, from the node's template."""
        template = await self.get_template()
        interval = REGTEST_HALVING_INTERVAL if self.network is Network.REGTEST else HALVING_INTERVAL
        subsidy = block_subsidy(template.height, interval)
        return ChainState(
            height=template.height,
            difficulty=difficulty_from_target(target_from_bits(template.nbits)),
            subsidy=subsidy,
            average_fees=max(0, template.coinbase_value - subsidy),
            blocks=0,
        )

    async def aclose(self) -> None:  # noqa: B027 - a node that holds nothing has nothing to free
        """Close the node. Closing a closed node does nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


# ---- templates of chains in this process -----------------------------------------------------------------------


def empty_block_template(tip: Tip, *, nbits: int, median_time: int, unix_time: float) -> BlockTemplate:
    """Return the template of a block without transactions on ``tip``, on a chain with the rules of regtest.

    ``median_time`` is the median of the times of the last eleven blocks, ``unix_time`` the time now. Raises NodeError
    if the median is so far ahead of the time now that no block is valid.
    """
    now, mintime = int(unix_time), median_time + 1
    if mintime > now + MAX_TIME_AHEAD:
        raise NodeError(
            f"embedded node: expected the chain to be at most {MAX_TIME_AHEAD} s ahead of the clock, "
            f"got {mintime - now} s. Wait, or begin a new chain"
        )
    height = tip.height + 1
    return BlockTemplate(
        height=height,
        previous_hash=tip.hash,
        version=REGTEST_VERSION,
        nbits=nbits,
        curtime=max(now, mintime),
        mintime=mintime,
        coinbase_value=block_subsidy(height, REGTEST_HALVING_INTERVAL),
        witness_commitment=witness_commitment_script([]),
    )


# ---- reasons -----------------------------------------------------------------------------------------------------

REASONS: Final[Mapping[str, str]] = {
    "duplicate": "the node has this block already",
    "duplicate-invalid": "the node has seen this block before and found it invalid",
    "duplicate-inconclusive": "the node knows this block but has not put it into its best chain",
    "inconclusive": "the block is valid, but the node got another block of the same height first",
    "inconclusive-not-best-prevblk": "the block builds on another block than the tip",
    "high-hash": "the hash is above the network target",
    "bad-txnmrklroot": "the merkle root in the header is not that of the transactions",
    "prev-blk-not-found": "the node does not know the block that this block builds on",
    "bad-prevblk": "the block that this block builds on is invalid",
    "bad-diffbits": "nbits in the header are not what the block chain requires",
    "time-too-old": "the header's time is not after the median of the last eleven blocks",
    "time-too-new": "the header's time is more than two hours ahead of the node's clock",
    "bad-version": "the header's version is not allowed at this height. Were bits outside the mask rolled?",
    "bad-cb-height": "the coinbase script does not begin with the minimal push of the height",
    "bad-cb-amount": "the coinbase pays more than subsidy and fees",
    "bad-cb-length": "the coinbase script is shorter than 2 or longer than 100 bytes",
    "bad-cb-missing": "the first transaction is not a coinbase",
    "bad-witness-merkle-match": "the witness commitment is not that of the transactions",
    "bad-witness-nonce-size": "the coinbase lacks the 32-byte witness that belongs to its commitment",
    "unexpected-witness": "the block has a witness but no witness commitment",
    "bad-txns-nonfinal": "the lock time of a transaction has not come yet",
    "bad-txns-inputs-missingorspent": "a transaction spends coins that do not exist or are spent",
    "bad-txns-duplicate": "the block has a transaction twice",
    "bad-blk-sigops": "the block has too many signature operations",
    "bad-blk-weight": "the weight of the block is too high",
    "bad-blk-length": "the block is too large or has no transactions",
    "bad-signet-blksig": "the block lacks the signature that this signet requires",
    "block-decode-failed": "the node cannot decode the block",
    "rejected": "the node rejects the block and gives no reason",
}
"""For each reason with which submitblock rejects a block, its meaning in plain words. The reason "bad-version(0x…)" is
listed without the part in parentheses."""


def explain(reason: str) -> str:
    """Return in plain words why a node rejects a block. For an unknown reason, the result contains the reason
    itself."""
    return REASONS.get(reason.partition("(")[0].strip(), f"the node rejects the block: {reason}")
