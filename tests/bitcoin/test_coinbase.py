"""Coinbases around an extranonce, and the scripts that consensus refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.block import compact_size
from stratum_miner.bitcoin.coinbase import (
    TxOut,
    block_subsidy,
    height_from_coinbase_prefix,
    push_height,
    split_coinbase,
    with_witness,
    witness_commitment_script,
)
from stratum_miner.bitcoin.sha256d import sha256d


@pytest.mark.parametrize(
    ("height", "push"),
    [(0, "00"), (1, "51"), (16, "60"), (17, "0111"), (127, "017f"), (128, "028000"), (141, "028d00"),
     (227836, "03fc7903"), (881423, "030f730d"), (32767, "02ff7f"), (32768, "03008000"), (8388608, "0400008000")],
)  # fmt: skip
def test_height_pushes_are_minimal(height: int, push: str) -> None:
    assert push_height(height).hex() == push


def test_height_below_zero() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        push_height(-1)


@given(st.integers(0, 2**31), st.integers(1, 20), st.binary(max_size=40))
def test_a_split_joins_to_one_transaction_whose_height_reads_back(height: int, size: int, tag: bytes) -> None:
    outputs = [TxOut(50, b"\x51"), TxOut(0, bytes(38))]
    split = split_coinbase(height=height, extranonce_size=size, outputs=outputs, tag=tag)
    whole = split.join(b"\xee" * size)
    script_size = whole[41]
    assert whole[42 : 42 + script_size].startswith(push_height(height))
    assert b"\xee" * size in whole[42 : 42 + script_size]
    assert whole[:41] == bytes.fromhex("0200000001" + "00" * 32 + "ffffffff")
    rest = whole[42 + script_size :]
    assert rest[:4] == bytes.fromhex("feffffff")
    assert rest[4] == 2
    assert whole[-4:] == max(0, height - 1).to_bytes(4, "little")
    assert height_from_coinbase_prefix(split.prefix) == height
    assert height_from_coinbase_prefix(split.prefix[:43]) in (None, height)


@pytest.mark.parametrize(
    ("size", "tag", "needle"),
    [(0, b"", "1 to 75"), (76, b"", "1 to 75"), (4, bytes(76), "tag"), (47, bytes(50), "at most 100 bytes, got 101")],
)
def test_scripts_that_consensus_refuses(size: int, tag: bytes, needle: str) -> None:
    with pytest.raises(ValueError, match=needle):
        split_coinbase(height=100, extranonce_size=size, outputs=[], tag=tag)


def test_a_script_of_100_bytes_is_the_largest() -> None:
    """The push of a height of 100 has two bytes, and each other push one byte more than its content."""
    assert split_coinbase(height=100, extranonce_size=46, outputs=[], tag=bytes(50)).prefix[41] == 100
    assert split_coinbase(height=1, extranonce_size=75, outputs=[], tag=bytes(22)).prefix[41] == 100
    assert split_coinbase(height=1, extranonce_size=22, outputs=[], tag=bytes(75)).prefix[41] == 100
    assert split_coinbase(height=100, extranonce_size=46, outputs=[], flags=bytes(51)).prefix[41] == 100


def test_an_output_is_its_value_and_its_script() -> None:
    assert TxOut(0x0102030405, b"\x51\x52").to_bytes().hex() == "0504030201000000" + "02" + "5152"
    assert TxOut(0, b"").to_bytes() == bytes(9)
    assert TxOut(21_000_000 * 10**8, b"").to_bytes().hex() == "0040075af0750700" + "00"


def test_output_values_are_bounded() -> None:
    with pytest.raises(ValueError, match="satoshis"):
        TxOut(-1, b"").to_bytes()
    with pytest.raises(ValueError, match="satoshis"):
        TxOut(21_000_000 * 10**8 + 1, b"").to_bytes()


@given(st.binary(max_size=80))
def test_any_prefix_gives_a_height_or_none(prefix: bytes) -> None:
    assert height_from_coinbase_prefix(prefix) is None


def test_height_of_real_coinbases() -> None:
    start = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff"
    assert height_from_coinbase_prefix(bytes.fromhex(start + "3d030f730d000469")) == 881423
    assert height_from_coinbase_prefix(bytes.fromhex(start + "0704ff")) is None, "block 1 predates BIP 34"
    assert height_from_coinbase_prefix(bytes.fromhex(start + "07020100")) is None, "not minimal"


@pytest.mark.parametrize(
    ("script", "height"),
    [
        ("", None), ("00", 0), ("51", 1), ("60", 16), ("61" + "00" * 97, None), ("50", None), ("4f", None),
        ("0110", None), ("0111", 17), ("01ff", None), ("02ff00", 255), ("021100", None), ("03ffff", None),
        ("05ffffffff7f", 2**39 - 1), ("05000000807f", 0x7F80000000), ("06000000000001", None),
    ],
)  # fmt: skip
def test_only_the_shortest_push_of_a_height_is_one(script: str, height: int | None) -> None:
    start = bytes.fromhex("0100000001" + "00" * 32 + "ffffffff" + "64")
    assert height_from_coinbase_prefix(start + bytes.fromhex(script)) == height
    for wrong in (4, 5, 40):  # the number of inputs, the hash and the index of the spent output
        assert height_from_coinbase_prefix(start[:wrong] + b"\x02" + start[wrong + 1 :] + bytes.fromhex(script)) is None


def test_subsidy() -> None:
    assert block_subsidy(0) == block_subsidy(209_999) == 50 * 10**8
    assert block_subsidy(840_000) == 312_500_000
    assert block_subsidy(149, 150) == 2 * block_subsidy(150, 150)
    assert block_subsidy(64 * 210_000) == block_subsidy(10**9) == 0


def test_commitment_of_a_block_without_transactions() -> None:
    # the commitment that both signet vectors carry (docs/reference/stratum.md#test-vectors): an empty template
    assert witness_commitment_script([]).hex() == "6a24aa21a9ed" + sha256d(bytes(64)).hex()
    assert (
        witness_commitment_script([]).hex().endswith("e2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9")
    )


def test_witness_form_keeps_everything_else() -> None:
    split = split_coinbase(height=1, extranonce_size=8, outputs=[TxOut(1, b"\x51")])
    plain = split.join(bytes(8))
    whole = with_witness(plain)
    assert whole == plain[:4] + b"\x00\x01" + plain[4:-4] + b"\x01\x20" + bytes(32) + plain[-4:]


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (252, "fc"), (253, "fdfd00"), (65535, "fdffff"), (65536, "fe00000100"), (2**32, "ff0000000001000000")],
)
def test_compact_sizes(value: int, encoded: str) -> None:
    assert compact_size(value).hex() == encoded


@pytest.mark.parametrize("value", [-1, 2**64])
def test_compact_sizes_are_bounded(value: int) -> None:
    with pytest.raises(ValueError, match="compact size"):
        compact_size(value)
