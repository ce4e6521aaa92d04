"""Tests the sockets of the services: which addresses are listened at, and what is left behind if that fails."""

import gc
import socket
import warnings

import pytest

from stratum_miner.monitoring.listening import ListenError, is_loopback, listening_socket


def test_the_port_of_a_program_that_has_just_ended_can_be_used_again() -> None:
    with listening_socket("127.0.0.1:0") as bound:
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), "it listens"
        assert bound.family == socket.AF_INET
        with socket.create_connection(bound.getsockname()), bound.accept()[0]:
            pass


def test_a_socket_that_cannot_listen_is_closed() -> None:
    gc.collect()  # what other tests left
    with listening_socket("127.0.0.1:0") as bound, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(ListenError, match=rf"^cannot listen on {address}: Address already in use$"):
            listening_socket(address)
        gc.collect()
    assert seen == []


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("127.0.0.1:65535", True), ("127.0.0.1:65536", False), ("127.0.0.1:-1", False), ("127.0.0.1:", False),
        ("127.0.0.1", False), ("localhost:0", True), ("127.8.9.1:0", True), ("pool.example:0", False), (":0", False),
    ],
)  # fmt: skip
def test_what_an_address_is(address: str, fits: bool) -> None:
    said = ""
    try:
        listening_socket(address).close()
    except ListenError as error:
        said = str(error)
    # another program may have the port 65535
    assert said.startswith("cannot listen on" * bool(said) if fits else "expected ")
    assert fits or repr(address) in said


def test_an_address_that_others_reach_needs_its_option() -> None:
    with pytest.raises(ListenError, match=r"got 0\.0\.0\.0\. To let other computers reach the port, add --x-network$"):
        listening_socket("0.0.0.0:0", permission="--x-network")
    listening_socket("0.0.0.0:0", network=True).close()
    listening_socket("127.0.0.1:0", network=True).close()
    assert [is_loopback(host) for host in ("127.3.2.1", "::1", "10.0.0.1", "::")] == [True, True, False, False]


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_an_ipv6_address_stands_in_brackets() -> None:
    with listening_socket("[::1]:0") as bound:
        assert (bound.family, bound.getsockname()[0]) == (socket.AF_INET6, "::1")
