"""Ids and labels of pools: each has its own, and keeps it."""

import pytest

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.settings import PoolSettings


def settings(host: str, worker: str = "alice", name: str = "") -> PoolSettings:
    return PoolSettings(url=PoolUrl.parse(f"{host}:1"), worker_name=worker, name=name)


def test_an_id_belongs_to_one_url_and_worker_for_ever() -> None:
    identities = PoolIdentities()
    assert [identities.take(settings(host)) for host in "abc"] == [0, 1, 2]
    identities.leave(1)
    assert identities.take(settings("d")) == 3
    assert identities.take(settings("b", "bob")) == 4
    assert identities.take(settings("b")) == 1
    assert identities.take(settings("b")) == 5, "the first one is still in use"


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
    ids = [identities.take(pool) for pool in pools]
    told = [identities.label(pool_id, pool) for pool_id, pool in zip(ids, pools, strict=True)]
    assert told == labels
    assert [identities.label(pool_id, pool) for pool_id, pool in zip(ids, pools, strict=True)] == labels


def test_a_label_follows_the_name_that_the_user_gives() -> None:
    identities = PoolIdentities()
    pool_id = identities.take(settings("a"))
    assert identities.label(pool_id, settings("a", name="home")) == "home"
    assert identities.take(settings("b", name="home")) == 1
    assert identities.label(1, settings("b", name="home")) == "home as alice"
    assert identities.label(pool_id, settings("a")) == "stratum+tcp://a:1"
