"""Merkle trees of transaction ids, and merkle branches. A merkle branch is the list of hashes that a miner needs to
compute the merkle root from the coinbase, without the other transactions.

All hashes are 32 bytes in internal order. On a level with an odd number of hashes, the last hash is used twice
(docs/reference/stratum.md#merkle-root).
"""

from collections.abc import Iterable, Sequence

from stratum_miner.bitcoin.sha256d import sha256d


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the merkle root of ``leaves``. Raises ValueError if there are none."""
    if not leaves:
        raise ValueError("merkle root: expected at least one leaf, got none")
    level = list(leaves)
    while len(level) > 1:
        level = _pair_up(level)
    return level[0]


def merkle_branch(txids_without_coinbase: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the merkle branch: the sibling hashes on the path from the coinbase to the root, the lowest level first.

    The branch is empty if the block contains only the coinbase.
    """
    branch: list[bytes] = []
    # the hashes of one level of the tree, without the first hash of this level, which depends on the coinbase
    rest = list(txids_without_coinbase)
    while rest:
        branch.append(rest[0])
        pairs = rest[1:]
        rest = _pair_up(pairs) if pairs else []
    return tuple(branch)


def fold_branch(leaf: bytes, branch: Iterable[bytes]) -> bytes:
    """Return the merkle root for a coinbase transaction: ``leaf`` is the txid of the transaction, and ``branch`` is its
    merkle branch.

    On each level, the hash computed so far is the left child, and the item of the branch is the right child.
    """
    for sibling in branch:
        leaf = sha256d(leaf + sibling)
    return leaf


def _pair_up(level: list[bytes]) -> list[bytes]:
    if len(level) % 2:
        level = [*level, level[-1]]
    return [sha256d(left + right) for left, right in zip(level[::2], level[1::2], strict=True)]
