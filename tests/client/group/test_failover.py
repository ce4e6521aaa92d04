"""The state machine of failover alone: every condition of a pool, with the times at which it changes."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.client.group.failover import Condition, Failover, FailoverPolicy

POLICY = FailoverPolicy()


class Story:
    """A failover and a clock. Jobs differ unless the test gives their content."""

    def __init__(self, count: int = 2, policy: FailoverPolicy = POLICY) -> None:
        self.now = 1000.0
        self.it = Failover(count, self.now, policy)
        self.jobs = 0

    def wait(self, seconds: float) -> None:
        """Let time pass second by second, as in a group. Pools that are up send a new job every 30 s."""
        for _ in range(int(seconds)):
            for index in self.it.decide(self.now).wanted:
                self.it.trying(index, self.now)  # as the clients do that the group starts
            self.now += 1

    def job(self, index: int, content: object = None) -> None:
        self.jobs += 1
        self.it.trying(index, self.now)
        self.it.job(index, self.now, content or self.jobs)

    def up(self, index: int, seconds: float) -> None:
        """Keep a pool up for so many seconds, with a new job every 30 s."""
        for _ in range(int(seconds // 30)):
            self.job(index)
            self.wait(30)

    def flap(self, times: int) -> None:
        """Let the first pool send a job and disconnect so many times. Then mining goes on at the second."""
        for _ in range(times):
            self.job(0)
            self.wait(10)
            self.it.lost(0, self.now, "reset")
            self.wait(10)
        self.job(1)
        assert self.active == 1

    @property
    def active(self) -> int | None:
        return self.it.decide(self.now).active

    @property
    def wanted(self) -> frozenset[int]:
        return self.it.decide(self.now).wanted


def test_the_best_pool_alone_is_asked_first() -> None:
    story = Story(3)
    assert story.wanted == {0}
    assert story.active is None
    story.job(0)
    assert story.active == 0
    assert story.wanted == {0}


def test_the_next_ones_follow_while_none_is_up() -> None:
    story = Story(3)
    story.wait(POLICY.patience)
    assert story.wanted == {0, 1}
    story.wait(POLICY.patience + 1)
    assert story.wanted == {0, 1, 2}
    story.job(2)
    assert story.active == 2
    assert story.wanted == {0, 1, 2}  # the better ones stay connected as probes
    story.job(1)
    assert story.active == 2  # not before it has proven itself
    story.up(1, POLICY.failback)
    story.job(2)
    assert story.active == 1
    assert story.wanted == {0, 1}


def test_a_pool_that_is_down_is_not_waited_for() -> None:
    story = Story()
    story.it.trying(0, story.now)
    assert story.wanted == {0}
    story.it.lost(0, story.now, "Connection refused")
    assert story.wanted == {0, 1}
    story.it.trying(1, story.now)
    story.it.trying(0, story.now)
    assert story.wanted == {0, 1}  # the next one, once started, is not dropped again


def test_a_connection_without_a_job_is_not_up() -> None:
    story = Story()
    story.it.trying(0, story.now)
    story.wait(60)  # public-pool may take as long
    assert story.it.health(0).condition is Condition.TRYING
    story.wait(POLICY.first_job - 58)
    assert story.it.health(0).condition is Condition.SILENT
    assert "no job within 90 s" in story.it.health(0).reason
    story.job(0)
    assert story.active == 0


def test_jobs_that_never_change_count_as_silence() -> None:
    story = Story()
    story.job(0, "the same")
    story.job(1)
    for _ in range(12):
        story.wait(30)
        story.job(0, "the same")
        story.job(1)
    assert story.it.health(0).condition is Condition.SILENT
    assert "no new job for 300 s" in story.it.health(0).reason
    assert story.active == 1
    story.up(0, 30)
    assert story.it.health(0).condition is Condition.UP


def test_the_primary_takes_over_again_when_it_has_been_up_for_a_while() -> None:
    story = Story()
    story.job(0)
    assert story.active == 0
    story.it.lost(0, story.now, "gone")
    story.wait(POLICY.patience)
    story.job(1)
    assert story.active == 1
    story.wait(20)
    story.job(0)
    story.wait(POLICY.failback - 1)
    assert story.active == 1
    story.wait(1)
    assert story.active == 0


@pytest.mark.parametrize("flaps", [False, True])
def test_a_long_wait_of_the_user_also_holds_for_a_pool_that_flaps(flaps: bool) -> None:
    story = Story(policy=replace(POLICY, failback=3 * POLICY.flap_window))
    story.flap(POLICY.flap_limit if flaps else 1)
    changes = []
    for seconds in range(0, 4 * int(POLICY.flap_window), 30):
        story.job(0)
        story.job(1)
        changes += [seconds] if story.active == 0 else []
        story.wait(30)
    assert changes[0] == 3 * POLICY.flap_window


def test_a_pool_that_flaps_has_to_wait_longer() -> None:
    story = Story()
    story.flap(POLICY.flap_limit)
    for _ in range(int(POLICY.flap_window // 30)):
        assert story.active == 1
        story.job(0)
        story.job(1)
        story.wait(30)
    assert story.active == 0


def test_a_pool_that_refuses_every_share_is_left_for_longer_each_time() -> None:
    story = Story()
    story.job(0)
    for _ in range(POLICY.reject_streak - 1):
        story.it.share_refused(0, story.now, "23")
    assert story.active == 0
    story.it.share_refused(0, story.now, "23: low difficulty")
    assert story.it.health(0).reason == "it rejected 20 shares in a row: 23: low difficulty"
    assert story.wanted == {1}
    story.wait(POLICY.first_penalty)
    assert 0 in story.wanted
    story.it.refused(0, story.now, "again")
    story.wait(POLICY.first_penalty)
    assert 0 not in story.wanted
    story.wait(POLICY.first_penalty)
    assert 0 in story.wanted
    story.it.share_accepted(0)  # forgiven
    story.it.refused(0, story.now, "later")
    story.wait(POLICY.first_penalty)
    assert 0 in story.wanted


def test_an_old_job_is_better_than_none_and_a_new_one_better_than_an_old() -> None:
    story = Story(2)
    story.job(0)
    story.wait(POLICY.job_age + 2)
    assert story.it.health(0).condition is Condition.SILENT
    assert story.active == 0  # the backup has nothing better
    assert story.wanted == {0, 1}
    story.job(1)
    assert story.active == 1
    story.job(0, "another")
    assert story.active == 1  # it has to prove itself again
    alone = Story(1)
    alone.job(0)
    alone.wait(POLICY.job_age * 3)
    assert alone.active == 0
    alone.it.lost(0, alone.now, "gone")
    assert alone.active is None


def test_the_only_pool_may_refuse_what_it_wants() -> None:
    story = Story(1)
    story.job(0)
    for _ in range(POLICY.reject_streak * 3):
        story.it.share_refused(0, story.now, "low difficulty")
    assert story.active == 0
    other = Story(2)
    other.it.enable(1, False)
    other.job(0)
    for _ in range(POLICY.reject_streak):
        other.it.share_refused(0, other.now, "low difficulty")
    assert other.active == 0


def test_who_is_trusted_takes_over_as_soon_as_it_is_up_this_once() -> None:
    story = Story(2)
    story.it.lost(0, story.now, "refused")
    story.job(1)
    assert story.active == 1
    story.it.trust(0)
    assert story.active == 1
    story.job(0)
    assert story.active == 0
    story.it.lost(0, story.now, "gone")
    assert story.active == 1
    story.job(0)
    assert story.active == 1


def test_one_accepted_share_breaks_the_streak() -> None:
    story = Story()
    story.job(0)
    for _ in range(10):
        for _ in range(POLICY.reject_streak - 1):
            story.it.share_refused(0, story.now, "")
        story.it.share_accepted(0)
    assert story.active == 0


def test_leaving_a_backup_is_no_loss_of_its() -> None:
    story = Story()
    for _ in range(5):
        story.job(1)
        story.it.left(1, story.now)
        story.wait(1)
    assert story.it.health(1).condition is Condition.UNTRIED
    story.job(1)
    assert story.active == 1


def test_disabled_pools_are_neither_used_nor_waited_for() -> None:
    story = Story()
    story.job(0)
    story.it.enable(0, False)
    assert story.active is None
    assert story.wanted == {1}
    story.it.enable(0, True)
    assert story.active == 0


def test_without_pools_there_is_nothing_to_decide() -> None:
    with pytest.raises(ValueError, match="at least one pool"):
        Failover(0, 0.0)


@given(st.integers(1, 4), st.integers(0, 2**32))
def test_whatever_happens_the_active_pool_is_up_enabled_and_wanted(count: int, seed: int) -> None:
    source = random.Random(seed)
    it, now = Failover(count, 0.0), 0.0
    for _ in range(200):
        index = source.randrange(count)
        now += source.choice((0.0, 0.5, 5.0, 70.0, 400.0))
        match source.randrange(7):
            case 0:
                it.trying(index, now)
            case 1 | 2:
                it.job(index, now, source.randrange(3))
            case 3:
                it.lost(index, now, "lost")
            case 4 if source.random() < 0.2:
                it.share_accepted(index)
            case 4:
                it.share_refused(index, now, "")
            case 5:
                it.refused(index, now, "refused")
            case 6:
                it.enable(index, source.random() < 0.7)
        decision = it.decide(now)
        if decision.active is not None:
            enabled = filter(it.is_enabled, range(count))
            up = any(it.health(other).condition is Condition.UP for other in enabled)
            assert it.health(decision.active).condition is (Condition.UP if up else Condition.SILENT)
            assert it.is_enabled(decision.active)
            assert decision.active in decision.wanted
        assert all(it.is_enabled(wanted) for wanted in decision.wanted)
        if source.random() < 0.05 and any(it.is_enabled(other) for other in range(count)):
            now += POLICY.longest_penalty + count * POLICY.patience
            assert it.decide(now).wanted  # retried for ever
