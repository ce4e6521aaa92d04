"""Numbers and bytes of Bitcoin: hashes, targets, merkle trees, headers, coinbases, addresses. Standard library only."""

from stratum_miner.bitcoin.address import AddressError, Network, address_from_script, script_from_address
from stratum_miner.bitcoin.block import compact_size, serialize_block
from stratum_miner.bitcoin.coinbase import (
    CoinbaseSplit,
    TxOut,
    block_subsidy,
    height_from_coinbase_prefix,
    push_height,
    split_coinbase,
    with_witness,
    witness_commitment_script,
)
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK, BlockHeader, display_hash, swap_words
from stratum_miner.bitcoin.merkle import fold_branch, merkle_branch, merkle_root
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import (
    DIFFICULTY_1_TARGET,
    HASHES_PER_DIFFICULTY,
    MAX_TARGET,
    bits_from_target,
    difficulty_from_digest,
    difficulty_from_target,
    difficulty_to_announce,
    expected_hashes,
    hash_value,
    target_from_bits,
    target_from_difficulty,
)

__all__ = [
    "DIFFICULTY_1_TARGET",
    "GENERAL_PURPOSE_MASK",
    "HASHES_PER_DIFFICULTY",
    "MAX_TARGET",
    "AddressError",
    "BlockHeader",
    "CoinbaseSplit",
    "Network",
    "TxOut",
    "address_from_script",
    "bits_from_target",
    "block_subsidy",
    "compact_size",
    "difficulty_from_digest",
    "difficulty_from_target",
    "difficulty_to_announce",
    "display_hash",
    "expected_hashes",
    "fold_branch",
    "hash_value",
    "height_from_coinbase_prefix",
    "merkle_branch",
    "merkle_root",
    "push_height",
    "script_from_address",
    "serialize_block",
    "sha256d",
    "split_coinbase",
    "swap_words",
    "target_from_bits",
    "target_from_difficulty",
    "with_witness",
    "witness_commitment_script",
]
