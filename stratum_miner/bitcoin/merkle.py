"""Merkle."""

from collections.abc import Iterable

from stratum_miner.bitcoin.sha256d import sha256d


def fold_branch(leaf: bytes, branch: Iterable[bytes]) -> bytes:
    """Root."""
    for item in branch:
        leaf = sha256d(leaf + item)
    return leaf
