"""Tests on which addresses the API listens."""

import re
import socket
import sys
from functools import partial
from typing import Never

import httpx2
import pytest
import trio
import trio.testing
from prometheus_client.core import GaugeMetricFamily
from starlette.types import Receive, Scope, Send

from stratum_miner.monitoring.http import Access, listener, serve_stats
from stratum_miner.monitoring.http.listener import in_turns
from stratum_miner.monitoring.listening import ListenError, is_loopback, listening_socket

from .conftest import ApiFactory


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
async def test_it_answers_at_every_loopback_address(address: str, served: ApiFactory) -> None:
    try:
        listening_socket(address).close()
    except ListenError:
        pytest.skip("this machine has no IPv6")
    async with served(address) as api:
        response = await api.get("/health")
        assert response.text.startswith("no_pool\n")
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


@pytest.mark.parametrize(
    ("address", "needle"),
    [
        ("7780", "expected HOST:PORT, as in 127.0.0.1:7780, got '7780'"),
        ("127.0.0.1:", "expected HOST:PORT"),
        ("127.0.0.1:70000", "expected HOST:PORT"),
        ("miner.example:80", "expected an IP address of this computer"),
        (
            "0.0.0.0:0",
            "expected a loopback address, got 0.0.0.0. To let other computers reach the port, add --http-network",
        ),
        ("[::]:0", "expected a loopback address"),
    ],
)
def test_an_address_that_makes_no_sense_is_told(address: str, needle: str) -> None:
    with pytest.raises(ListenError) as refused:
        listening_socket(address)
    assert needle in str(refused.value)


def test_the_network_is_listened_to_on_request_and_a_taken_port_is_told() -> None:
    bound = listening_socket("0.0.0.0:0", network=True)
    host, port = bound.getsockname()
    assert not is_loopback(host)
    with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
        listening_socket(f"127.0.0.1:{port}")
    bound.close()


async def test_figures_alone_are_for_reading() -> None:
    bound = listening_socket("127.0.0.1:0")
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    async with trio.open_nursery() as nursery, httpx2.AsyncClient(trust_env=False) as client:
        family = GaugeMetricFamily("miners", "Miners", value=3)
        nursery.start_soon(serve_stats, bound, lambda: {"miners": 3}, lambda: [family], Access(""))
        assert (await client.get(f"{url}/api/v1/summary")).json() == {"miners": 3}
        assert (await client.get(f"{url}/health")).text == "ok\n"
        assert "\nminers 3.0\n" in (await client.get(f"{url}/metrics")).text
        nothing = await client.get(f"{url}/")
        assert nothing.status_code == 404
        error = nothing.json()["error"]
        for path in re.findall(r"(?<= )/[\w/.]+", error):  # what it sends to is there
            assert (await client.get(url + path)).status_code == 200, path
        assert "/api/v1/summary" in error
        refused = await client.post(f"{url}/api/v1/summary", headers={"authorization": "Bearer x"})
        assert refused.status_code == 401
        assert (await client.get(f"{url}/health", headers={"host": "evil.example"})).status_code == 400
        nursery.cancel_scope.cancel()


async def test_only_so_many_are_connected_at_a_time(served: ApiFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert listener.MAX_CONNECTIONS == 256
    monkeypatch.setattr(listener, "MAX_CONNECTIONS", 2)
    with trio.fail_after(60):
        async with served() as api:
            host, port = api.url.removeprefix("http://").split(":")
            two = [await trio.open_tcp_stream(host, int(port)) for _ in range(2)]
            third = await trio.open_tcp_stream(host, int(port))
            assert await third.receive_some() == b""
            await two[0].send_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while await two[0].receive_some():
                pass
            await two[0].aclose()
            await two[1].aclose()
            while True:  # until the ends are noticed
                try:
                    assert (await api.get("/health")).text.startswith("no_pool\n")
                except httpx2.TransportError:
                    continue
                break


async def test_who_ask_at_the_same_moment_hold_up_nobody_for_more_than_one_answer() -> None:
    turn = 0
    answered: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answered.append(turn)

    async def others(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal turn
        task_status.started()
        while True:
            await trio.lowlevel.checkpoint()
            turn += 1

    async def never(*_: object) -> Never:
        raise AssertionError

    asked = in_turns(app)
    async with trio.open_nursery() as nursery:
        await nursery.start(others)
        async with trio.open_nursery() as clients:
            for _ in range(50):
                clients.start_soon(partial(asked, {}, never, never))
        nursery.cancel_scope.cancel()
    assert len(set(answered)) == 50


async def test_the_end_does_not_wait_for_who_does_not_read(served: ApiFactory) -> None:
    with trio.fail_after(60):
        async with served() as api:
            host, port = api.url.removeprefix("http://").split(":")
            client = await trio.open_tcp_stream(host, int(port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await client.send_all(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
            await trio.testing.wait_all_tasks_blocked(0.05)
            before = trio.current_time()
        assert trio.current_time() - before < 5
        await client.aclose()


@pytest.mark.slow
async def test_the_stream_lasts_longer_than_any_limit_of_a_request(served: ApiFactory) -> None:
    async with served() as api, httpx2.AsyncClient(trust_env=False) as client:
        until = trio.current_time() + 60
        async with client.stream("GET", f"{api.url}/api/v1/stream", timeout=10) as response:
            async for _ in response.aiter_lines():
                if trio.current_time() > until:
                    return
    pytest.fail("the stream ended")


async def test_without_the_extra_the_metrics_say_how_to_get_them(
    served: ApiFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    async with served() as api:
        metrics = await api.get("/metrics")
        assert metrics.status_code == 501
        assert metrics.json()["error"].startswith("/metrics: expected the extra 'metrics' of stratum-miner")
        assert (await api.get("/api/v1/summary")).status_code == 200
