"""Tests the screen at every size: the number of lines, their width, and that the most important ones are shown."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass, replace
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from stratum_miner.monitoring.screen.layout import ScreenState, draw
from stratum_miner.monitoring.screen.live import FOOT, HELP
from stratum_miner.monitoring.screen.tables import MOST_ROWS
from stratum_miner.monitoring.view import (
    DeviceView,
    Estimate,
    EventView,
    JobView,
    LuckView,
    Point,
    PoolView,
    ProblemView,
    SharesView,
    Summary,
    View,
)
from stratum_miner.work.durations import NO_DURATIONS

WORTH = {"accepted": 30.0, "rejected": 0.75, "stale": 0.5, "lost": 0.25}
SUMMARY = Summary(
    version="0.1.0", state="mining", detail="",
    devices_mining=2, devices_total=2, power_is_partial=False, problems=(),
    started_at=1.7e9, elapsed_s=754.0, sample_age_s=0.2,
    hash_rate=158e6,
    hash_rate_5s=157e6, hash_rate_1m=158e6, hash_rate_5m=158e6, hash_rate_15m=158e6,
    implied_hash_rate=Estimate(value=150e6, low=120e6, high=180e6),
    shares=SharesView(found=126, accepted=120, rejected=3, stale=2, lost=1, open=0), reasons={}, all_runs=None,
    blocks_accepted=3, best_share=12345.0, difficulties=WORTH, last_share_age_s=3.0, share_every_s=6.1,
    work_utility=1.0,
    luck=LuckView(found=126, expected=120.0, ratio=1.05, low=0.87, high=1.25), hardware_errors=2, below_target=0,
    withheld=0, height=930_000, network_difficulty=144.4e12,
    job=JobView(
        job_id="b9bbd6b0", age_s=12.0, previous_hash="00" * 32, share_difficulty=0.25, network_difficulty=144.4e12,
        version_mask="1fffe000", version=0,
    ),
    pool="stratum+tcp://pool.example:3333", worker_name="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig",
    frozen_s=0.0, work_units=0, blocks_seen=0, block_at=None, last_job_at=None,
    power_w=65.0, joules_per_terahash=411_000.0,
    economics={"electricity_per_day": 0.468, "electricity_so_far": 0.004, "seconds_per_block": 3.9e15},
)  # fmt: skip


def pool(index: int, **changes: Any) -> PoolView:
    base = PoolView(
        id=index, priority=index, name=f"pool{index}.example:3333",
        url=f"stratum+tcp://pool{index}.example:3333", worker_name="w",
        active=index == 0, enabled=True, state="up", reason="", since_s=700.0, connection="mining", accepted=120,
        rejected=3, stale=2, lost=1, difficulties=WORTH, reasons={}, reject_share=0.02, stale_share=0.01,
        latency_p50_ms=0.6,
        latency_p99_ms=2.1, quota=None, work_share=None, job_switch_p50_ms=None,
        job_switch_p99_ms=None, bound=(), workers=(), difficulty=0.25, version_mask="1fffe000", jobs=12,
        answers=NO_DURATIONS, job_switches=NO_DURATIONS, best_share=0.0, last_share_at=None, last_share_difficulty=0.0,
        work_units=40, connects=1,
        bytes_received=1000, bytes_sent=1000,
    )  # fmt: skip
    return replace(base, **changes)


def device(index: int, **changes: Any) -> DeviceView:
    base = DeviceView(
        id=index, backend="cpu", name=f"cpu{index}", detail="avx512", mines=True, state="mining", reason="",
        hash_rate=79e6, hash_rate_1m=79e6, hash_rate_10m=78e6, hash_rate_1h=77e6, expected_hash_rate=None,
        hashes=10**10, nonces_found=60, accepted=60, refused=3, reasons={}, best_share=12345.0, blocks_accepted=0,
        difficulties=WORTH,
        bound_to="", hash_rate_5m=0.0, hash_rate_15m=0.0, came_at=0.0, frozen_s=0.0, last_share_at=None,
        last_share_pool_id=None, last_share_difficulty=0.0, unwell_at=None, unwell_reason="", spells={},
        hardware_errors=0, last_nonce_age_s=3.0,
    )  # fmt: skip
    return replace(base, **changes)


POINTS = tuple(
    Point(
        at=2.0 * second, hash_rate=1e8 * (second % 7), accepted=0, rejected=0, stale=0, lost=0, latency_ms=None,
        temperature_c=None, power_w=None,
    )
    for second in range(300)
)  # fmt: skip


def view(*, pools: int = 1, devices: int = 2, events: int = 30, **changes: Any) -> View:
    """Return a view with these numbers of pools, devices and events, without problems. ``changes`` change the
    summary."""
    changes = {"devices_mining": devices, "devices_total": devices} | changes
    return View(
        at=1.7e9,
        summary=replace(SUMMARY, **changes),
        pools=tuple(pool(index) for index in range(pools)),
        devices=tuple(device(index) for index in range(devices)),
        shares=(),
        blocks=(),
        events=tuple(
            EventView(number=index, at=1.7e9 + index, level="info", name="paused", text=f"Event {index}: " + "x" * 100)
            for index in range(events)
        ),
        history=POINTS,
    )


def problem(device_id: int | None, text: str, advice: str = "", **changes: Any) -> ProblemView:
    base = ProblemView(
        severity="critical", kind="device_off", device_id=device_id, text=text, advice=advice, since_s=1440.0
    )
    return replace(base, **changes)


def troubled(off: Sequence[int], *, devices: int = 12, advice: str = "Let it cool down, then restart it.") -> View:
    """Return a view in which some devices are off, with a problem for each."""
    it = view(devices=devices, devices_mining=devices - len(off), state="degraded")
    problems = tuple(
        problem(index, f"cpu{index} is off: it tripped three times and its cause, number {index}, was heat.", advice)
        for index in off
    )
    ill = tuple(
        replace(one, mines=False, state="off", reason="too hot", hash_rate=0.0, hash_rate_1m=0.0)
        if one.id in off else one
        for one in it.devices
    )  # fmt: skip
    return replace(it, summary=replace(it.summary, problems=problems), devices=ill)


def shown(it: View, width: int = 80, height: int = 24, **screen: Any) -> list[str]:
    return [line.plain for line in draw(it, ScreenState(width, height, **screen))]


def joined(lines: Iterable[str]) -> str:
    """Join lines, so that wrapped texts are whole again."""
    return " ".join(" ".join(lines).split())


@given(
    st.integers(1, 230), st.integers(1, 90), st.integers(0, 12), st.integers(1, 5), st.integers(0, 100), st.booleans()
)
def test_it_fits_every_screen(width: int, height: int, devices: int, pools: int, events: int, ascii_only: bool) -> None:
    it = view(pools=pools, devices=devices, events=events)
    lines = shown(it, width, height, ascii_only=ascii_only, foot=FOOT)
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    if ascii_only:
        assert "".join(lines).isascii()


def test_at_80_by_24_everything_that_matters_is_there() -> None:
    lines = shown(view(), foot=FOOT)
    assert lines[0].startswith("mining · 158 MH/s · 65 W · 2 of 2 devices mine ")
    assert lines[0].endswith(" stratum_miner 0.1.0, up 12m34s")
    for needle in (
        "pool        pool0.example:3333 · worker w · answers in 0.6 ms (99 %: 2.1 ms)",
        "job         block 930,000 · 12.0s old · difficulty 0.25 a share, 144 T a block",
        "rate        5 s 157 MH/s · 5 m 158 MH/s · all 158 MH/s",
        "shares      120 accepted · 3 rejected · 2 stale · 1 lost", "errors      2 wrong nonces",
        "best share 12.3 k · 3 blocks solved · luck 1.05 (0.87 to 1.25)",
        "a share every 6.1 seconds on average · the last 3.0s ago",
        "from shares 150 MH/s · 95 %: 120 MH/s to 180 MH/s",
        "costs       electricity 0.47 a day · 0.0040 so far · 411 k J/TH",
        "a block here takes 124 million years on average",
        "cpu0", "cpu1", "Event 29", "p pause   n next pool   q quit   ? help",
    ):  # fmt: skip
        assert any(needle in line for line in lines), needle


@pytest.mark.parametrize(("profit", "words"), [(-0.4219, "loses 0.4219 a day"), (0.0305, "earns 0.0305 a day")])
def test_the_costs_begin_with_the_loss_or_the_profit(profit: float, words: str) -> None:
    lines = shown(view(economics={"electricity_per_day": 0.468, "profit_per_day": profit}), foot=FOOT)
    assert any(line.startswith(f"costs       {words} · electricity 0.47 a day") for line in lines)


@pytest.mark.parametrize("size", [(40, 15), (80, 24), (120, 40)])
@pytest.mark.parametrize("off", [(), (7,), (0, 5, 11), tuple(range(12))])
@pytest.mark.parametrize("advice", ["", "Let it cool down, then restart it, or unplug it and plug it in again."])
def test_problems_are_whole_or_counted(size: tuple[int, int], off: tuple[int, ...], advice: str) -> None:
    it = troubled(off, advice=advice)
    lines = shown(it, *size, foot=FOOT)
    text = joined(lines)
    whole = [one for one in it.summary.problems if one.text in text]
    assert all(line == line.rstrip() for line in lines)
    assert all(one.text[:12] not in text for one in it.summary.problems if one not in whole)
    left_out = sum(int(found[1]) for line in lines if (found := re.match(r"  (\d+) more problem", line)))
    assert len(whole) + left_out == len(off)
    assert not off or whole == list(it.summary.problems[: len(whole)]) != []
    assert text.count(advice) == 1 or not off or not advice  # said once for all of a kind
    if size != (40, 15):
        named = [line for line in lines if re.match(r"cpu\d+ +off ", line)]
        assert len(named) == len(off)


@given(st.integers(40, 130), st.integers(1, 50), st.sets(st.integers(0, 11)), st.integers(12, 30))
def test_what_of_the_devices_is_not_shown_is_said_truly(width: int, height: int, off: set[int], devices: int) -> None:
    lines = shown(troubled(sorted(off), devices=devices), width, height)
    rows = [int(found[1]) for line in lines if (found := re.match(r"cpu(\d+) +(mining|off) ", line))]
    order = [*sorted(off), *(index for index in range(devices) if index not in off)]
    assert rows == order[: len(rows)]
    rest = [line for line in lines if re.match(r"  \d+ more,", line)]
    hidden = order[len(rows) :]
    idle = len(off.intersection(hidden))
    how = "all mining" if not idle else "none of them mining" if idle == len(hidden) else f"{idle} of them not mining"
    assert rest == ([f"  {len(hidden)} more, {how}"] if hidden and rest else [])
    assert rest or not hidden or not rows


def test_a_device_that_its_owner_removed_is_not_ill() -> None:
    it = view(devices=3)
    it = replace(it, devices=(replace(it.devices[0], mines=False, state="removed"), *it.devices[1:]))
    assert [line.split()[0] for line in shown(it) if line.startswith("cpu")] == ["cpu1", "cpu2", "cpu0"]


def test_a_device_that_mines_badly_comes_before_those_that_are_well() -> None:
    it = view(devices=12, problems=(problem(9, "cpu9 is hot: 91 C.", severity="warning", kind="device_hot"),))
    rows = [line for line in shown(it) if line.startswith("cpu")]
    assert rows[0].startswith("cpu9 ")


def test_a_reason_that_no_problem_tells_is_told_in_full() -> None:
    reason = "it waits for its pool, which gives no work at the moment because of a matter that takes long to tell"
    it = view(devices=1)
    it = replace(it, devices=(replace(it.devices[0], mines=False, state="idle", reason=reason),))
    assert reason in joined(shown(it, 80, 30))


@pytest.mark.parametrize("state", ["paused", "no_pool", "stopping"])
def test_without_work_no_device_is_said_to_be_ill(state: str) -> None:
    it = view(devices=12, pools=2, state=state, detail="by the schedule: until 22:00", devices_mining=0)
    idle = tuple(replace(one, mines=False, state="idle", reason="there is nothing to do") for one in it.devices)
    off = problem(7, "cpu7 is off: it is too hot.")
    devices = (*idle[:7], replace(idle[7], state="off"), *idle[8:])
    lines = shown(replace(it, devices=devices, summary=replace(it.summary, problems=(off,))))
    assert not any("there is nothing to do" in line for line in lines)
    assert [line.split()[0] for line in lines if line.startswith("cpu")][:2] == ["cpu7", "cpu0"]
    assert any(line.startswith("shares ") for line in lines)  # they do not fill the screen
    assert state != "paused" or lines[1] == "by the schedule: until 22:00"


def test_names_that_are_not_unique_get_their_backend() -> None:
    it = view(devices=2)
    it = replace(it, devices=tuple(replace(one, name="0", backend=f"usb{one.id}") for one in it.devices))
    assert [line.split("  ")[0] for line in shown(it) if line.startswith("usb")] == ["usb0 0", "usb1 0"]


def test_the_rate_of_a_window_that_is_longer_than_the_run_is_left_out() -> None:
    def rates(elapsed_s: float) -> list[str]:
        lines = [line for line in shown(view(elapsed_s=elapsed_s)) if line.startswith("rate ")]
        return re.findall(r"(\S+(?: [sm])?) \d+ MH/s", lines[0].removeprefix("rate").strip()) if lines else []

    assert rates(4.0) == []
    assert rates(30.0) == ["5 s"]
    assert rates(100.0) == ["5 s", "all"]
    assert rates(1000.0) == ["5 s", "5 m", "15 m", "all"]


def test_where_every_share_is_a_block_no_time_for_a_block_is_made_up() -> None:
    assert SUMMARY.job is not None
    easy = replace(SUMMARY.job, share_difficulty=0.003, network_difficulty=4.657e-10)
    text = "\n".join(shown(view(job=easy, economics={"electricity_per_day": 0.4, "seconds_per_block": 3.77e-7})))
    assert "difficulty 0.003, each share is a block" in text
    assert "a block here takes" not in text


def test_what_is_not_known_is_left_out_or_said() -> None:
    unknown = view(
        power_w=None, joules_per_terahash=None, economics=None, implied_hash_rate=None, job=None, height=None,
        best_share=0.0, blocks_accepted=0, share_every_s=None, last_share_age_s=None, hardware_errors=0,
        luck=LuckView(found=0, expected=0.0, ratio=None, low=None, high=None),
    )  # fmt: skip
    unknown = replace(unknown, pools=(pool(0, latency_p50_ms=0.6, latency_p99_ms=None),), history=())
    text = "\n".join(shown(replace(unknown, events=())))
    for word in (
        " W",
        "J/TH",
        "95 %",
        "best",
        "solved",
        "luck",
        "average",
        "ago",
        "costs",
        "wrongly",
        "99 %",
        "10 min",
    ):
        assert word not in text, word
    assert "job         none" in text
    assert "answers in 0.6 ms\n" in text
    slow = replace(view(), pools=(pool(0, latency_p50_ms=16_736.5, latency_p99_ms=90_000.0),))
    assert any("answers in 16.7s (99 %: 1m30s)" in line for line in shown(slow))
    partial = shown(view(power_w=30.0, power_is_partial=True))
    assert "at least 30 W" in partial[0]
    assert "158 MH/s (9.0s old)" in shown(view(sample_age_s=9.0))[0]


def test_sums_are_those_of_the_summary() -> None:
    it = view(devices=3, hash_rate_1m=1e6, hardware_errors=7777, power_w=1234.0, devices_mining=1, devices_total=9)
    lines = shown(it)
    assert lines[0].startswith("mining · 1.00 MH/s · 1,234 W · 1 of 9 devices mine")
    assert "errors      7,777 wrong nonces" in lines


def test_rows_without_end_are_counted_and_not_made() -> None:
    lines = shown(view(devices=MOST_ROWS + 500), 80, 3000)
    assert sum(line.startswith("cpu") for line in lines) == MOST_ROWS
    assert "  500 more, all mining" in lines


def test_what_does_not_fit_goes_from_the_bottom_up() -> None:
    lines = shown(view(devices=30), 80, 24)
    assert sum("Event" in line for line in lines) >= 3  # news are always seen
    small = shown(view(), 80, 6)
    assert small[0].startswith("mining · 158 MH/s")
    assert not any("cpu0" in line for line in small)


def test_a_long_worker_name_keeps_its_ends() -> None:
    it = view()
    it = replace(
        it, pools=(replace(it.pools[0], name="stratum+tcp://pool.example:3333", worker_name=f"bc1q{'w' * 60}.rig7"),)
    )
    lines = shown(it)
    assert re.fullmatch(r"pool {8}pool\.example:3333 · worker bc1qw+…w+\.rig7", lines[1])
    assert lines[2] == "            answers in 0.6 ms (99 %: 2.1 ms)"


def test_warnings_are_told_in_full_and_hashes_of_blocks_are_left_out() -> None:
    long = "Device erupter-d3 is off: it tripped three times because no valid temperature came from it in time."
    solved = f"BLOCK {'0f' * 32} solved. Share accepted, difficulty 0.003."
    events = (
        EventView(number=1, at=1.7e9, level="warning", name="device_off", text=long),
        EventView(number=2, at=1.7e9, level="info", name="share_accepted", text=solved),
    )
    lines = shown(replace(view(), events=events), 80, 30)
    assert long in joined(line[10:] for line in lines if not line.startswith("cpu"))
    assert any(line.endswith("BLOCK solved. Share accepted, difficulty 0.003.") for line in lines)


def test_pools_are_listed_where_there_are_several_by_the_number_that_is_their_key() -> None:
    assert not any(line.startswith(">0") for line in shown(view(pools=1)))
    it = view(pools=3, devices=1, events=0)
    last = pool(5, priority=0, enabled=False, state="down", reason="the connection was refused", work_share=0.3)
    lines = shown(replace(it, pools=(last, *it.pools[:2])), 100, 40)
    rows = [line for line in lines if re.match(r"[> x]\d pool", line)]
    assert [row.split()[0] for row in rows] == ["x5", ">0", "1"]
    assert re.match(r"x5 pool5.example:3333 +disabled +11m40s +30% ", rows[0])
    assert "    the connection was refused" in lines
    told = problem(None, "Pool pool5 is down: the connection was refused.", pool_id=5)
    again = shown(replace(it, pools=(last, *it.pools[:2]), summary=replace(it.summary, problems=(told,))), 100, 40)
    assert joined(again).count("the connection was refused") == 1


def test_machines_show_heat_and_power() -> None:
    hot = device(0, name="bitaxe-gamma-1", chip_temperature_c=71.6, power_w=15.2, state="throttled", reason="72 C")
    text = "\n".join(shown(replace(view(devices=0), devices=(hot, device(1))), 100, 40))
    assert re.search(r"bitaxe-gamma-1 +throttled +79.0 MH/s +72 C +15.2 W", text)
    assert re.search(r"cpu1 +mining +79.0 MH/s +- +- ", text)


def test_while_there_is_no_job_it_says_why() -> None:
    text = "\n".join(shown(view(job=None, state="no_pool", detail="pool X: next try in 5 s: Connection refused")))
    assert text.startswith("no pool · ")
    assert "pool X: next try in 5 s: Connection refused" in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_keys_and_answers_to_them_are_never_cut(width: int) -> None:
    for keys in (FOOT, HELP):
        lines = shown(view(), width, 24, foot=keys)
        assert all(any(key in line for line in lines) for key in keys)
    answer = "pool: expected one of the ids 0, 1, 3, got 2; " * 3
    assert answer.strip() in joined(shown(view(), width, 24, notice=answer, foot=FOOT))
    assert not any(FOOT[0] in line for line in shown(view(), width, 24, notice=answer, foot=FOOT))


def test_figures_that_are_old_are_not_shown_as_mining() -> None:
    lines = shown(view(), old="http://10.0.0.7:7780: no whole answer within 5 s (its figures are 32.0s old)")
    assert lines[0].startswith("no answer · ")
    assert "its figures are 32.0s old" in joined(lines)


@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_sparkline_goes_from_zero_to_the_highest(ascii_only: bool) -> None:
    line = next(line for line in shown(view(), 80, 24, ascii_only=ascii_only) if line.startswith("10 minutes"))
    assert set(line[12:].strip()) <= set("_.-=+*#@" if ascii_only else "▁▂▃▄▅▆▇█")
    assert len(line) > 60


def test_time_that_the_process_did_not_run_is_said() -> None:
    assert shown(view(frozen_s=120.0), 100)[0].endswith(" up 12m34s, did not run for 2m00s")
    first, second, *others = view().history
    for at in (1.7e308, -1.7e308, 1e300):  # what another miner says need not be a date
        shown(replace(view(), history=(replace(first, at=-at), replace(second, at=at), *others)))


def test_the_sparkline_has_a_hole_where_the_process_did_not_run() -> None:
    it = view()
    stopped = [replace(point, at=point.at + 120 * (index >= 200)) for index, point in enumerate(it.history)]
    line = next(line for line in shown(replace(it, history=tuple(stopped)), 80, 24) if line.startswith("10 minutes"))
    assert 8 <= line[12:].strip().count(" ") <= 15, "60 of 300 points"
    assert " " not in next(line for line in shown(it, 80, 24) if line.startswith("10 minutes"))[12:].strip()


WORDS = "a\x1b[2J\nb\u009bc\ud800"


@pytest.mark.parametrize("ascii_only", [False, True])
def test_no_word_of_another_steers_the_terminal(ascii_only: bool) -> None:
    event = EventView(number=1, at=1.7e9, level="warning", name="pool_message", text=WORDS, fields={})
    it = view(pools=3, devices=0, events=0, pool=WORDS, detail=WORDS, state=WORDS, version=WORDS, worker_name=WORDS)
    ill = problem(0, WORDS, WORDS, severity=WORDS)
    it = replace(
        it,
        summary=replace(it.summary, problems=(ill,)),
        pools=(pool(0, reason=WORDS, state=WORDS), pool(1, name=WORDS)),
        devices=(device(1, name=WORDS, mines=False, state=WORDS, reason=WORDS, backend=WORDS),),
        events=(event,),
    )
    for width in (40, 100):
        lines = draw(it, ScreenState(width, 60, ascii_only, old=WORDS, notice=WORDS))
        assert all(line.plain.isprintable() for line in lines)
        assert not ascii_only or all(line.plain.isascii() for line in lines)


def made(hint: Any) -> st.SearchStrategy[Any]:
    """Generate any JSON value that may occur where this type is expected."""
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return st.builds(hint, **{name: made(kind) for name, kind in get_type_hints(hint).items()})
    if get_origin(hint) is tuple:
        return st.lists(made(get_args(hint)[0]), max_size=3).map(tuple)
    if get_origin(hint) is UnionType:
        return st.one_of(*map(made, get_args(hint)))
    if hint == dict[str, Any]:
        names = st.sampled_from(["electricity_per_day", "electricity_so_far", "profit_per_day", "seconds_per_block"])
        return st.dictionaries(names, st.one_of(st.none(), st.booleans(), st.text(), made(float)))
    return st.from_type(hint)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made(View), st.integers(1, 130), st.integers(1, 50))
def test_whatever_another_miner_says_can_be_drawn(it: View, width: int, height: int) -> None:
    lines = shown(it, width, height)
    assert len(lines) == height
    assert all(cell_len(line) <= width and line.isprintable() for line in lines)
