"""Changes of the pools of a group that does not run: the order, who may be used, the quotas and the strategy."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from stratum_miner.client import ClientOptions, PoolSettings, PoolUrl
from stratum_miner.client.group.control import PoolControl
from stratum_miner.client.group.failover import Condition
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.group.member import GroupMember
from stratum_miner.client.group.members import Members
from stratum_miner.client.pool_tally import PoolTally
from stratum_miner.client.settings import Strategy
from stratum_miner.work.job import PoolKey


def pool(letter: str, **changes: object) -> PoolSettings:
    settings = PoolSettings(url=PoolUrl(f"{letter}.example", 3333), worker_name="w", name=letter)
    return replace(settings, **changes)  # type: ignore[arg-type]  # the fields of PoolSettings


A, B, C, D = map(pool, "ABCD")


class Desk:
    """A control of the pools A, B and C. The clock stands at 100."""

    def __init__(self, *settings: PoolSettings, strategy: Strategy = Strategy.FAILOVER) -> None:
        self.changes = 0
        self.members = Members(
            settings or (A, B, C), self._new_member, lambda: 100.0, identities=PoolIdentities(), strategy=strategy
        )
        self.control = PoolControl(self.members, self._changed)

    def _new_member(self, settings: PoolSettings, key: PoolKey) -> GroupMember:
        return GroupMember(settings, ClientOptions(), lambda member, event: None, key=key, tally=PoolTally())

    def _changed(self) -> None:
        self.changes += 1

    @property
    def names(self) -> str:
        return "".join(settings.name for settings in self.control.settings())

    @property
    def used(self) -> str:
        return "".join(status.name for status in self.control.pools() if status.enabled)

    def up(self, index: int) -> None:
        self.members.failover.trying(index, 100.0)
        self.members.failover.job(index, 100.0, "a job")

    @property
    def which_is_up(self) -> str:
        return "".join(status.name for status in self.control.pools() if status.condition is Condition.UP)

    def told(self, change: Callable[[], object]) -> list[dict[str, object]]:
        with capture_logs() as lines:
            change()
        return [dict(line) for line in lines]


def test_a_pool_is_switched_off_and_on() -> None:
    it = Desk()
    assert it.told(lambda: it.control.enable(1, False)) == [
        {"event": "pool_disabled", "pool": "B", "log_level": "info"}
    ]
    assert (it.used, it.changes) == ("AC", 1)
    assert it.told(lambda: it.control.enable(1, True)) == [{"event": "pool_enabled", "pool": "B", "log_level": "info"}]
    assert (it.used, it.changes) == ("ABC", 2)


def test_a_switch_makes_a_pool_the_best_and_trusted() -> None:
    it = Desk()
    it.up(0)
    assert it.members.failover.decide(100.0).active == 0
    it.control.enable(2, False)
    lines = it.told(lambda: it.control.switch(2))
    assert [line["event"] for line in lines] == ["pool_enabled", "pool_moved"]
    assert (it.names, it.used) == ("CAB", "CAB")
    assert it.members.failover.decide(100.0).active == 1, "it is not up yet"
    it.up(0)
    assert it.members.failover.decide(100.0).active == 0, "it need not prove itself"
    assert [line["event"] for line in it.told(lambda: it.control.switch(1))] == ["pool_moved"]
    assert it.names == "ACB"


def test_with_quotas_there_is_no_switch() -> None:
    it = Desk(strategy=Strategy.QUOTA)
    with pytest.raises(ValueError, match="expected the failover strategy, got quotas, which use all pools in turn;"):
        it.control.switch(1)
    assert (it.names, it.changes) == ("ABC", 0)


@pytest.mark.parametrize(("index", "names", "place"), [(None, "ABCD", 3), (0, "DABC", 0), (3, "ABCD", 3)])
def test_a_pool_is_added_anywhere(index: int | None, names: str, place: int) -> None:
    it = Desk()
    it.up(1)
    keys: list[PoolKey] = []
    lines = it.told(lambda: keys.append(it.control.add(D, index)))
    assert lines == [{"event": "pool_added", "pool": "D", "place": place, "log_level": "info"}]
    assert keys == [it.control.pools()[place].key] == ["D"]
    assert (it.names, it.which_is_up, it.changes) == (names, "B", 1)
    added = it.control.pools()[place]
    assert (added.condition, added.since, added.enabled) == (Condition.UNTRIED, 0.0, True)


def test_an_added_pool_may_be_off() -> None:
    it = Desk()
    it.control.add(replace(D, enabled=False), 1)
    assert (it.names, it.used) == ("ADBC", "ABC")


@pytest.mark.parametrize("index", [-1, 4])
def test_a_place_outside_the_list_is_refused(index: int) -> None:
    it = Desk()
    with pytest.raises(ValueError, match=f"pool: expected a position from 0 to 3, got {index}"):
        it.control.add(D, index)
    changes: tuple[Callable[[], object], ...] = (
        lambda: it.control.enable(index - 1, True),
        lambda: it.control.switch(index - 1),
        lambda: it.control.remove(index - 1),
        lambda: it.control.move(0, index - 1),
        lambda: it.control.move(index - 1, 0),
        lambda: it.control.set_quota(index - 1, 1),
        lambda: it.control.change(index - 1, D),
    )
    for change in changes:
        with pytest.raises(ValueError, match=f"pool: expected a position from 0 to 2, got {index - 1}"):
            change()
    assert (it.names, it.changes) == ("ABC", 0)


@pytest.mark.parametrize(
    ("other", "is_twin"),
    [
        (replace(A, name="other", quota=7), True),
        (replace(A, worker_name="v"), False),
        (replace(A, url=PoolUrl("A.example", 3334)), False),
    ],
)
def test_a_twin_has_the_same_url_and_worker_name(other: PoolSettings, is_twin: bool) -> None:
    it = Desk()
    changes: tuple[Callable[[], object], ...] = (
        lambda: it.control.add(other),
        lambda: it.control.arrange([B, A, other]),
    )
    for change in changes:
        if is_twin:
            with pytest.raises(ValueError, match="for worker 'w' twice"):
                change()
        else:
            change()
            it.control.arrange([A, B, C])


def test_a_pool_is_removed() -> None:
    it = Desk()
    it.up(2)
    assert it.told(lambda: it.control.remove(0)) == [{"event": "pool_removed", "pool": "A", "log_level": "info"}]
    assert (it.names, it.which_is_up, it.changes) == ("BC", "C", 1)
    assert it.control.add(A) == "A", "its key is free again"


def test_a_pool_is_moved_with_its_condition() -> None:
    it = Desk()
    it.up(0)
    assert it.told(lambda: it.control.move(0, 2)) == [
        {"event": "pool_moved", "pool": "A", "place": 2, "log_level": "info"}
    ]
    assert (it.names, it.which_is_up, it.changes) == ("BCA", "A", 1)
    it.control.move(2, 1)
    assert (it.names, it.which_is_up) == ("BAC", "A")


def test_a_quota_is_changed() -> None:
    it = Desk()
    assert it.told(lambda: it.control.set_quota(1, 0)) == [
        {"event": "pool_quota", "pool": "B", "quota": 0, "log_level": "info"}
    ]
    assert ([settings.quota for settings in it.control.settings()], it.changes) == ([1, 0, 1], 1)
    with pytest.raises(ValueError, match="quota: expected an integer of at least 0, got -1"):
        it.control.set_quota(1, -1)
    assert it.changes == 1


@pytest.mark.parametrize("change", [{"name": "X"}, {"quota": 5}, {"enabled": False}])
def test_a_change_of_name_quota_or_use_keeps_the_pool(change: dict[str, object]) -> None:
    it = Desk()
    it.up(1)
    before, settings = it.members.all[1], pool("B", **change)
    assert [line["event"] for line in it.told(lambda: it.control.change(1, settings))] == ["pool_changed"]
    assert it.members.all[1] is before
    assert it.control.settings() == (A, settings, C)
    assert it.control.pools()[1].condition is Condition.UP
    assert it.control.pools()[1].enabled is settings.enabled


@pytest.mark.parametrize("change", [{"worker_name": "v"}, {"password": "y"}, {"url": PoolUrl("x.example", 1)}])
def test_any_other_change_makes_it_another_pool(change: dict[str, object]) -> None:
    it = Desk()
    it.up(1)
    before = it.members.all[1]
    it.control.change(1, pool("B", **change))
    assert it.members.all[1] is not before
    assert it.control.settings() == (A, pool("B", **change), C)
    assert it.control.pools()[1].condition is Condition.UNTRIED


def test_a_change_keeps_what_was_switched_by_hand_unless_it_is_about_that() -> None:
    it = Desk(A, replace(B, enabled=False), C)
    assert it.used == "AC"
    it.control.enable(0, False)
    it.control.enable(1, True)
    it.control.change(0, replace(A, worker_name="v"))
    it.control.change(1, replace(B, enabled=False, quota=2))
    assert it.used == "BC"
    it.control.change(1, B)
    assert it.used == "BC"
    it.control.change(1, replace(B, enabled=False))
    assert it.used == "C"
    it.control.change(1, B)
    assert it.used == "BC"


def test_an_arrangement_keeps_pools_and_their_conditions_wherever_they_stand() -> None:
    it = Desk()
    it.up(2)
    kept, removed = it.members.all[2], it.members.all[1]
    it.control.enable(0, False)
    it.control.arrange([replace(C, quota=9), D, A])
    assert (it.names, it.used, it.which_is_up) == ("CDA", "CD", "C")
    assert it.members.all[0] is kept
    assert it.control.settings() == (replace(C, quota=9), D, A)
    assert removed.removed
    assert not kept.removed
    assert it.control.pools()[1].since == 0.0


def test_an_arrangement_follows_a_pool_by_its_name_or_else_by_its_login() -> None:
    nameless = replace(B, name="")
    it = Desk(A, nameless, C)
    for index in range(3):
        it.control.enable(index, False)
    it.control.arrange(
        [
            replace(A, url=PoolUrl("other.example", 1)),  # the same name
            replace(nameless, password="y"),  # the same URL and worker name
            replace(C, name="Z"),  # the same login, another name: for the user this is another pool
        ]
    )
    assert [status.enabled for status in it.control.pools()] == [False, False, True]
    it.control.enable(1, True)
    it.control.change(1, replace(nameless, name="Y", enabled=False))
    assert not it.control.pools()[1].enabled


def test_an_arrangement_of_nothing_is_refused_and_changes_nothing() -> None:
    it = Desk()
    with pytest.raises(ValueError, match="failover: expected at least one pool, got none"):
        it.control.arrange([])
    assert (it.names, it.changes) == ("ABC", 0)


def test_the_strategy_changes_once() -> None:
    it = Desk()
    assert it.told(lambda: it.control.use(Strategy.FAILOVER)) == []
    assert it.told(lambda: it.control.use(Strategy.QUOTA)) == [
        {"event": "strategy", "strategy": "quota", "log_level": "info"}
    ]
    assert [status.work_share for status in it.control.pools()] == [0.0, 0.0, 0.0]
    assert [status.quota for status in it.control.pools()] == [1, 1, 1]
    assert it.told(lambda: it.control.use(Strategy.QUOTA)) == []
    assert [line["strategy"] for line in it.told(lambda: it.control.use(Strategy.FAILOVER))] == ["failover"]
    assert [(status.work_share, status.quota) for status in it.control.pools()] == [(None, None)] * 3
    assert it.changes == 2


def test_quotas_begin_anew_with_the_strategy() -> None:
    """Time from before does not count: the clock stands at 100, and the first pool has mined for 5 s since then."""
    it = Desk()
    it.control.use(Strategy.QUOTA)
    assert it.members.quotas is not None
    first, second, _ = it.members.all
    up = {first: 1, second: 1}
    assert it.members.quotas.choose(up, 100.0) is first
    it.members.quotas.choose(up, 105.0)
    assert it.members.quotas.share(first) == 1.0
    it.control.remove(0)
    assert it.members.quotas.share(first) == 0.0, "a removed pool's time is forgotten"
