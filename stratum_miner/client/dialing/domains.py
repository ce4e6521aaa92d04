"""Decides whether two hosts have the same owner. A pool may redirect its miners only to a host of the same owner
(docs/reference/stratum.md#reconnecting-on-request)."""

import ipaddress
from functools import cache

from publicsuffixlist import PSLFILE, PublicSuffixList


def same_domain(one: str, other: str) -> bool:
    """Return whether two hosts are the same, or have the same registered domain.

    For example, pool.example.com and eu.example.com have the registered domain example.com, but a.co.uk and b.co.uk are
    two different registered domains. An IP address is equal only to itself.
    """
    one, other = (host.lower().rstrip(".") for host in (one, other))
    if one == other:
        return True
    if _is_address(one) or _is_address(other):
        return False
    domain = _registered_domain(one)
    return domain is not None and domain == _registered_domain(other)


def _registered_domain(host: str) -> str | None:
    """Return the registered domain of a host as the public suffix list defines it, or None if the host has none.

    The list is part of the library publicsuffixlist; nothing is downloaded. A top-level domain that is not in the list,
    such as .onion, counts as a public suffix. Only the rules that can apply to this host are parsed: parsing all rules
    would block the client for a quarter of a second.
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
    """Return a name in Unicode instead of punycode, because the public suffix list uses Unicode."""
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
