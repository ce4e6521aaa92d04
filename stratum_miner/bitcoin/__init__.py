"""Bitcoin's data formats: hashes, targets, merkle trees, headers, addresses, coinbases.

Uses only the standard library. Hashes are 32 bytes in internal byte order, which is the order in which SHA-256 returns
them. The word "display" in a name marks the reversed byte order.
"""

from stratum_miner.bitcoin.address import AddressError, Network, address_from_script, script_from_address
from stratum_miner.bitcoin.header import (
    GENERAL_PURPOSE_MASK,
    HEADER_SIZE,
    BlockHeader,
    display_hash,
    swap_words,
)
from stratum_miner.bitcoin.merkle import fold_branch, merkle_branch, merkle_root
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import (
    DIFFICULTY_1_TARGET,
    MAX_TARGET,
    bits_from_target,
    difficulty_from_target,
    expected_hashes,
    hash_value,
    target_from_bits,
    target_from_difficulty,
)

__all__ = [
    "DIFFICULTY_1_TARGET",
    "GENERAL_PURPOSE_MASK",
    "HEADER_SIZE",
    "MAX_TARGET",
    "AddressError",
    "BlockHeader",
    "Network",
    "address_from_script",
    "bits_from_target",
    "difficulty_from_target",
    "display_hash",
    "expected_hashes",
    "fold_branch",
    "hash_value",
    "merkle_branch",
    "merkle_root",
    "script_from_address",
    "sha256d",
    "swap_words",
    "target_from_bits",
    "target_from_difficulty",
]
