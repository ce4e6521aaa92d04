"""Tests the keys: their actions, reading them from a real terminal, and that the terminal's settings are restored."""

import io
import os
import pty
import signal
import sys
import termios
from dataclasses import replace
from typing import Any

import pytest
import trio
from rich.console import Console
from rich.text import Text
from trio.testing import MockClock

from stratum_miner.monitoring.control import ControlRefused
from stratum_miner.monitoring.screen.keys import reading
from stratum_miner.monitoring.screen.layout import ScreenState
from stratum_miner.monitoring.screen.live import FOOT, HELP, WHOLE_EVERY, Painter, Screen, usable
from tests.monitoring.screen.test_layout import view


class Control:
    """Records its calls, and refuses them if the test says so."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refusing = ""

    def __getattr__(self, name: str) -> Any:
        def call(*values: Any) -> None:
            if self.refusing:
                raise ControlRefused(self.refusing)
            self.calls.append((name, *values))

        return call


class Bench:
    def __init__(self) -> None:
        self.view = view(pools=3)
        self.control: Any = Control()
        self.screen = Screen(Console(file=io.StringIO(), width=80, height=24), lambda: self.view, self.control)

    def press(self, key: str) -> str:
        assert not self.screen.press(key)  # no key ends it
        return self.screen._notice

    def foot(self) -> str:
        lines = [line.plain for line in self.screen.drawn(ScreenState(80, 24))]
        return " ".join(line for line in lines if any(key in line for key in (*FOOT, *HELP)))


async def test_keys_do_what_the_foot_says(autojump_clock: MockClock) -> None:
    bench = Bench()
    assert bench.press("p") == "mining is paused: press p again to continue"
    bench.view = view(pools=3, state="paused")
    assert bench.press("P") == "mining continues"
    assert bench.press("n") == "mining switches to pool1.example:3333 as soon as it is up"
    assert bench.press("2") == "mining switches to pool2.example:3333 as soon as it is up"
    assert bench.press("x") == "'x' does nothing: press ? to see the keys"
    assert bench.press("\x01") == ""
    assert bench.press("q").startswith("stopping")
    assert bench.control.calls == [
        ("pause", "by hand"), ("resume", "by hand"), ("switch_pool", 1), ("switch_pool", 2), ("quit",)
    ]  # fmt: skip


async def test_help_stays_until_the_next_key(autojump_clock: MockClock) -> None:
    bench = Bench()
    assert all(key in bench.foot() for key in FOOT)
    bench.press("p")  # its answer does not hide the help
    bench.press("?")
    await trio.sleep(3600)
    assert all(key in bench.foot() for key in HELP)
    bench.press("?")
    assert all(key in bench.foot() for key in FOOT)


async def test_pools_are_named_by_their_ids_wherever_they_stand(autojump_clock: MockClock) -> None:
    bench = Bench()
    first, second, third = bench.view.pools
    second, third = replace(second, id=4, active=True), replace(third, id=7)
    bench.view = replace(bench.view, pools=(third, second, replace(first, active=False)))
    assert bench.press("4") == "mining switches to pool1.example:3333 as soon as it is up"
    assert bench.press("n") == "mining switches to pool2.example:3333 as soon as it is up"
    bench.view = replace(bench.view, pools=tuple(replace(pool, active=pool.id == 7) for pool in bench.view.pools))
    assert bench.press("n") == "mining switches to pool0.example:3333 as soon as it is up"  # each has its turn
    assert bench.control.calls == [("switch_pool", 4), ("switch_pool", 7), ("switch_pool", 0)]


async def test_what_cannot_be_done_is_said(autojump_clock: MockClock) -> None:
    bench = Bench()
    bench.control.refusing = "pool: expected one of the ids 0, 1, 2, got 7"
    assert bench.press("7") == bench.control.refusing
    bench.view = view(pools=1)
    assert bench.press("n") == "there is only one pool"
    bench.view = replace(view(pools=2), pools=tuple(replace(pool, active=True) for pool in view(pools=2).pools))
    assert bench.press("n") == "no other pool is enabled"


async def test_keys_of_a_real_terminal() -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    try:
        with trio.fail_after(60):
            async with reading(slave) as keys:
                assert not termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO)
                assert termios.tcgetattr(slave)[3] & termios.ISIG
                os.write(master, "pä".encode())
                assert [await keys.receive(), await keys.receive()] == ["p", "ä"]
                os.write(master, b"\x1b[A")
                await trio.testing.wait_all_tasks_blocked(0.05)
                os.write(master, b"q")
                assert await keys.receive() == "q"
                termios.tcsetattr(slave, termios.TCSANOW, before)  # as a shell does while we are stopped
                os.kill(os.getpid(), signal.SIGCONT)
                while termios.tcgetattr(slave)[3] & termios.ICANON:
                    await trio.lowlevel.checkpoint()
        assert termios.tcgetattr(slave) == before
        with pytest.raises(ZeroDivisionError):
            await _fail_inside(slave)
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


def test_a_command_in_the_background_of_a_shell_leaves_the_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With & behind it, ``mine`` would be stopped by the terminal, with a blank screen before the shell."""
    master, slave = pty.openpty()
    console = Console(force_terminal=True, file=io.StringIO())
    try:
        with os.fdopen(slave, closefd=False) as terminal:
            monkeypatch.setattr(sys, "stdin", terminal)
            assert usable(console)  # not the terminal of this process: it stops nothing
            monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.getpgrp())
            assert usable(console)
            monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.getpgrp() + 1)
            assert not usable(console)
    finally:
        os.close(master)
        os.close(slave)


async def _fail_inside(descriptor: int) -> None:
    try:
        async with reading(descriptor):
            raise ZeroDivisionError
    except* ZeroDivisionError:
        failed = True
    if failed:  # raised in the block above, Python 3.11.2 would wrap it in a group
        raise ZeroDivisionError


def test_only_lines_that_differ_are_written_again() -> None:
    file = io.StringIO()
    painter = Painter(Console(file=file, force_terminal=True, width=20, height=3, color_system=None))

    def painted(*lines: str) -> str:
        file.seek(0)
        file.truncate()
        painter.paint([Text(line) for line in lines])
        return file.getvalue()

    assert painted("one", "two", "x" * 20) == f"\x1b[1;1H\x1b[2Kone\x1b[2;1H\x1b[2Ktwo\x1b[3;1H\x1b[2K{'x' * 20}"
    assert painted("one", "TWO", "x" * 20) == "\x1b[2;1H\x1b[2KTWO"
    assert painted("one", "TWO", "x" * 20) == ""
    painter.forget()
    assert painted("one", "TWO", "three").startswith("\x1b[1;1H\x1b[2Kone")
    assert any(painted("one", "TWO", "three") for _ in range(WHOLE_EVERY))  # somebody else may have written there
