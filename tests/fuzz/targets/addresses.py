"""Addresses and the scripts they stand for, both ways. An input is taken for both, an address and a script."""

from stratum_miner.bitcoin.address import AddressError, Network, address_from_script, script_from_address
from tests.fuzz.judge import check_shown


def run(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for network in Network:
        try:
            script = script_from_address(text, network)
        except AddressError as error:
            check_shown(str(error), 1500)
        else:
            again = address_from_script(script, network)
            assert again == text or again == text.lower()
        try:
            address = address_from_script(data, network)
        except AddressError as error:
            check_shown(str(error), 1500)
        else:
            assert script_from_address(address, network) == data
