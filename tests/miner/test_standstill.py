"""When time counts as a standstill of the process: on clocks that the test sets, and with one real stop."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from stratum_miner.miner import standstill
from stratum_miner.miner.standstill import LONGEST_S, LOOK_S, Standstill


class Machine:
    """A standstill with clocks that the test sets, and with the time that the thread has waited for a processor."""

    def __init__(self) -> None:
        self.monotonic, self.slept, self.waited = 1000.0, 50.0, 3.0
        self.standstill = Standstill(lambda: self.monotonic, lambda: self.slept, lambda: self.waited)
        self.standstill.look()

    def later(self, seconds: float, *, waited: float = 0.0, slept: float = 0.0) -> tuple[float, float]:
        self.monotonic += seconds
        self.waited += waited
        self.slept += slept
        self.standstill.look()
        return self.standstill.total, self.standstill.left_out


def test_a_process_that_looks_in_time_never_stood_still() -> None:
    machine = Machine()
    assert {machine.later(step) for step in (LOOK_S, 0.0, 0.1, 1.0, LONGEST_S, LOOK_S + LONGEST_S)} == {(0.0, 0.0)}


def test_a_stop_counts_but_for_the_half_second_between_two_looks() -> None:
    machine = Machine()
    assert machine.later(15.5) == (15.0, 15.0)
    assert machine.later(LOOK_S) == (15.0, 15.0)
    assert machine.later(7.5) == (22.0, 22.0)


def test_a_sleep_of_the_machine_counts_though_the_clock_stood_still() -> None:
    machine = Machine()
    assert machine.later(LOOK_S, slept=3600.0) == (3600.0, 0.0)
    assert machine.later(LOOK_S, slept=0.001) == (3600.0, 0.0)
    assert machine.later(20.5, slept=60.0) == (3680.0, 20.0), "stopped and asleep"
    assert machine.later(LOOK_S, slept=1.0) == (3680.0, 20.0), "two clocks are read one after the other"
    assert machine.later(LOOK_S, slept=1.5) == (3681.5, 20.0)


def test_waiting_for_a_busy_processor_is_no_stop() -> None:
    machine = Machine()
    assert machine.later(60.0, waited=58.0) == (0.0, 0.0)
    assert machine.later(60.5, waited=20.0) == (40.0, 40.0), "stopped for the rest"


def test_a_thread_that_is_held_up_is_no_stop_while_another_looks_on() -> None:
    machine = Machine()
    other = partial(machine.later, LOOK_S)
    for _ in range(40):  # twenty seconds in which this thread does not come to look
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert machine.later(0.0, waited=19.0) == (0.0, 0.0)


def test_each_standstill_is_news_once() -> None:
    machine = Machine()
    assert machine.standstill.new_seconds() == 0.0
    machine.later(10.5)
    assert machine.standstill.new_seconds() == 10.0
    assert machine.standstill.new_seconds() == 0.0


def test_a_stop_of_five_seconds_is_too_short_to_be_told_from_a_busy_machine() -> None:
    machine = Machine()
    assert machine.later(5.5) == (0.0, 0.0)
    assert machine.later(5.75) == (5.25, 5.25)


@pytest.mark.parametrize(
    ("content", "seconds"),
    [("12345678901 4500000000 77\n", 4.5), ("12345678901\n", 0.0), ("", 0.0), ("1 x 2", 0.0), (None, 0.0)],
)
def test_the_wait_of_a_thread_is_the_second_number_in_nanoseconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, seconds: float
) -> None:
    path = tmp_path / "schedstat"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(standstill, "SCHEDSTAT", path)
    assert standstill.waited() == seconds


def test_the_machine_slept_for_the_difference_of_its_two_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {7: 1000.0, time.CLOCK_MONOTONIC: 400.0}
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    assert standstill.asleep() == 600.0
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert standstill.asleep() == 0.0


def test_where_no_thread_can_be_started_the_block_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with Standstill().watched():
        pass


def test_a_thread_looks_at_the_clock_while_the_block_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()
    monkeypatch.setattr(standstill, "LOOK_S", 0.001)

    def waited() -> float:
        looked.set()
        return 0.0

    it = Standstill(waited=waited)
    with it.watched():
        assert looked.wait(60)


def test_the_kernel_tells_how_long_a_thread_waited_and_the_machine_slept() -> None:
    assert standstill.waited() >= 0.0
    assert standstill.asleep() > -1.0


@contextmanager
def stoppable(code: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


WATCH = """
import sys, time
from stratum_miner.miner.standstill import Standstill
it = Standstill()
with it.watched():
    print("watching")
    while not it.total:
        time.sleep(0.05)
    print(it.total, it.left_out)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system has none")
def test_a_real_stop_is_noticed_and_its_length_is_right() -> None:
    with stoppable(WATCH) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        began = time.monotonic()
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(8)  # this is what is measured
        os.kill(process.pid, signal.SIGCONT)
        longest = time.monotonic() - began
        total, left_out = map(float, process.stdout.readline().split())
    assert total == left_out
    assert longest - 2 * LOOK_S - 1 < total <= longest + LOOK_S


def test_nobody_looks_on_when_it_is_over() -> None:
    before = set(threading.enumerate())
    with Standstill().watched():
        [watcher] = set(threading.enumerate()) - before
    watcher.join(60)
    assert not watcher.is_alive()
