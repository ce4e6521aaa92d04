"""Whether two hosts have one owner: where a pool may send its miners (stratum.md 4, client.reconnect)."""

import ipaddress
from functools import cache

from publicsuffixlist import PublicSuffixList


def same_domain(one: str, other: str) -> bool:
    """The same host, or two names below one registered domain (pool.example.com and eu.example.com, not a.co.uk and
    b.co.uk). An address is only itself.
    """
    one, other = (host.lower().rstrip(".") for host in (one, other))
    if one == other:
        return True
    if _is_address(one) or _is_address(other):
        return False
    domain = _suffixes().privatesuffix(one)
    return domain is not None and domain == _suffixes().privatesuffix(other)


@cache
def _suffixes() -> PublicSuffixList:
    """The list that comes with the library: nothing is fetched. Unknown top levels (.onion) count as suffixes."""
    return PublicSuffixList()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
