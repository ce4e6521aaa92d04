"""The contract between a pool and the node that gives it templates and takes its blocks.

The rules:

1. A node is an async context manager; entering it opens it, and its other methods work inside only.
2. Every failure to get an answer is a NodeError with one line for people, free of credentials. A block that the node
   turns down is an answer, not a failure.
3. Any method may be cancelled at any time and called by several tasks at once.
4. ``submit_block`` may be repeated with the same bytes: a block the node knows already counts as accepted.
5. A NodeError says whether it is permanent. Whoever mines waits while trouble passes (``patience``), and ends at once
   when it cannot.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Final, Self

import trio

from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.coinbase import block_subsidy
from stratum_miner.bitcoin.target import difficulty_from_target, target_from_bits
from stratum_miner.pool.template import BlockTemplate

HALVING_INTERVAL: Final = 210_000
REGTEST_HALVING_INTERVAL: Final = 150

ACCEPTED: Final = "accepted"
"""Stands for the silence with which a node takes a block."""
UNREACHABLE: Final = "unreachable"
"""Stands for the answer of a node that gives none."""
PARENT_UNKNOWN: Final = "prev-blk-not-found"
"""A node's answer to a block that builds on one it does not know."""


class NodeError(Exception):
    """The node gave no answer that can be used; the message is one line."""

    permanent: ClassVar[bool] = False
    """Whether it stays so until somebody changes the node or our options."""

    @property
    def reason(self) -> str:
        """The message without the figures that change all the time."""
        return str(self)


class NodeUnreachableError(NodeError):
    """No connection, or it broke, or the node did not answer in time."""


class NodeUnauthorizedError(NodeError):
    """The node does not accept our credentials, or what is there cannot be credentials."""

    permanent = True


class NodeUnsuitableError(NodeError):
    """Nothing can be mined on this node: another chain, a signet with signed blocks, a method that it lacks."""

    permanent = True


class NodeNotReadyError(NodeError):
    """The node is starting, still downloading the chain or without peers: later it will answer."""


class NodeDownloadingError(NodeNotReadyError):
    """The node lacks blocks of a longer chain. ``missing`` is their number; ``proven``: it has their headers."""

    def __init__(self, where: str, blocks: int, longest: int, *, proven: bool) -> None:
        source = "the headers" if proven else "a peer's word"
        super().__init__(
            f"{where}: it is still downloading the chain: it has {blocks:,} blocks of {longest:,}, by {source}"
        )
        self.missing = longest - blocks
        self.proven = proven
        self._where = where

    @property
    def reason(self) -> str:
        """The reason without the heights."""
        return f"{self._where}: it is still downloading the chain"


class NodeReplyError(NodeError):
    """The node answered something that makes no sense."""


