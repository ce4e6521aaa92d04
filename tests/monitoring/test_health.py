"""Tests the health verdict over devices, pools and pauses, from snapshots that the test sets. Time is an argument."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from stratum_miner.backends.statistics import DeviceStatistics, Hardware, device_key
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.group.failover import Condition
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.snapshot import WorkerSnapshot
from stratum_miner.foreign_text import SENTENCE_CHARACTERS
from stratum_miner.miner import Miner, MinerSnapshot
from stratum_miner.miner.snapshot import BackendSnapshot, JobSnapshot
from stratum_miner.monitoring.health import STILL_AFTER_S, Health, HealthVerdict
from stratum_miner.monitoring.numbers import Numbers
from stratum_miner.monitoring.problems import KINDS, RecentErrors, worst_first
from stratum_miner.monitoring.view import ProblemView
from stratum_miner.work.job import PoolKey

from .test_monitor import JOB

EMPTY: MinerSnapshot = Miner(PoolSettings(url=PoolUrl.parse("a.example:3333"), worker_name="w"), []).snapshot()
POOL: PoolStatus = replace(EMPTY.pools[0], name="A", condition=Condition.UP, active=True)


class Looks:
    """Looks twice a second at a miner whose parts the test sets. The miner has work, and one pool that is up."""

    def __init__(self) -> None:
        self.health = Health(Numbers())
        self.now = 100.0
        self.snapshot = replace(EMPTY, job=JobSnapshot.of(JOB, 0.0), pools=(POOL,))

    def set(self, **changes: Any) -> None:
        self.snapshot = replace(self.snapshot, **changes)

    def devices(self, *devices: DeviceStatistics, label: str = "cpu", bound_to: str = "") -> None:
        self.set(backends=(BackendSnapshot("cpu", "", devices, label=label, bound_to=bound_to),))

    def look(self, **options: Any) -> HealthVerdict:
        return self.health.look(self.now, self.snapshot, **options)

    def later(self, seconds: float) -> HealthVerdict:
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            verdict = self.look()
        return verdict


def thread(number: int, hashes: int) -> DeviceStatistics:
    return DeviceStatistics(f"cpu{number}", hashes, 0)


def stick(number: int, state: str, reason: str = "", **changes: Any) -> DeviceStatistics:
    hardware = Hardware(product="Erupter", state=state, reason=reason, hot=changes.pop("hot", ""))
    return DeviceStatistics(f"erupter-{number}", changes.pop("hashes", 0), 0, hardware=hardware, **changes)


def kinds(verdict: HealthVerdict) -> list[str]:
    return [problem.kind for problem in verdict.problems]


# ---- search threads -----------------------------------------------------------------------------------------------


def test_a_thread_mines_from_its_first_hash_on() -> None:
    looks = Looks()
    looks.devices(thread(0, 0))
    verdict = looks.look()
    assert (verdict.state, verdict.detail) == ("no_device", "no device mines yet; cpu0 is starting")
    assert verdict.problems == ()
    looks.devices(thread(0, 1))
    verdict = looks.look()
    assert (verdict.state, verdict.detail, verdict.devices_mining, verdict.devices_total) == ("mining", "", 1, 1)


def test_a_thread_that_makes_no_hash_any_more_is_dead_and_comes_back() -> None:
    looks = Looks()
    looks.devices(thread(0, 10), thread(1, 10))
    looks.look()
    looks.devices(thread(0, 10), thread(1, 11))
    assert looks.later(STILL_AFTER_S - 0.5).state == "mining"
    looks.devices(thread(0, 10), thread(1, 12))
    verdict = looks.later(0.5)
    assert verdict.state == "degraded"
    assert verdict.detail == "1 of 2 devices mine; cpu0 is dead: it has computed no hash for more than 10 s"
    assert kinds(verdict) == ["device_dead"]
    assert (verdict.problems[0].device_id, verdict.problems[0].severity) == (0, "critical")
    looks.devices(thread(0, 11), thread(1, 13))
    assert looks.later(0.5).problems == ()


def test_seconds_without_permission_to_search_do_not_count() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    looks.look()
    for change in ({"paused": True}, {"paused": False, "job": None, "pools": (replace(POOL, active=False),)}):
        looks.set(**change)
        verdict = looks.later(60)
        assert verdict.devices[device_key("cpu", "cpu0")].state == "idle"
        assert "device_dead" not in kinds(verdict)
    looks.set(job=JobSnapshot.of(JOB, 0.0), pools=(POOL,))
    assert looks.look().state == "mining"  # at once: nothing speaks against it
    assert looks.later(STILL_AFTER_S).state == "no_device"


def test_a_process_that_did_not_run_accuses_no_thread() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    looks.look()
    looks.now += 3600
    assert looks.look().state == "mining"


# ---- devices of their own -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "mines", "whole", "kind"),
    [
        ("mining", True, "mining", None),
        ("throttled", True, "mining", "device_throttled"),
        ("sick", False, "degraded", "device_sick"),
        ("idle", False, "no_device", None),
        ("starting", False, "no_device", None),
        ("dead", False, "no_device", "device_dead"),
        ("off", False, "no_device", "device_off"),
        ("absent", False, "no_device", "device_absent"),
    ],
)
def test_a_device_does_what_its_driver_says(state: str, mines: bool, whole: str, kind: str | None) -> None:
    looks = Looks()
    looks.devices(stick(0, state, "for a reason"))
    verdict = looks.look()
    assert (verdict.devices[device_key("cpu", "erupter-0")].mines, verdict.state) == (mines, whole)
    assert kinds(verdict) == ([] if kind is None else [kind])
    for problem in verdict.problems:
        assert problem.text == f"erupter-0 is {state}: for a reason."
        assert problem.advice.endswith(".")
    looks.set(paused=True)
    paused = looks.look()
    assert paused.state == "paused"
    assert paused.devices[device_key("cpu", "erupter-0")].state == ("idle" if mines else state)
    assert paused.devices[device_key("cpu", "erupter-0")].reason == (
        "paused" if mines or state == "idle" else "for a reason"
    )


def test_one_of_twelve_is_off_and_why() -> None:
    looks = Looks()
    looks.devices(
        *(stick(number, "off" if number == 3 else "mining", "too hot" * (number == 3)) for number in range(12))
    )
    verdict = looks.look()
    assert (verdict.state, verdict.detail) == ("degraded", "11 of 12 devices mine; erupter-3 is off: too hot")
    assert [problem.device_id for problem in verdict.problems] == [3]
    looks.devices(*(stick(number, "off") if number % 2 else stick(number, "dead") for number in range(12)))
    assert looks.look().detail == "no device mines; erupter-0 is dead; 11 more do not mine"


def test_a_device_that_its_owner_removed_does_not_count() -> None:
    looks = Looks()
    looks.devices(stick(0, "mining"), stick(1, "removed"))
    verdict = looks.look()
    assert (verdict.state, verdict.devices_total, verdict.problems) == ("mining", 1, ())


def test_devices_of_one_name_are_told_apart() -> None:
    looks = Looks()
    looks.set(
        backends=tuple(
            BackendSnapshot("asic", "", (stick(number, state),), label=label)
            for number, state, label in ((0, "mining", "left"), (0, "off", "right"))
        )
    )
    assert looks.look().detail == "1 of 2 devices mine; right erupter-0 is off"


def test_a_backend_that_found_nothing_says_so() -> None:
    looks = Looks()
    looks.set(backends=(BackendSnapshot("asic", "", (), problem="--device auto found none", label="asic"),))
    verdict = looks.look()
    assert (verdict.state, verdict.detail) == ("no_device", "--device auto found none")
    assert [(problem.kind, problem.text) for problem in verdict.problems] == [
        ("device_none", "--device auto found none.")
    ]


def test_heat_is_a_problem_before_it_slows_anything_down() -> None:
    looks = Looks()
    looks.devices(stick(0, "mining", hot="chip at 71 °C"))
    verdict = looks.look()
    assert (verdict.state, kinds(verdict)) == ("mining", ["device_hot"])
    assert verdict.problems[0].text == "erupter-0 is hot: chip at 71 °C."
    looks.devices(stick(0, "off", "too hot: chip at 106 °C", hot="chip at 106 °C"))
    assert kinds(looks.look()) == ["device_off"]  # which says it already


def test_wrong_results_are_a_problem_until_newer_ones_are_right() -> None:
    looks = Looks()

    def results(good: int, bad: int) -> HealthVerdict:
        device = stick(0, "mining", hardware_errors=bad)
        looks.devices(replace(device, nonces_found=good))
        return looks.later(10)

    assert results(14, 5).problems == ()  # too few to say
    verdict = results(70, 30)
    assert kinds(verdict) == ["device_errors"]
    assert verdict.problems[0].text == "erupter-0 computes wrong results: 30 of its last 100 results (30 %) are wrong."
    for number in range(100):
        verdict = results(80 + 10 * number, 30)
    assert verdict.problems == ()


def test_chance_makes_no_problem_of_a_few_wrong_results() -> None:
    looks = Looks()
    for hundreds in range(1, 100):
        device = stick(0, "mining", hardware_errors=5 * hundreds)
        looks.devices(replace(device, nonces_found=95 * hundreds))
        assert looks.later(10).problems == ()


@pytest.mark.parametrize(
    ("good", "bad", "many"),
    [
        (0, 19, False),  # fewer than 20 results say nothing
        (0, 20, True),
        (16, 4, False),  # a twentieth of 20 is 1, and three standard deviations of 1 are 3
        (15, 5, True),
        (89, 11, False),  # 5 + 3 x 2.24 = 11.7
        (88, 12, True),
        (367, 33, False),  # 20 + 3 x 4.47 = 33.4
        (366, 34, True),
        (9_433, 567, False),  # 500 + 3 x 22.4 = 567.1
        (9_432, 568, True),
    ],
)
def test_wrong_results_are_many_if_chance_does_not_explain_them(good: int, bad: int, many: bool) -> None:
    errors = RecentErrors()
    assert (errors.newest, errors.are_many) == ((0, 0), False)
    errors.look(0.0, good, bad)
    assert (errors.newest, errors.are_many) == ((good, bad), many)


@pytest.mark.parametrize(
    ("every_s", "good", "bad", "newest"),
    [
        (10.0, 4, 1, (116, 29)),  # a record at every look: 29 steps of 10 s and 5 results
        (10.0, 3, 1, (174, 58)),  # too few results for a record at every look
        (9.9, 4, 1, (236, 59)),  # too early
        (60.0, 4000, 1000, (116_000, 29_000)),
    ],
)
def test_the_newest_results_are_those_of_thirty_records(
    every_s: float, good: int, bad: int, newest: tuple[int, int]
) -> None:
    errors = RecentErrors()
    for look in range(101):
        errors.look(look * every_s, look * good, look * bad)
    assert errors.newest == newest


def test_wrong_results_of_a_search_thread_are_the_computers() -> None:
    looks = Looks()
    looks.devices(replace(thread(0, 10), nonces_found=1, hardware_errors=60))
    [problem] = looks.look().problems
    assert problem.text == "cpu0 computes wrong results: 60 of its last 61 results (98 %) are wrong."
    assert (problem.kind, problem.severity, problem.device_id) == ("device_errors", "warning", 0)
    assert problem.advice.startswith("This computer may be faulty. Run `stratum-miner bench`")
    looks.devices(replace(stick(0, "mining", hardware_errors=60), nonces_found=1))
    [problem] = looks.look().problems
    assert problem.advice.startswith("Lower its frequency or raise its voltage")
    for state in ("absent", "off"):
        looks.devices(replace(stick(0, state, hardware_errors=60), nonces_found=1))
        assert kinds(looks.look()) == [f"device_{state}"]


@pytest.mark.parametrize(
    ("state", "severity", "advice"),
    [
        ("dead", "critical", "stratum-miner restarts the device by itself."),
        ("off", "critical", "Remove the cause, then restart the device"),
        ("absent", "critical", "Plug the device in, or remove it"),
        ("sick", "warning", "Check its cooling and power supply."),
        ("throttled", "warning", "Improve its cooling and power supply, or set a lower frequency."),
    ],
)
def test_each_state_has_its_weight_and_its_advice(state: str, severity: str, advice: str) -> None:
    looks = Looks()
    looks.devices(stick(0, state))
    [problem] = looks.look().problems
    assert (problem.severity, problem.text) == (severity, f"erupter-0 is {state}.")
    assert problem.advice.startswith(advice)


def test_a_search_thread_that_is_dead_is_a_defect_of_the_program() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    looks.look()
    [problem] = looks.later(STILL_AFTER_S).problems
    assert problem.advice == "Restart stratum-miner, and report this as a bug: a search thread should never stop."


def test_heat_is_told_of_devices_that_are_on() -> None:
    for state in ("off", "dead", "absent", "sick"):
        looks = Looks()
        looks.devices(stick(0, state, hot="chip at 71 C"))
        expected = ["device_sick", "device_hot"] if state == "sick" else [f"device_{state}"]
        assert kinds(looks.look()) == expected
        if state == "sick":
            assert looks.look().problems[1].severity == "warning"


# ---- pools ----------------------------------------------------------------------------------------------------


def pools_of(*pools: PoolStatus) -> tuple[PoolStatus, ...]:
    return tuple(replace(pool, key=PoolKey("AB"[number]), name="AB"[number]) for number, pool in enumerate(pools))


def refused(worker: str) -> WorkerSnapshot:
    return WorkerSnapshot(name=worker, refusal="nobody", accepted=0, rejected=0, stale=0)


DOWN = replace(POOL, condition=Condition.DOWN, reason="Connection refused", active=False)


def test_no_pool_gives_work_and_why() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    looks.set(job=None, pools=pools_of(DOWN, replace(DOWN, condition=Condition.TRYING, reason="")))
    verdict = looks.look()
    assert verdict.state == "no_pool"
    assert verdict.detail == "pool A: Connection refused; pool B: connecting"
    assert [(problem.kind, problem.pool_id, problem.severity) for problem in verdict.problems] == [
        ("pool_down", 0, "critical")
    ]
    assert verdict.problems[0].text == "Pool A cannot be mined on: Connection refused."
    looks.set(pools=tuple(replace(pool, enabled=False) for pool in looks.snapshot.pools))
    assert looks.look().detail == "all pools are disabled"


def test_a_pool_that_is_tried_again_is_a_problem_until_it_is_up() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    trying = replace(DOWN, condition=Condition.TRYING, reason="")
    looks.set(pools=pools_of(POOL, trying))
    assert looks.look().problems == ()
    looks.set(pools=pools_of(POOL, DOWN))
    assert looks.look().problems[0].severity == "warning"
    looks.set(pools=pools_of(POOL, trying))
    looks.now += 40
    [problem] = looks.look().problems
    assert (problem.text, problem.since_s) == ("Pool B cannot be mined on: Connection refused.", 40)
    for over in (POOL, replace(POOL, condition=Condition.UNTRIED), replace(DOWN, enabled=False)):
        looks.set(pools=pools_of(POOL, over))
        assert looks.look().problems == ()


@pytest.mark.parametrize(
    ("pool", "kind", "text"),
    [
        (
            replace(DOWN, condition=Condition.SILENT, reason="no new job for 300 s"),
            "pool_silent",
            "Pool B is silent: no new job for 300 s.",
        ),
        (
            replace(DOWN, condition=Condition.PENALIZED, reason="it rejected 20 shares in a row: Invalid"),
            "pool_penalized",
            "Pool B is not used for a while: it rejected 20 shares in a row: Invalid.",
        ),
        (
            replace(
                DOWN,
                condition=Condition.PENALIZED,
                reason="the pool refused the worker 'w': nobody",
                client=replace(POOL.client, workers=(refused("w"),)),
            ),
            "pool_refuses",
            "Pool B refuses the worker name w: nobody.",
        ),
        (
            replace(POOL, client=replace(POOL.client, workers=(refused("w.2"),))),
            "pool_refuses",
            "Pool B refuses the worker name w.2: nobody.",
        ),
    ],
)  # fmt: skip
def test_what_a_pool_does_wrong(pool: PoolStatus, kind: str, text: str) -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    looks.set(pools=pools_of(POOL, pool))
    assert [(problem.kind, problem.text) for problem in looks.look().problems] == [(kind, text)]


def test_a_pool_that_rejects_most_shares() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))

    def answers(*refusals: str) -> Sequence[ProblemView]:
        for refusal in refusals:
            looks.health.pools.answered(POOL.key, refusal)
        return looks.look().problems

    assert answers(*["stale"] * 9) == ()
    [problem] = answers("duplicate")
    assert (problem.kind, problem.severity) == ("pool_rejects", "critical")
    assert problem.text == (
        "Pool A did not accept 10 of the last 10 shares, the newest of them for this reason: duplicate."
    )
    assert answers(*[""] * 10) == ()


def test_a_backend_whose_own_pool_is_lost_does_not_mine() -> None:
    looks = Looks()
    bound = replace(DOWN, bound=("other",))
    looks.set(
        pools=pools_of(POOL, bound),
        backends=(
            BackendSnapshot("cpu", "", (thread(0, 10),), label="cpu"),
            BackendSnapshot("simulated", "", (replace(thread(1, 10), name="sim0"),), label="other", bound_to="B"),
        ),
    )
    verdict = looks.look()
    assert verdict.state == "degraded"
    assert verdict.detail == "1 of 2 devices mine; sim0 is idle: its pool B gives no work: Connection refused"
    assert [(problem.kind, problem.severity) for problem in verdict.problems] == [("pool_down", "critical")]
    looks.set(pools=pools_of(DOWN, replace(POOL, bound=("other",))), job=None)
    verdict = looks.look()
    assert verdict.detail == "1 of 2 devices mine; cpu0 is idle: no pool gives work"


# ---- the whole --------------------------------------------------------------------------------------------------


def test_who_paused_it_and_why() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    looks.set(paused=True)
    assert looks.look(pauses={}).detail == "paused"
    told = looks.look(pauses={"by the schedule": "until 22:00", "by hand": ""})
    assert (told.state, told.detail) == ("paused", "paused by the schedule: until 22:00; by hand")


def test_a_miner_that_stops_accuses_no_pool() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    looks.set(stopping=True, job=None)
    verdict = looks.look()
    assert verdict.state == "stopping"
    assert {condition.reason for condition in verdict.devices.values()} == {"stopping"}


def test_an_end_is_no_problem_of_the_devices_that_it_switches_off() -> None:
    looks = Looks()
    looks.devices(stick(0, "off", "ended"))
    looks.set(stopping=True)
    verdict = looks.look()
    assert (verdict.state, verdict.problems) == ("stopping", ())


def test_the_worst_comes_first() -> None:
    every = [
        ProblemView(severity=severity, kind=kind, text=kind, advice="")
        for kind in reversed(KINDS)
        for severity in ("warning", "critical")
    ]
    ordered = worst_first(every)
    assert [problem.severity for problem in ordered] == ["critical"] * len(KINDS) + ["warning"] * len(KINDS)
    assert [problem.kind for problem in ordered[: len(KINDS)]] == list(KINDS)


def test_other_problems_keep_the_time_at_which_they_came() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    full = ProblemView(severity="warning", kind="journal", text="Cannot write.", advice="Make room.")
    looks.look(others=[full])
    looks.now += 3
    assert looks.look(others=[full]).problems[0].since_s == 3
    looks.look()
    looks.now += 3
    assert looks.look(others=[full]).problems[0].since_s == 0


def test_pools_beyond_the_third_are_counted_where_none_gives_work() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    down = [
        replace(DOWN, key=PoolKey(name), name=name, enabled=name != "B", reason=f"reason {name}") for name in "ABCDE"
    ]
    looks.set(job=None, pools=tuple(down))
    assert looks.look().detail == "pool A: reason A; pool C: reason C; pool D: reason D; 1 more"
    looks.set(pools=tuple(down[:4]))
    assert looks.look().detail == "pool A: reason A; pool C: reason C; pool D: reason D"


def test_a_pool_that_is_tried_says_why_it_was_lost_or_what_it_does() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    lost = replace(DOWN, reason="")
    looks.set(job=None, pools=pools_of(lost))
    looks.look()
    assert looks.look().detail == "pool A: down"
    trying = replace(lost, condition=Condition.TRYING, client=replace(POOL.client, detail="next attempt in 5 s"))
    looks.set(pools=pools_of(replace(trying, condition=Condition.UNTRIED)))
    looks.look()
    assert looks.look().detail == "pool A: next attempt in 5 s"
    looks.set(pools=pools_of(DOWN))
    looks.look()
    looks.set(pools=pools_of(trying))
    assert looks.look().detail == "pool A: Connection refused", "the newest reason is kept"
    looks.set(pools=())
    looks.look()
    looks.set(pools=pools_of(trying))
    assert looks.look().detail == "pool A: next attempt in 5 s", "of a pool that was removed, nothing is kept"


@pytest.mark.parametrize(("answers", "refused_of_them"), [(9, 9), (10, 5), (20, 10)])
def test_a_pool_is_judged_by_ten_to_twenty_answers_of_which_most_are_refusals(
    answers: int, refused_of_them: int
) -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    for _ in range(answers - refused_of_them):
        looks.health.pools.answered(POOL.key, "")
    for _ in range(refused_of_them):
        looks.health.pools.answered(POOL.key, "stale")
    assert looks.look().problems == ()
    looks.health.pools.answered(POOL.key, "low")
    [problem] = looks.look().problems
    judged = min(answers + 1, 20)
    assert problem.text.startswith(f"Pool A did not accept {refused_of_them + 1} of the last {judged} shares, ")
    assert problem.advice.startswith("Check the worker name")
    looks.set(pools=(replace(POOL, active=False),))
    assert [problem.severity for problem in looks.look().problems] == ["warning"]
    looks.set(pools=(replace(POOL, condition=Condition.TRYING),))
    assert looks.look().problems == ()


@pytest.mark.parametrize(
    ("condition", "advice"),
    [
        (Condition.DOWN, "stratum-miner tries again by itself. Check the URL"),
        (Condition.SILENT, "stratum-miner waits for a new job"),
        (Condition.PENALIZED, "stratum-miner tries it again by itself. Check the worker name"),
    ],
)
def test_a_lost_pool_is_critical_only_if_work_is_missing(condition: Condition, advice: str) -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    lost = replace(DOWN, condition=condition)
    looks.set(pools=pools_of(POOL, lost))
    [problem] = looks.look().problems
    assert (problem.severity, problem.pool_id) == ("warning", 1)
    assert problem.advice.startswith(advice)
    looks.set(job=None)
    assert [problem.severity for problem in looks.look().problems] == ["critical"]
    looks.set(pools=pools_of(POOL, replace(lost, bound=("other",), active=True)))
    assert [problem.severity for problem in looks.look().problems] == ["warning"]


def test_a_penalized_pool_that_refuses_a_worker_name_says_which() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    penalized = replace(DOWN, condition=Condition.PENALIZED, reason="it rejected 20 shares in a row")
    down = replace(penalized, condition=Condition.DOWN, client=replace(POOL.client, workers=(refused("w"),)))
    looks.set(pools=pools_of(POOL, down))
    assert kinds(looks.look()) == ["pool_down"], "only a penalty is explained by a refusal"
    good = replace(refused("good"), refusal="")
    client = replace(POOL.client, workers=(good, refused("w.2")))
    looks.set(pools=pools_of(POOL, replace(penalized, client=client)))
    [problem] = looks.look().problems
    assert (problem.kind, problem.text) == ("pool_refuses", "Pool B refuses the worker name w.2: nobody.")
    assert problem.advice.startswith("Check with the pool whether the worker name and the password")


def test_a_thread_is_dead_after_ten_seconds_without_a_hash() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    looks.look()
    assert looks.later(9.5).state == "mining"
    assert looks.later(0.5).state == "no_device"
    steps = Looks()
    steps.devices(thread(0, 10))
    steps.look()
    for passed_s in (3600, 3600, 3600, 3600):  # at most two seconds of each step count
        steps.now += passed_s
        assert steps.look().state == "mining"
    steps.now += 3600
    assert steps.look().state == "no_device"
    back = Looks()
    back.devices(thread(0, 10))
    back.look()
    back.now -= 3600
    assert back.look().state == "mining"
    assert back.later(9.5).state == "mining"


def test_the_worst_device_is_named_and_the_others_are_counted() -> None:
    looks = Looks()
    order = ("dead", "off", "absent", "sick", "idle", "starting")
    for first, worst in enumerate(order):
        looks.devices(*(stick(number, state) for number, state in enumerate(reversed(order[first:]))))
        mines = "degraded" if "sick" in order[first:] else "no_device"
        verdict = looks.look()
        assert verdict.state == mines
        more = len(order) - first - 1
        others = "" if not more else f"; {more} more do not mine" if more > 1 else "; 1 more does not mine"
        assert verdict.detail.endswith(f"; erupter-{more} is {worst}{others}")
    assert "yet" in looks.look().detail


def test_a_device_that_was_removed_and_has_a_backend_without_devices() -> None:
    looks = Looks()
    looks.set(backends=())
    assert (looks.look().state, looks.look().detail) == ("no_device", "there is no device to mine with")
    looks.devices(stick(0, "removed"))
    assert looks.look().detail == "there is no device to mine with"
    looks.set(
        backends=tuple(BackendSnapshot("asic", "", (), problem=text, label=text[:1]) for text in ("one", "two", ""))
    )
    verdict = looks.look()
    assert verdict.detail == "one; two"
    assert [(problem.severity, problem.kind, problem.text) for problem in verdict.problems] == [
        ("critical", "device_none", "One."), ("critical", "device_none", "Two."),
    ]  # fmt: skip
    assert verdict.problems[0].advice.startswith("`stratum-miner devices` lists the devices that are plugged in")


def test_each_problem_has_its_own_age() -> None:
    looks = Looks()
    looks.devices(stick(0, "off"), stick(1, "mining"))
    looks.look()
    looks.now += 3
    looks.devices(stick(0, "off"), stick(1, "off"))
    assert [problem.since_s for problem in looks.look().problems] == [3, 0]
    looks.now += 4
    looks.devices(stick(0, "off", "another reason"), stick(1, "off"))
    assert [problem.since_s for problem in looks.look().problems] == [7, 4], "a new reason is the same problem"
    log, journal = (
        ProblemView(severity="warning", kind=kind, text=kind, advice="") for kind in ("log_file", "journal")
    )
    looks.look(others=[log])
    looks.now += 5
    ages = {problem.kind: problem.since_s for problem in looks.look(others=[log, journal]).problems}
    assert (ages["log_file"], ages["journal"]) == (5, 0)
    looks.now += 1
    assert looks.look(others=[replace(log, text="another text")]).problems[-1].since_s == 0


def test_foreign_text_in_problems_is_made_safe_and_short() -> None:
    looks = Looks()
    looks.devices(stick(0, "off", "\x1b[2J" + "x" * 9999))
    problem = ProblemView(severity="warning", kind="journal", text="\x1b" + "t" * 9999, advice="\x1b" + "a" * 9999)
    verdict = looks.look(others=[problem])
    for text in (verdict.detail, *(text for each in verdict.problems for text in (each.text, each.advice))):
        assert text.isprintable()
        assert len(text) <= SENTENCE_CHARACTERS + 1


def test_a_pool_that_is_switched_off_is_no_problem_whatever_it_did() -> None:
    looks = Looks()
    looks.devices(thread(0, 10))
    for _ in range(20):
        looks.health.pools.answered(POOL.key, "stale")
    refusing = replace(POOL, client=replace(POOL.client, workers=(refused("w"),)))
    looks.set(pools=(refusing,))
    assert kinds(looks.look()) == ["pool_rejects"]
    looks.set(pools=(replace(refusing, enabled=False),))
    assert kinds(looks.look()) == []
