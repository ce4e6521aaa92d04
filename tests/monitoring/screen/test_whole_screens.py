"""Compares whole screens with the ones in tests/vectors/screens.txt, which people can read: of one miner in which
every part of the screen has something to show, and of several miners."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from rich.text import Span, Text

from stratum_miner.monitoring.screen import layout, overview
from stratum_miner.monitoring.screen.layout import ScreenState
from stratum_miner.monitoring.screen.live import FOOT
from stratum_miner.monitoring.screen.problems import problem_lines
from stratum_miner.monitoring.view import EventView, SharesView, View

from .test_layout import device, problem, troubled, view
from .test_overview import some

SCREENS = Path(__file__).parents[2] / "vectors" / "screens.txt"


@cache
def screens() -> dict[str, list[str]]:
    """Return the lines of each screen by its title. Each line begins with a bar."""
    parts = SCREENS.read_text().split("===== ")[1:]
    return {title: [line[1:] for line in lines] for title, *lines in (part.splitlines() for part in parts)}


def scene() -> View:
    """Return a view of five devices, three pools, two problems, five events and a gap in the history."""
    base = view(
        pools=3,
        devices=0,
        events=0,
        state="degraded",
        detail="3 of 5 devices mine; bitaxe-2 is off: too hot",
        devices_mining=3,
        devices_total=5,
        power_w=1065.4,
        power_is_partial=True,
        frozen_s=1.0,
        sample_age_s=5.5,
        hash_rate=1.1e12,
        hash_rate_5s=1.2e12,
        hash_rate_1m=1.3e12,
        hash_rate_5m=1.4e12,
        hash_rate_15m=1.5e12,
        elapsed_s=901.0,
        shares=SharesView(found=5133, accepted=4120, rejected=13, stale=12, lost=11, open=977),
        hardware_errors=1234,
        blocks_accepted=1,
        economics={
            "electricity_per_day": 1.468,
            "electricity_so_far": 0.0449,
            "profit_per_day": -0.25,
            "seconds_per_block": 86400.0 * 30,
        },
        last_share_age_s=75.0,
    )
    off = problem(
        1, "bitaxe-2 is off: too hot.", "Remove the cause, then restart the device or unplug it and plug it in again."
    )
    warn = problem(
        None,
        "Pool pool1.example:3333 cannot be mined on: Connection refused.",
        "Check the URL of the pool and the network connection.",
        severity="warning",
        kind="pool_down",
        pool_id=1,
        since_s=59.0,
    )
    devices = (
        device(
            0,
            backend="asic",
            name="bitaxe-1",
            chip_temperature_c=61.26,
            power_w=17.25,
            hash_rate=1.1e12,
            hash_rate_1m=1.2e12,
            accepted=1_234_567,
            refused=7,
            nonces_found=9876,
            hardware_errors=1234,
        ),
        device(
            1,
            backend="asic",
            name="bitaxe-2",
            chip_temperature_c=31.5,
            power_w=0.0,
            hash_rate=0.0,
            hash_rate_1m=0.0,
            mines=False,
            state="off",
            reason="too hot",
        ),
        device(
            2,
            backend="asic",
            name="a-port-with-a-very-long-name-that-differs-at-its-end-7",
            mines=False,
            state="starting",
            reason="it is being reset",
        ),
        device(3, name="cpu0"),
        device(4, name="cpu0", backend="other", state="throttled", reason="72 C"),
    )
    pools = (
        replace(base.pools[0], name="stratum+tcp://pool.example:3333", work_share=0.75, since_s=4000.0, rejected=1003),
        replace(base.pools[1], state="down", reason="Connection refused", lost=77),
        replace(base.pools[2], enabled=False, reason="it is a spare"),
    )
    events = tuple(
        EventView(number=n, at=1.7e9 + n, level=level, name="x", text=text)
        for n, (level, text) in enumerate(
            (
                ("info", "New job a, share difficulty 2."),
                (
                    "warning",
                    "bitaxe-2 stays off: too hot, because no valid temperature came from it for a long time again.",
                ),
                ("info", f"BLOCK {'0f' * 32} solved. Share accepted, difficulty 3."),
                ("error", "Something failed."),
                ("info", "Mining on stratum+tcp://pool.example:3333, which has a name that is long enough to be cut."),
            )
        )
    )
    points = tuple(
        replace(p, at=p.at + 60 * (i >= 150), hash_rate=1e12 * (1 + i // 50)) for i, p in enumerate(base.history)
    )
    return replace(
        base,
        summary=replace(base.summary, problems=(off, warn)),
        devices=devices,
        pools=pools,
        events=events,
        history=points,
    )


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "localtime", time.gmtime)


@pytest.mark.parametrize(
    "size",
    ["100 44", "100 38", "100 35", "100 32", "80 24", "60 20", "59 18", "40 15", "80 14", "80 13", "200 9", "80 3"],
)
def test_one_miner(size: str) -> None:
    width, height = map(int, size.split())
    lines = layout.draw(scene(), ScreenState(width, height, foot=FOOT))
    assert [line.plain for line in lines] == screens()[f"one miner, {size}"]


@pytest.mark.parametrize("size", ["100 30", "100 14", "100 12", "40 9", "60 20"])
def test_several_miners(size: str) -> None:
    width, height = map(int, size.split())
    lines = overview.draw(several(), ScreenState(width, height, foot=("0-9 one miner", "q quit")))
    assert [line.plain for line in lines] == screens()[f"several miners, {size}"]


def test_ascii_has_no_other_characters() -> None:
    lines = layout.draw(scene(), ScreenState(70, 30, ascii_only=True, foot=FOOT))
    assert [line.plain for line in lines] == screens()["one miner in ASCII, 70 30"]


def test_colours_repeat_what_words_say() -> None:
    lines = layout.draw(scene(), ScreenState(100, 44, foot=FOOT))
    assert coloured(lines) == screens()["colours of one miner"]
    assert coloured(overview.draw(several(), ScreenState(100, 30))) == screens()["colours of several miners"]


@pytest.mark.parametrize("width", [100, 30])
def test_a_miner_that_does_not_answer(width: int) -> None:
    """A label and a long reason, also on a screen that is narrower than the text is made for."""
    miner = overview.WatchedMiner(
        3, "http://10.0.0.3:7780", None, ("it answers 401: expected the API token; " * 3).strip(), 9.0
    )
    lines = overview.draw_one(miner, ScreenState(width, 9, foot=("q quit",)))
    assert [line.plain for line in lines] == screens()[f"no answer, {width} 9"]


def test_what_is_left_out_of_the_problems_is_counted_by_its_weight() -> None:
    critical, warning = (problem(None, "It is so.", severity=severity) for severity in ("critical", "warning"))
    for problems, said in (
        ([critical, critical], "  1 more problem, all critical"),
        ([critical, warning], "  1 more problem, none of them critical"),
        ([warning, critical, critical], "  2 more problems, all critical"),
        ([warning, critical, warning], "  2 more problems, 1 critical"),
        ([warning, warning, warning], "  2 more problems, none of them critical"),
        ([critical], "critical    It is so. (for 24m00s)"),
    ):
        lines = problem_lines(problems, 80, 1)
        assert lines[-1].plain == said
        assert len(lines) == min(2, len(problems))
    assert len(problem_lines([critical, warning], 80, 2)) == 2
    assert problem_lines([], 80, 9) == []


def test_a_long_reason_of_the_state_is_wrapped_at_the_edge() -> None:
    it = view(state="paused", detail="paused by the schedule: until 22:00 of the day after tomorrow, as it is cheap")
    lines = [line.plain for line in layout.draw(it, ScreenState(44, 20))]
    at = lines.index("paused by the schedule: until 22:00 of the")
    assert lines[at + 1] == "day after tomorrow, as it is cheap"


def test_items_beyond_the_most_rows_are_counted_behind_those_that_are_needed() -> None:
    it = view(devices=1500, events=0)
    devices = (replace(it.devices[0], mines=False, state="off"), *it.devices[1:])
    lines = [line.plain for line in layout.draw(replace(it, devices=devices), ScreenState(80, 3000))]
    assert sum(line.startswith("cpu") for line in lines) == 1000
    assert "  500 more, all mining" in lines


@pytest.mark.parametrize(("devices", "size"), [(12, "80 30"), (12, "80 20"), (30, "80 24")])
def test_devices_that_are_off_leave_a_third_for_the_problems(devices: int, size: str) -> None:
    width, height = map(int, size.split())
    advice = "Remove the cause, then restart the device or unplug it and plug it in again."
    it = troubled(range(devices), devices=devices, advice=advice)
    it = replace(
        it,
        summary=replace(
            it.summary,
            problems=tuple(
                replace(each, advice=f"{advice} {number}") for number, each in enumerate(it.summary.problems)
            ),
        ),
    )
    lines = layout.draw(it, ScreenState(width, height, foot=FOOT))
    assert [line.plain for line in lines] == screens()[f"{devices} are off, {size}"]


def test_temperature_and_power_have_columns_if_a_device_measures_them() -> None:
    def heading(*devices: dict[str, float]) -> list[str]:
        it = replace(view(devices=0), devices=tuple(device(n, **each) for n, each in enumerate(devices)))
        [line] = [line.plain for line in layout.draw(it, ScreenState(120, 40)) if line.plain.startswith("device ")]
        return [word for word in line.split() if word in ("temp", "power")]

    assert heading({}, {}) == []
    assert heading({"chip_temperature_c": 50.0}, {"chip_temperature_c": 51.0}) == ["temp"]
    assert heading({"power_w": 5.0}, {"power_w": 6.0}) == ["power"]
    assert heading({}, {"power_w": 6.0, "chip_temperature_c": 50.0}) == ["temp", "power"]


def test_pools_are_listed_from_two_on_with_their_time_if_it_is_known() -> None:
    def heading(*work_shares: float | None) -> list[str]:
        it = view(pools=len(work_shares), events=0)
        pools = tuple(replace(pool, work_share=part) for pool, part in zip(it.pools, work_shares, strict=True))
        lines = [line.plain for line in layout.draw(replace(it, pools=pools), ScreenState(100, 40))]
        return [line for line in lines if line.startswith("pool  ") and "state" in line]

    assert heading(None) == []
    assert [line.split()[:4] for line in heading(None, None)] == [["pool", "state", "for", "accepted"]]
    assert [line.split()[:5] for line in heading(0.5, 0.5)] == [["pool", "state", "for", "of", "time"]]
    assert [line.split()[:5] for line in heading(None, 1.0)] == [["pool", "state", "for", "of", "time"]]


def test_a_worker_name_has_sixteen_characters_on_the_smallest_screen() -> None:
    it = view()
    it = replace(it, pools=(replace(it.pools[0], worker_name="bc1q" + "w" * 60 + ".rig7"),))
    lines = [line.plain for line in layout.draw(it, ScreenState(40, 24))]
    assert "  worker bc1qw…wwwww.rig7" in lines


def test_the_time_to_an_answer_is_that_of_the_pool_mined_on_if_there_is_one() -> None:
    def line(**changes: object) -> str:
        it = view()
        it = replace(it, pools=(replace(it.pools[0], **changes),))  # type: ignore[arg-type]  # each has its own type
        return next(line.plain for line in layout.draw(it, ScreenState(100, 24)) if line.plain.startswith("pool "))

    assert line() == "pool        pool0.example:3333 · worker w · answers in 0.6 ms (99 %: 2.1 ms)"
    assert line(latency_p50_ms=None) == "pool        pool0.example:3333 · worker w"
    assert (
        line(active=False) == "pool        pool.example:3333 · worker bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig"
    )


def coloured(lines: Sequence[Text]) -> list[str]:
    """Return each part of the screen that has a style other than dim, after its style."""
    return [
        f"{style}: {line.plain[span.start : span.end].strip()}"
        for line in lines
        for span in [*([Span(0, len(line.plain), line.style)] if line.style else []), *line.spans]
        if (style := str(span.style)) not in ("", "dim") and line.plain[span.start : span.end].strip()
    ]


def several() -> list[overview.WatchedMiner]:
    """Return seven miners: one does not mine, two do not answer, and two do not know all of their power."""
    shares = SharesView(found=17, accepted=10, rejected=4, stale=2, lost=1, open=0)
    unknown = view(power_w=None, devices=3, devices_total=4, shares=shares)
    partial = view(power_w=1030.0, power_is_partial=True, devices=1)
    return [
        *some(),
        *(overview.WatchedMiner(n, f"http://10.0.0.{n}:7780", it, "", 0.0) for n, it in ((5, unknown), (6, partial))),
    ]