class NodeRpcError(NodeError):
    """The node answered a method with an error; ``code`` is Core's."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class NodeStorageError(NodeError):
    """The data directory cannot be used."""

    permanent = True


class MissingExtraError(NodeError):
    """An optional dependency is not installed; the message says how to get it."""

    permanent = True


@dataclass(frozen=True, slots=True)
class Tip:
    """The last block of the node's best chain; the hash in internal order."""

    height: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """What became of a block."""

    accepted: bool
    """In the node's chain, now or before."""
    result: str
    """The node's own words; "accepted" for the silence that means so."""
    explanation: str = ""
    """What the words mean, for people."""

    @property
    def inconclusive(self) -> bool:
        """Whether the node neither took nor refused it: a valid sibling, or not looked at in full."""
        return self.result in ("inconclusive", "duplicate-inconclusive")

    @property
    def undelivered(self) -> bool:
        """Whether the node has not judged it: it cannot be reached, or does not know the block before."""
        return self.result in (UNREACHABLE, PARENT_UNKNOWN)

    @classmethod
    def from_text(cls, text: str | None, detail: str = "") -> "SubmitResult":
        """From what submitblock returns, None or a reason (docs/reference/stratum.md#results-of-submitblock);
        ``detail`` adds the node's particulars."""
        if text is None:
            return cls(True, ACCEPTED, "the block is in the best chain")
        meaning = explain(text)
        return cls(text == "duplicate", text, f"{meaning}: {detail}" if detail else meaning)

    @classmethod
    def unreachable(cls, error: str) -> "SubmitResult":
        """The block could not be given to the node."""
        return cls(False, UNREACHABLE, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """What the next block is worth and how hard it is."""

    height: int
    """The height of the next block."""
    difficulty: float
    subsidy: int
    """Satoshis."""
    average_fees: int
    """Satoshis a block, over the last ``blocks`` of them."""
    blocks: int
    """0 when the fees are those of the node's template."""


class Node(ABC):
    """A node: it gives templates and takes blocks."""

    network: Network
    """Known once the node is open."""

    async def check_ready(self) -> None:
        """Return when the node can be mined on. NodeError otherwise: permanent when it never can."""
        await trio.lowlevel.checkpoint()

    @abstractmethod
    async def get_template(self) -> BlockTemplate:
        """What to mine on now."""

    @abstractmethod
    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """Another template than ``after`` as soon as the tip is another.

        A node may also return when the template differs in something else. Only ``get_template`` tells it surely.
        """

    @abstractmethod
    async def submit_block(self, block: bytes) -> SubmitResult:
        """Give a serialized block to the node."""

    async def tip(self) -> Tip:
        """The last block of the best chain."""
        template = await self.get_template()
        return Tip(template.height - 1, template.previous_hash)

    async def block_hash(self, height: int) -> bytes:
        """Hash of the block at ``height`` in the best chain, internal order. NodeError when there is none."""
        tip = await self.tip()
        if height != tip.height:
            raise NodeError(f"block hash: expected height {tip.height}, the only one this node tells, got {height}")
        return tip.hash

    async def chain_state(self) -> ChainState:
        """What the node's template says of the next block."""
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
        """Free what the node holds; may be called again."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


# ---- reasons -----------------------------------------------------------------------------------------------------

REASONS: Final[Mapping[str, str]] = {
    "duplicate": "the node has this block already",
    "duplicate-invalid": "the node has seen this block before and found it invalid",
    "duplicate-inconclusive": "the node knows this block but has not put it into its best chain",
    "inconclusive": "a valid block, but another of the same height came first: the race is lost for now",
    "inconclusive-not-best-prevblk": "the block builds on another block than the tip",
    "high-hash": "the hash is above the network target",
    "bad-txnmrklroot": "the merkle root in the header is not that of the transactions",
    "prev-blk-not-found": "the node does not know the block this one builds on",
    "bad-prevblk": "the block this one builds on is invalid",
    "bad-diffbits": "nbits in the header are not what the chain requires",
    "time-too-old": "the header's time is not after the median of the last eleven blocks",
    "time-too-new": "the header's time is more than two hours ahead of the node's clock",
    "bad-version": "the header's version is not allowed at this height: rolled bits outside the mask?",
    "bad-cb-height": "the coinbase script does not begin with the minimal push of the height",
    "bad-cb-amount": "the coinbase pays more than subsidy and fees",
    "bad-cb-length": "the coinbase script is shorter than 2 or longer than 100 bytes",
    "bad-cb-missing": "the first transaction is not a coinbase",
    "bad-witness-merkle-match": "the witness commitment is not that of the transactions",
    "bad-witness-nonce-size": "the coinbase lacks the 32-byte witness that belongs to its commitment",
    "unexpected-witness": "there is a witness in a block without witness commitment",
    "bad-txns-nonfinal": "a transaction's lock time has not come yet",
    "bad-txns-inputs-missingorspent": "a transaction spends coins that do not exist or are spent",
    "bad-txns-duplicate": "a transaction is there twice",
    "bad-blk-sigops": "too many signature operations",
    "bad-blk-weight": "the block is too heavy",
    "bad-blk-length": "the block is too large or has no transactions",
    "bad-signet-blksig": "the block lacks the signature that this signet asks for",
    "block-decode-failed": "the node cannot read the block",
    "rejected": "the node refuses the block and does not say why",
}
"""What the reasons of submitblock mean; "bad-version(0x…)" is listed without its number."""


def explain(reason: str) -> str:
    """A node's reason in words; an unknown one is repeated."""
    return REASONS.get(reason.partition("(")[0].strip(), f"the node refuses the block: {reason}")
