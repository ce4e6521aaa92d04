"""Where a pool may send its miners: its own registered domain, whatever the suffix."""

import pytest

from stratum_miner.client.domains import same_domain


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
        ("::1", "::2", False),
        ("abc.onion", "def.onion", False),
        ("localhost", "localhost", True),
    ],
)
def test_one_owner(one: str, other: str, same: bool) -> None:
    assert same_domain(one, other) is same
    assert same_domain(other, one) is same
