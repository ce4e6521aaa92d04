"""The fixture that other tests trust: it starts what it says, tells how it went, and leaves nothing behind."""

import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio

pytestmark = pytest.mark.node

RealPoolFactory = Callable[..., AbstractAsyncContextManager[Any]]
SECONDS = 120.0


def inside(real_pool: Any) -> dict[str, Any]:
    """The names of the fixture's own module."""
    names: dict[str, Any] = real_pool.__wrapped__.__globals__
    return names


async def is_open(port: int) -> bool:
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError:
        return False
    await stream.aclose()
    return True


async def test_two_at_once_and_nothing_left(real_pool: RealPoolFactory) -> None:
    with trio.fail_after(SECONDS):
        async with real_pool() as first, real_pool(ADDRESS="n3GNqMveyvaPvUbH469vDRadqpJMPc84JA") as second:
            ports = [first.port, first.rpc_port, second.port, second.rpc_port]
            assert len(set(ports)) == 4
            assert all([await is_open(port) for port in ports])
            for pool in (first, second):
                assert f"READY 127.0.0.1:{pool.port}" in pool.log
            assert first.address != second.address == "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
        assert not any([await is_open(port) for port in ports])


async def test_a_port_that_was_taken_meanwhile(real_pool: RealPoolFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    free_ports = inside(real_pool)["_free_ports"]
    with socket.create_server(("127.0.0.1", 0)) as taken, trio.fail_after(SECONDS):
        used = taken.getsockname()[1]
        handed_out = [[used, free_ports(1)[0]], [free_ports(1)[0], used]]
        monkeypatch.setitem(
            inside(real_pool), "_free_ports", lambda count: handed_out.pop(0) if handed_out else free_ports(count)
        )
        async with real_pool() as pool:
            assert used not in (pool.port, pool.rpc_port)
            assert await is_open(pool.port)
    assert handed_out == []


async def test_ports_that_are_always_taken(real_pool: RealPoolFactory) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        trio.fail_after(SECONDS),
        pytest.RaisesGroup(inside(real_pool)["PortTakenError"], flatten_subgroups=True),
    ):
        async with real_pool(PORT=str(taken.getsockname()[1])):
            pytest.fail("started on a port in use")


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("false", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_what_cannot_run_is_skipped_but_not_in_ci(
    real_pool: RealPoolFactory, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no npm"):
        inside(real_pool)["_unavailable"]("no npm")
