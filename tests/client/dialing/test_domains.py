"""A pool may redirect miners only within its own registered domain, whatever the suffix."""

import pytest
from publicsuffixlist import PublicSuffixList

from stratum_miner.client.dialing import domains
from stratum_miner.client.dialing.domains import same_domain


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("pool.example.com", "eu.example.com", True),
        ("POOL.example.com.", "pool.example.com", True),
        ("example.com", "eu.pool.example.com", True),
        ("a.co.uk", "b.co.uk", False),
        ("a.pool.co.uk", "b.pool.co.uk", True),
        ("one.github.io", "two.github.io", False),
        ("pool.example.com", "pool.example.org", False),
        ("pool.example.com", "poolexample.com", False),
        ("com", "example.com", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "pool.0.1", False),
        ("fe80::1%eth0.pool.example", "eu.pool.example", False),
        ("::1", "::2", False),
        ("abc.onion", "def.onion", False),
        ("localhost", "localhost", True),
    ],
)
def test_one_owner(one: str, other: str, same: bool) -> None:
    assert same_domain(one, other) is same
    assert same_domain(other, one) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a.пример.рф", "b.пример.рф", True),
        ("a.xn--e1afmkfd.xn--p1ai", "b.xn--e1afmkfd.xn--p1ai", True),
        ("a.com.рф", "xn--p1ai", False),
        ("a.b.kawasaki.jp", "c.b.kawasaki.jp", False),  # *.kawasaki.jp is a suffix
        ("a.city.kawasaki.jp", "b.city.kawasaki.jp", True),  # but for this exception
        ("x.公司.cn", "y.公司.cn", False),
        ("x.xn--55qx5d.cn", "y.xn--55qx5d.cn", False),
        ("", "example.com", False),
        ("..", "...", True),  # the root, in two spellings
    ],
)
def test_wildcards_exceptions_and_names_in_other_scripts(one: str, other: str, same: bool) -> None:
    assert same_domain(one, other) is same


def test_a_look_costs_a_few_rules_and_not_the_whole_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing the whole list would stop the reader of the connection for a quarter of a second."""
    parsed: list[int] = []

    class Counting(PublicSuffixList):
        def _parse(self, source: list[str], *options: bool, **more: bool) -> None:
            parsed.append(len(source))
            super()._parse(source, *options, **more)  # type: ignore[no-untyped-call]  # the library has no types

    monkeypatch.setattr(domains, "PublicSuffixList", Counting)
    assert same_domain("eu.example.com", "us.example.com")
    assert parsed
    assert max(parsed) < 10
