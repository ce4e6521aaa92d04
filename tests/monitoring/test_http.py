"""The API on real sockets: what it answers, to whom it does not, and where it will not listen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from stratum_miner.monitoring.http import ListenError, listening_socket, run


@asynccontextmanager
async def served(address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    bound = listening_socket(address)
    host, port = bound.getsockname()[:2]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, bound, lambda: {"hash_rate": 1e8})
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
        nursery.cancel_scope.cancel()


async def get(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url, headers=headers)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
async def test_it_tells_the_summary_of_the_moment(address: str) -> None:
    try:
        listening_socket(address).close()
    except ListenError:
        pytest.skip("this machine has no IPv6")
    async with served(address) as url:
        response = await get(f"{url}/api/v1/summary")
        assert response.json() == {"hash_rate": 1e8}
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        assert (await get(f"{url}/health")).text == "ok\n"
        assert (await get(f"{url}/")).status_code == 404


async def test_another_name_for_this_machine_is_refused() -> None:
    async with served() as url:
        assert (await get(f"{url}/api/v1/summary", host="rebound.example")).status_code == 400


async def test_nothing_can_be_changed() -> None:
    async with served() as url, httpx.AsyncClient(trust_env=False) as client:
        for method in ("POST", "PUT", "DELETE"):
            assert (await client.request(method, f"{url}/api/v1/summary")).status_code == 405


@pytest.mark.parametrize(
    ("address", "needle"),
    [
        ("0.0.0.0:7780", "expected a loopback address"),
        ("192.0.2.1:7780", "expected a loopback address"),
        ("7780", "expected HOST:PORT"),
        ("127.0.0.1:http", "expected HOST:PORT"),
        ("127.0.0.1:70000", "expected HOST:PORT"),
        ("example:7780", "expected an address of this machine"),
    ],
)
def test_where_it_will_not_listen(address: str, needle: str) -> None:
    with pytest.raises(ListenError, match=needle):
        listening_socket(address)


def test_a_taken_port_is_told() -> None:
    first = listening_socket("127.0.0.1:0")
    with first, pytest.raises(ListenError, match=r"cannot listen on 127\.0\.0\.1:[0-9]+: Address already in use"):
        listening_socket(f"127.0.0.1:{first.getsockname()[1]}")
