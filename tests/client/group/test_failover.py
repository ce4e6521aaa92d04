"""The state machine of failover alone: every condition of a pool, with the times at which it changes."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.client.group.failover import Condition, Failover, FailoverPolicy, HealthSnapshot

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


# ---- each limit in seconds, at its edge -----------------------------------------------------------------------------


class Moments:
    """A failover at moments that the test names."""

    def __init__(self, count: int = 2) -> None:
        self.it = Failover(count, 0.0)

    def condition(self, now: float, index: int = 0) -> Condition:
        self.it.decide(now)
        return self.it.health(index).condition

    def active(self, now: float) -> int | None:
        return self.it.decide(now).active

    def wanted(self, now: float) -> set[int]:
        return set(self.it.decide(now).wanted)

    def up(self, index: int, now: float, content: object = None) -> None:
        self.it.trying(index, now)
        self.it.job(index, now, now if content is None else content)


def test_a_first_job_may_take_90_s_and_a_new_one_300_s() -> None:
    story = Moments()
    story.it.trying(0, 0.0)
    assert story.condition(90.0) is Condition.TRYING
    assert story.condition(90.1) is Condition.SILENT
    story = Moments()
    story.up(0, 0.0, "a job")
    story.it.job(0, 200.0, "a job")
    assert story.condition(300.0) is Condition.UP
    assert story.condition(300.1) is Condition.SILENT
    story.it.job(0, 400.0, "a job")
    assert story.condition(400.0) is Condition.SILENT, "it is still the same"
    assert story.it.health(0).since == 300.1
    story.it.job(0, 401.0, "another")
    assert story.condition(401.0) is Condition.UP
    assert (story.it.health(0).since, story.it.health(0).reason) == (401.0, "")


def test_a_job_that_a_pool_repeats_on_a_new_connection_is_a_new_one() -> None:
    for is_lost in (True, False):
        story = Moments()
        story.up(0, 0.0, "a job")
        if is_lost:
            story.it.lost(0, 290.0, "gone")
        else:
            story.it.left(0, 290.0)
        story.up(0, 295.0, "a job")
        assert story.condition(595.0) is Condition.UP


def test_a_pool_is_waited_for_5_s_before_the_next_one_is_connected_to() -> None:
    story = Moments(3)
    assert story.wanted(1000.0) == {0}, "it was not tried yet"
    story.it.trying(0, 1000.0)
    assert story.wanted(1004.9) == {0}
    assert story.wanted(1005.0) == {0, 1}
    story.it.enable(1, False)
    assert story.wanted(1005.0) == {0, 2}
    story.it.enable(1, True)
    story.it.refused(1, 1005.0, "no")
    assert story.wanted(1005.0) == {0, 2}, "a pool with a penalty is not waited for either"


def test_when_the_active_pool_is_lost_those_that_are_being_tried_get_5_s_again() -> None:
    story = Moments(3)
    for index in (0, 1):
        story.it.trying(index, 0.0)
    story.it.job(1, 5.0, "a job")
    assert story.active(5.0) == 1
    story.it.lost(1, 50.0, "gone")
    assert story.wanted(50.0) == {0, 1}
    assert story.wanted(54.9) == {0, 1}
    assert story.wanted(55.0) == {0, 1, 2}


def test_a_better_pool_must_have_been_up_for_60_s_and_one_that_flaps_for_600_s() -> None:
    for losses, wait in ((0, 60.0), (2, 60.0), (3, 600.0), (4, 600.0)):
        story = Moments()
        for number in range(losses):
            story.up(0, float(number))
            story.it.lost(0, number + 0.5, "gone")
        story.up(1, 10.0)
        assert story.active(10.0) == 1
        story.up(0, 20.0, "first")
        for now in range(20, 1000, 100):
            for index in (0, 1):
                story.it.job(index, float(now), now)
            if now + 100 > 20 + wait:
                break
            assert story.active(float(now)) == 1
        assert story.active(20.0 + wait - 0.1) == 1
        assert story.active(20.0 + wait) == 0


def test_losses_that_are_20_minutes_old_are_forgotten() -> None:
    for at, active in ((1200.0, 1), (1200.1, 0)):
        story = Moments()
        for number in range(3):
            story.up(0, float(number))
            story.it.lost(0, float(number), "gone")
        story.up(1, 1100.0)
        assert story.active(1100.0) == 1
        story.up(0, 1101.0)
        assert story.active(at) == active


def test_a_pool_that_was_silent_counts_as_lost_once() -> None:
    story = Moments()
    for number in range(3):
        story.it.job(0, number * 400.0, number)
        story.condition(number * 400.0)
        story.condition(number * 400.0 + 301.0)
    story.up(1, 1200.0)
    assert story.active(1200.0) == 1
    story.it.job(0, 1201.0, "new")
    assert story.active(1261.0) == 1, "three silences make a pool flap"


def test_a_penalty_lasts_60_s_and_doubles_up_to_an_hour_until_a_share_is_accepted() -> None:
    story, now, lengths = Moments(), 0.0, []
    for _ in range(8):
        story.it.refused(0, now, "no")
        length = next(seconds for seconds in range(10_000) if story.condition(now + seconds) is Condition.DOWN)
        assert story.it.health(0).reason == "no"
        lengths.append(length)
        now += length
    assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    story.it.share_accepted(0)
    story.it.refused(0, now, "no")
    assert story.condition(now + 60) is Condition.DOWN


def test_nothing_but_time_and_the_user_ends_a_penalty() -> None:
    story = Moments()
    story.up(0, 0.0)
    story.it.refused(0, 1.0, "no")
    story.it.job(0, 60.9, "a job")
    story.it.trying(0, 60.9)
    story.it.lost(0, 60.9, "gone")
    story.it.left(0, 60.9)
    assert story.condition(60.9) is Condition.PENALIZED
    assert story.it.health(0).since == 1.0
    assert (set(story.it.connectable(60.9)), set(story.it.connectable(61.0))) == ({1}, {0, 1})
    story.it.job(0, 61.0, "another")
    assert story.it.health(0).condition is Condition.UP
    story.it.refused(0, 62.0, "no")
    story.it.enable(0, False)
    assert set(story.it.connectable(62.0)) == {1}
    story.it.enable(0, True)
    assert set(story.it.connectable(62.0)) == {0, 1}
    assert story.condition(62.0) is Condition.DOWN


def test_twenty_rejections_in_a_row_are_a_refusal_if_there_is_another_pool() -> None:
    story = Moments()
    story.up(0, 0.0)
    for number in range(1, 21):
        assert story.condition(0.0) is Condition.UP, number
        story.it.share_refused(0, 0.0, "low")
    assert story.condition(0.0) is Condition.PENALIZED
    story.it.share_refused(0, 0.0, "low")
    assert story.it.health(0).reason == "it rejected 20 shares in a row: low", "the count begins anew"


def test_a_client_that_connects_changes_only_a_pool_that_is_untried_or_down() -> None:
    story = Moments()
    story.it.lost(0, 1.0, "refused")
    story.it.trying(0, 2.0)
    assert story.it.health(0) == HealthSnapshot(Condition.TRYING, 2.0, "")
    story.it.job(0, 3.0, "a job")
    story.it.trying(0, 4.0)
    assert story.it.health(0) == HealthSnapshot(Condition.UP, 3.0, "")
    assert story.condition(400.0) is Condition.SILENT
    story.it.trying(0, 401.0)
    assert story.it.health(0) == HealthSnapshot(Condition.SILENT, 400.0, "no new job for 300 s")


def test_a_removed_or_replaced_pool_is_not_active_any_more() -> None:
    for is_removed in (True, False):
        story = Moments()
        story.up(1, 0.0)
        assert story.active(0.0) == 1
        if is_removed:
            story.it.remove(1)
        else:
            story.it.arrange([0, None], 5.0)
        assert story.it.active is None
    story = Moments(3)
    story.up(2, 0.0)
    assert (story.active(0.0), story.it.up()) == (2, (2,))
    story.it.arrange([2, None], 5.0)
    assert (story.it.active, story.it.up(), story.it.health(1).since) == (0, (0,), 5.0)
    story.it.insert(0, 6.0)
    assert (story.it.active, story.it.health(0)) == (1, HealthSnapshot(Condition.UNTRIED, 6.0, ""))
    story.it.remove(0)
    assert story.it.active == 0, "another pool was removed"


def test_of_several_silent_pools_the_one_in_use_stays_and_else_the_best_is_used() -> None:
    story = Moments(3)
    story.up(1, 0.0, "a job")
    assert story.active(0.0) == 1
    assert story.active(301.0) == 1
    story.up(0, 302.0, "a job")
    assert story.active(302.0) == 0
    assert story.active(603.0) == 0
    story.it.lost(0, 604.0, "gone")
    assert story.active(604.0) == 1, "it still has an old job"
    story.it.enable(1, False)
    assert story.active(605.0) is None
