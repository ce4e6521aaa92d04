"""Pools on this computer need no option; other pools need --i-own-this-pool."""

import socket

import pytest

from stratum_miner.app.options import ownership
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.client import PoolUrl


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_needs_no_word(host: str) -> None:
    ownership.check(host, False, "it is a burden")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "0.0.0.0"])
def test_another_one_does(host: str) -> None:
    with pytest.raises(
        UsageError, match=f"^{host} is not this computer: it is a burden. If the pool is yours, add --i-own-this-pool"
    ):
        ownership.check(host, False, "it is a burden")
    ownership.check(host, True, "it is a burden")


@pytest.mark.parametrize(
    ("addresses", "own"),
    [(["127.0.0.1", "::1"], True), (["127.0.0.1", "192.0.2.1"], False), (["192.0.2.1", "127.0.0.1"], False)],
)
def test_a_name_is_this_machine_if_all_its_addresses_are(
    addresses: list[str], own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    assert ownership.is_loopback("rig.example") is own


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64 + ".invalid"])
def test_a_name_of_nothing(host: str) -> None:
    with pytest.raises(CommandFailed, match=f"^{host}: ") as told:
        ownership.check(host, False, "it is a burden")
    assert told.value.code is ExitCode.POOL_UNREACHABLE


@pytest.mark.parametrize(
    ("host", "port", "url", "same"),
    [
        ("127.0.0.1", 3333, "127.0.0.1:3333", True),
        ("127.0.0.1", 3333, "localhost:3333", True),
        ("127.0.0.1", 3333, "127.0.0.1:3334", False),
        ("127.0.0.1", 3333, "127.0.0.2:3333", False),
        ("127.0.0.1", 3333, "192.0.2.1:3333", False),
        ("127.0.0.1", 3333, "nowhere.invalid:3333", False),
        ("0.0.0.0", 3333, "127.0.0.2:3333", True),
        ("::", 3333, "[::1]:3333", True),
    ],
)
def test_nobody_mines_on_himself(host: str, port: int, url: str, same: bool) -> None:
    if not same:
        ownership.check_other(PoolUrl.parse(url), host, port, "--url")
        return
    with pytest.raises(UsageError, match=r"^--url: expected the URL of another program, got stratum\+tcp"):
        ownership.check_other(PoolUrl.parse(url), host, port, "--url")
