"""Addresses and their scripts, both ways, and what is said of wrong ones."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.address import (
    AddressError,
    Network,
    address_from_script,
    networks_of_address,
    script_from_address,
)

MAINNET_PAIRS = [
    # BIP 173 and BIP 350 test vectors
    ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
    ("BC1SW50QGDZ25J", "6002751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
    # the genesis block's key and a script hash
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"),
    ("3P14159f73E4gFr7JterCCQh9QjiTjiZrG", "a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87"),
]


@pytest.mark.parametrize(("address", "script"), MAINNET_PAIRS)
def test_known_addresses_both_ways(address: str, script: str) -> None:
    assert script_from_address(address, Network.MAINNET).hex() == script
    canonical = address.lower() if address[:2].lower() == "bc" else address
    assert address_from_script(bytes.fromhex(script), Network.MAINNET) == canonical


def test_regtest_address_of_key_one() -> None:
    script = script_from_address("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Network.REGTEST)
    assert script.hex() == "0014751e76e8199196d454941c45d1b3a323f1433bd6"
    for network in (Network.TESTNET, Network.SIGNET):
        assert script_from_address("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", network) == script


@pytest.mark.parametrize("network", [Network.TESTNET, Network.SIGNET, Network.REGTEST])
@pytest.mark.parametrize(
    ("address", "script"),
    [
        ("mpXwg4jMtRhuSpVq4xS3HFHmCmWp9NyGKt", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"),
        ("2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc", "a9144e9f39ca4688ff102128ea4ccda34105324305b087"),
    ],
)
def test_base58_addresses_of_test_networks(network: Network, address: str, script: str) -> None:
    assert script_from_address(address, network).hex() == script
    assert address_from_script(bytes.fromhex(script), network) == address


def test_networks_on_which_a_text_is_an_address() -> None:
    assert networks_of_address("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa") == {Network.MAINNET}
    assert networks_of_address("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx") == {Network.TESTNET, Network.SIGNET}
    assert networks_of_address("mpXwg4jMtRhuSpVq4xS3HFHmCmWp9NyGKt") == set(Network) - {Network.MAINNET}
    assert networks_of_address("worker") == set()


@pytest.mark.parametrize("script", ["", "00", "51", "5100", "500200ff", "610200ff", "510200", "510200ffff", "000200ff"])
def test_scripts_without_an_address(script: str) -> None:
    with pytest.raises(AddressError, match=f"a script with an address, got {script}$"):
        address_from_script(bytes.fromhex(script), Network.MAINNET)


@pytest.mark.parametrize(
    ("address", "network", "needle"),
    [
        ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Network.MAINNET, "got one of regtest"),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", Network.REGTEST, "testnet/signet"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", Network.REGTEST, "got one of mainnet"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", Network.MAINNET, "typing mistake"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", Network.MAINNET, "typing mistake"),
        ("bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Network.MAINNET, "mixed"),
        # BIP 350's invalid list: wrong checksum kind, version, length, padding
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", Network.MAINNET, "bech32m"),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KEMEAWH", Network.MAINNET, "expected a bech32 checksum"),
        ("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", Network.MAINNET, "version 0 to 16"),
        ("bc1pw5dgrnzv", Network.MAINNET, "valid length and padding"),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
            Network.MAINNET,
            "valid length and padding",
        ),
        ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", Network.MAINNET, "valid length and padding"),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", Network.MAINNET, "padding"),
        ("bc1gmk9yu", Network.MAINNET, "bech32 characters"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3tb", Network.MAINNET, "bech32 characters"),
        ("bc1pdg93mv", Network.MAINNET, "valid length and padding"),  # version 1 and no program
        (
            "bc1pqqqqqqqqqvauxw5",
            Network.MAINNET,
            "valid length and padding",
        ),  # five bits of padding; BIP 173: at most four
        ("1Wh4bh", Network.MAINNET, "expected 21 bytes, got 1"),
        ("3QJmnh", Network.MAINNET, "expected 21 bytes, got 0"),
        ("1", Network.MAINNET, "typing mistake"),
        ("a" * 90, Network.MAINNET, "typing mistake"),
        ("", Network.MAINNET, "expected a mainnet address"),
        ("a" * 91, Network.MAINNET, "up to 90"),
        ("not an address", Network.MAINNET, "not a base58 character"),
        ("ﬁ", Network.MAINNET, "expected a mainnet address"),
    ],
)
def test_wrong_addresses_say_what_is_wrong(address: str, network: Network, needle: str) -> None:
    with pytest.raises(AddressError, match=needle):
        script_from_address(address, network)


@given(st.sampled_from(Network), st.binary(min_size=20, max_size=20), st.binary(min_size=32, max_size=32))
def test_every_standard_script_has_an_address_and_back(network: Network, short: bytes, long: bytes) -> None:
    scripts = [
        b"\x76\xa9\x14" + short + b"\x88\xac",
        b"\xa9\x14" + short + b"\x87",
        b"\x00\x14" + short,
        b"\x00\x20" + long,
        b"\x51\x20" + long,
    ]
    for script in scripts:
        assert script_from_address(address_from_script(script, network), network) == script


@given(st.binary(max_size=60))
def test_any_script_gives_an_address_that_means_it_or_an_error(script: bytes) -> None:
    try:
        address = address_from_script(script, Network.REGTEST)
    except AddressError:
        return
    assert script_from_address(address, Network.REGTEST) == script


@given(st.text(max_size=100))
def test_any_text_gives_a_script_or_an_address_error(text: str) -> None:
    with contextlib.suppress(AddressError):
        script_from_address(text, Network.MAINNET)
