"""Every captured vector through the whole chain, and each way to get it wrong
(docs/reference/stratum.md#test-vectors)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.block import serialize_block
from stratum_miner.bitcoin.coinbase import with_witness
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK, MAX_TIME_AHEAD, BlockHeader, display_hash, swap_words
from stratum_miner.bitcoin.merkle import fold_branch, merkle_branch, merkle_root
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import difficulty_from_digest, difficulty_from_target, hash_value, target_from_bits

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "stratum.json").read_text())
by_name = pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])


def header_of(vector: dict[str, Any], **changes: Any) -> bytes:
    """The header from the wire fields; ``changes`` spoils one of them."""
    params = vector["notify_params"]
    extranonces = [vector["extranonce1"], vector["extranonce2"]]
    if changes.get("swap_extranonces"):
        extranonces.reverse()
    coinbase = bytes.fromhex(params[2] + "".join(extranonces) + params[3])
    if changes.get("witness_marker"):
        coinbase = coinbase[:4] + b"\x00\x01" + coinbase[4:]
    branch = [bytes.fromhex(item)[:: -1 if changes.get("reverse_branch") else 1] for item in params[4]]
    previous = bytes.fromhex(params[1])
    version = int(params[5], 16)
    if vector["version_bits"] and not changes.get("omit_bits"):
        mask = int(vector["version_mask"], 16)
        version = version & ~mask | int(vector["version_bits"], 16) & mask
    nonce = bytes.fromhex(vector["nonce"])
    return BlockHeader(
        version=version,
        previous_hash=previous if changes.get("unswapped") else swap_words(previous),
        merkle_root=fold_branch(sha256d(coinbase), branch),
        ntime=int(vector["ntime"], 16),
        nbits=int(params[6], 16),
        nonce=int.from_bytes(nonce, "little" if changes.get("nonce_little") else "big"),
    ).to_bytes()


@by_name
def test_header_hash_and_difficulties(vector: dict[str, Any]) -> None:
    expected = vector["expect"]
    header = header_of(vector)
    digest = sha256d(header)
    target = target_from_bits(int(vector["notify_params"][6], 16))
    assert header.hex() == expected["header"]
    assert display_hash(digest) == expected["hash"]
    assert BlockHeader.from_bytes(header).to_bytes() == header
    assert difficulty_from_digest(digest) == pytest.approx(expected["share_difficulty"], rel=1e-12)
    assert f"{target:064x}" == expected["network_target"]
    assert difficulty_from_target(target) == pytest.approx(expected["network_difficulty"], rel=1e-12)
    assert (hash_value(digest) <= target) is expected["meets_network_target"]


@by_name
@pytest.mark.parametrize(
    "mistake", ["swap_extranonces", "unswapped", "nonce_little", "omit_bits", "reverse_branch", "witness_marker"]
)
def test_each_known_mistake_gives_another_header(vector: dict[str, Any], mistake: str) -> None:
    if mistake == "omit_bits" and not vector["version_bits"]:
        pytest.skip("no version bits in this vector")
    if mistake == "reverse_branch" and not vector["notify_params"][4]:
        pytest.skip("no branch in this vector")
    assert header_of(vector, **{mistake: True}).hex() != vector["expect"]["header"]


def test_a_whole_block_that_a_node_accepted() -> None:
    vector = next(item for item in VECTORS if "block_hex" in item)
    params, template = vector["notify_params"], vector["template"]
    coinbase = bytes.fromhex(params[2] + vector["extranonce1"] + vector["extranonce2"] + params[3])
    assert with_witness(coinbase).hex() == vector["coinbase_with_witness"]
    transactions = [bytes.fromhex(item["data"]) for item in template["transactions"]]
    block = serialize_block(header_of(vector), [with_witness(coinbase), *transactions])
    assert len(block) == 1038
    assert block.hex() == vector["block_hex"]
    txids = [bytes.fromhex(item["txid"])[::-1] for item in template["transactions"]]
    assert [item.hex() for item in merkle_branch(txids)] == params[4]


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
def test_branch_and_tree_agree(leaves: list[bytes]) -> None:
    assert fold_branch(leaves[0], merkle_branch(leaves[1:])) == merkle_root(leaves)


def test_no_leaves_no_root() -> None:
    with pytest.raises(ValueError, match="at least one"):
        merkle_root([])


@given(st.binary(max_size=64).filter(lambda data: len(data) % 4 == 0))
def test_swapping_words_is_its_own_inverse(data: bytes) -> None:
    assert swap_words(swap_words(data)) == data


def test_the_version_bits_and_the_time_that_rules_leave_to_miners() -> None:
    assert sum(1 << bit for bit in range(13, 29)) == GENERAL_PURPOSE_MASK, "BIP 320: bits 13 to 28"
    assert MAX_TIME_AHEAD == 2 * 60 * 60, "a node accepts a block two hours ahead of its clock"


def test_lengths_are_checked() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        swap_words(b"abc")
    with pytest.raises(ValueError, match="80 bytes"):
        BlockHeader.from_bytes(bytes(79))
