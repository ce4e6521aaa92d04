"""One kind of line becomes a few a second and a count, and what only we can cause is always told."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import structlog

from stratum_miner.app.process import line_limit, logs
from stratum_miner.app.process.line_limit import USUAL_AT_ONCE, LeftOut, LineLimit


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limit(clock: Clock) -> LineLimit:
    return LineLimit(lambda: None, clock)


def test_a_storm_becomes_a_few_lines_a_second_and_an_exact_count() -> None:
    clock = Clock()
    lines = limit(clock)
    came = 0
    for _ in range(100_000):
        came += lines.allows("bad_line", "warning")
        clock.now += 0.0001
    assert USUAL_AT_ONCE + 29 <= came <= USUAL_AT_ONCE + 31
    [left_out] = lines.take()
    assert left_out == LeftOut("bad_line", "warning", 100_000 - came, 10.0)
    assert lines.take() == []


def test_a_storm_of_one_kind_takes_no_room_of_another_and_leaves_room_when_it_is_over() -> None:
    clock = Clock()
    lines = limit(clock)
    for _ in range(1000):
        lines.allows("pool_message", "info")
    assert lines.allows("connection_ended", "warning")
    assert not lines.allows("pool_message", "info")
    clock.now += 60
    assert all(lines.allows("pool_message", "info") for _ in range(USUAL_AT_ONCE))
    assert not lines.allows("pool_message", "info")


def test_errors_are_limited_too_for_a_stranger_may_know_how_to_cause_one() -> None:
    lines = limit(Clock())
    assert sum(lines.allows("http_failed", "error") for _ in range(1000)) == USUAL_AT_ONCE


def test_shares_that_come_at_twenty_a_second_are_all_told() -> None:
    clock = Clock()
    lines = limit(clock)
    for _ in range(10_000):
        assert lines.allows("share_accepted", "info")
        clock.now += 0.05
    assert not all(lines.allows("share_accepted", "info") for _ in range(10_000))


def test_a_block_is_told_whatever_storm_of_shares_there_is_and_a_storm_of_blocks_is_a_storm() -> None:
    lines = limit(Clock())
    while lines.allows("share_accepted", "info"):
        pass
    assert lines.allows("share_accepted", "info", is_block=True)
    assert lines.allows("block_lost", "error")
    assert not all(lines.allows("share_accepted", "info", is_block=True) for _ in range(10_000))


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("block_accepted", "info"),
        ("block_refused", "warning"),
        ("device_hot", "warning"),
        ("configuration_problem", "warning"),
        ("status", "info"),
        ("miner", "info"),
        ("bad_line", "debug"),
    ],
)
def test_what_strangers_cannot_cause_or_the_user_asked_for_is_always_told(kind: str, level: str) -> None:
    lines = limit(Clock())
    assert all(lines.allows(kind, level) for _ in range(10_000))


def test_counts_are_exact_from_many_threads() -> None:
    lines = limit(Clock())
    came: Counter[int] = Counter()

    def log(number: int) -> None:
        for _ in range(5000):
            came[number] += lines.allows("bad_line", "warning")

    threads = [threading.Thread(target=log, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert came.total() == USUAL_AT_ONCE
    assert [each.lines for each in lines.take()] == [8 * 5000 - USUAL_AT_ONCE]


def test_the_count_comes_although_nothing_else_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_limit, "REPORT_AFTER_S", 0.01)
    told = threading.Event()
    lines = LineLimit(told.set, Clock())
    for _ in range(USUAL_AT_ONCE):
        assert lines.allows("bad_line", "warning")
    assert lines._timer is None
    assert not lines.allows("bad_line", "warning")
    assert told.wait(60)


def test_lines_file_and_events_have_the_same_few_lines_and_every_block(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "log"
    before = logs.events.newest(1)
    logs.report_left_out()
    try:
        logs.configure(log_format="json")
        log = structlog.get_logger("x")
        with logs.writing_to(path):
            for number in range(4000):
                log.warning("bad_line", reason=f"line {number}")
                log.info("share_accepted", difficulty="1", **({"block": f"{number:x}"} if number % 1000 == 999 else {}))
    finally:
        structlog.reset_defaults()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    names = Counter(line["event"] for line in lines)
    left_out = {line["kind"]: line["lines"] for line in lines if line["event"] == "lines_left_out"}
    assert USUAL_AT_ONCE <= names["bad_line"] < 4000
    assert {kind: names[kind] + left_out.get(kind, 0) for kind in ("bad_line", "share_accepted")} == {
        "bad_line": 4000,
        "share_accepted": 4000,
    }
    assert [line["block"] for line in lines if "block" in line] == ["3e7", "7cf", "bb7", "f9f"]
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == [line["event"] for line in lines]
    events = logs.events.newest(after=before[-1].number if before else 0)
    assert [event.name for event in events] == [line["event"] for line in lines][-len(events) :]
    assert events[-1].text.startswith("In the last ")


def test_a_new_configuration_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "miner.log"
    try:
        logs.configure(log_format="json")
        for _ in range(2 * USUAL_AT_ONCE):
            structlog.get_logger("x").warning("bad_line", reason="no JSON")
        logs.configure(log_format="json")
        with logs.writing_to(path):
            structlog.get_logger("x").warning("bad_line", reason="no JSON")
    finally:
        structlog.reset_defaults()
    [line] = path.read_text().splitlines()
    assert json.loads(line)["event"] == "bad_line"
