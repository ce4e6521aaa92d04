"""Tests the keys: their actions, reading them from a real terminal, and that the terminal's settings are restored."""

import io
import os
import pty
import select
import signal
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from rich.console import Console, ConsoleDimensions
from rich.text import Text
from trio.testing import MockClock

from stratum_miner.monitoring.control import ControlRefused
from stratum_miner.monitoring.screen import live
from stratum_miner.monitoring.screen.keys import _read as read_keys
from stratum_miner.monitoring.screen.keys import reading
from stratum_miner.monitoring.screen.layout import ScreenState
from stratum_miner.monitoring.screen.live import FOOT, HELP, Painter, Screen, is_ascii, usable
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

    def foot_or_notice(self) -> str:
        return " ".join(line.plain for line in self.screen.drawn(ScreenState(80, 24)))

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


async def test_an_answer_to_a_key_is_shown_for_four_seconds(autojump_clock: MockClock) -> None:
    bench = Bench()
    bench.press("p")
    await trio.sleep(3.99)
    assert "mining is paused" in bench.foot_or_notice()
    await trio.sleep(0.01)
    assert "mining is paused" not in bench.foot_or_notice()
    assert all(key in bench.foot() for key in FOOT)


async def test_with_two_pools_the_other_is_next_and_any_number_can_be_asked_for(autojump_clock: MockClock) -> None:
    bench = Bench()
    bench.view = view(pools=2)
    assert bench.press("n") == "mining switches to pool1.example:3333 as soon as it is up"
    idle = tuple(replace(pool, active=False) for pool in bench.view.pools)
    bench.view = replace(bench.view, pools=idle)
    assert bench.press("n") == "mining switches to pool0.example:3333 as soon as it is up", "none is mined on"
    bench.view = replace(bench.view, pools=(replace(idle[0], enabled=False), replace(idle[1], active=True)))
    assert bench.press("n") == "no other pool is enabled"
    assert bench.press("9") == "mining switches to  as soon as it is up"
    assert bench.press("h") == ""
    assert all(key in bench.foot() for key in HELP)


async def test_the_screen_is_drawn_every_second_and_after_each_key(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """However many keys are pressed, the next drawing comes a second later."""
    drawings: list[tuple[float, ScreenState]] = []
    pressed: list[tuple[float, str]] = []
    send, receive = trio.open_memory_channel[str](99)

    @asynccontextmanager
    async def keys(descriptor: int) -> AsyncIterator[trio.MemoryReceiveChannel[str]]:
        yield receive

    def drawn(screen: ScreenState) -> list[Text]:
        drawings.append((trio.current_time(), screen))
        return [Text("one"), Text("two")]

    def press(key: str) -> bool:
        pressed.append((trio.current_time(), key))
        return key == "x"

    async def type_keys() -> None:
        await trio.sleep(2.25)
        for key in "abc":
            await send.send(key)
        await trio.sleep(2.5)
        await send.send("x")

    monkeypatch.setattr(live, "reading", keys)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: 0))
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=20, height=2, color_system=None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(type_keys)
        await live.show(console, drawn, press)
    assert [at for at, _ in drawings] == [0.0, 1.0, 2.0, 2.25, 2.25, 2.25, 3.25, 4.25]
    assert pressed == [(2.25, "a"), (2.25, "b"), (2.25, "c"), (4.75, "x")]
    assert {screen for _, screen in drawings} == {ScreenState(20, 2, ascii_only=False)}
    assert file.getvalue().count("one") == 1 + 3, "at first, and after each key that did not end it"


async def test_the_screen_shows_what_it_draws_and_acts_on_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []

    async def show(*parts: Any) -> None:
        shown.extend(parts)

    monkeypatch.setattr(live, "show", show)
    bench = Bench()
    await bench.screen.run()
    assert shown == [bench.screen.console, bench.screen.drawn, bench.screen.press]


def test_a_screen_needs_a_terminal_for_text_and_for_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "in_foreground", lambda descriptor: True)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: 0, isatty=lambda: True))
    monkeypatch.setenv("TERM", "xterm")
    assert usable(Console(force_terminal=True, file=io.StringIO()))
    assert not usable(Console(force_terminal=False, file=io.StringIO()))
    monkeypatch.setenv("TERM", "dumb")
    assert not usable(Console(force_terminal=True, file=io.StringIO()))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: 0, isatty=lambda: False))
    assert not usable(Console(force_terminal=True, file=io.StringIO()))


def test_a_terminal_without_utf_8_gets_ascii() -> None:
    for encoding, ascii_only in (("UTF-8", False), ("utf-16", False), ("ascii", True), ("iso8859-1", True)):
        assert is_ascii(Console(file=io.TextIOWrapper(io.BytesIO(), encoding=encoding))) == ascii_only


async def test_of_a_long_text_that_is_pasted_64_characters_are_keys() -> None:
    master, slave = pty.openpty()
    try:
        with trio.fail_after(60):
            async with reading(slave) as keys:
                os.write(master, b"a" * 200 + b"z")
                while True:
                    await trio.lowlevel.checkpoint()
                    if keys.statistics().current_buffer_used == 64 and not _waiting(slave):
                        break
                assert "".join([await keys.receive() for _ in range(64)]) == "a" * 64
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert keys.statistics().current_buffer_used == 0
    finally:
        os.close(master)
        os.close(slave)


def _waiting(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


async def test_a_terminal_that_is_gone_ends_the_reading() -> None:
    reader, writer = os.pipe()
    send, receive = trio.open_memory_channel[str](9)
    os.write(writer, b"q")
    os.close(writer)
    try:
        with trio.fail_after(60):
            await read_keys(reader, send)
        assert receive.receive_nowait() == "q"
    finally:
        os.close(reader)


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


def test_every_tenth_drawing_and_one_of_another_size_is_whole() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=20, height=2, color_system=None)
    painter, whole = Painter(console), []
    for number in range(25):
        file.truncate(file.seek(0))
        if number == 14:
            console.size = ConsoleDimensions(21, 2)
        painter.paint([Text("one"), Text("two")])
        if file.getvalue():
            whole.append(number)
            assert file.getvalue().count("\x1b[2K") == 2
    assert whole == [0, 10, 14, 20]
