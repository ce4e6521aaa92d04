import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.address import AddressError, Network, script_from_address

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
def test_known_addresses(address: str, script: str) -> None:
    assert script_from_address(address, Network.MAINNET).hex() == script


def test_each_kind_of_address_in_the_other_networks() -> None:
    key = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    scripts = [f"76a914{key[:40]}88ac", f"a914{key[:40]}87", f"0020{key}", f"5120{key}"]
    old = ["myzAHVw2xxpmPrwqXUGioWXEHYVCj4ocqT", "2NBiRyjGXKJDEuhoCc8ap2Af6nRPP4s7Kzx"]
    test = ["tb1qe2tczyk2rw7u47kzxxee5g7ufkncdmlcz37yuu4espmcttlwfzasdtv3vx"]
    test += ["tb1pe2tczyk2rw7u47kzxxee5g7ufkncdmlcz37yuu4espmcttlwfzas8uvc56"]
    regtest = ["bcrt1qe2tczyk2rw7u47kzxxee5g7ufkncdmlcz37yuu4espmcttlwfzasqjxheu"]
    regtest += ["bcrt1pe2tczyk2rw7u47kzxxee5g7ufkncdmlcz37yuu4espmcttlwfzas29x7pq"]
    for network, new in ((Network.TESTNET, test), (Network.SIGNET, test), (Network.REGTEST, regtest)):
        assert [script_from_address(address, network).hex() for address in old + new] == scripts


def test_regtest_address_of_key_one() -> None:
    script = script_from_address("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Network.REGTEST)
    assert script.hex() == "0014751e76e8199196d454941c45d1b3a323f1433bd6"
    for network in (Network.TESTNET, Network.SIGNET):
        assert script_from_address("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", network) == script


@pytest.mark.parametrize(
    ("address", "network", "needle"),
    [
        ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Network.MAINNET, "got one of regtest"),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", Network.REGTEST, "testnet/signet"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", Network.REGTEST, "got one of mainnet"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", Network.MAINNET, "checksum"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", Network.MAINNET, "checksum"),
        ("bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Network.MAINNET, "mixed"),
        # BIP 350's invalid list: wrong checksum kind, version, length, padding
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", Network.MAINNET, "bech32m"),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KEMEAWH", Network.MAINNET, "expected a bech32 checksum"),
        ("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", Network.MAINNET, "version 0 to 16"),
        ("bc1pw5dgrnzv", Network.MAINNET, "wrong length"),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
            Network.MAINNET,
            "wrong length",
        ),
        ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", Network.MAINNET, "wrong length"),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", Network.MAINNET, "padding"),
        ("bc1gmk9yu", Network.MAINNET, "bech32 characters"),
        ("", Network.MAINNET, "expected a mainnet address"),
        ("a" * 91, Network.MAINNET, "up to 90"),
        ("not an address", Network.MAINNET, "neither"),
        ("ﬁ", Network.MAINNET, "expected a mainnet address"),
    ],
)
def test_wrong_addresses_say_what_is_wrong(address: str, network: Network, needle: str) -> None:
    with pytest.raises(AddressError, match=needle):
        script_from_address(address, network)


@given(st.text(max_size=100))
def test_any_text_gives_a_script_or_an_address_error(text: str) -> None:
    with contextlib.suppress(AddressError):
        script_from_address(text, Network.MAINNET)
