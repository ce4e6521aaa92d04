"""The screen at every size: as many lines as it has, none too wide, what matters most at the top."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.cli.screen.layout import Face, draw
from stratum_miner.monitoring.model import (
    DeviceView,
    Estimate,
    EventView,
    JobView,
    LuckView,
    Point,
    PoolView,
    SharesView,
    Summary,
    View,
)

WORTH = {"accepted": 30.0, "rejected": 0.75, "stale": 0.5, "lost": 0.25}
SUMMARY = Summary(
    version="0.1.0", state="mining", detail="", devices_mining=2, devices_total=2, problems=(),
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
        version_mask="1fffe000",
    ),
    pool="stratum+tcp://pool.example:3333", worker_name="bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig",
    power_w=65.0, power_is_partial=False, joules_per_terahash=411_000.0,
    economics={"electricity_per_day": 0.468, "electricity_so_far": 0.004, "seconds_per_block": 3.9e15},
)  # fmt: skip


def pool(index: int, **changes: Any) -> PoolView:
    base = PoolView(
        id=index, priority=index, name=f"pool{index}.example:3333",
        url=f"stratum+tcp://pool{index}.example:3333", worker_name="w",
        active=index == 0, enabled=True, state="up", reason="", since_s=700.0, connection="mining", accepted=120,
        rejected=3, stale=2, lost=1, difficulties=WORTH, reasons={}, reject_share=0.02, stale_share=0.01,
        latency_p50_ms=0.6,
        latency_p99_ms=2.1, quota=None, work_share=None, difficulty=0.25, version_mask="1fffe000", jobs=12, connects=1,
        bytes_received=1000, bytes_sent=1000,
    )  # fmt: skip
    return replace(base, **changes)


def device(index: int, **changes: Any) -> DeviceView:
    base = DeviceView(
        id=index, backend="cpu", name=f"cpu{index}", detail="avx512", mines=True, state="mining", reason="",
        hash_rate=79e6,
        hash_rate_1m=79e6, expected_hash_rate=None, hashes=10**10, nonces_found=60, accepted=60, refused=3,
        difficulties=WORTH,
        hardware_errors=0, last_nonce_age_s=3.0,
    )  # fmt: skip
    return replace(base, **changes)


def view(*, pools: int = 1, devices: int = 2, events: int = 30, **changes: Any) -> View:
    points = [
        Point(
            at=2.0 * second, hash_rate=1e8 * (second % 7), accepted=0, rejected=0, stale=0, lost=0, latency_ms=None,
            temperature_c=None, power_w=None,
        )
        for second in range(300)
    ]  # fmt: skip
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
        history=tuple(points),
    )


def shown(it: View, width: int = 80, height: int = 24, **face: Any) -> list[str]:
    return [line.plain for line in draw(it, Face(width, height, **face))]


@given(
    st.integers(1, 230), st.integers(1, 90), st.integers(0, 12), st.integers(1, 5), st.integers(0, 100), st.booleans()
)
def test_it_fits_every_screen(width: int, height: int, devices: int, pools: int, events: int, ascii_only: bool) -> None:
    it = view(pools=pools, devices=devices, events=events)
    lines = shown(it, width, height, ascii_only=ascii_only, foot="q quit")
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    if ascii_only:
        assert "".join(lines).isascii()


def test_at_80_by_24_everything_that_matters_is_there() -> None:
    text = "\n".join(shown(view(), foot="p pause   q quit"))
    for needle in (
        "stratum_miner 0.1.0 · mining · 12m34s · 65 W", "158 MH/s", "pool.example:3333 as bcrt1q", "0.6 ms (99 %: 2.1)",
        "b9bbd6b0 · block 930,000, 12.0s old · difficulty 0.25 of 144 T",
        "120 accepted · 3 rejected · 2 stale · 1 lost",
        "luck 1.05 (0.87 to 1.25)", "one every 6.1 seconds on average, the last 3.0s ago", "2 nonces computed wrongly",
        "0.47 a day", "cpu0", "cpu1", "Event 29", "p pause   q quit",
    ):  # fmt: skip
        assert needle in text, needle


def test_what_does_not_fit_goes_from_the_bottom_up() -> None:
    lines = shown(view(devices=30), 80, 24)
    assert any("more" in line for line in lines)
    assert sum("Event" in line for line in lines) >= 3  # news are always seen
    small = shown(view(), 80, 6)
    assert small[0].startswith("stratum_miner")
    assert not any("cpu0" in line for line in small)


def test_pools_are_listed_where_there_are_several() -> None:
    assert not any(line.startswith(">0") for line in shown(view(pools=1)))
    it = view(pools=3, devices=1, events=0)
    it = replace(it, pools=(*it.pools[:2], pool(2, enabled=False, state="down", reason="refused", work_share=0.3)))
    lines = shown(it, 100, 40)
    assert any(line.startswith(">0 pool0.example:3333") for line in lines)
    assert any(
        line.startswith("x2 pool2.example:3333") and "off" in line and "30% of the time" in line for line in lines
    )


def test_machines_show_heat_power_and_trouble() -> None:
    it = view(devices=0)
    hot = device(0, name="bitaxe-gamma-1", chip_temperature_c=71.6, power_w=15.2, state="throttled", reason="72 C")
    text = "\n".join(shown(replace(it, devices=(hot, device(1))), 100, 40))
    assert "72 C" in text
    assert "15.2 W" in text
    assert "throttled: 72 C" in text


def test_while_there_is_no_job_it_says_why() -> None:
    text = "\n".join(shown(view(job=None, state="no_pool", detail="next try in 5 s: Connection refused")))
    assert "next try in 5 s: Connection refused" in text


def test_a_notice_takes_the_place_of_the_keys() -> None:
    assert shown(view(), notice="paused", foot="q quit")[-1] == "paused"


@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_sparkline_goes_from_zero_to_the_highest(ascii_only: bool) -> None:
    line = next(line for line in shown(view(), 80, 24, ascii_only=ascii_only) if line.startswith("10 minutes"))
    assert set(line[12:].strip()) <= set("_.-=+*#@" if ascii_only else "▁▂▃▄▅▆▇█")
    assert len(line) > 60


def test_no_word_of_a_pool_steers_the_terminal() -> None:
    words = "a\x1b[2J\nb"
    it = view(pools=3, devices=1, events=0)
    event = EventView(number=1, at=1.7e9, level="info", name="pool_message", text=words, fields={})
    assert it.summary.job is not None
    summary = replace(it.summary, pool=words, detail=words, job=replace(it.summary.job, job_id=words))
    it = replace(it, summary=summary, pools=(pool(0, reason=words), pool(1, name=words)), events=(event,))
    assert all(line.plain.isprintable() for line in draw(it, Face(width=100, height=40)))
