"""Where it listens, and where it does not."""

import httpx
import pytest
import trio

from stratum_miner.monitoring.http import ListenError, is_loopback, listening_socket, serve_figures

from .conftest import ApiFactory


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
async def test_it_answers_at_every_loopback_address(address: str, served: ApiFactory) -> None:
    try:
        listening_socket(address).close()
    except ListenError:
        pytest.skip("this machine has no IPv6")
    async with served(address) as api:
        response = await api.get("/health")
        assert response.text == "ok\n"
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


@pytest.mark.parametrize(
    ("address", "needle"),
    [
        ("7780", "expected HOST:PORT, as in 127.0.0.1:7780, got '7780'"),
        ("127.0.0.1:", "expected HOST:PORT"),
        ("127.0.0.1:70000", "expected HOST:PORT"),
        ("miner.example:80", "expected an address of this machine"),
        ("0.0.0.0:0", "expected a loopback address, got 0.0.0.0: --http-network says that it is meant"),
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
    async with trio.open_nursery() as nursery, httpx.AsyncClient(trust_env=False) as client:
        nursery.start_soon(serve_figures, bound, lambda: {"miners": 3})
        assert (await client.get(f"{url}/api/v1/summary")).json() == {"miners": 3}
        assert (await client.get(f"{url}/health")).text == "ok\n"
        assert (await client.get(f"{url}/")).status_code == 404
        refused = await client.post(f"{url}/api/v1/summary", headers={"authorization": "Bearer x"})
        assert refused.status_code == 401
        assert (await client.get(f"{url}/health", headers={"host": "evil.example"})).status_code == 400
        nursery.cancel_scope.cancel()
