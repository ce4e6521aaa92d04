"""Whether two hosts have one owner: where a pool may send its miners
(docs/reference/stratum.md#reconnecting-on-request)."""

import ipaddress
from functools import cache

from publicsuffixlist import PSLFILE, PublicSuffixList


def same_domain(one: str, other: str) -> bool:
    """The same host, or two names below one registered domain (pool.example.com and eu.example.com, not a.co.uk and
    b.co.uk). An address is only itself.
    """
    one, other = (host.lower().rstrip(".") for host in (one, other))
    if one == other:
        return True
    if _is_address(one) or _is_address(other):
        return False
    domain = _registered_domain(one)
    return domain is not None and domain == _registered_domain(other)


def _registered_domain(host: str) -> str | None:
    """By the list that comes with the library: nothing is fetched. Unknown top levels (.onion) count as suffixes.

    The library parses only those rules that can apply to this host: to parse all of them stops the reader of the
    connection for as long as some jobs are worth.
    """
    labels = host.split(".")
    names = [".".join(labels[start:]) for start in range(len(labels))]
    names += [_unicode(name) for name in names]
    wanted = {prefix + name for name in names for prefix in ("", "*.", "!")}
    domain: str | None = PublicSuffixList(sorted(wanted & _rules())).privatesuffix(host)
    return domain


@cache
def _rules() -> frozenset[str]:
    with open(PSLFILE, encoding="utf-8") as file:
        return frozenset(line.strip() for line in file)


def _unicode(name: str) -> str:
    """A name as the list spells it, which has no punycode."""
    try:
        return name.encode("ascii").decode("idna")
    except UnicodeError:
        return name


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
