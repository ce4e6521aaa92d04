"""Addresses and the scripts they stand for."""

from stratum_miner.bitcoin.address import AddressError, Network, script_from_address
from tests.fuzz.judge import check_shown


def run(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for network in Network:
        try:
            script = script_from_address(text, network)
        except AddressError as error:
            check_shown(str(error), 1500)
        else:
            assert len(script) in (23, 25) or script[1] == len(script) - 2
