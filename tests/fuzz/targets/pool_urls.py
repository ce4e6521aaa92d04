"""Addresses of pools and proxies, and whether two hosts have one owner.

An input is a URL; further lines are hosts that a pool may name in client.reconnect.
"""

from stratum_miner.client.dialing.domains import same_domain
from stratum_miner.client.dialing.tunnel import TunnelUrl, TunnelUrlError
from stratum_miner.client.dialing.url import PoolUrl, PoolUrlError
from tests.fuzz.judge import check_shown


def run(data: bytes) -> None:
    text, *hosts = data.decode("utf-8", "surrogateescape").split("\n")
    try:
        url = PoolUrl.parse(text)
    except PoolUrlError as error:
        check_shown(str(error), 10 * len(text) + 300)
    else:
        assert 1 <= url.port <= 65535
        assert PoolUrl.parse(str(url)) == url
        hosts.append(url.host)
    try:
        proxy = TunnelUrl.parse(text)
    except TunnelUrlError as error:
        check_shown(str(error), 10 * len(text) + 300)
    else:
        assert str(proxy) == str(TunnelUrl(proxy.kind, proxy.host, proxy.port))  # no credentials
        assert TunnelUrl.parse(str(proxy)).port == proxy.port
    for host in hosts[:4]:
        assert same_domain(host, host)
        for other in ("pool.example.com", "203.0.113.1", "example.co.uk"):
            assert same_domain(host, other) == same_domain(other, host)
            if same_domain(host, other):
                assert host.lower().rstrip(".").endswith(other.partition(".")[2])
