"""Keys and labels of pools: each pool has its own, and keeps it."""

import pytest

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.settings import PoolSettings


def settings(host: str, worker: str = "alice", name: str = "") -> PoolSettings:
    return PoolSettings(url=PoolUrl.parse(f"{host}:1"), worker_name=worker, name=name)


def test_a_key_belongs_to_one_url_and_worker_for_ever() -> None:
    identities = PoolIdentities()
    first, second, third = (identities.take(settings(host)) for host in "abc")
    identities.release(second)
    assert identities.take(settings("d")) not in (first, second, third)
    assert identities.take(settings("b", "bob")) not in (first, second, third)
    assert identities.take(settings("b")) == second
    again = identities.take(settings("b"))
    assert again != second, "the first one is still in use"
    assert identities.take(settings("x", name=again)) != again, "a name that is a key already"


@pytest.mark.parametrize(
    ("pools", "labels"),
    [
        ([settings("a"), settings("b", name="backup")], ["stratum+tcp://a:1", "backup"]),
        ([settings("a"), settings("a", "bob")], ["stratum+tcp://a:1", "stratum+tcp://a:1 as bob"]),
        ([settings("a"), settings("a")], ["stratum+tcp://a:1", "stratum+tcp://a:1 as alice"]),
        (
            [settings("a")] * 4,
            ["stratum+tcp://a:1", "stratum+tcp://a:1 as alice", "stratum+tcp://a:1 #2", "stratum+tcp://a:1 #3"],
        ),
        ([settings("a", name="x"), settings("b", name="x")], ["x", "x as alice"]),
        ([settings("a", name="x as alice"), settings("b", name="x"), settings("c", name="x")],
         ["x as alice", "x", "x #2"]),
    ],
)  # fmt: skip
def test_no_two_pools_have_one_label(pools: list[PoolSettings], labels: list[str]) -> None:
    identities = PoolIdentities()
    keys = [identities.take(pool) for pool in pools]
    assert len(set(keys)) == len(pools)
    told = [identities.label(key, pool) for key, pool in zip(keys, pools, strict=True)]
    assert told == labels
    assert [identities.label(key, pool) for key, pool in zip(keys, pools, strict=True)] == labels


def test_a_label_follows_the_name_that_the_user_gives() -> None:
    identities = PoolIdentities()
    key = identities.take(settings("a"))
    assert identities.label(key, settings("a", name="home")) == "home"
    other = identities.take(settings("b", name="home"))
    assert identities.label(other, settings("b", name="home")) == "home as alice"
    assert identities.label(key, settings("a")) == "stratum+tcp://a:1"
