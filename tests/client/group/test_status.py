"""The frozen view of one pool: which count stands under which name."""

import time
from dataclasses import replace

from stratum_miner.client.group.failover import Condition
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult
from tests.client.group.test_control import A, B, Desk
from tests.work.shares import share_on


def test_the_counts_of_a_pool_are_those_of_its_tally() -> None:
    it = Desk(A, B)
    tally, began = it.members.all[1].tally, time.time()
    outcomes = [ShareOutcome.ACCEPTED] * 4 + [ShareOutcome.REJECTED] * 3 + [ShareOutcome.STALE] * 2
    for number, outcome in enumerate([*outcomes, ShareOutcome.LOST], 1):
        refusal = None if outcome in (ShareOutcome.ACCEPTED, ShareOutcome.LOST) else RejectReason.DUPLICATE
        share = share_on(difficulty=float(number))
        tally.add(ShareResult(share, outcome, "why", refusal, latency=float(number), worker_name="w"))
        tally.switches.add(number / 100)
    tally.units = 77
    status, other = it.control.pools()[1], it.control.pools()[0]
    assert (status.accepted, status.rejected, status.stale, status.lost) == (4, 3, 2, 1)
    assert status.reasons == (("duplicate share", 5), ("why", 1))
    assert {name: round(value, 9) for name, value in status.difficulties.items()} == {
        "accepted": 0.004, "rejected": 0.003, "stale": 0.002, "lost": 0.001
    }  # fmt: skip
    assert (status.work_units, status.best_share) == (77, 10.0)
    assert status.last_accepted_at is not None
    assert began <= status.last_accepted_at <= time.time()
    assert round(status.last_accepted_difficulty, 9) == 0.001
    assert (status.latency_p50, status.latency_p99, status.answers.count) == (5.0, 10.0, 10)
    assert (status.switch_p50, status.switch_p99, status.switches.count) == (0.05, 0.1, 10)
    assert (other.accepted, other.last_accepted_at, other.last_accepted_difficulty) == (0, None, 0.0)
    assert (other.latency_p50, other.latency_p99, other.switch_p50, other.switch_p99) == (None, None, None, None)
    [worker] = status.client.workers
    assert (worker.name, worker.accepted, worker.rejected, worker.stale) == ("w", 4, 3, 2)


def test_a_condition_is_shown_with_its_age_and_reason() -> None:
    it = Desk(A, B)
    it.members.failover.lost(0, 90.0, "Connection refused")
    it.members.failover.enable(1, False)
    one, other = it.control.pools()
    assert (one.condition, one.reason, one.since, one.enabled) == (Condition.DOWN, "Connection refused", 10.0, True)
    assert (other.condition, other.reason, other.since, other.enabled) == (Condition.UNTRIED, "", 0.0, False)
    assert (one.active, one.name, one.key) == (False, "A", "A")


def test_the_fractions_are_of_the_shares_with_a_reply() -> None:
    [status, _] = Desk(A, B).control.pools()
    assert (status.reject_share, status.stale_share) == (0.0, 0.0)
    status = replace(status, accepted=6, rejected=3, stale=1, lost=90)
    assert (status.reject_share, status.stale_share) == (0.3, 0.1)
